"""The performance suite runs over HTTP: lengths are held, and the server has the load that the suite says."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemma_eval.backends.llama_cpp.file import read
from gemma_eval.backends.llama_cpp.serve import served
from gemma_eval.backends.llama_cpp.settings import settings
from gemma_eval.config.shipped import suites_directory
from gemma_eval.records import ModelSpec, Outcome
from gemma_eval.stats.requests import contaminated
from gemma_eval.stats.serving import serving
from tests import required
from tests.plugin.project import latest, newest_run

MODELS = """\
version = 1

[model.served]
backend = "openai_http"
location = "{address}"
options = {{ dialect = "llama.cpp" }}
"""


@pytest.fixture
def address() -> Iterator[str]:
    """Serve the shipped model to four at once."""
    required.module("xllamacpp", extra="llama-cpp")
    spec = ModelSpec(name="pocket", backend="llama_cpp", location="@pocket", options={"parallel": 4})
    with served(settings(spec, read(spec.location)), port=0) as where:
        yield where


def by_case(outcomes: tuple[Outcome, ...], case_id: str) -> list[Outcome]:
    """Return the outcomes of one case."""
    return [outcome for outcome in outcomes if outcome.trial.cell.case.id == case_id]


def test_cells_and_a_load_run_over_http(pytester: pytest.Pytester, address: str) -> None:
    """With a model that the suite does not name, as `--gemma-model` may give one."""
    suite = Path(shutil.copy(suites_directory() / "performance.toml", pytester.path))
    (pytester.path / "models.toml").write_text(MODELS.format(address=address))
    began = time.monotonic()
    result = pytester.runpytest_subprocess(
        *("--gemma-suite", suite.name, "--gemma-model", "served", "-k", "tg64-d0 or pp256 or closed-4")
    )
    took_s = time.monotonic() - began
    result.assert_outcomes(passed=3, deselected=8)
    outcomes = latest(pytester.path)
    made = {
        case_id: {
            (each.generation.prompt_tokens, each.generation.output_tokens)
            for each in by_case(outcomes, case_id)
            if each.generation is not None
        }
        for case_id in ("pp256", "tg64-d0", "closed-4")
    }
    assert made == {"pp256": {(256, 1)}, "tg64-d0": {(22, 64)}, "closed-4": {(22, 64)}}
    assert not any(contaminated(outcome) for outcome in outcomes)
    load = serving(by_case(outcomes, "closed-4"))
    assert load.traffic is not None
    assert load.traffic.concurrency_max == 4
    assert (load.scheduled, load.answered, load.warmup, load.cooldown) == (24, 24, 4, 4)
    assert load.traffic.whole.duration_s < took_s
    run = newest_run(pytester.path)
    assert run.harness is not None
    assert run.harness.http_ttft_error_ms is not None
    assert run.engines["served"].engine.startswith("llama")
