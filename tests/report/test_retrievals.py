"""The section on retrievals: every figure against the same computed by hand from the outcomes."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import replace

import pytest

from gemma_eval.pytest_plugin.terminal import closing
from gemma_eval.records import Cached, ModelSpec, Outcome, Packed, Report, Retrieval
from gemma_eval.report.charts import paper
from gemma_eval.report.groups import Measured, groups_of
from gemma_eval.report.html import Html
from gemma_eval.report.json_file import JsonFile
from gemma_eval.report.markdown import Markdown
from gemma_eval.report.numbers import MISSING
from gemma_eval.report.retrieval_rows import Retrievals, Table, retrievals
from gemma_eval.report.retrievals import DISTRACTORS, PLACE, disturbed, found_by
from gemma_eval.report.scatter import PLANE, Look, Point, figure
from gemma_eval.report.trials import trial_rows
from tests.report.example import Shape, example, report_of
from tests.report.retrieved import Asked, answered, retrieved

REPORT = retrieved()


def section(report: Report) -> Retrievals:
    """Return the section, which is there."""
    found = retrievals(report, groups_of(report))
    assert found is not None
    return found


def cells(table: Table, row: str) -> dict[str, str]:
    """Return a row by the heads of its columns."""
    return dict(zip(table.header, next(each for each in table.rows if each[0] == row), strict=True))


def with_way(outcome: Outcome, way: Retrieval) -> Outcome:
    """Return the outcome with another retrieval."""
    trial = replace(outcome.trial, cell=replace(outcome.trial.cell, retrieval=way))
    return replace(outcome, trial=trial)


def test_a_row_has_the_score_the_passages_the_time_and_what_was_left_out() -> None:
    """Of answers and of passages alone, each in its table."""
    answers, alone, _ = section(REPORT).tables
    assert [row[0] for row in answers.rows] == ["none", "bm25", "hybrid", "oracle"]
    assert [row[0] for row in alone.rows] == ["bm25", "hybrid", "oracle"]
    row = cells(answers, "hybrid")
    assert (row["score [95 %]"], row["context_recall"]) == ("0.70 [0.40, 0.89]", "0.70 [0.40, 0.89]")
    assert (row["degraded"], row["n"], row["p95"]) == ("0 %", "10", MISSING)
    assert cells(answers, "none")["p50"] == MISSING
    assert alone.header[2:4] == ("recall", "mrr")


def by_hand_ms(outcomes: Sequence[Outcome], retrieval: str) -> float:
    """Return the median time to the prompt by the stamps of the first and the last step."""
    of = [each for each in outcomes if each.trial.cell.retrieval.name == retrieval and each.generation]
    spans = []
    for outcome in of:
        stamps = [step for step in outcome.steps if step.name != "generate"]
        spans.append((stamps[-1].ended_ns - stamps[0].began_ns) / 1e6)
    return statistics.median(spans)


def test_latency_is_that_of_the_critical_path_and_not_the_sum() -> None:
    """Legs overlap; the planted error, the sum of all steps, is another number."""
    found = {each.group.retrieval: each for each in found_by(REPORT) if each.group.has_model}
    p50 = found["hybrid"].latency.p50
    assert p50 is not None
    assert 1e3 * p50 == pytest.approx(by_hand_ms(REPORT.outcomes, "hybrid"))
    hybrid = [each for each in REPORT.outcomes if each.trial.cell.retrieval.name == "hybrid"]
    added = [
        sum(step.ended_ns - step.began_ns for step in each.steps if step.name != "generate") / 1e6
        for each in hybrid
        if each.generation
    ]
    assert statistics.median(added) != pytest.approx(1e3 * p50)


def test_lost_answers_are_told_by_the_step_that_lost_them() -> None:
    """Six of ten were never found, and were answered wrong."""
    lost = section(REPORT).tables[2]
    assert cells(lost, "bm25") == {
        "retrieval": "bm25",
        "not retrieved": "6",
        "ranked out": "0",
        "not packed": "0",
        "lost by the model": "0",
        "in all": "6 of 10",
    }
    right = report_of([answered(number, "oracle") for number in range(3)])
    assert len(section(right).tables) == 1


def test_the_picture_has_a_point_for_each_retrieval_with_a_time() -> None:
    """Further left is faster; the front goes from the fastest up to the best."""
    scatter = section(REPORT).scatter
    assert scatter is not None
    at = {mark.label: mark for mark in scatter.marks}
    assert set(at) == {"bm25", "hybrid", "oracle"}
    assert at["bm25"].x < at["hybrid"].x
    assert at["oracle"].y < at["hybrid"].y < at["bm25"].y
    assert at["oracle"].words == "oracle: score 1.00, 4.95 ms"
    steps = f"V{paper(at['bm25'].y)}H{paper(at['hybrid'].x)}V{paper(at['hybrid'].y)}"
    assert steps in scatter.front  # and no step to oracle, which nobody can choose
    assert scatter.front.endswith(f"H{paper(scatter.frame.left + scatter.frame.width)}")
    assert [key.name for key in scatter.shapes] == ["bm25", "hybrid", "oracle"]


def test_a_front_of_latency_leaves_out_what_is_slower_and_worse() -> None:
    """It steps up from the fastest to the best; where more is better in both, it would be another path."""
    groups = groups_of(REPORT)
    given = {"bm25": (1.0, 0.2), "hybrid": (2.0, 0.1), "oracle": (3.0, 0.9)}
    points = [
        Point(
            speed=Measured(group=group, value=given[group.retrieval][0], interval=None),
            score=Measured(group=group, value=given[group.retrieval][1], interval=None),
        )
        for group in groups.order
        if group.retrieval in given
    ]
    look = Look(id="a", title="", x_title="", write=str, is_latency=True)
    scatter = figure(groups, points, look)
    other = figure(groups, points, replace(look, is_latency=False))
    assert scatter is not None
    assert other is not None
    at = {mark.label: (paper(mark.x), paper(mark.y)) for mark in scatter.marks}
    (fast_x, fast_y), (best_x, best_y) = at["bm25"], at["oracle"]
    bottom, right = PLANE.top + PLANE.height, PLANE.left + PLANE.width
    steps = f"H{fast_x}V{fast_y}H{best_x}V{best_y}H{paper(right)}"
    assert scatter.front == f"M{fast_x} {paper(bottom)}{steps}"
    assert other.front != scatter.front


def test_answers_of_a_cache_count_for_no_time_and_are_told() -> None:
    """And so is what was left out, with its reason."""
    outcomes = list(REPORT.outcomes)
    hit = next(n for n, each in enumerate(outcomes) if each.trial.cell.retrieval.name == "bm25")
    outcomes[hit] = replace(outcomes[hit], cached=Cached(use="semantic", similarity=0.97))
    trace = outcomes[hit + 1].trace
    assert trace is not None
    degraded = replace(trace, degraded="no vectors: the store is away")
    outcomes[hit + 1] = replace(outcomes[hit + 1], trace=degraded)
    found = section(report_of(outcomes))
    assert cells(found.tables[0], "bm25")["degraded"] == "10.0 %"
    assert "1 answer was given by a cache; no time of theirs counts." in found.notes
    text = "bm25: 1 of 10 trials went without something that was asked for: no vectors: the store is away."
    assert text in found.notes
    (bm25,) = [each for each in found_by(report_of(outcomes)) if each.group.retrieval == "bm25"][:1]
    assert (bm25.latency.n, bm25.cached) == (9, 1)


def test_the_closing_lines_tell_what_trials_went_without() -> None:
    """Whoever does not open the report would take an answer without its memory for one with it."""
    outcomes = list(REPORT.outcomes)
    assert "went without" not in " ".join(line.text for line in closing(report_of(outcomes)))
    places = [n for n, each in enumerate(outcomes) if each.trace is not None][:2]
    for place in places:
        trace = outcomes[place].trace
        assert trace is not None
        outcomes[place] = replace(outcomes[place], trace=replace(trace, degraded="memory.db: it is away"))
    said = " ".join(line.text for line in closing(report_of(outcomes)))
    assert "2 trials went without something that was asked for, and count all the same: memory.db" in said


def test_the_hashing_embedder_is_named_for_what_it_is() -> None:
    """Nobody takes its figures for those of an embedder."""
    spec = ModelSpec(name="hash", backend="hashing", location="")
    outcomes = [
        replace(each, trial=replace(each.trial, cell=replace(each.trial.cell, embedders=(spec,))))
        if each.trial.cell.retrieval.name == "hybrid"
        else each
        for each in REPORT.outcomes
    ]
    (note,) = [each for each in section(report_of(outcomes)).notes if "hashing" in each]
    assert note.startswith("hybrid and hybrid alone had the vectors of the hashing embedder")


def oracle(*, distractors: int, gold_at: float | None, right: int) -> list[Outcome]:
    """Return answers of *oracle* among so many distractors, the first of which are right."""
    name = f"oracle-{distractors}-{gold_at}"
    way = Retrieval(name=name, retriever="oracle", distractors=distractors, gold_at=gold_at)
    return [with_way(answered(n, "oracle" if n < right else "none"), way) for n in range(4)]


def test_scores_are_drawn_over_distractors_and_over_the_place_among_them() -> None:
    """Without a distractor what is relevant is at every place; each place has its own line."""
    outcomes = [
        *oracle(distractors=0, gold_at=None, right=4),
        *oracle(distractors=8, gold_at=0.0, right=3),
        *oracle(distractors=8, gold_at=0.5, right=1),
        *oracle(distractors=8, gold_at=1.0, right=2),
    ]
    found = {
        (each.variables[0], each.series): [(point.at[0], point.value) for point in each.points]
        for each in disturbed(report_of(outcomes))
    }
    assert found == {
        (DISTRACTORS, "what is relevant at 0"): [(0.0, 1.0), (8.0, 0.75)],
        (DISTRACTORS, "what is relevant at 0.5"): [(0.0, 1.0), (8.0, 0.25)],
        (DISTRACTORS, "what is relevant at 1"): [(0.0, 1.0), (8.0, 0.5)],
        (PLACE, "8 distractors"): [(0.0, 0.75), (0.5, 0.25), (1.0, 0.5)],
    }
    assert len(section(report_of(outcomes)).lines) == 4
    assert "Score by distractors" in Markdown().render(report_of(outcomes))


def test_page_and_markdown_and_json_have_the_section() -> None:
    """With the same figures."""
    page, text = Html().render(REPORT), Markdown().render(REPORT)
    assert '<section id="retrieval"' in page
    assert 'id="retrieval-scatter-name"' in page
    assert "## Retrieval" in text
    for words in ("0.70 [0.40, 0.89]", "10.9 ms", "not retrieved"):
        assert words in page
        assert words in text
    plain = json.loads(JsonFile().render(REPORT))
    assert [each["group"]["retrieval"] for each in plain["retrievals"]] == [
        *("none", "bm25", "hybrid", "oracle"),
        *("bm25", "hybrid", "oracle"),
    ]
    hybrid = plain["retrievals"][2]
    assert hybrid["lost"] == {"retrieval": 3, "rank": 0, "packing": 0, "generation": 0}
    assert {each["value"] for each in hybrid["values"]["context_recall"]} == {0.0, 1.0}


def test_without_names_there_is_no_section() -> None:
    """As before there was one."""
    report = example(Shape(cases=2))
    assert retrievals(report, groups_of(report)) is None
    assert {"retrievals", "disturbed"}.isdisjoint(json.loads(JsonFile().render(report)))


def test_rows_name_model_profile_and_template_where_there_is_a_choice() -> None:
    """And a single retrieval by its name, too."""
    crossed = section(retrieved(Asked(templates=("plain", "rag"), profiles=("greedy", "hot"), alone=False)))
    assert "greedy · rag · hybrid" in [row[0] for row in crossed.tables[0].rows]
    single = section(retrieved(Asked(ways=("bm25",), alone=False)))
    assert [row[0] for row in single.tables[0].rows] == ["pocket · bm25"]


def test_the_detail_of_a_trial_tells_the_way_of_its_passages() -> None:
    """How long each step took, what was left out and why, and what became of each passage."""
    outcome = answered(3, "hybrid")
    assert outcome.trace is not None
    assert outcome.prompt is not None
    packing = (
        Packed(passage="right-3", fate="cut", reason="at a sentence"),
        Packed(passage="other-3", fate="kept", reason="it fits"),
    )
    prompt = replace(outcome.prompt, packing=packing)
    trace = replace(outcome.trace, degraded="<script>alert(1)</script>")
    (row,) = trial_rows(report_of([replace(outcome, prompt=prompt, trace=trace)]))
    told = {fact.name: fact.value for fact in row.detail.facts}
    assert told["retrieval"] == "hybrid, 10.8 ms to the prompt"
    assert told["its steps"].startswith("embed 6.30 ms, lexical 2.30 ms, vector 1.00 ms")
    assert told["went without"] == "<script>alert(1)</script>"
    assert [each.fate for each in row.detail.passages] == ["cut: at a sentence", ""]
    hostile = report_of([replace(outcome, prompt=prompt, trace=trace)])
    for most in (1000, 0):
        assert "<script>alert(1)" not in Html(most_static_rows=most).render(hostile)
    assert "<script>" not in Markdown().render(hostile)


def test_latencies_that_span_orders_stand_on_a_logarithmic_axis() -> None:
    """So that a millisecond and forty can both be seen; oracle among distractors is drawn elsewhere."""
    groups = groups_of(REPORT)
    values = dict(zip(("bm25", "hybrid", "oracle"), (0.5, 5.0, 50.0), strict=True))
    points = [
        Point(
            speed=Measured(group=group, value=values[group.retrieval], interval=None),
            score=Measured(group=group, value=0.5, interval=None),
            is_choice=False,
        )
        for group in groups.order
        if group.retrieval in values
    ]
    scatter = figure(groups, points, Look(id="a", title="", x_title="ms", write=str, is_latency=True))
    assert scatter is not None
    xs = [mark.x for mark in scatter.marks]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1])
    assert (scatter.x_title, scatter.front) == ("ms, log scale", "")
    among = report_of(
        [*oracle(distractors=8, gold_at=0.0, right=3), *oracle(distractors=8, gold_at=1.0, right=2)]
    )
    assert section(among).scatter is None
