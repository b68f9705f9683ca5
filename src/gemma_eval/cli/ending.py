"""How a command ends that did not run to its end: Ctrl-C and a reader who went away are no faults of code."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

INTERRUPTED = 130
"""What a shell reports of a program that Ctrl-C has ended: 128 and the number of the signal."""
READER_GONE = 141
"""What a shell reports of a program whose reader went away, as in `gemma-eval runs | head -1`."""


def interrupted() -> NoReturn:
    """Say in one line that Ctrl-C was heard, and end."""
    begins = "\n" if sys.stderr.isatty() else ""  # the terminal has written ^C into the line
    sys.stderr.write(f"{begins}gemma-eval: interrupted\n")
    sys.exit(INTERRUPTED)


def reader_gone() -> NoReturn:
    """End and say nothing: nobody reads any more, nor does Python at its end find anything to write to."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(READER_GONE)
