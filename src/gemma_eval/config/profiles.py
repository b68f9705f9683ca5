"""Sampling profiles, from JSON: `{"version": 1, "profiles": {"greedy": {"temperature": 0}}}`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, FiniteFloat, Tag

from gemma_eval.config.contradictions import contradictions
from gemma_eval.config.files import VERSION, Problems, parse_table, read_text
from gemma_eval.config.versions import MIGRATE
from gemma_eval.files import rows
from gemma_eval.logs import secrets
from gemma_eval.records import DynatempMode, SamplingProfile, Surprise

NotNegative = Annotated[FiniteFloat, Field(ge=0)]
Positive = Annotated[FiniteFloat, Field(gt=0)]
BelowOne = Annotated[FiniteFloat, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
LastN = Annotated[int, Field(ge=-1, le=1_000_000)]
Penalty = Annotated[FiniteFloat, Field(ge=-2, le=2)]

ORDERS = {
    "llama.cpp": SamplingProfile(name="llama.cpp").order,
    "transformers": (
        "logit_bias",
        "penalties",
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "typical_p",
        "epsilon_cutoff",
        "eta_cutoff",
    ),
}
"""The orders that have a name: llama.cpp's heats last, Hugging Face's first.

Source: ggml-org/llama.cpp:common/common.h; huggingface/transformers:src/transformers/generation/utils.py.
"""


def _filled_list(items: list[str]) -> list[str]:
    if "" in items:
        raise ValueError("has an empty text, which would stop every answer at once")
    return items


def _filled_breakers(items: list[str]) -> list[str]:
    if "" in items:
        raise ValueError("has an empty text, which would break every sequence")
    return items


def _not_a_switch(value: object) -> object:
    if isinstance(value, bool):  # Python takes true for 1
        raise ValueError(f"is {rows.show(value)}; it should be 0, 1 or 2")
    return value


def _kind_of_order(value: object) -> str:
    return _NAMED if isinstance(value, str) else _LISTED


_NAMED = f'{rows.ALTERNATIVE}"llama.cpp" or "transformers"'
_LISTED = f'{rows.ALTERNATIVE}"llama.cpp", "transformers" or a list of steps'

Order = Annotated[
    Annotated[Literal["llama.cpp", "transformers"], Tag(_NAMED)] | Annotated[rows.Names, Tag(_LISTED)],
    Discriminator(_kind_of_order),
]
"""A name of `ORDERS`, or the steps one by one."""
Token = Annotated[str, Field(min_length=1, max_length=100)]
"""An id in digits, or the text of one token."""
Breakers = Annotated[
    list[Annotated[str, Field(max_length=40)]], Field(max_length=64), AfterValidator(_filled_breakers)
]


class ProfileRow(rows.Row):
    """One profile; the keys are those of `records.SamplingProfile`, with llama.cpp's names and meanings."""

    temperature: NotNegative | None = None
    top_k: Count | None = None
    top_p: rows.Share | None = None
    min_p: rows.Share | None = None
    base_p: rows.Share | None = None
    typical_p: rows.Share | None = None
    top_n_sigma: NotNegative | None = None
    xtc_probability: rows.Share | None = None
    xtc_threshold: Annotated[FiniteFloat, Field(ge=0, le=0.5)] | None = None
    epsilon_cutoff: BelowOne | None = None
    eta_cutoff: BelowOne | None = None
    repeat_penalty: Positive | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    penalty_last_n: LastN | None = None
    dry_multiplier: NotNegative | None = None
    dry_base: Annotated[FiniteFloat, Field(ge=1)] | None = None
    dry_allowed_length: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    dry_penalty_last_n: LastN | None = None
    dry_sequence_breakers: Breakers | None = None
    logit_bias: Annotated[dict[Token, FiniteFloat], Field(max_length=1000)] | None = None
    dynatemp_mode: DynatempMode | None = None
    dynatemp_range: NotNegative | None = None
    dynatemp_exponent: Positive | None = None
    dynatemp_theta: NotNegative | None = None
    dynatemp_base: Annotated[FiniteFloat, Field(gt=0, lt=1)] | None = None
    dynatemp_threshold: NotNegative | None = None
    mirostat: Annotated[Literal[0, 1, 2], BeforeValidator(_not_a_switch)] | None = None
    mirostat_tau: Positive | None = None
    mirostat_eta: Positive | None = None
    mirostat_surprise: Surprise | None = None
    adaptive_target: Annotated[FiniteFloat, Field(ge=-1, le=1)] | None = None
    adaptive_decay: Annotated[FiniteFloat, Field(ge=0, le=0.99)] | None = None
    order: Order | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    stop: Annotated[list[str], Field(max_length=64), AfterValidator(_filled_list)] | None = None
    ignore_eos: bool | None = None
    seed: rows.Seed | None = None


class ProfilesRow(rows.Row):
    """A whole profiles.json."""

    version: Literal[1] | None = None
    profiles: dict[str, object] | None = None


def load(path: Path) -> dict[str, SamplingProfile]:
    """Return the profiles of a JSON file by name. Raises ConfigError with every problem of the file."""
    return parse(read_text(path), path=path)


def parse(text: str, *, path: Path) -> dict[str, SamplingProfile]:
    """Return what `load` does of the text of a file that is, or is to be, at `path`. Raises ConfigError."""
    table, problems = parse_table(text, path=path)
    row, flaws = rows.check(ProfilesRow, table)
    problems.say_flaws("", (), flaws)
    if "version" not in table:
        problems.say((), f'needs "version": {VERSION}; {MIGRATE} adds it')
    if "profiles" not in table:
        problems.say((), 'needs "profiles", an object of profiles by name')
    if secrets.looks_secret(text):  # looking through all values takes longer than reading them
        problems.say_flaws("", (), (rows.Flaw(at, what) for at, what in secrets.flaws(table)))
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
    profile = _record(name, row)
    given = {key for key in row.model_fields_set if getattr(row, key) is not None}
    for key, what in contradictions(profile, given):
        problems.say((*at, key), prefix + what)
    return profile


def _record(name: str, row: ProfileRow) -> SamplingProfile:
    given = row.model_dump(exclude_none=True)
    order = given.get("order")
    if isinstance(order, str):
        given["order"] = ORDERS[order]
    lists = {key: tuple(value) for key, value in given.items() if isinstance(value, list)}
    return SamplingProfile(name=name, **given | lists)
