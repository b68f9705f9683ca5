"""A case says how its requests arrive and which of them are good, or all that is wrong with that is said."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from gemma_eval.cases.editor_schema import suite_schema
from gemma_eval.cases.schema import SloRow
from gemma_eval.records import Load, Measurement, Slo
from tests.cases.suites import CASE, DEFAULTS, HAYSTACK, read, said

OPEN = "load = { rate_per_s = 5.0 }\n"
LATE = (
    "slo.e2e_sched_s needs requests that are due at a time; give load a rate_per_s, or limit ttft_s or e2e_s"
)


def benchmark(case_id: str = "a") -> str:
    """Return a case of five lines; the first one of a suite ends in line 9."""
    return f'[[case]]\nid = "{case_id}"\nkind = "benchmark"\nprompt = "Hi?"\nrepeats = 20\n'


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("{ concurrency = 4 }", Load(concurrency=4)),
        (
            "{ concurrency = 4, warmup = 4, cooldown = 5 }",
            Load(concurrency=4, warmup=4, cooldown=5),
        ),
        ("{ rate_per_s = 5 }", Load(rate_per_s=5.0, arrival="poisson", max_in_flight=64)),
        (
            '{ rate_per_s = 0.5, arrival = "constant", max_in_flight = 7, warmup = 1 }',
            Load(rate_per_s=0.5, arrival="constant", max_in_flight=7, warmup=1),
        ),
    ],
)
def test_a_load_is_read_as_it_is_written(tmp_path: Path, table: str, expected: Load) -> None:
    """What is left out is the record's."""
    (case,) = read(tmp_path, f"{DEFAULTS}{benchmark()}load = {table}\n").cases
    assert case.load == expected
    assert case.slo is None


def test_limits_are_read_by_the_names_of_the_latencies(tmp_path: Path) -> None:
    """A whole number is a number; a metric without a value may be excused."""
    text = f'{DEFAULTS}{benchmark()}slo = {{ tpot_s = 1, ttft_s = 0.5, may_miss = ["tpot_s"] }}\n'
    (case,) = read(tmp_path, text).cases
    assert case.slo == Slo(limits={"ttft_s": 0.5, "tpot_s": 1.0}, may_miss=("tpot_s",))
    assert case.load is None


def test_every_latency_of_a_measurement_can_be_limited_and_nothing_else() -> None:
    """A new one is to be added; rates and processor time are no latencies."""
    latencies = {
        field.name
        for field in dataclasses.fields(Measurement)
        if field.name.endswith("_s") and not field.name.endswith("_per_s") and field.name != "cpu_s"
    }
    assert set(SloRow.model_fields) - {"may_miss"} == latencies


def test_defaults_hold_for_benchmarks_that_say_nothing_else(tmp_path: Path) -> None:
    """A table of a case takes the place of the whole default; quality cases have neither load nor limits."""
    text = (
        f"{DEFAULTS}repeats = 9\nload = {{ concurrency = 2, warmup = 1 }}\nslo = {{ ttft_s = 0.5 }}\n"
        f"{CASE}{benchmark('b')}{benchmark('c')}load = {{ rate_per_s = 1 }}\nslo = {{ tpot_s = 2.0 }}\n"
    )
    quality, default, own = read(tmp_path, text).cases
    assert (quality.load, quality.slo) == (None, None)
    assert (default.load, default.slo) == (Load(concurrency=2, warmup=1), Slo(limits={"ttft_s": 0.5}))
    assert (own.load, own.slo) == (Load(rate_per_s=1.0), Slo(limits={"tpot_s": 2.0}))


