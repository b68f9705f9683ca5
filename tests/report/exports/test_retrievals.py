"""What other programs are given tells retrievals apart, and is as before where none has a name."""

from __future__ import annotations

import json

from gemma_eval.report.exports.eee.export import eee
from gemma_eval.report.exports.lm_eval import lm_eval
from gemma_eval.report.gates.bencher import bencher
from gemma_eval.report.gates.pytest_benchmark import pytest_benchmark
from tests.report.retrieved import Asked, retrieved

REPORT = retrieved(Asked(cases=4))


def test_the_harness_has_a_folder_for_each_retrieval() -> None:
    """And what was chosen among the arguments of the model."""
    results = [each for each in lm_eval(REPORT) if "/results_" in each.path]
    folders = [each.path.partition("/")[0] for each in results]
    assert folders[:4] == [f"pocket__greedy__rag__{name}" for name in ("none", "bm25", "hybrid", "oracle")]
    arguments = [json.loads(each.data)["config"]["model_args"] for each in results]
    assert arguments[2] == {"name": "pocket", "profile": "greedy", "template": "rag", "retrieval": "hybrid"}


def test_results_and_answers_of_every_eval_ever_go_by_the_retrieval() -> None:
    """No two results have one id."""
    for file in eee(REPORT):
        if not file.path.endswith(".json"):
            continue
        found = [each["evaluation_result_id"] for each in json.loads(file.data)["evaluation_results"]]
        assert len(set(found)) == len(found)
        assert any("/hybrid/" in each for each in found)


def test_trackers_have_a_benchmark_for_each_retrieval() -> None:
    """Named as pytest names the cell."""
    assert "pocket/greedy/rag/hybrid" in json.loads(bencher(REPORT))
    found = json.loads(pytest_benchmark(REPORT))["benchmarks"]
    assert {each["params"]["retrieval"] for each in found} == {"none", "bm25", "hybrid", "oracle"}
    assert found[0]["param"].endswith("/none")
