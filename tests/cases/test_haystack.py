"""A haystack becomes one case for each needle at each depth of each length."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from gemma_eval.files.rows import name_flaw
from gemma_eval.records import Case, Check
from tests.cases.suites import CASE, DEFAULTS, HAYSTACK, read, said

HAY = [f"- Person {number} keeps {{bees}}." for number in range(40)]
WIDE = HAYSTACK.replace("lengths = [1, 2]", "lengths = [8, 16]")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with 40 pieces of hay, and empty lines between them."""
    (tmp_path / "hay.md").write_text("\n\n".join(HAY) + "\n\n")
    return tmp_path


def stack(case: Case) -> list[str]:
    """Return the lines of the context that a case shows."""
    return case.query.removeprefix("Context:\n").partition("\n\n")[0].split("\n")


def needle_of(case: Case) -> str:
    """Return the needle, which is the cluster of its cases."""
    assert case.cluster is not None
    return case.cluster


def test_every_needle_lies_at_every_depth_of_every_length(folder: Path) -> None:
    """In the order of lengths, depths and needles, under ids that a node id can hold."""
    cases = read(folder, DEFAULTS + WIDE).cases
    assert [case.id for case in cases] == [
        f"needle-{length}-{depth}-{number}"
        for length in (8, 16)
        for depth in ("0", "0.5", "1")
        for number in (1, 2)
    ]
    assert not any(name_flaw(case.id) for case in cases)
    assert {case.series for case in cases} == {"needle"}
    assert [case.variables for case in cases[:3]] == [
        {"length": 8.0, "depth": 0.0},
        {"length": 8.0, "depth": 0.0},
        {"length": 8.0, "depth": 0.5},
    ]
    assert [needle_of(case) for case in cases[:2]] == ["- Finn lives in Oslo.", "- Mia lives in Rome."]
    assert {case.source.line for case in cases} == {6}


def misplaced(cases: tuple[Case, ...], place: Callable[[int, float], int]) -> list[str]:
    """Return the cases in which the needle does not lie where `place` says, or the hay is not whole."""
    wrong = []
    for case in cases:
        length, lines = int(case.variables["length"]), stack(case)
        hay = [line for line in lines if line != needle_of(case)]
        at = lines.index(needle_of(case))
        if at != place(length, case.variables["depth"]) or len(hay) != length or len(set(hay)) != length:
            wrong.append(case.id)
    return wrong


def test_the_depth_is_the_share_of_the_hay_before_the_needle(folder: Path) -> None:
    """All of the hay is there, each piece once and as it was written, braces and all."""
    cases = read(folder, DEFAULTS + WIDE).cases
    assert misplaced(cases, lambda length, depth: round(depth * length)) == []
    assert {line for case in cases for line in stack(case)} - {needle_of(case) for case in cases} <= set(HAY)


def test_a_needle_in_a_wrong_place_would_be_noticed(folder: Path) -> None:
    """The comparison above can fail."""
    cases = read(folder, DEFAULTS + WIDE).cases
    assert len(misplaced(cases, lambda length, depth: round((1 - depth) * length))) == 8


def test_a_shorter_haystack_begins_a_longer_one(folder: Path) -> None:
    """So length alone is varied; the order is another one for another needle or another seed."""
    cases = {case.id: case for case in read(folder, DEFAULTS + WIDE).cases}
    short, long = stack(cases["needle-8-1-1"])[:8], stack(cases["needle-16-1-1"])[:16]
    assert long[:8] == short
    assert stack(cases["needle-8-1-2"])[:8] != short
    assert stack(cases["needle-8-0-1"])[1:] == short
    again = {case.id: case for case in read(folder, DEFAULTS + WIDE).cases}
    assert again["needle-8-1-1"] == cases["needle-8-1-1"]
    seeded = {case.id: case for case in read(folder, DEFAULTS + "seed = 5\n" + WIDE).cases}
    assert stack(seeded["needle-8-1-1"])[:8] != short
    by_hash = sorted(range(40), key=lambda n: hashlib.sha256(f"0/needle/1/{n}".encode()).hexdigest())
    assert [HAY.index(line) for line in short] == by_hash[:8]


def test_placeholders_are_filled_in_prompt_checks_and_continuation(folder: Path) -> None:
    """A placeholder alone keeps its type; several are filled within a text."""
    text = WIDE.replace('text = "{value}"', 'any = ["{value}", "in {value}, {name}"], pass_at = 0.5')
    case = read(folder, DEFAULTS + text).cases[0]
    assert case.checks == (Check(scorer="contains", options={"any": ("Oslo", "in Oslo, Finn")}, pass_at=0.5),)
    assert case.query.endswith("\n\nWhere does Finn live?")
    numbers = WIDE.replace('value = "Oslo"', "value = 7").replace('value = "Rome"', "value = 8")
    assert read(folder, DEFAULTS + numbers).cases[1].checks[0].options == {"text": 8}
    read_only = WIDE.replace('{scorer = "contains", text = "{value}"}', '{scorer = "likelihood"}')
    case = read(folder, DEFAULTS + read_only + 'continuation = "{value}."\n').cases[1]
    assert case.continuation == "Rome."


