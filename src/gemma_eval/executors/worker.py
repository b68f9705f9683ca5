"""What a worker process does for the machine it runs on."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Have the kernel kill this process when the one that started it is gone; does nothing but on Linux.

    A worker that outlived a killed run would disturb the measurements of the next one.
    Source: prctl(2), PR_SET_PDEATHSIG.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def has_lost(parent: str) -> bool:
    """Whether the process of that id, which started this one, ended before `end_with_parent` could see it."""
    return parent.isdecimal() and int(parent) != os.getppid()
