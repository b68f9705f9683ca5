"""What an open loop had to wait before it could send: the part of a user's time that no engine sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gemma_eval.records import Outcome
from gemma_eval.stats.latencies import Latencies, of_times
from gemma_eval.stats.requests import first_sent_ns, sent

HIDDEN_WAIT = 0.05
"""The share of the users' time from which on a view that begins with the sending tells another story."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Queueing:
    """Waits between when requests were due and when they were sent for the first time, and the rates of both.

    `hidden` is the share of these waits in all the time from when the requests were due to when they had
    ended. `offered_per_s` is the rate of the schedule as it was drawn and `achieved_per_s` that of the
    sending, `None` where no two requests were due or sent at different times.
    """

    delay: Latencies
    hidden: float
    offered_per_s: float | None
    achieved_per_s: float | None

    @property
    def latencies_differ(self) -> bool:
        """Whether latencies from the sending leave out so much that they mislead (coordinated omission)."""
        return self.hidden > HIDDEN_WAIT


def queueing(outcomes: Sequence[Outcome]) -> Queueing | None:
    """Return how long the requests waited to be sent, `None` where none was due at a time and then sent."""
    due = [(made.scheduled_ns, made) for made in sent(outcomes) if made.scheduled_ns is not None]
    if not due:
        return None
    sent_ns = [first_sent_ns(made) for _, made in due]
    delays_ns = [at_ns - due_ns for at_ns, (due_ns, _) in zip(sent_ns, due, strict=True)]
    together_ns = sum(made.ended_ns - due_ns for due_ns, made in due)
    return Queueing(
        delay=of_times([delay_ns / 1e9 for delay_ns in delays_ns]),
        hidden=sum(delays_ns) / together_ns if together_ns else 0.0,
        offered_per_s=_rate([due_ns for due_ns, _ in due]),
        achieved_per_s=_rate(sent_ns),
    )


def _rate(stamps_ns: Sequence[int]) -> float | None:
    """Return how many events come per second from the first to the last: one less than there are."""
    duration_ns = max(stamps_ns) - min(stamps_ns)
    return 1e9 * (len(stamps_ns) - 1) / duration_ns if duration_ns else None