def test_a_haystack_takes_what_a_case_chooses(folder: Path) -> None:
    """The keys of `[defaults]`, for all of its cases."""
    more = 'models = ["big"]\nrepeats = 3\ntags = ["long"]\nmax_tokens = 5\nkind = "benchmark"\n'
    case = read(folder, DEFAULTS + WIDE + more).cases[-1]
    assert (case.models, case.repeats, case.tags, case.max_tokens) == (("big",), 3, ("long",), 5)
    assert (case.kind, case.warmup, case.profiles) == ("benchmark", 3, ("greedy",))


def test_the_hash_of_a_suite_sees_its_hay(folder: Path) -> None:
    """Other hay is another suite."""
    before = read(folder, DEFAULTS + WIDE).sha256
    (folder / "hay.md").write_text("\n".join(reversed(HAY)))
    assert read(folder, DEFAULTS + WIDE).sha256 != before


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("does {name}", "does {nam}", '8: haystack "needle": prompt: {nam}: no key of the needles'),
        ("does {name}", "does { name }", '8: haystack "needle": prompt: a placeholder is written as {name}'),
        ("does {name}", "does {näme}", "prompt: a placeholder is written as {name}: letters a to z"),
        ('name = "Mia", ', "", '10: haystack "needle": needles[1] has no name, which prompt asks for'),
        ("{haystack}", "hay", '8: haystack "needle": prompt needs {haystack}, where the hay goes'),
        ('text = "{value}"', 'txt = "{value}"', '14: haystack "needle": checks[0]: unknown option'),
        ('"contains"', '"contain"', '14: haystack "needle": checks[0]: no scorer named "contain"'),
        ('text = "{value}"', 'text = "{haystack}"', '14: haystack "needle": checks: {haystack}: no key'),
        ("[8, 16]", "[8, 41]", '12: haystack "needle": lengths asks for 41 pieces of hay, and "hay.md" has'),
        ("[8, 16]", "[8, 8]", '12: haystack "needle": lengths has 8 more than once'),
        ("[8, 16]", "[0]", '12: haystack "needle": lengths[0] is 0; it should be at least 1'),
        ("[8, 16]", "[]", '12: haystack "needle": lengths is an empty list; give at least one'),
        ("depths = [0.0,", "depths = [1.5,", '13: haystack "needle": depths[0] is 1.5; it should be'),
        ('"hay.md"', '"no.md"', '11: haystack "needle": hay "no.md" does not exist'),
        ('"hay.md"', '"../hay.md"', '11: haystack "needle": hay "../hay.md" is not a path inside the folder'),
        ('value = "Rome"', "value = true", 'needles[1].value is true; it should be a text or a whole number'),
        ('{name = "Mia", value = "Rome"}', "{}", "needles[1] is empty; it should name texts"),
        ('name = "Mia"', '"full name" = "Mia"', 'needles[1] has the key "full name"; use letters'),
        ('id = "needle"', 'id = "' + "n" * 99 + '"', "the id of a case is "),
        ('hay = "hay.md"', "", '6: haystack "needle": needs hay, as hay = "long/hay.md"'),
        ('id = "needle"', "", "6: haystack number 1: needs an id"),
        ("checks", 'documents = []\nchecks', '14: haystack "needle": unknown key "documents"'),
        ("checks", 'models = ["pockt"]\nchecks', 'no model named "pockt"; did you mean "pocket"?'),
        ("checks", 'continuation = "{value}"\nchecks', "contains judges an answer, and with a continuation"),
        ('scorer = "contains", text = "{value}"', 'scorer = "likelihood"', "scores a text that is read"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_haystack_is_said_once_with_its_place(
    folder: Path, old: str, new: str, problem: str
) -> None:
    """Not once for each of its cases."""
    problems = said(folder, DEFAULTS + WIDE.replace(old, new))
    assert len(problems) == 1
    assert problem in problems[0]


@pytest.mark.parametrize("text", ["{", "{}", "{ }", "{2,3}", "{name", "\uff5bname\uff5d", '{"a": 1}'])
def test_braces_that_are_no_placeholder_stay(folder: Path, text: str) -> None:
    """A prompt may hold JSON, a pattern a number of repetitions."""
    held = WIDE.replace("Where does", text.replace('"', '\\"') + " Where does")
    assert all(text in case.messages[-1].content for case in read(folder, DEFAULTS + held).cases)


def test_absent_keys_are_all_said(folder: Path) -> None:
    """Each with an example, and what only follows is not said."""
    problems = said(folder, DEFAULTS + '[[haystack]]\nid = "n"\n')
    assert [problem.removeprefix('5: haystack "n": ').partition(",")[0] for problem in problems] == [
        "needs checks",
        "needs prompt",
        "needs needle",
        "needs needles",
        "needs hay",
        "needs lengths",
        "needs depths",
    ]
    assert said(folder, DEFAULTS + "[haystack]\n") == [
        "5: haystack should be a list of tables; begin each haystack with [[haystack]]"
    ]


def test_ids_are_unique_over_cases_and_haystacks(folder: Path) -> None:
    """Whether one was written, or made."""
    twice = DEFAULTS + CASE.replace('"a"', '"needle"') + WIDE
    assert said(folder, twice) == [
        '11: haystack "needle": has the id of the case in line 6; ids are unique in a suite'
    ]
    made = DEFAULTS + CASE.replace('"a"', '"needle-8-0.5-2"') + WIDE
    assert said(folder, made) == [
        '11: haystack "needle": makes a case "needle-8-0.5-2", and there is one; choose another id'
    ]


def test_a_spread_that_is_too_wide_is_refused(folder: Path) -> None:
    """Before it takes the memory of the machine."""
    depths = ", ".join(f"0.{number:04}" for number in range(1, 801))
    lengths = ", ".join(str(number) for number in range(1, 41))
    text = WIDE.replace("0.0, 0.5, 1.0", depths).replace("8, 16", lengths)
    assert said(folder, DEFAULTS + text) == [
        '6: haystack "needle": makes 64,000 cases; at most 10,000 are possible'
    ]


def test_the_end_of_a_context_is_named_in_the_suite(folder: Path) -> None:
    """An error by default; leaving out is a choice of the suite."""
    assert read(folder, DEFAULTS + WIDE).retrieval.overflow == "error"
    assert (
        read(folder, DEFAULTS + WIDE + '[retrieval]\noverflow = "truncate"\n').retrieval.overflow
        == "truncate"
    )
    (problem,) = said(folder, DEFAULTS + WIDE + '[retrieval]\noverflow = "drop"\n')
    assert 'retrieval.overflow is "drop"; it should be "error" or "truncate"' in problem


def test_a_case_may_be_read_and_may_have_variables(tmp_path: Path) -> None:
    """Numbers that the report draws, whole ones as well."""
    text = CASE.replace('{scorer = "contains", text = "x"}', '{scorer = "likelihood", pass_at = 0.1}')
    more = 'continuation = " Oslo"\nseries = "digits"\nvariables = {digits = 2, "over.all" = 0.5}\n'
    (case,) = read(tmp_path, DEFAULTS + text + more).cases
    assert (case.continuation, case.series) == (" Oslo", "digits")
    assert case.variables == {"digits": 2.0, "over.all": 0.5}
    assert all(type(value) is float for value in case.variables.values())


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ('continuation = "x"', 'contains judges an answer, and with a continuation there is none'),
        ("continuation = ''", "continuation is empty"),
        ("variables = {a = nan}", "variables.a is nan; it should be a finite number"),
        ("variables = {a = true}", "variables.a is true; it should be a number, or a text in quotes"),
        ("variables = {a = [1]}", "variables.a is [1]; it should be a number, or a text in quotes"),
        ("variables = {now = 1}", 'variables has a key that is "now", which every template has already'),
        ('variables = {"a.b" = "x"}', 'variables has a key that is "a.b", which cannot be a variable'),
        ('variables = {loop = "x"}', 'variables has a key that is "loop", which cannot be a variable'),
        ('variables = {"a b" = 1}', 'variables has a key that is "a b", which cannot be a name'),
        ("variables = 1", "variables is 1; it should be a table"),
        ('series = "a b"', "which cannot be a name"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_reading_or_a_variable_is_named(tmp_path: Path, more: str, problem: str) -> None:
    """With its line."""
    problems = said(tmp_path, f"{DEFAULTS}{CASE}{more}\n")
    assert len(problems) == 1
    assert problem in problems[0]
    assert problems[0].startswith(('9: case "a": ', '8: case "a": '))


def test_a_reading_without_a_check_is_told_the_check_that_it_takes(tmp_path: Path) -> None:
    """The example is one that would do."""
    (problem,) = said(tmp_path, DEFAULTS + CASE.partition("checks")[0] + 'continuation = "x"\n')
    assert 'needs checks, as checks = [{scorer = "likelihood"}]' in problem


def test_what_is_read_is_no_benchmark(tmp_path: Path) -> None:
    """Nothing is written that could be timed."""
    text = DEFAULTS + CASE.partition("checks")[0] + 'continuation = "x"\nkind = "benchmark"\n'
    assert said(tmp_path, text) == [
        '8: case "a": continuation is read and not written, so there is nothing to time; leave out the kind'
    ]
