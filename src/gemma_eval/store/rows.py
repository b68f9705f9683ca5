"""An outcome as columns and back: what people query beside what the outcome is rebuilt from.

`record` (JSON), `prompt`, `text` and `stamps` hold the outcome exactly, and `sha256` covers them; the other
columns repeat numbers of the record so that SQL can reach them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from gemma_eval.errors import StoreError
from gemma_eval.records import Outcome, Score
from gemma_eval.store.columns import Column, digest, from_plain, from_text, readable, to_plain, to_text
from gemma_eval.store.schema import ADDED
from gemma_eval.wire import Plain, dump, dump_outcome, load_outcome

Value = str | bytes | int | float | None
Row = Mapping[str, Value]
Fields = dict[str, Plain]

_OF_A_SCORE = ("scorer", "value", "passed", "answer", "explanation", "unscored", "weight", "vetoes")
_OF_A_STEP = ("name", "began_ns", "ended_ns")


@dataclass(frozen=True, kw_only=True, slots=True)
class Exact:
    """The columns that an outcome is rebuilt from, together with its trial."""

    record: Column
    prompt: Column | None
    text: Column | None
    stamps: bytes | None

    def sha256(self, *trial: Column) -> str:
        """Return the hash over these columns and those of the trial."""
        return digest(*trial, self.record, self.prompt, self.text, self.stamps)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """The rows of one outcome."""

    exact: Exact
    measured: Row
    scores: tuple[Row, ...]
    attempts: tuple[Row, ...]
    steps: tuple[Row, ...]


def take_apart(outcome: Outcome) -> Rows:
    """Return the rows of an outcome. Raises StoreError on NaN or infinity."""
    plain = dump_outcome(outcome)
    measured, scores, attempts = _measured(outcome, plain), _scores(plain["scores"]), _attempts(plain)
    del plain["trial"]
    prompt, generation = cast(Fields | None, plain["prompt"]), cast(Fields | None, plain["generation"])
    prompt_text = prompt.pop("text") if prompt else None
    text, stamps = (generation.pop("text"), generation.pop("deltas")) if generation else (None, None)
    exact = Exact(
        record=from_plain(plain),
        prompt=None if prompt_text is None else from_text(cast(str, prompt_text)),
        text=None if text is None else from_text(cast(str, text)),
        stamps=cast(bytes | None, stamps),
    )
    steps = tuple({name: getattr(step, name) for name in _OF_A_STEP} for step in outcome.steps)
    return Rows(exact=exact, measured=measured, scores=scores, attempts=attempts, steps=steps)


def put_together(trial: Plain, exact: Exact) -> Outcome:
    """Rebuild an outcome from its trial and the exact columns. Raises StoreError when they do not fit."""
    plain = to_plain(exact.record)
    if not isinstance(plain, dict):
        raise StoreError("the record of an outcome is not an object")
    fields: Fields = {**plain, "trial": trial}
    if isinstance(prompt := fields["prompt"], dict):
        prompt["text"] = None if exact.prompt is None else to_text(exact.prompt)
    if isinstance(generation := fields["generation"], dict) and exact.text is not None:
        generation["text"], generation["deltas"] = to_text(exact.text), exact.stamps
    return load_outcome(fields)


def _measured(outcome: Outcome, plain: Fields) -> Row:
    measurement = cast(dict[str, Value], plain["measurement"] or {})
    generation = cast(dict[str, Value], plain["generation"] or {})
    failure = cast(dict[str, str], plain["failure"] or {})
    names = (
        *("ttft_s", "tpot_s", "e2e_s", "output_tokens_per_s", "prompt_tokens_per_s", "max_stall_s"),
        *("output_tokens", "peak_memory_bytes", "mean_memory_bytes"),
        *(name for name in ADDED if name != "phase"),
    )
    return {
        "score": None if outcome.score is None else float(outcome.score),
        "passed": int(outcome.passed),
        **{name: measurement.get(name) for name in names},
        **{name: generation.get(name) for name in ("prompt_tokens", "cached_tokens", "reasoning_tokens")},
        "finish_reason": generation.get("finish_reason"),
        "failure_kind": _shown(failure.get("kind")),
        "failure_message": _shown(failure.get("message")),
        "phase": outcome.phase,
        "cached": None if outcome.cached is None else outcome.cached.use,
        "degraded": None if outcome.trace is None else _shown(outcome.trace.degraded),
    }


def score_rows(scores: Iterable[Score]) -> tuple[Row, ...]:
    """Return what people query of scores; votes and figures are in the record."""
    return _scores([dump(score) for score in scores])


def _scores(records: Plain) -> tuple[Row, ...]:
    return tuple({name: row[name] for name in _OF_A_SCORE} for row in _shown_rows(records))


def _attempts(plain: Fields) -> tuple[Row, ...]:
    generation = cast(Fields | None, plain["generation"])
    return _shown_rows(generation["attempts"]) if generation else ()


def _shown_rows(records: Plain) -> tuple[Row, ...]:
    rows = cast(list[dict[str, Value]], records)
    return tuple({name: _shown(value) for name, value in row.items()} for row in rows)


def _shown(value: Value) -> Value:
    return readable(value) if isinstance(value, str) else value
