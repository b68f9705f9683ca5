"""A run as a JSON file per suite and model, with a JSONL file of its answers beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from gemma_eval import __version__
from gemma_eval.records import Report
from gemma_eval.report.exports.eee.evaluation import SCHEMA_VERSION, Evaluation, epoch_s, evaluations
from gemma_eval.report.exports.eee.instances import instances
from gemma_eval.report.exports.eee.models import model_info
from gemma_eval.report.exports.eee.results import results
from gemma_eval.report.exports.files import ExportedFile, text_file
from gemma_eval.wire import Plain


def eee(report: Report) -> tuple[ExportedFile, ...]:
    """Return the files below `data/<suite>/local/<model>/`, where the format wants them.

    A metric of which no datum is known has no result. Who publishes the files puts the organisation that made
    them, and the model's id on Hugging Face, in the place of `unknown` and `local/…`.
    """
    return tuple(file for each in evaluations(report) for file in _files(each))


def _files(evaluation: Evaluation) -> tuple[ExportedFile, ExportedFile]:
    found = tuple(results(evaluation))
    ids = {str(result["evaluation_result_id"]) for result in found}
    rows = [_json(row) for row in instances(evaluation, results=ids)]
    answers = text_file(f"{evaluation.path}_samples.jsonl", "".join(f"{row}\n" for row in rows))
    whole = _aggregate(evaluation, found, answers, n_rows=len(rows))
    return text_file(f"{evaluation.path}.json", f"{_json(whole, indent=1)}\n"), answers


def _aggregate(
    evaluation: Evaluation, found: Sequence[Plain], answers: ExportedFile, *, n_rows: int
) -> dict[str, Plain]:
    run = evaluation.run
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": evaluation.id,
        "evaluation_timestamp": run.started_utc,
        "retrieved_timestamp": str(epoch_s(run)),
        "source_metadata": {
            "source_name": f"gemma_eval run {run.id}",
            "source_type": "evaluation_run",
            "source_organization_name": "unknown",
            "evaluator_relationship": "other",
            "additional_details": _of_run(evaluation),
        },
        "eval_library": {"name": "gemma_eval", "version": run.host.versions.get("gemma_eval", __version__)},
        "model_info": model_info(evaluation.model, run),
        "evaluation_results": found,
        "detailed_evaluation_results": {
            "format": "jsonl",
            "file_path": answers.path,
            "hash_algorithm": "sha256",
            "checksum": hashlib.sha256(answers.data).hexdigest(),
            "total_rows": n_rows,
        },
    }


def _of_run(evaluation: Evaluation) -> dict[str, Plain]:
    run = evaluation.run
    return {
        "run": run.id,
        "state": run.state,
        "answers": str(len(evaluation.outcomes)),
        "failed": str(sum(each.failure is not None for each in evaluation.outcomes)),
        "cpu": run.host.cpu,
        "os": run.host.os,
        **({"commit": run.commit} if run.commit else {}),
        **({"scoring": str(run.scorings[-1].number)} if run.scorings else {}),
    }


def _json(plain: dict[str, Plain], *, indent: int | None = None) -> str:
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, allow_nan=False, indent=indent)
