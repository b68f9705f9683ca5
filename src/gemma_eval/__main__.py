"""The command line: `gemma-eval` and `python -m gemma_eval`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from gemma_eval.cli import command
from gemma_eval.errors import GemmaEvalError
from gemma_eval.plugins import load


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `gemma-eval`; what a person can mend is one clear message and exit code 2."""
    try:
        command(load())(arguments, prog_name="gemma-eval")
    except GemmaEvalError as error:
        sys.stderr.write(f"gemma-eval: {_shown(str(error))}\n")
        sys.exit(2)


def _shown(message: str) -> str:
    """Return a message, which may repeat what a file says, without sequences that a terminal obeys."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in message
    )


if __name__ == "__main__":
    main()
