"""The options of a model that a server runs, read from its spec."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import cast, get_args

from gemma_eval.backends.model_files import POCKET, locate
from gemma_eval.backends.openai_http.dialects import DIALECTS, Dialect
from gemma_eval.backends.openai_http.request import Endpoint
from gemma_eval.backends.openai_http.transport import Limits
from gemma_eval.errors import UnknownName, WrongSetting, suggestion
from gemma_eval.files import read as files
from gemma_eval.files.rows import show
from gemma_eval.records import ModelSpec

ENDPOINTS: tuple[Endpoint, ...] = get_args(Endpoint)
MOST_RETRIES = 10
_LIMITS = tuple(limit.name for limit in fields(Limits))


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpOptions:
    """What a person may set; a `dialect` of `None` is recognised when the server is asked.

    `model` is the server's name of the model. `api_key_env` names the environment variable of the key.
    `counts` says whether tokens are counted *each* time that text comes or at the *end*, and `cross_check`
    whether they are counted on this side as well. `tokenizer` is the folder of a model whose tokenizer counts
    where the server does not tell. `request` are fields for every request, `extra` here.
    """

    model: str | None = None
    endpoint: Endpoint = "chat"
    dialect: Dialect | None = None
    api_key_env: str | None = None
    stream: bool = True
    counts: str = "each"
    cache_prompt: bool = False
    cross_check: bool = False
    tokenizer: str | None = None
    retries: int = 2
    extra: Mapping[str, object] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)


_NAMES = tuple(
    sorted({option.name for option in fields(HttpOptions)} - {"extra", "limits"} | {"request", *_LIMITS})
)


def read(spec: ModelSpec) -> HttpOptions:
    """Return the options of `spec`. Raises UnknownName for an unknown one, WrongSetting for a wrong value."""
    for option in spec.options:
        if option not in _NAMES:
            raise UnknownName(f"option of the model {spec.name} (backend openai_http)", option, _NAMES)
    given = _Given(spec)
    return HttpOptions(
        model=given.text("model"),
        endpoint=cast(Endpoint, given.word("endpoint", "chat", ENDPOINTS)),
        dialect=cast(Dialect, given.word("dialect", "", DIALECTS) or None),
        api_key_env=given.variable("api_key_env"),
        stream=given.truth("stream", default=True),
        counts=given.word("counts", "each", ("each", "end")),
        cache_prompt=given.truth("cache_prompt", default=False),
        cross_check=given.truth("cross_check", default=False),
        tokenizer=given.text("tokenizer"),
        retries=given.whole("retries", 2, least=0, most=MOST_RETRIES),
        extra=given.table("request"),
        limits=_limits(given),
    )


def tokenizer_folder(spec: ModelSpec) -> Path | None:
    """Return the folder that the option `tokenizer` names, `None` without it.

    Raises WrongSetting where no `tokenizer.json` is in it.
    """
    given = _Given(spec)
    named = given.text("tokenizer")
    if named is None:
        return None
    folder = locate(named) if named == POCKET else files.expanded(named)
    if not files.exists(folder, "folder"):
        lacking = "is a file" if files.exists(folder, "file") else "there is no such folder"
    elif not files.exists(folder / "tokenizer.json", "file"):
        lacking = "there is no tokenizer.json in that folder"
    else:
        return folder
    needed = f"give the folder of a model with its tokenizer.json, or {POCKET}"
    raise given.unlike("tokenizer", f"{lacking}; {needed}")


def _limits(given: _Given) -> Limits:
    usual = Limits()
    return Limits(
        connect_timeout_s=given.seconds("connect_timeout_s", usual.connect_timeout_s),
        first_token_timeout_s=given.seconds("first_token_timeout_s", usual.first_token_timeout_s),
        idle_timeout_s=given.seconds("idle_timeout_s", usual.idle_timeout_s),
        timeout_s=given.seconds("timeout_s", usual.timeout_s),
        max_response_bytes=given.whole("max_response_bytes", usual.max_response_bytes, least=1),
    )


class _Given:
    """The options as they were written, each read as what it should be. Raises WrongSetting."""

    def __init__(self, spec: ModelSpec) -> None:
        self._options = spec.options
        self._model = spec.name

    def unlike(self, option: str, needed: str) -> WrongSetting:
        """Return the error of an option, with its value and what is needed."""
        return self._wrong(option, f"{option} = {show(self._options[option])}; {needed}")

    def text(self, option: str) -> str | None:
        value = self._options.get(option)
        if value is None or (isinstance(value, str) and value):
            return value
        raise self.unlike(option, "a name is needed")

    def word(self, option: str, default: str, known: Collection[str]) -> str:
        value = self._options.get(option, default)
        if value in known or value == default:
            return str(value)
        raise self._wrong(option, f"{option} = {show(value)}{suggestion(str(value), known)}")

    def variable(self, option: str) -> str | None:
        """Return the name of an environment variable; what may be a key is not shown."""
        value = self._options.get(option)
        if value is None:
            return None
        if not isinstance(value, str) or not re.fullmatch(r"[A-Z_][A-Z0-9_]*", value):
            raise self._wrong(
                option,
                f"{option} is no name of an environment variable, as OPENAI_API_KEY; "
                "a key itself must not stand in a file",
            )
        return value

    def truth(self, option: str, *, default: bool) -> bool:
        value = self._options.get(option, default)
        if isinstance(value, bool):
            return value
        raise self.unlike(option, "true or false is needed")

    def whole(self, option: str, default: int, *, least: int, most: int = 1 << 40) -> int:
        value = self._options.get(option, default)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        raise self.unlike(option, f"a whole number from {least} to {most} is needed")

    def seconds(self, option: str, default: float) -> float:
        value = self._options.get(option, default)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _LONGEST_S:
            return float(value)
        raise self.unlike(option, f"seconds above 0 are needed, {_LONGEST_S} at most")

    def table(self, option: str) -> Mapping[str, object]:
        """Return the object that an option has as JSON."""
        value = self._options.get(option, "{}")
        try:
            found = json.loads(value, parse_constant=_refuse) if isinstance(value, str) else None
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return cast(Mapping[str, object], found)
        raise self.unlike(option, """fields are needed as a JSON object, as '{"reasoning_effort": "low"}'""")

    def _wrong(self, option: str, what: str) -> WrongSetting:
        return WrongSetting(self._model, "options", option, what=what)


_LONGEST_S = 7 * 24 * 3600


def _refuse(constant: str) -> None:
    """JSON proper has no NaN and no infinity."""
    raise ValueError(constant)
