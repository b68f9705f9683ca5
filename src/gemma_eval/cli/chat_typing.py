"""What a person types into a chat: lines and blocks of lines, with editing, history and completion."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TextIO

import click

from gemma_eval.errors import UsageError

QUOTES = '"""'
MOST_KEPT = 1000
"""Entries of the history that are kept from one chat to the next."""

Read = Callable[[str], str | None]
"""Reads a line after a prompt, `None` at the end; the prompt is "" where a line goes on."""


class GivenUp(Exception):
    """What was being typed is not to be said."""


def messages(
    read: Read, prompt: Callable[[], str], *, keep: Callable[[str], object] = lambda _: None
) -> Iterator[str]:
    r"""Yield what is said until the end: a line, or several. Each is given to `keep` as it was typed.

    A line that ends with `\` goes on in the next, and so do all lines between one that begins and one that
    ends with three quotes. What is quoted is no command: where it begins with a slash a space comes before.
    """
    while True:
        try:
            if (line := read(prompt())) is None:
                return
            typed, said = _whole(line, read)
        except GivenUp:
            continue
        keep(typed)
        yield said


def _whole(line: str, read: Read) -> tuple[str, str]:
    """Return all lines of what begins with a line, and what they say."""
    if line.lstrip().startswith(QUOTES):
        return _quoted(line.lstrip(), read)
    lines = [line]
    while _goes_on(lines[-1]) and (more := read("")) is not None:
        lines[-1] = lines[-1][:-1]
        lines.append(more)
    said = "\n".join(lines)
    return said, said


def _quoted(line: str, read: Read) -> tuple[str, str]:
    typed, lines = [line], [line.removeprefix(QUOTES)]
    while not lines[-1].rstrip().endswith(QUOTES):
        more = read("")
        if more is None:
            break
        typed.append(more)
        lines.append(more)
    said = "\n".join(lines).rstrip().removesuffix(QUOTES).strip("\n")
    return "\n".join(typed), f" {said}" if said.startswith("/") else said


def _goes_on(line: str) -> bool:
    r"""Whether a line ends with a `\` that is no `\\`."""
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def piped(stream: TextIO) -> Read:
    """Return what reads the lines of a pipe or a file. Raises UsageError for bytes that are no text."""

    def read(prompt: str) -> str | None:
        del prompt
        try:
            line = stream.readline()
            line.encode()  # in some locales other bytes come as halves of letters
        except UnicodeError as error:
            raise UsageError("standard input is not UTF-8 text") from error
        return line.rstrip("\r\n") if line else None

    return read


_READLINE = ("tab: complete", "set enable-bracketed-paste on")
_LIBEDIT = ("bind ^I rl_complete",)
"""What is asked of each; Python switches off that lines which are pasted together stay together."""


class Terminal:
    """Reads lines from a terminal, which readline edits; a module of Python that a system may lack.

    `complete` gives what a line may go on with. `history` is a file that only its user can read, `None` for
    no memory of what was typed.
    """

    def __init__(
        self, *, history: Path | None, complete: Callable[[str], Sequence[str]], has_colours: bool
    ) -> None:
        """Begin with the history of earlier chats."""
        self._history = history
        self._complete = complete
        self._has_colours = has_colours
        self._found: Sequence[str] = ()
        self._last = ""
        try:
            self._edit()
        except ImportError:
            self._has_colours = False  # only readline knows that colours take no room

    def read(self, prompt: str) -> str | None:
        """Return a line. Raises GivenUp at Ctrl-C, which says how to end."""
        try:
            return self._read(self._shown(prompt))
        except EOFError:
            click.echo()
            return None
        except KeyboardInterrupt:
            click.echo("\n/quit or Ctrl-D ends", err=True)
            raise GivenUp from None

    def _read(self, shown: str) -> str:
        """Return a line; after Ctrl-Z and `fg` the prompt is there again, with what was typed."""
        typed = ""
        while True:
            try:
                with _stoppable(), _begun_with(typed):
                    return input(shown)
            except _Stopped as stopped:
                typed = str(stopped)
                os.kill(os.getpid(), signal.SIGTSTP)  # it goes on here

    def keep(self, typed: str) -> None:
        """Add what was typed to the history, the arrows' and the file's; nobody needs it there twice."""
        if not typed.strip() or typed == self._last:
            return
        self._last = typed
        with suppress(ImportError):
            import readline

            readline.add_history(typed)
        if self._history is not None:
            keep(self._history, typed)

    def _shown(self, prompt: str) -> str:
        shown = prompt or "... "
        if not self._has_colours:
            return shown
        return f"\001{click.style('', bold=True, reset=False)}\002{shown}\001{click.style('')}\002"

    def _edit(self) -> None:
        import readline

        readline.set_auto_history(False)
        readline.set_completer_delims(" ")
        readline.set_completer(self._completed)
        is_libedit = "libedit" in (readline.__doc__ or "")
        for setting in _LIBEDIT if is_libedit else _READLINE:
            readline.parse_and_bind(setting)
        for entry in () if self._history is None else kept(self._history):
            readline.add_history(entry)
            self._last = entry

    def _completed(self, text: str, state: int) -> str | None:
        import readline

        if state == 0:
            self._found = self._complete(readline.get_line_buffer()[: readline.get_endidx()])
        return self._found[state] if state < len(self._found) else None


class _Stopped(Exception):
    """Ctrl-Z was typed, with a line begun."""


@contextmanager
def _stoppable() -> Iterator[None]:
    """Raise _Stopped in the block at Ctrl-Z, so that readline gives the terminal back before."""

    def heard(number: int, frame: FrameType | None) -> None:
        del number, frame
        import readline

        raise _Stopped(readline.get_line_buffer())

    can_stop = "readline" in sys.modules and signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL
    if can_stop:
        signal.signal(signal.SIGTSTP, heard)
    try:
        yield
    finally:
        if can_stop:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)


@contextmanager
def _begun_with(text: str) -> Iterator[None]:
    """Have the next line begin with a text."""
    if not text:
        yield
        return
    import readline

    readline.set_startup_hook(lambda: readline.insert_text(text))
    try:
        yield
    finally:
        readline.set_startup_hook(None)


def kept(path: Path) -> list[str]:
    """Return the entries of a history file, the oldest first; none where there is none to read.

    One that has grown to twice of what is kept is cut.
    """
    try:
        lines = path.read_bytes().decode(errors="replace").removesuffix("\n").split("\n")
    except OSError:
        return []
    if len(lines) > 2 * MOST_KEPT:
        lines = lines[-MOST_KEPT:]
        with suppress(OSError):
            _write(path, lines, os.O_TRUNC)
    return [_unescaped(line) for line in lines[-MOST_KEPT:] if line]


def keep(path: Path, entry: str) -> None:
    """Add an entry to a history file at once, so that several chats may share it; what fails is not said."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, [_escaped(entry)], os.O_APPEND)


def _write(path: Path, lines: Iterable[str], how: int) -> None:
    text = "".join(f"{line}\n" for line in lines)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600), "wb") as file:
        file.write(text.encode(errors="replace"))


def _escaped(entry: str) -> str:
    return entry.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def _unescaped(line: str) -> str:
    letters = iter(line)
    known = {"n": "\n", "r": "\r", "\\": "\\"}
    return "".join(known.get(next(letters, ""), "") if each == "\\" else each for each in letters)
