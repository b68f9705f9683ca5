"""A program that does what the lines of its input say, and answers each with the processor time it has used.

take BYTES · map FILE · free · burn SECONDS · child · tell ORDER (to the child) · end
"""

from __future__ import annotations

import mmap
import os
import resource
import subprocess
import sys
import time


def main() -> None:
    """Obey until the input ends."""
    held: list[object] = []
    child: subprocess.Popen[str] | None = None
    for line in sys.stdin:
        order, _, rest = line.strip().partition(" ")
        if order == "child":
            child = start()
        elif order == "tell" and child:
            answer(ask(child, rest))
            continue
        else:
            obey(order, rest, held=held)
        answer(used_s())
        if order == "end":
            os._exit(0)  # so that nothing more is used


def obey(order: str, rest: str, *, held: list[object]) -> None:
    """Take and free memory, and use time."""
    if order == "take":
        held.append(bytearray(int(rest)))
    elif order == "map":
        held.append(mapped(rest))
    elif order == "free":
        held.clear()
    elif order == "burn":
        burn(float(rest))


def start() -> subprocess.Popen[str]:
    """Start another of this kind, and wait until it is there."""
    command = [sys.executable, "-S", "-E", __file__]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    ask(child, "free")
    return child


def mapped(path: str) -> mmap.mmap:
    """Map a file and touch each of its pages."""
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib would load much
        pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    for at in range(0, len(pages), mmap.PAGESIZE):
        pages[at]
    return pages


def burn(seconds: float) -> None:
    """Use processor time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def used_s() -> float:
    """Return the processor time that this process has used itself, as the kernel tells it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def ask(child: subprocess.Popen[str], order: str) -> float:
    """Have the child obey, and return its answer."""
    assert child.stdin is not None
    assert child.stdout is not None
    print(order, file=child.stdin, flush=True)
    return float(child.stdout.readline())


def answer(seconds: float) -> None:
    """Say that it is done."""
    print(seconds, flush=True)


if __name__ == "__main__":
    main()
