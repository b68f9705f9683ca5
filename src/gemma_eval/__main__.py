"""The command line: `gemma-eval` and `python -m gemma_eval`."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from gemma_eval.cli import command, completion
from gemma_eval.cli.ending import interrupted
from gemma_eval.errors import GemmaEvalError, PluginError
from gemma_eval.plugins import Registry, load

_TELL_OF_PLUGINS = ("doctor", "plugins")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `gemma-eval`; what a person can mend is one clear message and exit code 2."""
    _open_what_is_closed()
    _print_all()
    try:
        command(_registry(sys.argv[1:] if arguments is None else arguments))(
            arguments, prog_name="gemma-eval"
        )
    except GemmaEvalError as error:
        if completion.VARIABLE in os.environ:  # a shell that completes shows no errors
            sys.exit(2)
        from gemma_eval.logs.redact import clear  # here, so that nobody pays for it at the start

        sys.stderr.write(f"gemma-eval: {_shown(clear(str(error)))}\n")
        sys.exit(2)
    except FileNotFoundError:
        if _has_folder():
            raise
        sys.stderr.write("gemma-eval: the folder that this shell is in is gone; go to one that is there\n")
        sys.exit(2)
    except KeyboardInterrupt:
        interrupted()


def _open_what_is_closed() -> None:
    """Have a stream that the caller has closed read as empty, or lose what is written, and end nothing.

    Its number is taken, too: the next file that is opened would get it, and what is printed with it.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)  # noqa: FBT003 - Python's
    os.close(number)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))


def _has_folder() -> bool:
    try:
        Path.cwd()
    except OSError:
        return False
    return True


def _print_all() -> None:
    """Have nothing end in a traceback that stdout cannot show: a path of other bytes, a letter it lacks."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        is_unicode = sys.stdout.encoding.lower().startswith("utf")
        sys.stdout.reconfigure(errors="surrogateescape" if is_unicode else "backslashreplace")


def _registry(arguments: Sequence[str]) -> Registry:
    """Load all plugins; a command that tells which one is broken does without them. Raises PluginError."""
    try:
        return load()
    except PluginError:
        if not set(_TELL_OF_PLUGINS).intersection(arguments[:1]):
            raise
        return load(installed=False)


def _shown(message: str) -> str:
    """Return a message, which may repeat what a file says, without sequences that a terminal obeys."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in message
    )


if __name__ == "__main__":
    main()
