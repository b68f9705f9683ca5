"""What is exported for lm-evaluation-harness has its keys, and its arithmetic."""

from __future__ import annotations

import json
import math
import statistics

import pytest

from gemma_eval.records import Report
from gemma_eval.report.exports.lm_eval import lm_eval
from tests.report.exports.runs import RUNS, alone, benchmark, choices, quality, repeated

REQUIRED = {
    *("results", "group_subtasks", "configs", "versions", "n-shot", "higher_is_better", "n-samples"),
    *("config", "git_hash", "date"),
}
"""What `evaluate()` and `simple_evaluate()` always give, by lm_eval/result_schema.py."""
OF_A_SAMPLE = {
    *("doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics"),
    *("doc_hash", "prompt_hash", "target_hash"),
}


def exported(report: Report) -> list[tuple[dict, list[dict]]]:  # type: ignore[type-arg]
    """Return the results of each folder with the samples of all its tasks."""
    files = {file.path: file.data for file in lm_eval(report)}
    found = []
    for path, data in files.items():
        folder, _, name = path.partition("/")
        if name.startswith("results_"):
            beside = [files[each] for each in files if each.startswith(f"{folder}/samples_")]
            found.append(
                (json.loads(data), [json.loads(row) for each in beside for row in each.splitlines()])
            )
    return found


@pytest.mark.parametrize("kind", RUNS)
def test_every_kind_of_run_has_the_keys_of_the_harness(kind: str) -> None:
    """In the results, in each task, and in each sample."""
    made = exported(RUNS[kind]())
    assert made
    for whole, samples in made:
        assert set(whole) >= REQUIRED
        for task, figures in whole["results"].items():
            assert {"name", "alias", "sample_len"} <= set(figures)
            names = [
                key.removesuffix(",none") for key in figures if key.endswith(",none") and "_stderr" not in key
            ]
            assert {f"{name}_stderr,none" for name in names} <= set(figures)
            assert set(names) <= set(whole["higher_is_better"][task])
        for sample in samples:
            assert set(sample) >= OF_A_SAMPLE | set(sample["metrics"])


def test_accuracy_and_its_standard_error_are_those_of_the_harness() -> None:
    """The mean of the samples, and their standard deviation of n - 1 over the root of n."""
    compared = 0
    for whole, samples in exported(repeated()):
        figures = whole["results"]["standard"]
        values = [sample["acc"] for sample in samples if "acc" in sample]
        assert figures["acc,none"] == pytest.approx(statistics.mean(values))
        if isinstance(figures["acc_stderr,none"], float) and len(set(values)) > 1:
            error = statistics.stdev(values) / math.sqrt(len(values))
            assert figures["acc_stderr,none"] == pytest.approx(error)
            assert figures["acc_stderr,none"] != pytest.approx(error * math.sqrt(len(values)))
            compared += 1
    assert compared


def test_one_sample_has_no_standard_error() -> None:
    """The harness writes so, and never a number that one datum cannot give."""
    figures = exported(choices())[0][0]["results"]["example"]
    assert figures["acc_stderr,none"] == "N/A"


def test_cases_that_failed_are_counted_and_left_out() -> None:
    """`effective` is what the mean is of."""
    for whole, samples in exported(quality()):
        counted = whole["n-samples"]["standard"]
        assert counted["original"] == len(samples)
        assert counted["effective"] == sum("score" in sample for sample in samples)
        assert counted["effective"] == whole["results"]["standard"]["sample_len"]


def test_a_choice_is_a_request_with_its_log_probability() -> None:
    """As the harness reads multiple choice."""
    sample = exported(choices())[0][1][0]
    assert [each["arg_1"] for each in sample["arguments"].values()] == ["Oslo", "Rome"]
    assert sample["filtered_resps"] == [["-0.75", "True"], ["-2.0", "False"]]
    assert sample["target"] == "Oslo"


def test_a_run_without_checks_has_no_task() -> None:
    """The harness knows no times."""
    assert all(not whole["results"] and not samples for whole, samples in exported(benchmark()))


def test_a_text_that_is_read_alone_is_a_request_after_nothing() -> None:
    """With its log-likelihood; the text is the target, by whose hash samples are told apart."""
    for whole, samples in exported(alone()):
        assert {config["output_type"] for config in whole["configs"].values()} == {"loglikelihood_rolling"}
        assert len({sample["target_hash"] for sample in samples}) == len(samples)
        for sample in samples:
            (request,) = sample["arguments"].values()
            assert (request["arg_0"], request["arg_1"]) == ("", sample["target"])
            assert sample["filtered_resps"] == [["-5.5", "False"]]
