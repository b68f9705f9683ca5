"""`gemma-eval history --gates`, and the history of micro-benchmarks, as a person uses them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gemma_eval.cli.history import history
from gemma_eval.errors import UnknownName, UsageError
from gemma_eval.records import Gating, Microbenchmark
from gemma_eval.store.write import open_store
from tests.examples import a_run, an_outcome
from tests.verdict.test_audit import a_gated, a_gating

OUTCOME = an_outcome("a")


def record(path: Path, gatings: Sequence[Gating | None], *, median_s: float = 0.5) -> None:
    """Write a run for each, with what became of its gates and a micro-benchmark."""
    with closing(open_store(path)) as store:
        for number, gating in enumerate(gatings):
            run = replace(a_run(f"run-{number}"), state="running")
            store.begin(run, [OUTCOME.trial])
            store.record(run.id, OUTCOME)
            measured = Microbenchmark(
                name="test_x.py::test_\x1b[2J", median_s=median_s, mean_s=1.0, sd_s=0.0, rounds=1
            )
            store.note_microbenchmarks(run.id, (measured,))
            store.finish(run.id, "done")
            if gating is not None:
                store.gate(replace(gating, candidate=run.id, base=run.id))


def invoke(path: Path, *arguments: str) -> Result:
    """Run the command; errors that `gemma-eval` would print are raised."""
    result = CliRunner().invoke(history, [*arguments, "--db", str(path)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_the_verdicts_of_each_metric_are_shares_in_a_table(tmp_path: Path) -> None:
    """With blocks, comparisons of the same with itself, and a sentence where too little is decided."""
    path = tmp_path / "results.db"
    record(
        path,
        [
            a_gating(a_gated("REGRESSED", n=8), a_gated("PASS", metric="score", unit="case")),
            a_gating(a_gated("PASS", n=5), commits={}),
            None,
            a_gating(a_gated("INCONCLUSIVE", n=20), a_gated("NEW", n=0, unit="run"), blocks=20),
        ],
    )
    output = invoke(path, "--gates").output.splitlines()
    assert output[0] == "3 runs with gates"
    assert output[1:4] == [
        "metric  gates  REGRESSED  PASS   INCONCLUSIVE  other  blocks  A/A",
        "ttft_s  4      25 %       25 %   25 %          25 %   8       1 of 2",
        "score   1      0 %        100 %  0 %           0 %    \N{EN DASH}       0 of 1",
    ]
    told = " ".join(" ".join(output[4:]).split())
    assert told == (
        "A/A: 2 runs were held against the same commit and names; in 1 of these (50 %) a critical gate said "
        "REGRESSED, which may be in 5 %; so many may be chance (p = 0.098) "
        "ttft_s: 25 % of its gates prove nothing, more than 20 %: its margin is too narrow for the noise "
        "here, or its budget of blocks, cases or runs too small"
    )


def test_more_errors_than_chance_makes_are_told_as_such(tmp_path: Path) -> None:
    """Three of six is no chance, none of six nothing to tell, and without any there is advice."""
    wrong, right = a_gating(a_gated("REGRESSED")), a_gating(a_gated("PASS"))
    for name, gatings, said in (
        ("many", [wrong, right] * 3, "so many are no chance (p = 0.0022)"),
        ("none", [right] * 6, "in 0 of these (0 %) a critical gate said REGRESSED, which may be in 5 %"),
        ("unknown", [replace(right, commits={})], "no run was held against one of the same commit"),
    ):
        path = tmp_path / f"{name}.db"
        record(path, gatings)
        output = " ".join(invoke(path, "--gates").output.split())
        assert said in output
        assert "prove nothing" not in output


def test_the_newest_runs_are_looked_at_and_json_has_all(tmp_path: Path) -> None:
    """With the names of the record."""
    path = tmp_path / "results.db"
    record(path, [a_gating(a_gated("REGRESSED")), *[a_gating(a_gated("PASS"))] * 2])
    told = json.loads(invoke(path, "--gates", "--last", "2", "--json").output)
    assert (told["version"], told["runs"], told["alike"], told["alike_regressed"]) == (1, 2, 2, 0)
    assert told["metrics"][0]["passed"] == 2
    assert told["p"] == 1.0


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    """A metric and all gates; neither; a model of tests; and no gate at all."""
    path = tmp_path / "results.db"
    record(path, [None])
    for arguments, said in (
        (("ttft_s", "--gates"), "--gates is of all gates"),
        (("--gates", "--model", "m"), "--gates is of all gates"),
        ((), "give a metric, as ttft_s, or --gates"),
        (("microbenchmark_s", "--model", "m"), "--model: a test has no model; choose by its full name"),
        (("--gates",), "none of the 1 newest runs was held against a gate"),
    ):
        with pytest.raises(UsageError, match=said):
            invoke(path, *arguments)
    with pytest.raises(UnknownName, match="microbenchmark_s"):
        invoke(path, "microbenchmark")


def test_a_micro_benchmark_has_a_history_by_its_full_name(tmp_path: Path) -> None:
    """Of which no letter commands the terminal; `--case` chooses."""
    path = tmp_path / "results.db"
    record(path, [None] * 3)
    output = invoke(path, "microbenchmark_s", "--case", "test_x*").output
    assert output.splitlines()[0] == "microbenchmark_s of test_x.py::test_␛[2J"
    assert "from 500 ms to 500 ms" in output
    with pytest.raises(UsageError, match="has a microbenchmark_s of that"):
        invoke(path, "microbenchmark_s", "--case", "other")
