"""A `[[gate]]` table becomes a Gate, or a list of all that is wrong with it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gemma_eval.cases import gates
from gemma_eval.cases.gates import DEFAULT_GATES, UNITS, load_gates
from gemma_eval.errors import SuiteError
from gemma_eval.files.rows import name_flaw
from gemma_eval.records import MICROBENCHMARK, Gate, Source, Where
from gemma_eval.stats.summary import METRICS
from gemma_eval.verdict import quality, speed
from tests.cases.suites import CASE, DEFAULTS, read, said

BY_NAME = 'choose by its full name, as where = {case = "*test_speed*"}'
ORDER = "the first should not be larger"
WITH_UNIT = "it should be a number, or one with a unit in quotes"
SUITE = DEFAULTS + CASE + 'tags = ["geo"]\n'


def from_file(folder: Path, text: str | bytes) -> tuple[Gate, ...]:
    """Write a file of gates and load it."""
    path = folder / "gemma-gates.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_gates(path)


def problems(folder: Path, text: str | bytes) -> list[str]:
    """Return what is wrong with a file of gates as `line: what`, nothing when it is good."""
    try:
        from_file(folder, text)
    except SuiteError as error:
        return [f"{problem.line}: {problem.what}" for problem in error.problems]
    return []


def one(folder: Path, more: str) -> Gate:
    """Return the gate that such keys make."""
    (gate,) = from_file(folder, f'[[gate]]\nid = "g"\n{more}\n')
    return gate


def test_every_key_of_a_gate_arrives_where_records_say(tmp_path: Path) -> None:
    """In the order of the file, each with its line."""
    text = (
        '[[gate]]\nid = "tail"\nmetric = "e2e_s"\npercentile = 95\ntolerance = "10%"\ntier = "supporting"\n'
        'where = {suite = "s*", case = "c?", tag = "rag", kind = "benchmark", model = "m", profile = "p",'
        ' template = "[ab]"}\nmin_blocks = 8\nmax_blocks = 40\n\n'
        '[[gate]]\nid = "quality"\nmetric = "score"\nlimit = 0.9\n'
    )
    assert from_file(tmp_path, text) == (
        Gate(
            id="tail",
            metric="e2e_s",
            percentile=95,
            tolerance=0.1,
            tier="supporting",
            where=Where(
                suite="s*",
                case="c?",
                tag="rag",
                kind="benchmark",
                model="m",
                profile="p",
                template="[ab]",
            ),
            min_blocks=8,
            max_blocks=40,
            source=Source(path="gemma-gates.toml", line=1),
        ),
        Gate(id="quality", metric="score", limit=0.9, source=Source(path="gemma-gates.toml", line=11)),
    )


def test_the_metrics_of_gates_are_those_of_summaries() -> None:
    """A metric that is added there is one here."""
    assert tuple(UNITS) == ("score", "unscored", *METRICS[1:], MICROBENCHMARK)


def test_what_is_allowed_by_default_is_what_a_comparison_allows() -> None:
    """One number for each, whoever holds two runs together."""
    assert gates.MARGIN == quality.MARGIN
    for metric, tolerance in speed.TOLERANCES.items():
        assert gates.TOLERANCES.get(metric, gates.TOLERANCE) == tolerance
    assert [(gate.id, gate.tolerance, gate.margin, gate.tier, gate.source) for gate in DEFAULT_GATES] == [
        ("score", None, 0.02, "critical", None),
        ("ttft_s", 0.05, None, "critical", None),
        ("tpot_s", 0.03, None, "critical", None),
    ]


@pytest.mark.parametrize(
    ("metric", "tolerance", "margin"),
    [("score", None, 0.02), ("tpot_s", 0.03, None), ("e2e_s", 0.05, None), ("peak_memory_bytes", 0.05, None)],
)
def test_a_gate_that_gives_no_bound_has_the_usual_one(
    tmp_path: Path, metric: str, tolerance: float | None, margin: float | None
) -> None:
    """2 points of a score, 3 % of a time per token, 5 % of other costs."""
    gate = one(tmp_path, f'metric = "{metric}"')
    assert (gate.tolerance, gate.margin, gate.limit) == (tolerance, margin, None)


@pytest.mark.parametrize(
    ("given", "share"),
    [('"5%"', 0.05), ('"5 %"', 0.05), ('"2.5%"', 0.025), ("0.05", 0.05), ('"150%"', 1.5), ('"1000%"', 10.0)],
)
def test_a_tolerance_is_a_share(tmp_path: Path, given: str, share: float) -> None:
    """In per cent it may be more than a doubling."""
    assert one(tmp_path, f'metric = "ttft_s"\ntolerance = {given}').tolerance == share


@pytest.mark.parametrize(
    ("metric", "given", "value"),
    [
        ("ttft_s", "0.2", 0.2),
        ("ttft_s", "2", 2.0),
        ("ttft_s", '"200 ms"', 0.2),
        ("ttft_s", '"0.3ms"', 0.0003),
        ("e2e_s", '"1.5 s"', 1.5),
        ("e2e_s", '"2 min"', 120.0),
        ("tpot_s", '"700 us"', 0.0007),
        ("peak_memory_bytes", '"2 GiB"', 2147483648.0),
        ("peak_memory_bytes", '"7 B"', 7.0),
        ("peak_memory_bytes", '"2 kB"', 2e3),
        ("peak_memory_bytes", '"2 MB"', 2e6),
        ("peak_memory_bytes", '"2 GB"', 2e9),
        ("peak_memory_bytes", '"2 TB"', 2e12),
        ("peak_memory_bytes", '"3 MiB"', 3145728.0),
        ("peak_memory_bytes", '"1 TiB"', 1099511627776.0),
        ("cpu_s_per_output_token", '"3 ms"', 0.003),
        ("peak_file_bytes", '"1.5 KiB"', 1536.0),
        ("peak_file_bytes", "4096", 4096.0),
        ("output_tokens_per_s", '"30/s"', 30.0),
        ("output_tokens_per_s", "30", 30.0),
        ("score", "0", 0.0),
        ("score", "1", 1.0),
    ],
)
def test_a_limit_is_in_the_unit_of_its_metric_or_has_one(
    tmp_path: Path, metric: str, given: str, value: float
) -> None:
    """A size in units of 1,000 or of 1,024, as its letters say."""
    assert one(tmp_path, f'metric = "{metric}"\nlimit = {given}').limit == value


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("", '1: gate "g": needs a metric, as metric = "score"'),
        ('metric = "scroe"', '3: gate "g": no metric named "scroe"; did you mean "score"?'),
        ("metric = 5", '3: gate "g": metric is 5; it should be a text in quotes'),
        (
            'metric = "ttft_s"\ntolerence = "5%"',
            '4: gate "g": unknown key "tolerence"; did you mean "tolerance"?',
        ),
        (
            'metric = "ttft_s"\ntolerance = 5',
            '4: gate "g": tolerance is 5, a growth by 500%; write "5%" or 0.05',
        ),
        ('metric = "ttft_s"\ntolerance = 0', '4: gate "g": tolerance is 0; it should be more than 0'),
        (
            'metric = "ttft_s"\ntolerance = "0%"',
            '4: gate "g": tolerance is "0%"; it should be more than 0% and at most 1000%',
        ),
        (
            'metric = "ttft_s"\ntolerance = "1001%"',
            '4: gate "g": tolerance is "1001%"; it should be more than 0% and at most 1000%',
        ),
        (
            'metric = "ttft_s"\ntolerance = "five"',
            '4: gate "g": tolerance is "five"; it should be a share, as "5%" or 0.05',
        ),
        (
            'metric = "ttft_s"\ntolerance = true',
            '4: gate "g": tolerance is true; it should be a share, as "5%" or 0.05',
        ),
        (
            'metric = "ttft_s"\ntolerance = nan',
            '4: gate "g": tolerance is nan; it should be a share, as "5%" or 0.05',
        ),
        (
            'metric = "score"\ntolerance = 0.05',
            '4: gate "g": tolerance is of costs; of a score give margin = 0.02',
        ),
        (
            'metric = "ttft_s"\nmargin = 0.05',
            '4: gate "g": margin is of a score; of a cost give tolerance = "5%"',
        ),
        ('metric = "score"\nmargin = 1', '4: gate "g": margin is 1; it should be less than 1'),
        ('metric = "score"\nmargin = 0', '4: gate "g": margin is 0; it should be more than 0'),
        (
            'metric = "score"\nmargin = 0.1\nlimit = 0.9',
            '5: gate "g": has margin and limit; give one of them',
        ),
        (
            'metric = "ttft_s"\nmargin = 0.1\nlimit = 0.9\ntolerance = 0.1',
            '5: gate "g": has tolerance, margin and limit; give one of them',
        ),
        (
            'metric = "score"\nlimit = 1.5',
            '4: gate "g": limit is 1.5; of a score it should be a number in 0..1',
        ),
        (
            'metric = "score"\nlimit = "1 s"',
            '4: gate "g": limit is "1 s"; of a score it should be a number in 0..1',
        ),
        ('metric = "ttft_s"\nlimit = 0', '4: gate "g": limit is 0; it should be more than 0'),
        ('metric = "ttft_s"\nlimit = "0 s"', '4: gate "g": limit is "0 s"; it should be more than 0'),
        (
            'metric = "ttft_s"\nlimit = "5 sec"',
            f'4: gate "g": limit is "5 sec"; {WITH_UNIT} (us, ms, s, min)',
        ),
        (
            'metric = "output_tokens_per_s"\nlimit = "5 s"',
            f'4: gate "g": limit is "5 s"; {WITH_UNIT} (/s)',
        ),
        (
            'metric = "ttft_s"\nlimit = {}',
            '4: gate "g": limit is {}; it should be a number, or a text with a unit, as "200 ms"',
        ),
        (
            'metric = "ttft_s"\npercentile = 50',
            '4: gate "g": percentile is 50; it should be 90, 95 or 99',
        ),
        (
            'metric = "unscored"\nlimit = 5.0',
            '4: gate "g": limit is 5; of unscored it should be a number in 0..1',
        ),
        (
            'metric = "unscored"\nmargin = 0.1',
            '1: gate "g": unscored is held against a limit, as limit = 0.05; leave margin and tolerance out',
        ),
        (
            'metric = "score"\npercentile = 90',
            '4: gate "g": percentile is of costs, and a score has a mean; leave it out',
        ),
        (
            'metric = "ttft_s"\ntier = "blocking"',
            '4: gate "g": tier is "blocking"; it should be "critical", "supporting" or "advisory"',
        ),
        ('metric = "ttft_s"\nmin_blocks = 1', '4: gate "g": min_blocks is 1; it should be at least 2'),
        ('metric = "ttft_s"\nmax_blocks = 201', '4: gate "g": max_blocks is 201; it should be at most 200'),
        (
            'metric = "ttft_s"\nmin_blocks = 9\nmax_blocks = 8',
            '4: gate "g": min_blocks is 9 and max_blocks 8; ' + ORDER,
        ),
        (
            'metric = "ttft_s"\nmin_blocks = 30',
            '4: gate "g": min_blocks is 30 and max_blocks 20 (unless you give it); ' + ORDER,
        ),
        (
            'metric = "ttft_s"\nmax_blocks = 4',
            '4: gate "g": min_blocks is 5 (unless you give it) and max_blocks 4; ' + ORDER,
        ),
        (
            'metric = "score"\nmin_blocks = 5',
            '4: gate "g": min_blocks is of costs, and the datum of a score is the case; leave it out',
        ),
        (
            'metric = "score"\nwhere = {modle = "x"}',
            '4: gate "g": unknown key "modle"; did you mean "model"?',
        ),
        ('metric = "score"\nwhere = {tag = ""}', '4: gate "g": where.tag is empty'),
        (
            'metric = "score"\nwhere = {kind = "speed"}',
            '4: gate "g": where.kind is "speed"; it should be "quality", "benchmark" or "retrieval"',
        ),
        *(
            (
                f'metric = "microbenchmark_s"\n{key} = {value}',
                f'4: gate "g": {key} is of answers, and a session is one datum; leave it out',
            )
            for key, value in (("percentile", 90), ("min_blocks", 5), ("max_blocks", 20))
        ),
        (
            'metric = "microbenchmark_s"\nwhere = {model = "m", case = "x"}',
            '4: gate "g": where.model: a test has no model; ' + BY_NAME,
        ),
        (
            'metric = "microbenchmark_s"\nmargin = 0.1',
            '4: gate "g": margin is of a score; of a cost give tolerance = "5%"',
        ),
        ('metric = "score"\nwhere = "x"', '4: gate "g": where is "x"; it should be a table'),
    ],
)
def test_a_mistake_in_a_gate_is_named(tmp_path: Path, more: str, problem: str) -> None:
    """Where it is, what is wrong and what would be right; nothing is said of what only follows."""
    found = problems(tmp_path, f'[[gate]]\nid = "g"\n{more}\n')
    assert found == [problem]


def test_all_problems_of_a_file_are_said_at_once(tmp_path: Path) -> None:
    """Each with its line and its gate."""
    text = (
        'gates = 1\n[[gate]]\nmetric = "score"\n[[gate]]\nid = "a b"\nmetric = "score"\n'
        '[[gate]]\nid = "x"\nmetric = "ttft"\n[[gate]]\nid = "x"\nmetric = "score"\n'
    )
    assert problems(tmp_path, text) == [
        '1: unknown key "gates"; did you mean "gate"?',
        '2: gate number 1: needs an id, as id = "quality"',
        f"5: gate number 2: id {name_flaw('a b')}",
        '9: gate "x": no metric named "ttft"; did you mean "ttft_s"?',
        '11: gate "x": has the id of the gate in line 8; ids are unique in a file',
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1: has no gate; begin each one with [[gate]]"),
        ("gate = []\n", "1: has no gate; begin each one with [[gate]]"),
        ('[gate]\nid = "x"\n', "1: gate should be a list of tables; begin each gate with [[gate]]"),
        ("gate = [1]\n", "1: gate number 1: is 1; it should be a table"),
        ("[[gate]\n", "1: is not TOML: expected ']]' at the end of an array declaration"),
        (b"\xff", "1: is not UTF-8 here; save it as UTF-8"),
    ],
)
def test_a_file_that_is_none_of_gates_is_refused(tmp_path: Path, text: str | bytes, problem: str) -> None:
    """A file without a gate would demand nothing, and nobody means that."""
    assert [each.lower() for each in problems(tmp_path, text)] == [problem.lower()]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """By its path."""
    with pytest.raises(SuiteError, match=r"gates\.toml: cannot be read"):
        load_gates(tmp_path / "gates.toml")


def test_a_suite_has_gates_of_its_own_cases(tmp_path: Path) -> None:
    """Each is about that suite, and the file says where it is."""
    text = SUITE + '[[gate]]\nid = "geo"\nmetric = "score"\nwhere = {tag = "g*", model = "big"}\n'
    suite = read(tmp_path, text)
    line = SUITE.count("\n") + 1
    assert suite.gates == (
        Gate(
            id="geo",
            metric="score",
            margin=0.02,
            where=Where(suite="s", tag="g*", model="big"),
            source=Source(path="s.toml", line=line),
        ),
    )
    assert read(tmp_path, SUITE).gates == ()


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        ('suite = "s"', "where.suite: a gate of a suite file is about that suite"),
        ('case = "capital"', 'where.case is "capital", and this suite has no such case; known: a'),
        ('tag = "gio"', 'where.tag is "gio", and this suite has no such tag; did you mean "geo"?'),
        ('kind = "benchmark"', 'where.kind is "benchmark", and this suite has no such kind'),
        ('model = "pockt*"', 'and this suite has no such model; did you mean "pocket"?'),
        ('profile = "hot"', 'where.profile is "hot", and this suite has no such profile'),
        ('template = "rag"', 'where.template is "rag", and this suite has no such template'),
    ],
)
def test_a_gate_of_a_suite_that_is_about_nothing_of_it_is_refused(
    tmp_path: Path, where: str, problem: str
) -> None:
    """It would never fail, and look as if it guarded something."""
    found = said(tmp_path, f'{SUITE}[[gate]]\nid = "g"\nmetric = "score"\nwhere = {{{where}}}\n')
    assert len(found) == 1
    assert found[0].startswith(f'{SUITE.count(chr(10)) + 4}: gate "g": ')
    assert problem in found[0]


def test_a_gate_of_micro_benchmarks_is_in_a_file_of_gates(tmp_path: Path) -> None:
    """Tests are beside the suites, and a suite has none; what is allowed is what a cost may be."""
    text = '[[gate]]\nid = "g"\nmetric = "microbenchmark_s"\n'
    (found,) = from_file(tmp_path, text + 'where = {case = "*test_x*"}\n')
    assert (found.tolerance, found.where) == (0.05, Where(case="*test_x*"))
    (found,) = from_file(tmp_path, text + 'limit = "20 ms"\n')
    assert (found.tolerance, found.limit) == (None, 0.02)
    (refused,) = said(tmp_path, SUITE + text)
    assert "microbenchmark_s is of tests beside the suite; write the gate into a file of gates" in refused


def test_gates_and_cases_of_a_suite_have_their_problems_said_together(tmp_path: Path) -> None:
    """In the order of lines; a case and a gate may share an id."""
    text = SUITE + '[[gate]]\nid = "a"\nmetric = "scor"\n' + CASE
    first = SUITE.count("\n")
    assert said(tmp_path, text) == [
        f'{first + 3}: gate "a": no metric named "scor"; did you mean "score"?',
        f'{first + 5}: case "a": has the id of the case in line 6; ids are unique in a suite',
    ]
    assert (
        said(tmp_path, SUITE + "gate = 1\n")[0].endswith('unknown key "gate"; did you mean "tags"?') is False
    )


WORDS = """
    id metric percentile tolerance margin limit tier where min_blocks max_blocks
    suite case tag kind model profile template nonsense
