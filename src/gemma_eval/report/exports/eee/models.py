"""The models of an evaluation: the one that answers, and those that judge."""

from __future__ import annotations

import json
from collections.abc import Sequence

from gemma_eval.records import EngineInfo, ModelSpec, Outcome, Run
from gemma_eval.report.exports.parts import portable
from gemma_eval.wire import Plain

DEVELOPER = "local"
"""Whose a model is, for want of knowing it: an id needs the name of an organisation."""


def model_id(spec: ModelSpec) -> str:
    """Return `local/<name>`."""
    return f"{DEVELOPER}/{portable(spec.name)}"


def model_info(spec: ModelSpec, run: Run) -> dict[str, Plain]:
    """Return what a model is, and the engine that it ran on."""
    engine = run.engines.get(spec.name)
    told: dict[str, Plain] = {
        "name": spec.name,
        "id": model_id(spec),
        "developer": DEVELOPER,
        "additional_details": {
            "deployment_type": "unknown" if spec.backend == "openai_http" else "self_deployed",
            "model_availability": "unknown",
            "backend": spec.backend,
            **({} if engine is None else _details(engine)),
        },
    }
    if engine is not None:
        told["inference_engine"] = {"name": engine.engine, "version": engine.version}
    return told


def judges(metric: str, outcomes: Sequence[Outcome], run: Run) -> dict[str, Plain] | None:
    """Return the models that checks of that name asked and how they judged, `None` where none asks."""
    checks = [check for each in outcomes for check in each.trial.cell.case.checks if check.name == metric]
    names = {name for check in checks for name in check.judges}
    specs = {spec.name: spec for each in outcomes for spec in each.trial.cell.judges if spec.name in names}
    if not specs:
        return None
    options = {
        name: list(value) if isinstance(value, tuple) else value for name, value in checks[0].options.items()
    }
    return {
        "judges": [{"model_info": model_info(specs[name], run)} for name in sorted(specs)],
        "input_prompt": str(options.get("prompt", options.get("rubric", "")) or "that of the scorer"),
        "aggregation_method": "majority_vote" if options.get("vote") == "majority" else "average",
        "additional_details": {"options": json.dumps(options, ensure_ascii=False, sort_keys=True)},
    }


def _details(engine: EngineInfo) -> dict[str, Plain]:
    names: Sequence[str] = (
        *("model_sha256", "tokenizer_sha256", "chat_template_sha256", "quantisation"),
        *("parameters", "context_tokens", "threads"),
    )
    known = {name: str(value) for name in names if (value := getattr(engine, name)) is not None}
    return {**{f"engine.{name}": str(value) for name, value in engine.details.items()}, **known}
