"""A cache in a suite file: what it may say, which cases have one, and what is told of each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemma_eval.cases.case import Names
from gemma_eval.cases.load import load
from gemma_eval.errors import SuiteError
from gemma_eval.records import Caching, Suite
from tests.cases.suites import CASE, DEFAULTS, look

NAMES = Names(models=("pocket", "minilm"), profiles=("greedy",), templates=("plain",), embedders=("minilm",))
CACHE = 'cache = { mode = "strict", embedder = "minilm", min_cosine = 0.9, ttl_s = 600, max_entries = 100 }\n'
KEPT = Caching(mode="strict", embedder="minilm", min_cosine=0.9, ttl_s=600.0, max_entries=100)
BENCHMARK = '[[case]]\nid = "b"\nkind = "benchmark"\nprompt = "Go on."\nmax_tokens = 3\n'


def read(folder: Path, text: str) -> Suite:
    """Write a suite file and load it."""
    path = folder / "s.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, names=NAMES, look=look)


def said(folder: Path, text: str) -> list[str]:
    """Return what is wrong with a suite."""
    try:
        read(folder, text)
    except SuiteError as error:
        return [problem.what for problem in error.problems]
    return []


def test_a_case_says_what_its_cache_is(tmp_path: Path) -> None:
    """All keys; without any there is none."""
    located = CACHE.replace(" }", ', location = "redis://localhost:6379/0" }')
    suite = read(tmp_path, DEFAULTS + CASE + located + CASE.replace('"a"', '"c"'))
    assert suite.cases[0].cache is not None
    assert suite.cases[0].cache.location == "redis://localhost:6379/0"
    assert suite.cases[1].cache is None


def test_the_cache_of_defaults_is_not_for_benchmarks(tmp_path: Path) -> None:
    """Which have one only where they say so themselves; nor for what a model reads."""
    reading = '[[case]]\nid = "r"\nprompt = "Hi?"\ncontinuation = "x"\nchecks = [{scorer = "likelihood"}]\n'
    suite = read(
        tmp_path, DEFAULTS + CACHE + CASE + BENCHMARK + BENCHMARK.replace('"b"', '"c"') + CACHE + reading
    )
    assert {case.id: case.cache for case in suite.cases} == {"a": KEPT, "b": None, "c": KEPT, "r": None}


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ('cache = { embedder = "minilm" }', 'cache needs a mode, as {mode = "exact"}'),
        ('cache = { mode = "strict" }', 'cache.mode = "strict" compares vectors, and needs an embedder'),
        ('cache = { mode = "verified" }', "needs an embedder"),
        (
            'cache = { mode = "cosine", embedder = "pocket" }',
            'the model "pocket" makes no vectors; minilm do',
        ),
        (
            'cache = { mode = "cosine", embedder = "minilmm" }',
            'no model named "minilmm"; did you mean "minilm"?',
        ),
        ('cache = { mode = "exakt" }', '"exakt"'),
        ('cache = { mode = "exact", ttl_s = 0 }', "ttl_s"),
        ('cache = { mode = "exact", ttl_s = 1e12 }', "ttl_s"),
        ('cache = { mode = "exact", max_entries = 0 }', "max_entries"),
        ('cache = { mode = "exact", min_cosine = 2.0 }', "min_cosine"),
        ('cache = { mode = "exact", ttl = 5 }', 'did you mean "ttl_s"?'),
        ('cache = { mode = "exact", location = "postgres://x" }', 'cache.location is "postgres://x"'),
        ("cache = true", "cache"),
    ],
)
def test_each_mistake_is_said_once(tmp_path: Path, given: str, what: str) -> None:
    """With what would be right."""
    found = said(tmp_path, DEFAULTS + CASE + given + "\n")
    assert len(found) == 1
    assert what in found[0], found


@pytest.mark.parametrize(
    ("case", "why"),
    [
        (BENCHMARK + "load = { concurrency = 2 }\n", "a load measures what an engine serves"),
        (
            '[[case]]\nid = "r"\nprompt = "Hi?"\ncontinuation = "x"\nchecks = [{scorer = "likelihood"}]\n',
            "what a model reads is not kept",
        ),
        (
            '[[case]]\nid = "f"\nkind = "retrieval"\nprompt = "Hi?"\nchecks = [{scorer = "contains"}]\n',
            "has no answer to keep",
        ),
    ],
)
def test_a_case_that_can_have_no_cache_is_told_why(tmp_path: Path, case: str, why: str) -> None:
    """A cache would answer for what is measured."""
    found = [what for what in said(tmp_path, DEFAULTS + case + CACHE) if "cache" in what]
    assert len(found) == 1
    assert why in found[0]
    assert found[0].endswith("leave the cache out")


def test_defaults_that_are_wrong_are_said_once(tmp_path: Path) -> None:
    """And not for every case."""
    suite = DEFAULTS + 'cache = { mode = "strict" }\n' + CASE + CASE.replace('"a"', '"c"')
    assert len(said(tmp_path, suite)) == 1
