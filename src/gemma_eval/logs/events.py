"""The events of a log: what each says, and how one is told. Nothing is told while no log is being written."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

LOGGER = "gemma_eval"
"""The logger of a log; what plugins tell to it, or to those below it, is in the log as well."""

Level = Literal["info", "warning", "error"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One kind of event: how urgent it is, when it happens, and its fields with their meaning."""

    level: Level
    meaning: str
    fields: Mapping[str, str] = field(default_factory=dict)


_ANSWERED = {
    "duration_s": "what the answer took, from the request to its end",
    "ttft_s": "the time to its first token",
    "prompt_tokens": "tokens read",
    "output_tokens": "tokens written",
    "output_tokens_per_s": "how fast it was written",
    "finish_reason": "why it ended",
}

EVENTS: Mapping[str, Event] = {
    "command_started": Event(
        level="info",
        meaning="a command of `gemma-eval` begins",
        fields={"command": "its name", "arguments": "the words it was given"},
    ),
    "command_finished": Event(
        level="info",
        meaning="it has ended",
        fields={"command": "its name", "exit_code": "how", "duration_s": "what it took"},
    ),
    "run_started": Event(
        level="info",
        meaning="a run is in the database and its first item is about to begin",
        fields={
            "suites": "their names",
            "planned": "the trials that are planned",
            "database": "where it is recorded",
            "resumed": "whether it is gone on with",
            "commit": "the git commit of the code",
        },
    ),
    "run_finished": Event(
        level="info",
        meaning="all of a run is recorded, or it was interrupted",
        fields={
            "state": "*done* or *interrupted*",
            "planned": "the trials that were planned",
            "recorded": "the trials that are recorded",
            "failed": "those of them without an answer",
            "noisy": "why its times are not fair, where they are not",
        },
    ),
    "engine_loaded": Event(
        level="info",
        meaning="the engine of a model is ready",
        fields={"engine": "what it is", "version": "of the engine", "load_s": "what loading took"},
    ),
    "engine_failed": Event(
        level="error",
        meaning="an engine could not be loaded",
        fields={"failure_kind": "the kind of the error", "failure_message": "what it says"},
    ),
    "cell_started": Event(
        level="info",
        meaning="a case begins with one model, profile, template and retrieval",
        fields={"kind": "*quality*, *benchmark* or *retrieval*", "planned": "its trials"},
    ),
    "cell_finished": Event(
        level="info",
        meaning="its trials are made",
        fields={
            "trials": "those made now",
            "failed": "those of them without an answer",
        },
    ),
    "retrieval_degraded": Event(
        level="warning",
        meaning="passages were looked for, and something was left out",
        fields={"reason": "what, and why"},
    ),
    "outcome_recorded": Event(
        level="info",
        meaning="an outcome is in the database; a *warning* where there is no answer",
        fields={
            **_ANSWERED,
            "cached": "how a cache answered, *exact*, *semantic* or *miss*, where one was asked",
            "score": "the mean of its checks",
            "passed": "whether all demands are met",
            "failure_kind": "the kind of the error, where there is no answer",
            "failure_message": "what it says",
        },
    ),
    "block_recorded": Event(
        level="info",
        meaning="one start of an engine, made to compare speed, is in the database",
        fields={
            "block": "its number",
            "recorded_in": "the run of its side",
            "trials": "its trials",
            "failed": "those without an answer",
        },
    ),
    "gate_decided": Event(
        level="info",
        meaning="a gate is decided",
        fields={
            "gate": "its id",
            "metric": "what it is about",
            "verdict": "the verdict",
            "tier": "*critical* or *advisory*",
            "baseline": "the run that this one was held against",
        },
    ),
    "config_reloaded": Event(
        level="info",
        meaning="files of choices were changed, read again and are in use",
        fields={
            "generation": "how often they were read",
            "digest": "a hash of all of them",
            "added": "choices that are new, as `profile greedy`",
            "changed": "choices that are others now",
            "removed": "choices that are gone",
        },
    ),
    "error": Event(
        level="error",
        meaning="something ends a command or a run",
        fields={"failure_kind": "the kind of the error", "failure_message": "what it says"},
    ),
    "message": Event(
        level="info",
        meaning="a plugin or a part of the package told something to the logger `gemma_eval` or one below it",
        fields={"logger": "the logger", "message": "what was told", "exc_info": "a traceback"},
    ),
}

LEVELS: Mapping[Level, int] = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


@dataclass(slots=True)
class Sink:
    """Where events go: the handler of the log that is being written, `None` when none is."""

    handler: logging.Handler | None = None


sink = Sink()


def is_on() -> bool:
    """Whether a log is being written, so that a caller can do without what only it needs."""
    return sink.handler is not None


def emit(event: str, *, level: Level | None = None, **fields: object) -> None:
    """Tell an event to the log that is being written, with the fields that are known."""
    handler = sink.handler
    if handler is None:
        return
    record = logging.LogRecord(LOGGER, LEVELS[level or EVENTS[event].level], "", 0, event, None, None)
    record.__dict__["event"] = event
    record.__dict__["fields"] = fields
    handler.handle(record)
