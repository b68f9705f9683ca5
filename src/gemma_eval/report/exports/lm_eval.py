"""A run in the shape of lm-evaluation-harness: `results_….json` and `samples_….jsonl`.

Source: EleutherAI/lm-evaluation-harness:lm_eval/result_schema.py, and the names of files and of requests that
lm_eval/loggers/evaluation_tracker.py writes, version 0.4.13.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from gemma_eval import __version__
from gemma_eval.records import Case, Group, Outcome, Report, Run
from gemma_eval.report.exports.files import ExportedFile, text_file
from gemma_eval.report.exports.parts import CaseScores, cases_of, portable, quality, split
from gemma_eval.report.exports.references import references
from gemma_eval.report.groups import group_of
from gemma_eval.wire import Plain

FILTER = "none"
"""What the harness calls an answer that is taken as it is: our filters belong to checks, not to answers."""

UNKNOWN = "N/A"
"""What the harness writes for a standard error that cannot be told."""


def lm_eval(report: Report) -> tuple[ExportedFile, ...]:
    """Return a folder for each model, profile, template and retrieval: results, and answers of each suite.

    A task is a suite, a document a case. `acc` is the share of answers of score 1, `score` the mean over
    cases of their scores, and each scorer a metric by its own name. A case of which an answer failed or was
    not judged is left out of `sample_len` and counted in `n-samples` as `original`. Suites without a check
    have no task, since the harness knows no times.
    """
    groups = split(report.outcomes, group_of)
    return tuple(file for group, outcomes in groups.items() for file in _files(report.run, group, outcomes))


def _files(run: Run, group: Group, outcomes: Sequence[Outcome]) -> Iterator[ExportedFile]:
    checked = [outcome for outcome in outcomes if outcome.trial.cell.case.checks]
    tasks = {
        suite: cases_of(members)
        for suite, members in split(checked, lambda each: each.trial.cell.suite).items()
    }
    began = datetime.fromisoformat(run.started_utc).astimezone(UTC)
    stamp = began.strftime("%Y-%m-%dT%H-%M-%S.%f")
    folder = "__".join(portable(name) for name in group.names)
    whole = _results(run, outcomes[0], tasks) | {"date": began.timestamp()}
    yield text_file(f"{folder}/results_{stamp}.json", f"{_json(whole, indent=2)}\n")
    for suite, cases in tasks.items():
        rows = (_json(_sample(number, case)) for number, case in enumerate(cases))
        yield text_file(
            f"{folder}/samples_{portable(suite)}_{stamp}.jsonl", "".join(f"{row}\n" for row in rows)
        )


def _results(run: Run, one: Outcome, tasks: Mapping[str, Sequence[CaseScores]]) -> dict[str, Plain]:
    cell, engine = one.trial.cell, run.engines.get(one.trial.cell.model.name)
    metrics = {
        suite: list(dict.fromkeys(name for case in cases for name in case.values))
        for suite, cases in tasks.items()
    }
    return {
        "results": {suite: _task(suite, cases) for suite, cases in tasks.items()},
        "group_subtasks": {suite: [] for suite in tasks},
        "configs": {suite: _config(suite, cases[0].outcomes[0]) for suite, cases in tasks.items()},
        "versions": dict.fromkeys(tasks),
        "n-shot": {},  # examples are part of a question here, and how many there were is not recorded
        "higher_is_better": {suite: dict.fromkeys(names, True) for suite, names in metrics.items()},
        "n-samples": {
            suite: {"original": len(cases), "effective": len(_scored(cases))}
            for suite, cases in tasks.items()
        },
        "config": {
            "model": cell.model.backend,
            "model_args": {
                "name": cell.model.name,
                "profile": cell.profile.name,
                "template": cell.template.name,
                **({"retrieval": cell.retrieval.name} if cell.retrieval.name else {}),
            },
            "model_sha": engine.model_sha256 if engine and engine.model_sha256 else "",
            "gen_kwargs": _sampling(one),
            "limit": None,
            "random_seed": cell.seed,
        },
        "git_hash": run.commit or "",
        "pretty_env_info": f"{run.host.cpu}, {run.host.os}, Python {run.host.python}",
        "generated_by": f"gemma_eval {run.host.versions.get('gemma_eval', __version__)}, run {run.id}",
        "model_source": cell.model.backend,
        "model_name": cell.model.name,
        "model_name_sanitized": portable(cell.model.name),
        "chat_template_sha": engine.chat_template_sha256 if engine else None,
        "max_length": engine.context_tokens if engine else None,
    }


def _task(suite: str, cases: Sequence[CaseScores]) -> dict[str, Plain]:
    figures: dict[str, Plain] = {"name": suite, "alias": suite, "sample_len": len(_scored(cases))}
    for found in quality(cases):
        summary, error = found.summary, found.standard_error
        if summary.mean is not None:
            figures[f"{summary.metric},{FILTER}"] = summary.mean
            figures[f"{summary.metric}_stderr,{FILTER}"] = UNKNOWN if error is None else error
    return figures


def _scored(cases: Sequence[CaseScores]) -> list[CaseScores]:
    return [case for case in cases if case.values["score"] is not None]


def _config(suite: str, one: Outcome) -> dict[str, Plain]:
    case = one.trial.cell.case
    return {
        "task": suite,
        "output_type": _output_type(case),
        "doc_to_text": one.trial.cell.template.text,
        "repeats": case.repeats,
        "generation_kwargs": _sampling(one),
    }


def _output_type(case: Case) -> str:
    if case.continuation is not None:
        return "loglikelihood" if case.messages else "loglikelihood_rolling"
    return "multiple_choice" if case.choices else "generate_until"


def _sampling(one: Outcome) -> dict[str, Plain]:
    """Return the profile in the words of the harness: what is greedy does not sample."""
    profile = one.trial.cell.profile
    return {
        "until": list(profile.stop),
        "do_sample": profile.temperature > 0,
        "temperature": profile.temperature,
        "top_k": profile.top_k,
        "top_p": profile.top_p,
        "min_p": profile.min_p,
        "max_gen_toks": profile.max_tokens,
    }


def _sample(number: int, scored: CaseScores) -> dict[str, Plain]:
    one = scored.outcomes[0]
    case = one.trial.cell.case
    target = "\n".join(references(case))
    doc: dict[str, Plain] = {
        "id": case.id,
        "query": case.query,
        "choices": list(case.choices),
        "tags": list(case.tags),
    }
    prompt = next(
        (each.prompt.text for each in scored.outcomes if each.prompt and each.prompt.text), case.query
    )
    known = {name: value for name, value in scored.values.items() if value is not None}
    requests, answers = _requests(prompt, scored)
    return {
        "doc_id": number,
        "doc": doc,
        "target": target,
        "arguments": {
            f"gen_args_{at}": {"arg_0": one_, "arg_1": two} for at, (one_, two) in enumerate(requests)
        },
        "resps": answers,
        "filtered_resps": [each[0] if each else "" for each in answers],
        "filter": FILTER,
        "metrics": list(known),
        "doc_hash": _hash(_json(doc)),
        "prompt_hash": _hash(prompt),
        "target_hash": _hash(target),
        **known,
    }


def _requests(prompt: str, scored: CaseScores) -> tuple[list[tuple[str, Plain]], list[list[Plain]]]:
    """Return what was asked of the model, and the answers, by repeat: one request, or one for each choice."""
    made = [
        each.generation for each in scored.outcomes if each.generation is not None and each.failure is None
    ]
    if made and made[0].choices:
        readings = made[0].choices
        requests: list[tuple[str, Plain]] = [(prompt, reading.text) for reading in readings]
        return requests, [
            [[str(sum(each.log_probabilities)), str(bool(each.is_greedy))]] for each in readings
        ]
    return [(prompt, _sampling(scored.outcomes[0]))], [[each.text for each in made]]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def _json(plain: Mapping[str, Plain], *, indent: int | None = None) -> str:
    return json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=indent)
