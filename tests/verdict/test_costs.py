"""What a cost of two sides came to: blocks are the data, and a case counts where both sides have it."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

import pytest

from gemma_eval.records import Load, Outcome
from gemma_eval.verdict.costs import Costs, after_each, costs, failed, pooled, typical
from gemma_eval.verdict.sides import Pair
from tests.verdict import blocks
from tests.verdict.blocks import answer, in_blocks

Side = tuple[Outcome, ...]


def held(base: Side, candidate: Side, metric: str = "ttft_s", *, together: bool = True) -> Costs:
    """Return the costs of two sides that share something."""
    found = costs(Pair(shared="", base=base, candidate=candidate), metric, together=together)
    assert found is not None
    return found


def test_the_difference_of_a_block_is_that_of_the_logarithms_of_medians_over_the_cases() -> None:
    """Computed here by hand: of three answers the middle one counts, and cases weigh alike."""
    base = (*in_blocks([[0.1, 0.1, 9.0], 0.2]), *in_blocks([0.4, 0.5], case="b"))
    candidate = (*in_blocks([[0.3, 0.2, 0.1], 0.1]), *in_blocks([0.4, 1.0], case="b"))
    found = held(base, candidate)
    assert found.differences("ttft_s") == pytest.approx((math.log(2) / 2, 0.0))
    assert found.base == pytest.approx((math.log(0.1 * 0.4) / 2, math.log(0.2 * 0.5) / 2))
    assert (found.blocks, found.cases, found.lost, found.left_out) == (2, 2, 0, ())
    assert found.base_values == ((0.1, 0.1, 9.0, 0.4), (0.2, 0.5))
    assert pooled(found.candidate_values) == (0.3, 0.2, 0.1, 0.4, 0.1, 1.0)


@pytest.mark.parametrize("metric", ["output_tokens_per_s", "prompt_tokens_per_s"])
def test_fewer_per_second_are_worse(metric: str) -> None:
    """As longer is of a time: the sign is turned."""
    found = held(in_blocks([40.0], metric=metric), in_blocks([20.0], metric=metric), metric)
    assert found.differences(metric) == pytest.approx((math.log(2),))


def test_more_memory_is_worse() -> None:
    """A size is a cost."""
    metric = "peak_memory_bytes"
    found = held(in_blocks([100], metric=metric), in_blocks([200], metric=metric), metric)
    assert found.differences(metric) == pytest.approx((math.log(2),))


def test_the_answers_of_the_session_are_not_among_the_blocks() -> None:
    """They were not made in turn; nor is a block that only one side has, and the last ones do not count."""
    base = (answer(9.0), *in_blocks([0.1, 0.2, 0.3]))
    candidate = (answer(0.001), *in_blocks([0.1, 0.2], first=2))
    found = held(base, candidate)
    assert found.base == pytest.approx((math.log(0.2), math.log(0.3)))
    assert found.candidate == pytest.approx((math.log(0.1), math.log(0.2)))


def test_sides_by_themselves_are_one_datum_of_all_blocks() -> None:
    """The median of each block, and the mean of their logarithms."""
    found = held(in_blocks([0.1, [0.2, 0.4, 9.0]]), in_blocks([0.3]), together=False)
    assert found.blocks == 0
    assert found.base == pytest.approx((math.log(0.1 * 0.4) / 2,))
    assert found.base_values == ((0.1, 0.2, 0.4, 9.0),)
    assert held((answer(0.1),), (answer(0.2),)).blocks == 0  # together, and no block of either
    beside = held((answer(9.0), *in_blocks([0.1])), in_blocks([0.3]), together=False)
    assert beside.base == (math.log(0.1),)  # what was in blocks is of fresh starts, and the first answer not


def test_a_block_that_a_case_lacks_is_left_out() -> None:
    """Else one block would be of other cases than the next; it is lost where the candidate lacks it."""
    whole = (*in_blocks([0.1, 0.1, 0.1]), *in_blocks([0.4, 0.5, 0.4], case="b"))
    for part in ((*whole[:4], whole[5]), (*whole[:4], blocks.failed(whole[4]), whole[5])):
        found = held(whole, part)
        assert found.base == pytest.approx((math.log(0.2),) * 2)
        assert (found.blocks, found.cases, found.lost, found.gone) == (2, 2, 1, 1)
        assert found.left_out == ("1 block in which an answer failed or has no value",)
        assert found.unseen == 1
        other = held(part, whole)
        assert (other.base, other.lost, other.left_out) == (found.base, 0, found.left_out)


def test_a_case_that_never_has_a_value_on_both_sides_is_left_out_itself() -> None:
    """Its blocks are as good as any; where the base has values of it, it is lost."""
    whole = (*in_blocks([0.1, 0.1]), *in_blocks([0.5, 0.5], case="b"))
    part = (*whole[:2], *map(blocks.failed, whole[2:]))
    found = held(whole, part)
    assert (found.base, found.cases, found.lost) == ((math.log(0.1),) * 2, 1, 1)
    assert (found.left_out, found.unseen) == (("1 case without a value",), 0)
    assert (held(part, whole).lost, held(part, part).lost) == (0, 0)


def test_what_is_missing_later_does_not_change_what_was_known_after_a_block() -> None:
    """One answer that fails, and one case that never comes again."""
    whole = (*in_blocks([0.1, 0.2, 0.3, 0.4]), *in_blocks([0.5, 0.6, 0.7, 0.8], case="b"))
    for at in (2, 3):
        part = (*whole[: 4 + at], *map(blocks.failed, whole[4 + at :]))
        for base, candidate in ((whole, part), (part, whole)):
            pair, other = (Pair(shared="", base=base, candidate=each) for each in (candidate, base))
            views = after_each(pair, "ttft_s")
            untouched = after_each(replace(other, base=whole, candidate=whole), "ttft_s")
            assert views[:at] == untouched[:at]
            assert [view.blocks for view in views] == [*range(1, at + 1), *[at] * (4 - at)]
            assert [view.gone for view in views[at:]] == list(range(1, 5 - at))
    assert after_each(Pair(shared="", base=whole[:1], candidate=()), "ttft_s") == ()


def test_a_block_with_a_failed_answer_beside_others_is_not_whole() -> None:
    """Its median is of those that came."""
    base = in_blocks([[0.1, 0.1], [0.1, 0.1]])
    found = held((*base[:3], blocks.failed(base[3])), base)
    assert (found.is_whole, found.gone, found.unseen, found.lost) == ((True, False), 0, 1, 0)


def test_a_case_of_the_base_alone_is_lost_where_it_had_a_value() -> None:
    """One of the candidate alone is not."""
    base = (*in_blocks([0.1]), *in_blocks([0.5], case="b"), *in_blocks([None], case="c"))
    found = held(base, in_blocks([0.1]))
    assert (found.lost, found.left_out) == (1, ("2 cases of the base alone",))
    assert held(in_blocks([0.1]), base).lost == 0


def test_a_case_of_which_more_answers_failed_is_lost_though_others_came() -> None:
    """Those that hit a time limit were the slowest, and their median is of the others."""
    base = in_blocks([[0.1, 0.1, 0.1]])
    candidate = (*base[:2], blocks.failed(base[2]))
    assert held(base, candidate).lost == 1
    assert held(candidate, candidate).lost == 0
    assert failed(candidate) == 1
    elsewhere = (*in_blocks([0.1]), blocks.failed(answer(0.1, block=2)))
    assert held(in_blocks([0.1]), elsewhere).lost == 0  # in a block that the base has not


def test_a_zero_is_a_value_though_it_has_no_ratio() -> None:
    """Without it the median would be of the larger ones; a candidate that has more than 0 is not equal."""
    found = held(in_blocks([[0.1, 0.2, 0.4]]), in_blocks([[0.0, 0.2, 0.4]]))
    assert found.differences("ttft_s") == (0.0,)
    nothing = in_blocks([0.0], case="b")
    base = (*in_blocks([0.1]), *nothing)
    assert held(base, base).lost == 0
    assert held(base, base).left_out == ("1 case without a value",)
    assert held(base, (*base[:1], *in_blocks([0.2], case="b"))).lost == 1
    assert held((*base[:1], *in_blocks([0.2], case="b")), base).lost == 1


def test_what_is_less_than_nothing_was_not_measured() -> None:
    """No cost is."""
    pair = Pair(shared="", base=in_blocks([-0.1]), candidate=in_blocks([0.1]))
    assert costs(pair, "ttft_s", together=True) is None


def test_benchmarks_go_before_others_and_answers_one_by_one_before_loads() -> None:
    """As in the summaries."""
    load = Load(concurrency=4)
    others = (answer(5.0, case="q", kind="quality"), answer(7.0, case="l", load=load))
    found = held((answer(0.1), *others), (answer(0.2), *others), together=False)
    assert (found.cases, found.left_out) == (1, ())
    assert found.differences("ttft_s") == pytest.approx((math.log(2),))


def test_a_metric_that_only_answers_under_a_load_have_is_of_those() -> None:
    """How long a request waits to be sent is not known of answers one by one."""

    def side(delay: float) -> Side:
        loaded = answer(delay, case="l", metric="queue_delay_s", load=Load(rate_per_s=2.0))
        return (answer(0.1), loaded)

    found = held(side(0.1), side(0.2), "queue_delay_s", together=False)
    assert found.differences("queue_delay_s") == pytest.approx((math.log(2),))
    assert typical(side(0.3), "queue_delay_s") == pytest.approx(0.3)


def test_requests_that_a_load_begins_with_are_none() -> None:
    """They are warm-up."""
    load = Load(concurrency=4)
    side = (answer(0.1, load=load), replace(answer(9.0, load=load, repeat=1), phase="warmup"))
    assert held(side, side, together=False).base == (math.log(0.1),)


def test_the_typical_cost_is_the_geometric_mean_over_the_cases() -> None:
    """Of medians."""
    side = (*in_blocks([[0.1, 0.3, 0.2]], first=0), *in_blocks([0.8], case="b", first=0))
    assert typical(side, "ttft_s") == pytest.approx(statistics.geometric_mean([0.2, 0.8]))
    assert typical(side, "tpot_s") is None
    assert typical((), "ttft_s") is None
