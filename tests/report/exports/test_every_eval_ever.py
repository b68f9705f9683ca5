"""What is exported for Every Eval Ever is what its own schema takes, and says what the report says."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import cast

import pytest
from jsonschema import Draft7Validator, ValidationError

from gemma_eval.records import Report, Scoring
from gemma_eval.report.exports.eee.export import eee
from gemma_eval.report.exports.eee.results import unit_of
from gemma_eval.stats.summary import COSTS
from tests.report.exports.runs import RUNS, alone, benchmark, failed, judged, quality, repeated, unscored

Json = dict[str, "Json | list[Json] | str | float | None"]
SCHEMAS = Path(__file__).parent / "every_eval_ever"


def validator(name: str) -> Draft7Validator:
    """Return the checker of one of the two schemas."""
    return Draft7Validator(json.loads((SCHEMAS / name).read_text()))


AGGREGATE = validator("eval.schema.json")
INSTANCE = validator("instance_level_eval.schema.json")


def exported(report: Report) -> Iterator[tuple[dict, list[dict]]]:  # type: ignore[type-arg]
    """Yield each evaluation with its rows."""
    files = eee(report)
    for whole, answers in zip(files[::2], files[1::2], strict=True):
        yield json.loads(whole.data), [json.loads(line) for line in answers.data.splitlines()]


@pytest.mark.parametrize("kind", RUNS)
def test_every_kind_of_run_is_valid_by_the_official_schemas(kind: str) -> None:
    """Both files of each evaluation, for whatever a run holds."""
    made = list(exported(RUNS[kind]()))
    assert made
    for whole, rows in made:
        AGGREGATE.validate(whole)
        for row in rows:
            INSTANCE.validate(row)


def test_what_the_schemas_do_not_take_is_found() -> None:
    """The check above fails on a score that is a text, a key that is gone, and an invented one."""
    whole, rows = next(exported(quality()))
    whole["evaluation_results"][0]["score_details"]["score"] = "high"
    with pytest.raises(ValidationError):
        AGGREGATE.validate(whole)
    for wrong in ({**rows[0], "invented": 1}, {key: rows[0][key] for key in rows[0] if key != "evaluation"}):
        with pytest.raises(ValidationError):
            INSTANCE.validate(wrong)


def test_a_run_that_was_scored_again_says_so() -> None:
    """By the number of the scoring, in a place that the format has for it."""
    report = quality()
    scoring = Scoring(number=2, at_utc="2026-11-29T08:00:00+00:00", suites={"s": "ab"}, answers=6, changed=1)
    whole, _ = next(exported(replace(report, run=replace(report.run, scorings=(scoring,)))))
    AGGREGATE.validate(whole)
    assert whole["source_metadata"]["additional_details"]["scoring"] == "2"
    assert "scoring" not in next(exported(report))[0]["source_metadata"]["additional_details"]


@pytest.mark.parametrize("kind", RUNS)
def test_the_two_files_belong_together(kind: str) -> None:
    """Ids, the number of rows, checksum and path agree, and no row names a result that is not there."""
    files = eee(RUNS[kind]())
    for whole, answers in zip(files[::2], files[1::2], strict=True):
        evaluation = json.loads(whole.data)
        told = evaluation["detailed_evaluation_results"]
        rows = [json.loads(line) for line in answers.data.splitlines()]
        assert told["file_path"] == answers.path == whole.path.replace(".json", "_samples.jsonl")
        assert told["checksum"] == sha256(answers.data).hexdigest()
        assert told["total_rows"] == len(rows)
        assert {row["evaluation_id"] for row in rows} == {evaluation["evaluation_id"]}
        results = [each["evaluation_result_id"] for each in evaluation["evaluation_results"]]
        assert len(set(results)) == len(results)
        assert {row["evaluation_result_id"] for row in rows if "evaluation_result_id" in row} <= set(results)


def test_a_score_is_the_mean_over_cases_with_its_standard_error() -> None:
    """Computed again from the rows: repeats are averaged first, then the spread over cases counts."""
    whole, rows = next(exported(repeated()))
    compared = 0
    for result in whole["evaluation_results"]:
        details = result["score_details"]
        by_case: dict[str, list[float]] = {}
        for row in rows:
            if row.get("evaluation_result_id") == result["evaluation_result_id"]:
                by_case.setdefault(row["sample_id"], []).append(row["evaluation"]["score"])
        if result["metric_config"]["metric_unit"] != "proportion" or details["details"]["missing"] != "0":
            continue
        means = [statistics.mean(values) for values in by_case.values()]
        assert details["score"] == pytest.approx(statistics.mean(means))
        if error := details["uncertainty"].get("standard_error"):
            assert error["value"] == pytest.approx(statistics.stdev(means) / math.sqrt(len(means)))
            assert error["value"] != pytest.approx(statistics.pstdev(means) / math.sqrt(len(means)))
            compared += 1
    assert compared


def test_an_answer_carries_its_times_in_milliseconds() -> None:
    """Time to first token, the whole, and what lies between."""
    report = benchmark()
    _, rows = next(exported(report))
    timed = [each for each in report.outcomes if each.measurement is not None]
    told = [row["performance"] for row in rows if row["performance"] is not None]
    assert len(told) == len(timed) > 0
    for performance, outcome in zip(told, timed, strict=True):
        assert outcome.measurement is not None
        assert performance["time_to_first_token_ms"] == pytest.approx(
            1000 * cast(float, outcome.measurement.ttft_s)
        )
        between = performance["latency_ms"] - performance["time_to_first_token_ms"]
        assert performance["generation_time_ms"] == pytest.approx(between)


@pytest.mark.parametrize("metric", COSTS)
def test_every_cost_has_a_unit(metric: str) -> None:
    """What the report summarises can be exported."""
    assert unit_of(metric) in {"s", "tokens/s", "bytes"}


def test_a_run_without_checks_has_results_of_speed() -> None:
    """Medians, of which less is better but for rates, and no score."""
    whole, _ = next(exported(benchmark()))
    metrics = {
        each["metric_config"]["metric_id"]: each["metric_config"] for each in whole["evaluation_results"]
    }
    assert metrics["gemma_eval.ttft_s.p50"]["lower_is_better"] is True
    assert metrics["gemma_eval.output_tokens_per_s.p50"]["lower_is_better"] is False
    assert "gemma_eval.score" not in metrics


@pytest.mark.parametrize("made", [failed, unscored])
def test_what_failed_or_was_not_judged_counts_for_no_result(made: object) -> None:
    """Its row says why, and a mean over none is left out."""
    whole, rows = next(exported(RUNS[made.__name__]()))  # type: ignore[attr-defined]
    names = {each["metric_config"]["metric_id"] for each in whole["evaluation_results"]}
    assert not names & {"accuracy", "gemma_eval.score"}
    assert all("evaluation_result_id" not in row for row in rows)
    assert all(
        "timeout" in row.get("error", "") or "prose" in str(row) or row["metadata"]["unscored"]
        for row in rows
    )


def test_the_models_that_judged_are_told_with_what_they_were_asked() -> None:
    """As the configuration of the metric that they made, and of no other."""
    whole, _ = next(exported(judged()))
    by_metric = {
        each["metric_config"]["metric_id"]: each["metric_config"] for each in whole["evaluation_results"]
    }
    asked = by_metric["gemma_eval.judge"]["llm_scoring"]
    assert [each["model_info"]["name"] for each in asked["judges"]] == ["j", "k"]
    assert asked["input_prompt"] == "Is it right?"
    assert "llm_scoring" not in by_metric["gemma_eval.score"]


def test_who_made_it_and_with_what_is_told() -> None:
    """The engine with its version, the hash of the weights, and the parameters of sampling."""
    whole, _ = next(exported(quality()))
    model = whole["model_info"]
    assert model["inference_engine"] == {"name": "numpy_gemma", "version": "0.1.0"}
    assert len(model["additional_details"]["model_sha256"]) == 64
    by_profile = {
        each["generation_config"]["additional_details"]["profile"]: each["generation_config"]
        for each in whole["evaluation_results"]
    }
    assert by_profile["hot"]["generation_args"]["temperature"] == 1.6
    assert by_profile["min-p"]["additional_details"]["min_p"] == "0.1"


def test_texts_that_are_read_alone_have_hashes_of_their_own() -> None:
    """There is no question to tell them apart by."""
    for _, rows in exported(alone()):
        known = {(row["input"]["reference"][0], row["sample_hash"]) for row in rows}
        assert len({text for text, _ in known}) == len({each for _, each in known}) == len(known) > 1
        assert {row["interaction_type"] for row in rows} == {"single_turn"}
