"""What the codes mean that measurements give for what they lack, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gemma_eval.records import Measurement

WORDS: Mapping[str, str] = {
    "failed": "the answers ended in errors",
    "cached": "the answers were made before, and a cache gave them again",
    "timeout": "the answers were ended at a time limit",
    "retried": "the first attempt failed, and its timing is the one that counts",
    "warmup": "the requests were there to warm up, and their times do not count",
    "cooldown": "the requests were the last of a load, and their times do not count",
    "not_generated": "a given text was read, and nothing was written",
    "batched": 'the repeats of a case were decoded together; cases of kind "benchmark" are timed',
    "clock_went_back": "the clock went back",
    "no_tokens": "the answers are empty",
    "not_streamed": "the answers came whole",
    "no_output": "there were tokens, and none for the user",
    "single_delta": "there was one token, or all came at once, so there is no time between them",
    "no_usage": "the engine did not count the tokens",
    "no_delta_tokens": "it is unknown how many tokens the first piece carried",
    "count_mismatch": "the engine counted no more tokens than the first of several pieces carried",
    "cache_unknown": "the engine did not say how much of the prompt it had cached",
    "all_cached": "the whole prompt was cached, so none of it was read",
    "zero_duration": "two stamps are equal, so there is no rate",
    "not_scheduled": "the requests were not due at a time, but sent when there was room",
    "no_engine_timing": "the engine does not say",
    "no_client_count": "the tokens were not counted on this side as well",
    "not_watched": "memory, processor and energy were not watched",
    "elsewhere": "the engine runs in processes that are not seen from here",
    "shared": "the load was watched as a whole, so that no request has a share of its own",
    "judge_loaded": "the engine of a judge was in memory as well",
    "unavailable": "this machine does not tell",
    "no_requests": "no request was measured",
    "no_stamps": "no request was sent, or no time went by",
    "no_slo": "nothing was promised",
}
"""By the code in `missing` of a measurement or of how a load was served."""

UNKNOWN = "unknown"
"""The code where a record gives none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lack:
    """A figure that one row of a table has not, and the code that says why."""

    row: int
    figure: str
    code: str


def in_words(code: str) -> str:
    """Return what a code means; that of a plugin is not known here."""
    return WORDS.get(code, "not measured")


def codes(measurements: Iterable[Measurement], field: str) -> tuple[str, ...]:
    """Return the codes for which `field` is missing in any of the measurements, each once."""
    without = (each for each in measurements if getattr(each, field) is None)
    return tuple(dict.fromkeys(each.missing.get(field, UNKNOWN) for each in without))


def sentences(lacks: Sequence[Lack], *, rows: int) -> tuple[str, ...]:
    """Return a sentence for each code: which figures of how many of the `rows` lack a value, and why.

    Figures that the same rows lack for the same reason are told of together.
    """
    places: dict[tuple[str, str], set[int]] = {}
    for lack in lacks:
        places.setdefault((lack.code, lack.figure), set()).add(lack.row)
    together: dict[tuple[str, frozenset[int]], list[str]] = {}
    for (code, figure), found in places.items():
        together.setdefault((code, frozenset(found)), []).append(figure)
    return tuple(
        f"No {listed(figures)}{_where(len(found), rows)} ({code}): {in_words(code)}."
        for (code, found), figures in together.items()
    )


def listed(names: Sequence[str]) -> str:
    """Join names as a sentence does: `one`, `one and two`, `one, two and three`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _where(found: int, rows: int) -> str:
    return "" if found == rows else f" in {found} of {rows} rows"
