"""Calls are repeated while a block runs, and cost it next to nothing."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from gemma_eval.measure.repeating import repeated


def wait_for(condition: Callable[[], bool], *, patience_s: float = 20) -> bool:
    """Return whether a condition comes true in time."""
    until_s = time.monotonic() + patience_s
    while not condition() and time.monotonic() < until_s:
        time.sleep(0.001)
    return condition()


def no_more_threads_than(before: int) -> bool:
    """Say whether threads end that nobody waits for."""
    return wait_for(lambda: _thread._count() <= before)


class Counting:
    """A call that counts itself, and may take its time."""

    def __init__(self, *, lasts_s: float = 0.0) -> None:
        self.lasts_s = lasts_s
        self.begun = 0
        self.ended = 0

    def __call__(self) -> None:
        """Count the beginning and the end."""
        self.begun += 1
        time.sleep(self.lasts_s)
        self.ended += 1


def test_a_call_is_repeated_until_the_block_is_left() -> None:
    """Then none is under way, none comes, and the thread ends."""
    before = _thread._count()
    for _ in range(20):
        call = Counting(lasts_s=0.005)
        with repeated(call, interval_s=0.001):
            assert wait_for(lambda call=call: call.begun > 1)  # type: ignore[misc]
        begun = call.begun
        assert call.ended == begun
        time.sleep(0.005)
        assert call.begun == begun
    assert no_more_threads_than(before)


def test_blocks_share_a_thread() -> None:
    """One is enough for any number of them, at the same time and soon after each other."""
    before = _thread._count()
    calls = [Counting() for _ in range(5)]
    with ExitStack() as blocks:
        for call in calls:
            blocks.enter_context(repeated(call, interval_s=0.05))
        assert wait_for(lambda: all(call.begun for call in calls))
        assert _thread._count() == before + 1
    with repeated(calls[0], interval_s=0.05):
        assert wait_for(lambda: calls[0].begun > 1)
        assert _thread._count() == before + 1
    assert no_more_threads_than(before)


def test_what_a_call_raises_is_raised_after_the_block() -> None:
    """It is made no more, and the others go on."""
    broken, whole = Counting(), Counting()

    def breaking() -> None:
        broken()
        raise ConnectionError

    def run_both() -> None:
        with repeated(breaking, interval_s=0.001), repeated(whole, interval_s=0.001):
            assert wait_for(lambda: whole.begun > 3)

    with pytest.raises(ConnectionError):
        run_both()
    assert broken.begun == 1


def test_an_error_of_the_block_comes_before_that_of_a_call() -> None:
    """It is what the user did."""

    def breaking() -> None:
        made.append(1)
        raise ConnectionError

    made: list[int] = []

    def run_both() -> None:
        with repeated(breaking, interval_s=0.001):
            assert wait_for(lambda: bool(made))
            raise KeyError

    with pytest.raises(KeyError):
        run_both()


def test_a_block_does_not_wait_for_the_thread() -> None:
    """Neither for its start nor for its end: each would last until a thread that computes gives way."""
    is_over = threading.Event()

    def compute() -> None:
        while not is_over.is_set():
            pass

    computing = threading.Thread(target=compute)
    switching_s = sys.getswitchinterval()
    sys.setswitchinterval(0.2)
    try:
        computing.start()
        begun_s = time.perf_counter()
        for tenth in range(5):
            with repeated(Counting(), interval_s=0.05 + tenth / 100):  # a thread for each
                pass
        taken_s = time.perf_counter() - begun_s
    finally:
        is_over.set()
        sys.setswitchinterval(switching_s)
        computing.join()
    assert taken_s < 0.5


def test_a_block_that_is_interrupted_as_it_is_left_is_over() -> None:
    """Ctrl-C while a call is under way, for which the block waits: that call is the last."""
    call, main = Counting(lasts_s=1), threading.get_ident()

    def leave_while_it_is_under_way() -> None:
        with repeated(call, interval_s=0.001):
            assert wait_for(lambda: bool(call.begun))
            threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT)).start()

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            leave_while_it_is_under_way()
        assert call.ended == 0
    finally:
        signal.signal(signal.SIGINT, handler)
    assert wait_for(lambda: bool(call.ended))
    time.sleep(0.05)
    assert call.begun == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_that_is_forked_while_a_call_is_under_way_can_leave_the_block() -> None:
    """The thread that would give the lock back is not in it."""
    call, pid = Counting(lasts_s=0.2), 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with repeated(call, interval_s=0.001):
            assert wait_for(lambda: bool(call.begun))
            if (pid := os.fork()) == 0:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.alarm(5)  # ends it where it waits
        if pid == 0:
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_that_was_forked_has_a_thread_of_its_own() -> None:
    """That of its parent is not in it."""
    with repeated(Counting(), interval_s=0.001), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer Pythons warn of threads and fork: that is what is tried here
        pid = os.fork()
        if pid == 0:
            call, status = Counting(), 1
            with repeated(call, interval_s=0.001):
                status = 0 if wait_for(lambda: call.begun > 1, patience_s=5) else 1
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
