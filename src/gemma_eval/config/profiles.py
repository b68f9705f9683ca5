"""Sampling profiles, from JSON: `{"version": 1, "profiles": {"greedy": {"temperature": 0}}}`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, FiniteFloat

from gemma_eval.config.files import VERSION, Problems, read_table
from gemma_eval.files import rows
from gemma_eval.records import SamplingProfile

NotNegative = Annotated[FiniteFloat, Field(ge=0)]
Positive = Annotated[FiniteFloat, Field(gt=0)]

STEPS = {
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "typical_p": "typical_p",
    "repeat_penalty": "penalties",
    "presence_penalty": "penalties",
    "frequency_penalty": "penalties",
    "penalty_last_n": "penalties",
    "dynatemp_range": "temperature",
    "dynatemp_exponent": "temperature",
    "temperature": "temperature",
}
"""The step of `order` that each key sets."""

REPLACED_BY_MIROSTAT = (*(key for key in STEPS if key not in ("temperature", "dynatemp_exponent")), "order")
"""What has no effect beside `"mirostat": 2`, which chooses the candidates by itself."""


def _filled_list(items: list[str]) -> list[str]:
    if "" in items:
        raise ValueError("has an empty text, which would stop every answer at once")
    return items


class ProfileRow(rows.Row):
    """One profile; the keys are those of `records.SamplingProfile`, with llama.cpp's names and meanings."""

    temperature: NotNegative | None = None
    top_k: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    top_p: rows.Share | None = None
    min_p: rows.Share | None = None
    typical_p: rows.Share | None = None
    repeat_penalty: Positive | None = None
    presence_penalty: Annotated[FiniteFloat, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[FiniteFloat, Field(ge=-2, le=2)] | None = None
    penalty_last_n: Annotated[int, Field(ge=-1, le=1_000_000)] | None = None
    dynatemp_range: NotNegative | None = None
    dynatemp_exponent: Positive | None = None
    mirostat: Literal[0, 2] | None = None
    mirostat_tau: Positive | None = None
    mirostat_eta: Positive | None = None
    order: rows.Names | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    stop: Annotated[list[str], Field(max_length=64), AfterValidator(_filled_list)] | None = None
    seed: rows.Seed | None = None


class ProfilesRow(rows.Row):
    """A whole profiles.json."""

    version: Literal[1] | None = None
    profiles: dict[str, object] | None = None


def load(path: Path) -> dict[str, SamplingProfile]:
    """Return the profiles of a JSON file by name. Raises ConfigError with every problem of the file."""
    table, problems = read_table(path)
    row, flaws = rows.check(ProfilesRow, table)
    problems.say_flaws("", (), flaws)
    if "version" not in table:
        problems.say((), f'needs "version": {VERSION}')
    if "profiles" not in table:
        problems.say((), 'needs "profiles", an object of profiles by name')
    found = {name: _profile(name, table, problems) for name, table in (row.profiles or {}).items()}
    problems.stop()
    return found


def _profile(name: str, table: object, problems: Problems) -> SamplingProfile:
    at, prefix = ("profiles", name), f"profile {rows.show(name)}: "
    if flaw := rows.name_flaw(name):
        problems.say(at, f"the name of a profile {flaw}")
    if not isinstance(table, dict):
        problems.say(
            at, f'{prefix[:-2]} is {rows.show(table)}; it should be an object, as {{"temperature": 0}}'
        )
        return SamplingProfile(name=name)
    row, flaws = rows.check(ProfileRow, table)
    problems.say_flaws(prefix, at, flaws)
    for key, what in _contradictions(row):
        problems.say((*at, key), prefix + what)
    return _record(name, row)


def _contradictions(row: ProfileRow) -> list[tuple[str, str]]:
    """Return the keys that cannot have an effect, and why."""
    given = {key for key in row.model_fields_set if getattr(row, key) is not None}
    if row.mirostat == 2:
        idle = [key for key in REPLACED_BY_MIROSTAT if key in given]
        why = "mirostat 2 chooses the candidates by itself and replaces"
        found = [(key, f"{why} {key}; remove one of the two") for key in idle]
        if row.temperature == 0:
            found.append(
                ("temperature", "mirostat 2 draws at random, temperature 0 does not; remove one of the two")
            )
        return found
    found = [
        (key, f'{key} has no effect without mirostat; add "mirostat": 2 or remove it')
        for key in ("mirostat_tau", "mirostat_eta")
        if key in given
    ]
    if "dynatemp_exponent" in given and not row.dynatemp_range:
        found.append(
            ("dynatemp_exponent", "dynatemp_exponent has no effect without a dynatemp_range above 0")
        )
    if row.dynatemp_range and row.temperature == 0:
        found.append(("dynatemp_range", "dynatemp_range has no effect at temperature 0, which is greedy"))
    return found + [
        (key, f"{key} has no effect, because order does not name {STEPS[key]}; add that or remove {key}")
        for key in _left_out(row, given)
    ]


def _left_out(row: ProfileRow, given: set[str]) -> list[str]:
    """Return the keys whose step is not in the order.

    A step that a plugin brought may read any key. Temperature 0 is greedy without a step.
    """
    if row.order is None or not set(row.order) <= set(STEPS.values()):
        return []
    idle = [key for key, step in STEPS.items() if key in given and step not in row.order]
    return [key for key in idle if not (key == "temperature" and row.temperature == 0)]


def _record(name: str, row: ProfileRow) -> SamplingProfile:
    given = row.model_dump(exclude_none=True)
    for key in ("order", "stop"):
        if key in given:
            given[key] = tuple(given[key])
    return SamplingProfile(name=name, **given)
