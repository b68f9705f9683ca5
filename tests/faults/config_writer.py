"""Processes that change one file over and over: what the fault tests kill, and set against each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from gemma_eval.config import profiles
from gemma_eval.config.changing import change
from gemma_eval.errors import ConfigError
from gemma_eval.files.writing import write

N = 60


def text_of(number: int) -> str:
    """Return the text of one version; each part of it says of which."""
    table = {f"p{index}": {"seed": number, "max_tokens": index + 1} for index in range(N)}
    return json.dumps({"version": 1, "profiles": table}, indent=1) + "\n"


def number_of(text: str) -> int:
    """Return the number of a version, which is whole: raises for one that is half another."""
    (number,) = {profile.seed for profile in profiles.parse(text, path=Path("profiles.json")).values()}
    assert number is not None
    assert text == text_of(number)
    return number


def change_on(path: Path, pipe: Connection) -> None:
    """Make version after version without end, each from the one before, and acknowledge each."""
    _go_on(pipe, lambda: _next(path))


def write_on(path: Path, pipe: Connection) -> None:
    """Do the same with a planted fault: the file is written where it is."""

    def write_in_place() -> int:
        number = number_of(path.read_text()) + 1
        with path.open("w", buffering=100) as file:
            file.writelines(text_of(number))
        return number

    _go_on(pipe, write_in_place)


def _go_on(pipe: Connection, make: Callable[[], int]) -> None:
    pipe.send(None)
    while True:
        pipe.send(make())


def _next(path: Path) -> int:
    made = change(path, lambda text: text_of(number_of(text) + 1), check=number_of, backups=3)
    return number_of(made.after)


def add_profiles(path: Path, writer: int, n: int, pipe: Connection) -> None:
    """Add so many profiles one by one, and tell of each whether it was written or refused."""
    for number in range(n):
        name = f"w{writer}-{number}"
        try:
            change(path, lambda text, name=name: added(text, name), check=len)  # type: ignore[misc]
        except ConfigError as error:
            pipe.send((name, str(error)))
        else:
            pipe.send((name, None))


def add_profiles_unlocked(path: Path, writer: int, n: int, pipe: Connection) -> None:
    """Do the same with a planted fault: nobody waits for another."""
    for number in range(n):
        name = f"w{writer}-{number}"
        write(path, added(path.read_text(), name).encode())
        pipe.send((name, None))


def added(text: str, name: str) -> str:
    """Return a text with one more profile."""
    table = json.loads(text)
    table["profiles"][name] = {"temperature": 0.5}
    return json.dumps(table) + "\n"