"""
KEYS = st.sampled_from(WORDS.split())
SCALARS = st.one_of(
    st.text(max_size=8).map(json.dumps),
    st.sampled_from(["score", "ttft_s", "tpot_s", "peak_memory_bytes", "critical"]).map(json.dumps),
    st.sampled_from(["5%", "5 %", "200 ms", "2 GiB", "9" * 30 + " s", "\u0665%", "1.s", "µs"]).map(
        json.dumps
    ),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["true", "1979-05-27", "07:32:00", "0x" + "f" * 5000, "1e999", "-inf", "nan"]),
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
    st.sampled_from(["[[gate]]", "[[gate]]", "[[gate]]", "[gate]", "[[case]]", "[x.y]"]),
    st.dictionaries(KEYS, VALUES, max_size=6),
).map(lambda table: "\n".join([table[0], *(f"{key} = {value}" for key, value in table[1].items()), ""]))


@settings(max_examples=150, deadline=None)
@given(st.lists(TABLES, max_size=4).map("".join))
@example("gate = [[]]")
@example('[[gate]]\nid = "a"\nmetric = "ttft_s"\nlimit = 0x' + "f" * 300 + "\n")
@example('[[gate]]\nid = "a"\nmetric = "ttft_s"\ntolerance = 0x' + "f" * 300 + "\n")
@example('[[gate]]\nid = "a"\nmetric = "score"\nwhere = {tag = "[", case = "[!"}\n')
def test_any_toml_is_gates_or_refused_with_places(text: str) -> None:
    """Each problem has a line of the file and one line of words, in a file of gates and in a suite."""
    for before, load in (("", problems), (SUITE, said)):
        for problem in _in_a_folder(load, before + text):
            line, _, what = problem.partition(": ")
            assert 1 <= int(line) <= (before + text).count("\n") + 1 or "too many digits" in what
            assert what.isprintable()


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=80))
def test_no_bytes_are_more_than_refused(data: bytes) -> None:
    """Not even bytes that are no text."""
    assert _in_a_folder(problems, data)


def _in_a_folder(load: Callable[[Path, str | bytes], list[str]], text: str | bytes) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        return load(Path(folder), text)
