"""What Every Eval Ever has a file for: one suite with one model."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import datetime

from gemma_eval.records import Group, ModelSpec, Outcome, Report, Run
from gemma_eval.report.exports.eee.models import model_id
from gemma_eval.report.exports.parts import group_label, portable, split
from gemma_eval.report.groups import group_of

SCHEMA_VERSION = "0.3.0"


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """The outcomes of one suite with one model, over all profiles and templates."""

    run: Run
    suite: str
    model: ModelSpec
    outcomes: tuple[Outcome, ...]

    @property
    def model_id(self) -> str:
        """`local/<name>`."""
        return model_id(self.model)

    @property
    def id(self) -> str:
        """`<suite>/<model id>/<seconds since 1970>`: what joins the file of results and that of answers."""
        return f"{portable(self.suite)}/{self.model_id}/{epoch_s(self.run)}"

    @property
    def path(self) -> str:
        """Where its files stand, without their endings; the name is a UUID made from what is evaluated."""
        what = json.dumps([self.run.id, self.suite, self.model.name])
        name = uuid.UUID(bytes=hashlib.sha256(what.encode()).digest()[:16], version=4)
        return f"data/{portable(self.suite)}/{self.model_id}/{name}"

    @property
    def groups(self) -> dict[Group, tuple[Outcome, ...]]:
        """The outcomes by profile, template and retrieval."""
        return split(self.outcomes, group_of)


def evaluations(report: Report) -> tuple[Evaluation, ...]:
    """Return each suite with each model of a run."""
    parts = split(report.outcomes, lambda each: (each.trial.cell.suite, each.trial.cell.model.name))
    return tuple(
        Evaluation(run=report.run, suite=suite, model=outcomes[0].trial.cell.model, outcomes=outcomes)
        for (suite, _), outcomes in parts.items()
    )


def result_id(group: Group, metric: str) -> str:
    """Return `profile/template/metric`, with a named retrieval after the template: what joins both files."""
    return f"{group_label(group)}/{metric}"


def epoch_s(run: Run) -> int:
    """Return when a run began, in seconds since 1970, so that two exports of a run are the same."""
    return int(datetime.fromisoformat(run.started_utc).timestamp())
