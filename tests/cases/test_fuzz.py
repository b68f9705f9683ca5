"""Whatever a file holds, it is a Suite or a SuiteError."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gemma_eval.errors import SuiteError
from gemma_eval.records import Suite
from tests.cases.suites import CASE, DEFAULTS, HAYSTACK, read

WORDS = """
    id kind prompt messages documents checks tags cluster repeats warmup max_tokens models profiles templates
    scorer pass_at text role content nonsense continuation series variables overflow
    needle needles hay lengths depths name value ignore_eos
    load slo concurrency rate_per_s arrival max_in_flight cooldown ttft_s may_miss
"""
KEYS = st.sampled_from(WORDS.split())
SCALARS = st.one_of(
    st.text(max_size=8).map(json.dumps),
    st.sampled_from(["pocket", "greedy", "plain", "quality", "user", "contains"]).map(json.dumps),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["true", "1979-05-27", "07:32:00", "0x" + "f" * 5000, "1e999", "-inf"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(KEYS, inner, max_size=3).map(
            lambda table: "{" + ", ".join(f"{key} = {value}" for key, value in table.items()) + "}"
        ),
    ),
    max_leaves=5,
)
TABLES = st.tuples(
    st.sampled_from(["[suite]", "[defaults]", "[retrieval]", "[[case]]", "[[haystack]]", "[case]", "[x.y]"]),
    st.dictionaries(KEYS, VALUES, max_size=5),
).map(lambda table: "\n".join([table[0], *(f"{key} = {value}" for key, value in table[1].items()), ""]))


def outcome(data: str | bytes) -> Suite | SuiteError:
    """Return what a file becomes; another exception is a defect."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "hay.md").write_text("- Ada lives in Rome.\n- Ben lives in Oslo.\n")
        try:
            return read(Path(folder), data)
        except SuiteError as error:
            return error


@settings(max_examples=120, deadline=None)
@given(st.lists(TABLES, max_size=4).map("".join))
@example("case = [[]]")
@example("case = [{checks = [[]]}]")
@example("haystack = [[]]")
@example("[[haystack]]\nneedles = [{a = {}}]\nlengths = [{}]\ndepths = [[0.5], nan]\nchecks = [1]\n")
@example("[[case]]\nvariables = {a = 0x" + "f" * 300 + "}\n")
@example("[[case]]\ndocuments = [{text = {}}, '']\nmessages = [1]\n")
def test_a_suite_of_nonsense_is_refused_with_places(text: str) -> None:
    """Each problem has a line of the file and one line of words."""
    result = outcome(text)
    if isinstance(result, SuiteError):
        assert result.problems
        for problem in result.problems:
            assert 1 <= problem.line <= text.count("\n") + 1 or "too many digits" in problem.what
            assert problem.what.isprintable()


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=80))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    """Not even bytes that are no text."""
    assert isinstance(outcome(data), SuiteError)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, len(DEFAULTS + CASE + HAYSTACK)), st.integers(0, 12), st.text(max_size=3))
def test_a_good_suite_with_a_damaged_spot_is_read_or_refused(start: int, length: int, piece: str) -> None:
    """As when somebody's editor slips."""
    whole = DEFAULTS + CASE + HAYSTACK
    outcome((whole[:start] + piece + whole[start + length :]).encode("utf-8", "surrogatepass"))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.from_regex(r"[A-Za-z0-9_.+-]{1,20}", fullmatch=True), min_size=1, max_size=6, unique=True))
def test_ids_come_back_as_they_were_written(ids: list[str]) -> None:
    """Any id that is allowed survives, in its order."""
    text = DEFAULTS + "".join(CASE.replace('"a"', json.dumps(name)) for name in ids)
    suite = outcome(text)
    assert isinstance(suite, Suite)
    assert [case.id for case in suite.cases] == ids
