"""The results of an evaluation: each metric of each profile and template, with how far it may be off."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import fields

from gemma_eval.records import Option, Outcome, Run, SamplingProfile, Summary
from gemma_eval.report.exports.eee.evaluation import Evaluation, result_id
from gemma_eval.report.exports.eee.models import judges
from gemma_eval.report.exports.parts import ACCURACY, Quality, cases_of, quality
from gemma_eval.stats.summary import COSTS, summarise
from gemma_eval.wire import Plain

_NAMES: Mapping[str, tuple[str, str]] = {
    ACCURACY: ("Accuracy", "the share of answers that are right"),
    "score": ("Score", "the mean over cases of the one score that all answers to each have"),
}
_UNITS = (("_s_per_output_token", "s"), ("_per_s", "tokens/s"), ("_bytes", "bytes"), ("_s", "s"))
_OF_ARGUMENTS = ("temperature", "top_p", "top_k", "max_tokens")
"""The parameters that the format has a place for; the others are told as texts."""


def results(evaluation: Evaluation) -> Iterator[dict[str, Plain]]:
    """Yield the results, those of quality before those of costs; a metric of no known data has none."""
    for outcomes in evaluation.groups.values():
        for found in quality(cases_of(outcomes)):
            summary = found.summary
            if summary.mean is not None:
                asked = judges(summary.metric, outcomes, evaluation.run)
                yield _result(evaluation, outcomes[0], summary) | _of_quality(found, asked)
        for summary in summarise(outcomes):
            if summary.metric in COSTS and summary.p50 is not None:
                yield _result(evaluation, outcomes[0], summary) | _of_cost(summary)


def unit_of(metric: str) -> str:
    """Return the unit that the name of a cost ends with."""
    return next(unit for end, unit in _UNITS if metric.endswith(end))


def _result(evaluation: Evaluation, one: Outcome, summary: Summary) -> dict[str, Plain]:
    cell = one.trial.cell
    cases = {each.trial.cell.case.id for each in evaluation.outcomes}
    return {
        "evaluation_result_id": result_id(summary.group, summary.metric),
        "evaluation_name": evaluation.suite,
        "evaluation_timestamp": evaluation.run.started_utc,
        "source_data": {
            "dataset_name": evaluation.suite,
            "source_type": "other",
            "additional_details": {"cases": str(len(cases)), "suite_file": cell.case.source.path},
        },
        "generation_config": {
            "generation_args": _arguments(evaluation.run, cell.profile, cell.template.text),
            "additional_details": {
                "profile": cell.profile.name,
                "template": cell.template.name,
                **({"retrieval": cell.retrieval.name} if cell.retrieval.name else {}),
                "seed_of_suite": str(cell.seed),
                **_others(cell.profile),
            },
        },
    }


def _arguments(run: Run, profile: SamplingProfile, template: str) -> dict[str, Plain]:
    return {
        **{name: getattr(profile, name) for name in _OF_ARGUMENTS},
        "execution_command": shlex.join(run.arguments),
        "prompt_template": template,
    }


def _others(profile: SamplingProfile) -> dict[str, Plain]:
    """Return what a profile sets beyond its defaults and has no place of its own."""
    default = SamplingProfile(name=profile.name)
    names = [field.name for field in fields(profile) if field.name not in _OF_ARGUMENTS]
    return {
        name: _text(getattr(profile, name))
        for name in names
        if getattr(profile, name) != getattr(default, name)
    }


def _text(value: Option | Mapping[str, float] | None) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(dict(value)) if isinstance(value, Mapping) else str(value)


def _of_quality(found: Quality, asked: dict[str, Plain] | None) -> dict[str, Plain]:
    """Return what a mean of scores in 0..1 is: metric, value, standard error and interval."""
    summary, error = found.summary, found.standard_error
    name, what = _NAMES.get(
        summary.metric, (summary.metric, f"the mean value of the scorer {summary.metric}")
    )
    is_own = summary.metric != ACCURACY
    uncertainty = _uncertainty(summary)
    if error:  # 0 of equal scores is no certainty: the interval tells how far they go
        uncertainty["standard_error"] = {"value": error, "method": "analytic"}
    return {
        "metric_config": {
            "metric_id": f"gemma_eval.{summary.metric}" if is_own else "accuracy",
            "metric_name": name,
            "metric_kind": "score" if is_own else "accuracy",
            "metric_unit": "proportion",
            "evaluation_description": what,
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": 0.0,
            "max_score": 1.0,
            **({} if asked is None else {"llm_scoring": asked}),
        },
        "score_details": {"score": summary.mean, "details": _counts(summary), "uncertainty": uncertainty},
    }


def _of_cost(summary: Summary) -> dict[str, Plain]:
    """Return what a median of times, rates or bytes is."""
    unit = unit_of(summary.metric)
    percentiles = {"p90": summary.p90, "p95": summary.p95, "p99": summary.p99}
    known = {name: repr(value) for name, value in percentiles.items() if value is not None}
    return {
        "metric_config": {
            "metric_id": f"gemma_eval.{summary.metric}.p50",
            "metric_name": f"{summary.metric} (median)",
            "metric_kind": "latency" if unit == "s" else "throughput" if unit == "tokens/s" else "resources",
            "metric_unit": unit,
            "evaluation_description": f"the median of {summary.metric} over answers",
            "lower_is_better": unit != "tokens/s",
            "score_type": "continuous",
            "min_score": 0.0,
            "max_score": "Infinity",
        },
        "score_details": {
            "score": summary.p50,
            "details": _counts(summary) | known,
            "uncertainty": _uncertainty(summary),
        },
    }


def _uncertainty(summary: Summary) -> dict[str, Plain]:
    told: dict[str, Plain] = {"num_samples": summary.n}
    if summary.sd is not None:
        told["standard_deviation"] = summary.sd
    if summary.ci_low is not None and summary.ci_high is not None:
        told["confidence_interval"] = {
            "lower": summary.ci_low,
            "upper": summary.ci_high,
            "confidence_level": 0.95,
            "method": "order statistics" if summary.interval == "median" else summary.interval,
        }
    return told


def _counts(summary: Summary) -> dict[str, Plain]:
    return {"n": str(summary.n), "missing": str(summary.missing)}
