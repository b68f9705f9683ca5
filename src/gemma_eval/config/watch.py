"""Sees that files have changed: by inode, time and size of each, and now and then by what they hold.

Names are followed to the files that they lead to, so that it is all the same whether a file was written in
its place, renamed over, deleted and made anew, or is reached by a link that leads elsewhere now. Where clocks
are coarse a file may be written again with the same size at the same time, which only its bytes tell.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from gemma_eval.files import read

Mark = tuple[int, ...]
"""Device, inode, time of the last change in nanoseconds and size of a file; of one that is not there, why."""

CONTENT_S = 2.0
"""So often the bytes are compared as well, and less often where they are many."""
GONE_S = 0.5
"""So long a file that was there may be away before that counts: editors delete it and make it anew."""
PATIENCE_S = 1.0
"""Files that are never at rest are read all the same after so long."""

_SHARE = 20
"""Between two looks there is so much more time than one takes, where there are very many files."""
_SHARE_OF_CONTENT = 100
"""The same of looks at bytes."""

_DEEPEST = 8
"""Folders in folders, of which a link may make a ring."""


class Watch:
    """Looks at files, and at all files in folders, when it is asked to; it has no thread.

    `paths` gives what is looked at, which may be another set after an edit. A change counts when nothing more
    has changed for `quiet_s` seconds.
    """

    def __init__(
        self,
        paths: Callable[[], Iterable[Path]],
        *,
        quiet_s: float = 0.05,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what is there now for what is known."""
        self._paths = paths
        self._quiet_s = quiet_s
        self._clock_s = clock_s
        self._seen = marks(paths())
        self._known = frozenset(_there(self._seen))
        self._digest = content(paths())
        self._content_at = clock_s() + CONTENT_S
        self._changed_at: float | None = None
        self._began_at = 0.0
        self._look_s = (0.0, 0.0)

    def poll(self) -> bool:
        """Look once; return whether there was a change that has not been told of, and it is over."""
        now = self._clock_s()
        found = marks(self._paths())
        self._look_s = (self._look_s[1], self._clock_s() - now)
        if found != self._seen or self._differs(now):
            self._seen = found
            self._begin(now)
        if self._changed_at is None or not self._is_over(now):
            return False
        self._changed_at = None
        self._known = frozenset(_there(self._seen))
        self._digest = content(self._paths())
        return True

    def again(self) -> None:
        """Wait for the end of a change that was told of and turned out to go on."""
        self._begin(self._clock_s())

    @property
    def is_changing(self) -> bool:
        """Whether a change was seen that is not over yet."""
        return self._changed_at is not None

    def wait_s(self, poll_s: float) -> float:
        """Return when to look next, in seconds: after `poll_s`, or when a change may be over."""
        poll_s = max(poll_s, _SHARE * min(self._look_s))  # a machine that is busy for once does not count
        if self._changed_at is None:
            return poll_s
        return min(poll_s, max(self._changed_at + self._quiet_s - self._clock_s(), 0.0) + 0.001)

    def _begin(self, now: float) -> None:
        if self._changed_at is None:
            self._began_at = now
        self._changed_at = now

    def _is_over(self, now: float) -> bool:
        if now - self._began_at >= PATIENCE_S:
            return True
        is_gone = not self._known <= frozenset(_there(self._seen))
        quiet_s = max(self._quiet_s, GONE_S) if is_gone else self._quiet_s
        return self._changed_at is not None and now - self._changed_at >= quiet_s

    def _differs(self, now: float) -> bool:
        """Whether the bytes are others, though nothing else tells; asked every two seconds."""
        if now < self._content_at:
            return False
        began = self._clock_s()
        before, self._digest = self._digest, content(self._paths())
        ended = self._clock_s()
        self._content_at = max(now + CONTENT_S, ended + _SHARE_OF_CONTENT * (ended - began))
        return self._changed_at is None and before != self._digest


def marks(paths: Iterable[Path]) -> dict[str, Mark]:
    """Return the mark of each file, and of each file in a folder and those below it, by its path."""
    found: dict[str, Mark] = {}
    for path in paths:
        _mark(str(path), found, depth=0)
    return found


def content(paths: Iterable[Path]) -> str:
    """Return a hash of the bytes of all files with their names; what cannot be read counts by its reason."""
    whole = hashlib.sha256()
    for name, mark in sorted(marks(paths).items()):
        whole.update(f"{name}\0".encode(errors="surrogateescape"))
        if len(mark) == 1:
            whole.update(b"-\0")
            continue
        try:
            data = read.read_bytes(Path(name))
        except read.ReadError as error:
            data = f"\0{error.what}\0{mark}".encode()
        whole.update(f"{len(data)}\0".encode() + data)
    return whole.hexdigest()


def _mark(name: str, found: dict[str, Mark], *, depth: int) -> None:
    try:
        of = os.stat(name)  # noqa: PTH116 - twice as fast, and asked ten times a second
    except (OSError, ValueError) as error:
        found[name] = (getattr(error, "errno", None) or 0,)
        return
    if not stat.S_ISDIR(of.st_mode):
        found[name] = (of.st_dev, of.st_ino, of.st_mtime_ns, of.st_size, of.st_mode)
    elif depth < _DEEPEST:
        for inner in _names(name):
            _mark(inner, found, depth=depth + 1)


def _names(folder: str) -> Sequence[str]:
    """Return what is in a folder but for what is hidden, or of an editor alone."""
    with suppress(OSError), os.scandir(folder) as entries:
        return [entry.path for entry in entries if entry.name[0] not in ".#" and entry.name[-1] != "~"]
    return ()


def _there(found: dict[str, Mark]) -> Iterator[str]:
    return (name for name, mark in found.items() if len(mark) > 1)
