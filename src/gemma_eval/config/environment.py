"""Settings from environment variables: `GEMMA_EVAL_CHAT_MODEL=pocket` is `chat.model`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from gemma_eval.config.places import SAFE_DIRECTORY, USER_FOLDER
from gemma_eval.config.settings_keys import ENVIRONMENT, KEYS, TEXTS, Key
from gemma_eval.errors import ConfigError, Problem

OTHERS = frozenset({USER_FOLDER, SAFE_DIRECTORY})
"""Variables that a person may set and that are no settings."""
INTERNAL = frozenset({"GEMMA_EVAL_BLOCK", "GEMMA_EVAL_BLOCK_CELLS", "GEMMA_EVAL_BLOCK_PINNED"})
"""Those that the processes of a run give each other."""

_NEAR = 0.8


def load(environment: Mapping[str, str]) -> dict[str, object]:
    """Return what the variables choose by the names of keys; one that is empty chooses nothing.

    Raises ConfigError: values that cannot be, and variables with names that are near those of a key.
    Others that begin alike are let be, for they may hold the key of a server.
    """
    problems = [_misspelt(name) for name in sorted(environment) if name.startswith(ENVIRONMENT)]
    found: dict[str, object] = {}
    for key in KEYS:
        if not (text := environment.get(key.variable, "").strip()):
            continue
        try:
            found[key.name] = value(key, text)
        except ValueError as error:
            problems.append(_problem(key.variable, str(error)))
    if wrong := [problem for problem in problems if problem is not None]:
        raise ConfigError(wrong)
    return found


def value(key: Key, text: str) -> object:
    """Return what a person who typed `text` for a key means. Raises ValueError that says what is wrong.

    It is read as a scalar of YAML 1.2, but that a text needs no quotes, and paths are separated as in `PATH`.
    """
    from gemma_eval.config import settings_file  # here, for it costs pydantic and YAML

    given = _read(key, text.strip())
    if what := settings_file.flaw(key, given):
        raise ValueError(what)
    return given


def _read(key: Key, text: str) -> object:
    from gemma_eval.files import rows, yaml12
    from gemma_eval.files.read import ReadError

    is_bare = text[:1] not in ("'", '"', "[")
    if is_bare and key.kind == "paths":
        return [each for each in text.split(os.pathsep) if each]
    if is_bare and key.kind in TEXTS and text not in ("null", "~"):
        return text
    try:
        return yaml12.value(text)
    except ReadError as error:
        raise ValueError(f"is {rows.show(text)}, which {error.what}") from error


def _misspelt(name: str) -> Problem | None:
    """Say what a variable may have been meant for; `None` where it is known, or like no key."""
    known = {key.variable: key.variable for key in KEYS} | {other: other for other in OTHERS}
    if name in known or name in INTERNAL:
        return None
    options = {ENVIRONMENT + _as_variable(key.option): key.variable for key in KEYS if key.option}
    names = {each.removeprefix(ENVIRONMENT): meant for each, meant in (options | known).items()}
    near = get_close_matches(name.removeprefix(ENVIRONMENT), names, n=1, cutoff=_NEAR)
    if not near:
        return None
    return _problem(name, f"no setting has this variable; did you mean {names[near[0]]}?")


def _as_variable(option: str) -> str:
    return option.removeprefix("--").replace("-", "_").upper()


def _problem(variable: str, what: str) -> Problem:
    return Problem(path=Path(variable), line=0, what=what)
