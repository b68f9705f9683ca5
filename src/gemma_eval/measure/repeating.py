"""Calls that are repeated at an interval while something runs, by one thread for all of them.

A thread for each request would cost it 0.1 ms, and where others take the processors many times that.
"""

from __future__ import annotations

import _thread
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache


@contextmanager
def repeated(call: Callable[[], None], *, interval_s: float) -> Iterator[None]:
    """Repeat `call` until the block is left: then none is under way, and none will come.

    The first comes within `interval_s`. What one raises ends the repeating, and is raised after the block.
    """
    mine, all_of_them = _Call(call), _calls(interval_s)
    all_of_them.add(mine)
    try:
        yield
    finally:
        all_of_them.remove(mine)
    if mine.error is not None:
        raise mine.error


class _Call:
    """A call that is made until it is over or has raised something."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self.is_over = False
        self.error: BaseException | None = None

    def make(self) -> None:
        if self.is_over or self.error is not None:
            return
        try:
            self._call()
        except BaseException as error:  # noqa: BLE001 - it is raised where the block ends
            self.error = error


class _Calls:
    """The calls of one interval; their thread ends when it finds none, and nobody waits for it."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._begin()
        os.register_at_fork(
            after_in_child=self._begin
        )  # the thread, which may have the lock, is the parent's

    def _begin(self) -> None:
        self._calls: list[_Call] = []
        self._lock = _thread.allocate_lock()
        self._has_thread = False

    def add(self, call: _Call) -> None:
        with self._lock:
            if not self._has_thread:  # `threading` would wait here until it runs
                _thread.start_new_thread(self._run, ())
                self._has_thread = True
            self._calls.append(call)

    def remove(self, call: _Call) -> None:
        call.is_over = True  # before the wait for the lock, which Ctrl-C may end: then the thread removes it
        with self._lock:
            self._drop_what_is_over()

    def _drop_what_is_over(self) -> None:
        self._calls = [call for call in self._calls if not call.is_over]

    def _run(self) -> None:
        while True:
            time.sleep(self._interval_s)
            with self._lock:
                self._drop_what_is_over()
                if not self._calls:
                    self._has_thread = False
                    return
                for call in self._calls:
                    call.make()


_calls = cache(_Calls)
