"""The JSON of the gates has a shape that stays, and is read back as what it was."""

from __future__ import annotations

import json
from dataclasses import replace
from math import nan

import pytest

from gemma_eval.errors import StoreError
from gemma_eval.records import Gated, Gating
from gemma_eval.report.gates.verdicts_json import SCHEMA_VERSION, document, read, verdicts_json
from gemma_eval.report.gates.words import WORDS
from gemma_eval.report.json_file import JsonFile
from gemma_eval.wire import load
from tests.report.example import Shape, example
from tests.report.gates.example_gating import every, gating, many, tainted


def test_the_shape_is_the_one_that_is_documented() -> None:
    """A key that goes or changes its meaning raises the version; this test is changed with it."""
    assert SCHEMA_VERSION == 1
    told = json.loads(verdicts_json(gating()))
    assert set(told) == {
        *(
            "schema_version",
            "run",
            "base",
            "found",
            "blocks",
            "commits",
            "changes",
            "notes",
            "counts",
            "gates",
            "in_force",
            "spoiled",
            "most_blocks",
            "base_database",
        )
    }
    for each in told["gates"]:
        assert set(each) == {
            *("id", "verdict", "level", "label", "group", "gate", "comparison", "p_adjusted", "acceptance")
        }
        assert set(each["comparison"]) == {
            *("metric", "shared", "unit", "n", "base", "candidate", "difference", "low", "high", "level"),
            *("margin", "detectable", "needed", "verdict", "lean", "reason", "left_out", "p"),
        }


def test_every_verdict_is_there_and_counted() -> None:
    """Those that do not occur with 0."""
    told = document(gating(every()[0]))
    assert told["counts"] == {verdict: int(verdict == "PASS") for verdict in WORDS}
    gates = json.loads(verdicts_json(gating()))["gates"]
    assert [each["verdict"] for each in gates] == [each.comparison.verdict for each in every()]
    assert [each["id"] for each in gates] == [each.id for each in every()]


@pytest.mark.parametrize(
    "found",
    [
        gating(),
        tainted(),
        many(3),
        replace(gating(), gated=(), base=None),
        tainted("\udc80 ✗ \x00"),
        replace(gating(), spoiled="hot", most_blocks=3, base_database="../b.db", gates=(every()[0].gate,)),
    ],
    ids=["every", "hostile", "many", "none", "surrogates", "judged-again"],
)
def test_what_is_read_back_is_what_was_written(found: Gating) -> None:
    """Of the file, of the document, and of each gate by itself."""
    text = verdicts_json(found)
    assert text.isascii()
    assert read(json.loads(text)) == read(document(found)) == found
    assert tuple(load(Gated, each) for each in json.loads(text)["gates"]) == found.gated


def test_a_file_of_before_is_read() -> None:
    """It lacks what it takes to judge again."""
    told = json.loads(verdicts_json(gating()))
    for name in ("in_force", "spoiled", "most_blocks", "base_database"):
        del told[name]
    assert read(told) == gating()


def test_a_gate_is_a_line() -> None:
    """So that a search by line finds it whole."""
    lines = verdicts_json(many(3)).splitlines()
    assert [json.loads(line.rstrip(","))["label"] for line in lines if '"label"' in line] == [
        f"greedy · template-{number}" for number in range(3)
    ]


@pytest.mark.parametrize("told", [{}, {"schema_version": 2}, {"schema_version": 1}, {"schema_version": "1"}])
def test_what_is_not_such_a_file_is_refused(told: dict[str, object]) -> None:
    """Another version by its number."""
    with pytest.raises(StoreError):
        read(told)
    with pytest.raises(StoreError, match="schema_version 2; this version reads 1"):
        read({"schema_version": 2})


def test_a_number_that_json_cannot_carry_is_refused() -> None:
    """Rather than written in a way that other programs do not read."""
    broken = replace(every()[0], comparison=replace(every()[0].comparison, difference=nan))
    with pytest.raises(StoreError):
        verdicts_json(gating(broken))


def test_results_json_has_the_same() -> None:
    """Under `gating`, `null` where there is none."""
    report = example(Shape(cases=2))
    assert json.loads(JsonFile().render(report))["gating"] is None
    told = json.loads(JsonFile().render(replace(report, gating=tainted())))
    assert told["gating"] == json.loads(verdicts_json(tainted()))
    assert read(told["gating"]) == tainted()
