"""What one event of an OpenAI-compatible stream says: pieces of text, counts, timings, an end or an error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from gemma_eval.records import Channel, FinishReason

Json = Mapping[str, object]

_REASONS: Mapping[str, FinishReason] = {
    **dict.fromkeys(("stop", "eos", "eos_token", "stop_sequence", "end_turn", "stop_string"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "max_length"), "length"),
    **dict.fromkeys(("tool_calls", "function_call"), "tool_calls"),
    "content_filter": "content_filter",
}
_TOKEN = re.compile(rb'"(?:content|text|reasoning|reasoning_content|refusal|name|arguments)"\s*:\s*"[^"]')
_BROKE_OFF = ("error", "abort", "aborted", "cancelled")


class NoSuchEvent(ValueError):
    """What came is no event of such a stream; the message says what it is instead."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """The server's counts of tokens."""

    prompt_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What one event says.

    `pieces` are texts by channel, and `is_piece` is true of an event that carries none of them but has its
    place in the answer, as a role has. `count` is how many output tokens there are so far. `timings` is what
    llama-server tells of its own. `finish_reason` ends the answer, `error` breaks it off.
    """

    pieces: tuple[tuple[Channel, str], ...] = ()
    is_piece: bool = False
    count: int | None = None
    usage: Usage | None = None
    timings: Json = field(default_factory=dict)
    finish_reason: FinishReason | None = None
    error: str | None = None


def read(data: str, *, name: str = "") -> Said:
    """Return what the event with this `data` says. Raises NoSuchEvent."""
    event = parsed(data)
    if "error" in event and event["error"] is not None:
        return Said(error=message(event["error"]))
    if name == "error" or event.get("object") == "error":
        return Said(error=message(event))
    usage = _usage(event.get("usage"))
    told = event.get("timings")
    timings = cast(Json, told) if isinstance(told, dict) else {}
    choice = _first_choice(event.get("choices"))
    if choice is None:
        return Said(usage=usage, timings=timings)
    reason = choice.get("finish_reason")
    if reason in _BROKE_OFF:
        return Said(error=f'it says that the answer ended with finish_reason "{reason}"')
    count = usage.output_tokens if usage else None
    return Said(
        pieces=tuple(_pieces(choice)),
        is_piece=True,
        count=_whole(timings.get("predicted_n")) if count is None else count,
        usage=usage,
        timings=timings,
        finish_reason=None if reason is None else _REASONS.get(str(reason), "stop"),
    )


def has_token(body: bytes) -> bool:
    """Say at a glance whether there is text among the bytes; nothing that is stored depends on it."""
    return _TOKEN.search(body) is not None


def parsed(data: str) -> Json:
    """Return the object that `data` is as JSON. Raises NoSuchEvent."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NoSuchEvent("invalid JSON") from error
    if not isinstance(found, dict):
        raise NoSuchEvent("JSON that is no object")
    return cast(Json, found)


def message(error: object) -> str:
    """Return what an error object says: its message, or all of it."""
    found = error.get("message", error) if isinstance(error, dict) else error
    return found if isinstance(found, str) else json.dumps(found)


MOST = 2.0**53
"""Beyond this no server counts or measures, and a number with a fraction is no longer exact."""


def numbers(told: Json) -> Mapping[str, float]:
    """Return the finite numbers among what was told, by name."""
    found = {name: value for name, value in told.items() if isinstance(value, int | float)}
    return {name: float(value) for name, value in found.items() if abs(value) <= MOST}


def _first_choice(choices: object) -> Json | None:
    """Return the choice with the answer; `None` for an event that has none."""
    if not isinstance(choices, list):
        return None
    for choice in choices:
        if not isinstance(choice, dict):
            raise NoSuchEvent("a choice that is no object")
        if choice.get("index") in (0, None):
            return cast(Json, choice)
    return None


def _pieces(choice: Json) -> Iterator[tuple[Channel, str]]:
    """Yield the texts of a choice: of a delta, of a whole message, or of a plain completion."""
    part = choice.get("delta", choice.get("message"))
    if part is None:
        part = {"content": choice.get("text")}
    if not isinstance(part, dict):
        raise NoSuchEvent("a delta that is no object")
    reasoning = _text(part, "reasoning_content") or _text(part, "reasoning")
    if reasoning:
        yield "reasoning", reasoning
    for key in ("content", "refusal"):
        if text := _text(part, key):
            yield "output", text
    if calls := _calls(part):
        yield "tool_call", calls


def _text(part: Json, key: str) -> str:
    text = part.get(key)
    if text is not None and not isinstance(text, str):
        raise NoSuchEvent(f"a {key} that is no text")
    return text or ""


def _calls(part: Json) -> str:
    """Return the names and the arguments of calls; a name begins a line."""
    if not part.get("tool_calls") and not part.get("function_call"):
        return ""
    listed = part.get("tool_calls") or []
    if not isinstance(listed, list) or not all(isinstance(call, dict) for call in listed):
        raise NoSuchEvent("tool_calls that are no list of objects")
    functions = [call.get("function") for call in listed] + [part.get("function_call")]
    told = [function for function in functions if isinstance(function, dict)]
    names = [_text(function, "name") for function in told]
    lines = [f"\n{name}" if name else "" for name in names]
    return "".join(line + _text(function, "arguments") for line, function in zip(lines, told, strict=True))


def _usage(told: object) -> Usage | None:
    if not isinstance(told, dict):
        return None
    read_details, written_details = told.get("prompt_tokens_details"), told.get("completion_tokens_details")
    return Usage(
        prompt_tokens=_whole(told.get("prompt_tokens")),
        output_tokens=_whole(told.get("completion_tokens")),
        cached_tokens=_whole(read_details.get("cached_tokens")) if isinstance(read_details, dict) else None,
        reasoning_tokens=(
            _whole(written_details.get("reasoning_tokens")) if isinstance(written_details, dict) else None
        ),
    )


def _whole(value: object) -> int | None:
    """Return a count, `None` for what is none."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= MOST:
        return None
    count = int(value)
    return count if count == value else None