def test_the_cases_of_a_haystack_may_have_a_load(tmp_path: Path) -> None:
    """It takes what every case takes."""
    (tmp_path / "hay.md").write_text("- Ada lives in Rome.\n- Ben lives in Oslo.\n")
    more = 'kind = "benchmark"\nrepeats = 3\nload = { concurrency = 2 }\nslo = { ttft_s = 1.0 }\n'
    cases = read(tmp_path, DEFAULTS + HAYSTACK + more).cases
    assert len(cases) == 12
    assert {case.load for case in cases} == {Load(concurrency=2)}
    assert all(case.slo == Slo(limits={"ttft_s": 1.0}) for case in cases)
    problems = said(tmp_path, DEFAULTS + HAYSTACK + more.replace("repeats = 3", "repeats = 1"))
    what = "load.concurrency is 2, more requests than repeats = 1 makes; give more repeats"
    assert problems == [f'17: haystack "needle": {what}']


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("load = {}", "load has neither concurrency nor rate_per_s; give one of them"),
        (
            "load = { concurrency = 1, rate_per_s = 1 }",
            "load has both concurrency and rate_per_s; give one of them",
        ),
        ("load = 4", "load is 4; it should be a table"),
        ("load = { concurrency = 0 }", "load.concurrency is 0; it should be at least 1"),
        ("load = { concurrency = 2000 }", "load.concurrency is 2000; it should be at most 1,024"),
        ("load = { concurrency = 4.0 }", "load.concurrency is 4.0; it should be a whole number"),
        ("load = { rate_per_s = 0 }", "load.rate_per_s is 0; it should be at least 0.001"),
        ("load = { rate_per_s = inf }", "load.rate_per_s is inf; it should be a finite number"),
        ("load = { rate_per_s = true }", "load.rate_per_s is true; it should be a number"),
        ("load = { concurency = 4 }", 'unknown key "concurency"; did you mean "concurrency"?'),
        (
            'load = { rate_per_s = 1, arrival = "poison" }',
            'load.arrival is "poison"; it should be "constant" or "poisson"',
        ),
        (
            'load = { concurrency = 2, arrival = "constant" }',
            "load.arrival is of requests that come by themselves; give rate_per_s, or leave it out",
        ),
        (
            "load = { concurrency = 2, max_in_flight = 2 }",
            "load.max_in_flight is of requests that come by themselves; give rate_per_s, or leave it out",
        ),
        (
            "load = { concurrency = 2, warmup = 10, cooldown = 10 }",
            "load.warmup + load.cooldown = 20 leaves none of repeats = 20 to be measured; give more repeats",
        ),
        (
            "load = { concurrency = 21 }",
            "load.concurrency is 21, more requests than repeats = 20 makes; give more repeats",
        ),
        ("load = { concurrency = 2, warmup = -1 }", "load.warmup is -1; it should be at least 0"),
        ("slo = {}", "slo has no limit; give one, as slo = {ttft_s = 0.5}"),
        ("slo = { ttft_s = 0 }", "slo.ttft_s is 0; it should be more than 0"),
        ('slo = { ttft_s = "1" }', 'slo.ttft_s is "1"; it should be a number'),
        ("slo = { ttft = 0.5 }", 'unknown key "ttft"; did you mean "ttft_s"?'),
        ("slo = { cpu_s = 0.5 }", 'unknown key "cpu_s"; known: e2e_s, '),
        ("slo = { output_tokens_per_s = 9.0 }", 'unknown key "output_tokens_per_s"'),
        (
            'slo = { ttft_s = 1.0, may_miss = ["ttft"] }',
            'slo.may_miss: no limit named "ttft"; did you mean "ttft_s"?',
        ),
        (
            'slo = { ttft_s = 1.0, may_miss = ["tpot_s"] }',
            'slo.may_miss: no limit named "tpot_s"; did you mean "ttft_s"?',
        ),
        ("slo = { ttft_s = 1.0, may_miss = [] }", "slo.may_miss is an empty list"),
        ("slo = { e2e_sched_s = 1.0 }", LATE),
    ],
)
def test_a_mistake_in_a_load_or_its_limits_is_named(tmp_path: Path, more: str, problem: str) -> None:
    """One line: where it is, what is wrong and what would be right, and nothing of what only follows."""
    problems = said(tmp_path, f"{DEFAULTS}{benchmark()}{more}\n")
    assert len(problems) == 1, problems
    assert problems[0].startswith('10: case "a": ')
    assert problem in problems[0]


@pytest.mark.parametrize("key", ["load = { concurrency = 1 }", "slo = { ttft_s = 1.0 }"])
def test_only_a_benchmark_has_a_load_and_limits(tmp_path: Path, key: str) -> None:
    """Quality is not timed, and nothing is written of a text that is read."""
    name = key.split(" ", maxsplit=1)[0]
    what = f"{name} is about requests that are timed; "
    mended = 'add kind = "benchmark", or leave it out'
    assert said(tmp_path, f"{DEFAULTS}{CASE}{key}\n") == [f'9: case "a": {what}{mended}']
    read_case = CASE.replace('"contains", text = "x"', '"likelihood"') + 'continuation = "x"\n'
    mended = "a text that is read is not; leave it out"
    assert said(tmp_path, f"{DEFAULTS}{read_case}{key}\n") == [f'10: case "a": {what}{mended}']


def test_a_limit_from_the_schedule_needs_an_open_loop(tmp_path: Path) -> None:
    """With one it is good, and a closed loop that has it by default is told so once."""
    text = f"{DEFAULTS}slo = {{ e2e_sched_s = 1.0 }}\n{benchmark()}{OPEN}"
    assert said(tmp_path, text) == []
    problems = said(tmp_path, text.replace("rate_per_s = 5.0", "concurrency = 4"))
    assert problems == [f'6: case "a": {LATE}']


def test_all_problems_are_said_at_once_and_those_of_the_defaults_once(tmp_path: Path) -> None:
    """Two cases that take a wrong default do not repeat what is wrong with it."""
    text = (
        f"{DEFAULTS}load = {{ warmup = 1 }}\nslo = {{ ttf_s = 1.0 }}\n"
        f"{benchmark('a')}{benchmark('b')}load = {{ concurrency = 40 }}\nslo = {{ ttft_s = -1.0 }}\n"
        + CASE.replace('"a"', '"c"')
        + OPEN
    )
    assert said(tmp_path, text) == [
        "5: load has neither concurrency nor rate_per_s; give one of them",
        '6: unknown key "ttf_s"; did you mean "ttft_s"?',
        '17: case "b": load.concurrency is 40, more requests than repeats = 20 makes; give more repeats',
        '18: case "b": slo.ttft_s is -1.0; it should be more than 0',
        '23: case "c": load is about requests that are timed; add kind = "benchmark", or leave it out',
    ]


def test_editors_know_the_keys_of_a_load_and_the_latencies() -> None:
    """The JSON Schema lists them for cases, haystacks and defaults."""
    schema = suite_schema({})
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    assert set(definitions["LoadRow"]["properties"]) == {field.name for field in dataclasses.fields(Load)}
    assert definitions["LoadRow"]["additionalProperties"] is False
    assert "e2e_sched_s" in definitions["SloRow"]["properties"]
    for table in ("CaseRow", "HaystackRow", "DefaultsRow"):
        assert {"load", "slo"} <= set(definitions[table]["properties"])
