"""A made-up machine of files as /proc and /sys have them, and real processes that obey."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.measure import obedient

MIB = 1 << 20
FORKED_NOT_EXECUTED = 0x40


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Write files below `root`, and return it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def process(
    pid: int,
    *,
    resident_kib: int = 0,
    mark_kib: int = 0,
    file_kib: int = 0,
    children: str = "",
    flags: int = 0,
    ticks: str = "0 0 0 0",
    switches: int = 0,
) -> dict[str, str]:
    """Return the files of one process with one thread; `ticks` are utime, stime, cutime and cstime."""
    status = (
        f"Name:\tpython (x) S\nVmPeak:\t  999999 kB\nVmHWM:\t{mark_kib:8} kB\nVmRSS:\t{resident_kib:8} kB\n"
        f"RssAnon:\t{resident_kib - file_kib:8} kB\nRssFile:\t{file_kib:8} kB\nRssShmem:\t       0 kB\n"
        f"voluntary_ctxt_switches:\t77\nnonvoluntary_ctxt_switches:\t{switches}\n"
    )
    return {
        f"proc/{pid}/status": status,
        f"proc/{pid}/stat": f"{pid} (python (x) S) S 1 1 1 0 -1 {flags} 0 0 0 0 {ticks} 20 0 1 0 500 0 0\n",
        f"proc/{pid}/task/{pid}/children": children,
        f"proc/{pid}/task/{pid}/status": status,
        f"proc/{pid}/smaps_rollup": f"00-ff ---p 0 0:0 0 [rollup]\nRss: 9 kB\nPss: {resident_kib // 2} kB\n",
        f"proc/{pid}/clear_refs": "",
    }


class Obedient:
    """A real process that takes memory, maps a file or burns processor time when it is told to."""

    def __init__(self) -> None:
        """Start it, and wait until it is there."""
        self.process = obedient.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def tell(self, order: str) -> float:
        """Give an order, wait until it is done, and return the processor seconds that it has used so far."""
        return obedient.ask(self.process, order)

    def end(self) -> float:
        """End it, wait for it, and return the processor seconds that it has used."""
        used_s = self.tell("end")
        self.process.communicate()
        return used_s


@contextmanager
def obeying() -> Iterator[Obedient]:
    """Start a process that obeys, and end it."""
    started = Obedient()
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
        started.process.communicate()
