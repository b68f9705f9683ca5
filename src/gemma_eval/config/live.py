"""A value that is read from files and stays as new as they are: the last good one, where they are broken."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Generic, TypeVar

from gemma_eval.config.watch import Watch, content
from gemma_eval.errors import ConfigError, GemmaEvalError, SuiteError
from gemma_eval.records import Choice, Reloaded

T = TypeVar("T")

POLL_S = 0.1
QUIET_S = 0.05

_TRIES = 20
"""How often files are read at first that somebody is writing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot(Generic[T]):
    """A value with the digest of the files that it was read from; `generation` counts from 1."""

    value: T
    generation: int
    digest: str


def _nothing(value: object) -> Mapping[Choice, object]:
    del value
    return {}


class Live(AbstractContextManager["Live[T]"], Generic[T]):
    """Reads files again when they have changed and are at rest, all of them together.

    `read` makes the value and may raise, `validate` may raise when parts of it do not fit each other; then
    the value before stays, and `say` is told once what is wrong, and once that it is mended. `names` gives
    the choices in a value, by which a `Reloaded` knows those that differ; the functions `on_reload` are given
    it after the new value is in its place. Whoever holds a `snapshot` keeps what it is.

    As a context manager it looks every `poll_s` seconds in a thread, which ends with the context; whoever has
    a loop of its own calls `poll` there instead.
    """

    def __init__(  # noqa: PLR0913 - each is a part of the one thing that is kept
        self,
        read: Callable[[], T],
        *,
        paths: Callable[[], Iterable[Path]],
        validate: Callable[[T], object] = lambda _: None,
        names: Callable[[T], Mapping[Choice, object]] = _nothing,
        on_reload: Sequence[Callable[[Reloaded], object]] = (),
        say: Callable[[str], object] = lambda _: None,
        poll_s: float = POLL_S,
        quiet_s: float = QUIET_S,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the files for the first time. Raises what `read` and `validate` raise."""
        self._read = read
        self._paths = paths
        self._validate = validate
        self._names = names
        self._on_reload = on_reload
        self._say = say
        self._poll_s = poll_s
        self._watch = Watch(paths, quiet_s=quiet_s, clock_s=clock_s)
        self._broken: str | None = None
        self._lock = Lock()
        self._ends = Event()
        self._thread: Thread | None = None
        self._snapshot = self._first()

    @property
    def snapshot(self) -> Snapshot[T]:
        """The newest good value: one reference that is put in the place of the one before."""
        return self._snapshot

    @property
    def value(self) -> T:
        """The value of the snapshot."""
        return self._snapshot.value

    def poll(self) -> Reloaded | None:
        """Look once; return what was read again, `None` where there is nothing new or it is broken."""
        with self._lock:
            reloaded = self._reload() if self._watch.poll() else None
        if reloaded is not None:
            for heard in self._on_reload:
                self._tell(heard, reloaded)
        return reloaded

    @property
    def is_changing(self) -> bool:
        """Whether files are being changed: what comes of that is read when they are at rest."""
        return self._watch.is_changing

    @property
    def wait_s(self) -> float:
        """How long to wait before the next look, in seconds."""
        return self._watch.wait_s(self._poll_s)

    def __enter__(self) -> Live[T]:
        """Begin to look in a thread."""
        self._ends.clear()
        self._thread = Thread(target=self._go_on, name="gemma_eval-reload", daemon=False)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the thread, and wait for it."""
        self._ends.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _go_on(self) -> None:
        while not self._ends.wait(self.wait_s):
            self.poll()

    def _first(self) -> Snapshot[T]:
        for _ in range(_TRIES):
            before = content(self._paths())
            try:
                value = self._read()
                self._validate(value)
            except Exception:
                if content(self._paths()) == before:
                    raise
                continue
            if content(self._paths()) == before:
                return Snapshot(value=value, generation=1, digest=before)
        value = self._read()
        self._validate(value)
        return Snapshot(value=value, generation=1, digest=content(self._paths()))

    def _reload(self) -> Reloaded | None:
        before = content(self._paths())
        if before == self._snapshot.digest:
            self._mend()
            return None
        if before == self._broken:
            return None
        problem, value = "", self._snapshot.value
        try:
            value = self._read()
            self._validate(value)
        except Exception as error:  # noqa: BLE001 - also the fault of a plugin must not end what goes on
            problem = first_line(error)
        if content(self._paths()) != before:
            self._watch.again()
            return None
        if problem:
            self._broken = before
            self._say(f"{problem.rstrip('.')}; what was read before stays in use")
            return None
        return self._swap(Snapshot(value=value, generation=self._snapshot.generation + 1, digest=before))

    def _swap(self, new: Snapshot[T]) -> Reloaded:
        before, after = self._names(self._snapshot.value), self._names(new.value)
        self._snapshot = new
        self._mend()
        return Reloaded(
            generation=new.generation,
            digest=new.digest,
            added=tuple(each for each in after if each not in before),
            changed=tuple(each for each in after if each in before and before[each] != after[each]),
            removed=tuple(each for each in before if each not in after),
        )

    def _mend(self) -> None:
        if self._broken is not None:
            self._broken = None
            self._say("the files can be read again")

    def _tell(self, heard: Callable[[Reloaded], object], reloaded: Reloaded) -> None:
        try:
            heard(reloaded)
        except Exception as error:  # noqa: BLE001 - the fault of a plugin must not end what goes on
            self._say(f"a plugin failed to hear of a reload: {type(error).__name__}: {error}")


def first_line(error: Exception) -> str:
    """Return what is wrong in one line, and how much more is."""
    if isinstance(error, ConfigError | SuiteError):
        first, more = str(error.problems[0]), len(error.problems) - 1
    elif isinstance(error, GemmaEvalError):
        lines = str(error).splitlines() or [""]
        first, more = lines[0], len(lines) - 1
    else:
        first, more = f"{type(error).__name__}: {error}".splitlines()[0], 0
    return f"{first} (and {more} more)" if more else first
