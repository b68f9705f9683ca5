"""Times are compared of one machine, one configuration of an engine and one version of the formulas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from gemma_eval.verdict.comparable import engine_differs, is_same_machine, speed_differs
from tests.examples import a_run, an_outcome

RUN = a_run()
HOST = replace(RUN.host, details={"governor": "performance", "kernel": "6.1", "libc": "2.36"})
MODEL = an_outcome().trial.cell.model
ENGINE = RUN.engines["scripted"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"cpu": "another"}, 'cpu: "a processor" against "another"'),
        ({"logical_cores": 4}, "logical_cores: 2 against 4"),
        ({"memory_bytes": 16 << 30}, "memory_gib: 8 against 16"),
        ({"details": {"governor": "powersave"}}, 'governor: "performance" against "powersave"'),
        ({"details": {}}, 'governor: "performance" against nothing'),
        (
            {"details": {"governor": "performance", "cpu_limit": "1.5"}},
            'cpu_limit: nothing against "1.5"',
        ),
    ],
)
def test_another_machine_is_told_by_what_differs(changes: Mapping[str, Any], told: str) -> None:
    """With both values."""
    other = replace(HOST, **changes)
    assert list(speed_differs(replace(RUN, host=HOST), replace(RUN, host=other))) == [told]
    assert not is_same_machine(HOST, other)


@pytest.mark.parametrize(
    "changes",
    [
        {"os": "another", "python": "3.13.0", "versions": {"numpy": "9"}},
        {"memory_bytes": (8 << 30) - (100 << 20)},
        *(
            {"details": {"governor": "performance", name: "another"}}
            for name in ("kernel", "libc", "microcode", "clock_source", "huge_pages")
        ),
    ],
)
def test_an_update_does_not_make_another_machine(changes: Mapping[str, Any]) -> None:
    """It may be what the comparison is about; and a kernel that keeps a little more memory is one, too."""
    other = replace(HOST, **changes)
    assert list(speed_differs(replace(RUN, host=HOST), replace(RUN, host=other))) == []
    assert is_same_machine(HOST, other)


def test_other_formulas_are_told() -> None:
    """Their times are not the same thing."""
    newer = replace(RUN, definitions_version=RUN.definitions_version + 1)
    now, then = RUN.definitions_version, newer.definitions_version
    assert list(speed_differs(RUN, newer)) == [f"version of the formulas: {now} against {then}"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"engine": "other"}, 'engine of scripted: "scripted" against "other"'),
        ({"quantisation": "Q8_0"}, 'quantisation of scripted: nothing against "Q8_0"'),
        ({"context_tokens": 2048}, "context_tokens of scripted: 1024 against 2048"),
        ({"threads": 2}, "threads of scripted: 1 against 2"),
    ],
)
def test_what_an_engine_runs_with_undeclared_is_told(changes: Mapping[str, Any], told: str) -> None:
    """Nobody asked for it; where the model is declared otherwise, somebody did."""
    other = replace(ENGINE, **changes)
    assert list(engine_differs(ENGINE, other, declared=(MODEL, MODEL))) == [told]
    declared = replace(MODEL, options={"threads": 2})
    assert list(engine_differs(ENGINE, other, declared=(MODEL, declared))) == []


def test_what_a_comparison_is_about_may_differ() -> None:
    """Weights, the engine's version, and how long it took to load; nor does what is not known."""
    other = replace(ENGINE, version="2", model_sha256="cd" * 32, load_s=9.0)
    assert list(engine_differs(ENGINE, other, declared=(MODEL, MODEL))) == []
    assert list(engine_differs(None, other, declared=(MODEL, MODEL))) == []
    assert list(engine_differs(ENGINE, None, declared=(MODEL, MODEL))) == []
