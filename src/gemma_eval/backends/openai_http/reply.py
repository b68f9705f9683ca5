"""What came back for one request: status, headers, the stamped reads of its body, and what broke it off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Read = tuple[int, bytes]
"""What one read of a socket gave, with the nanosecond stamp of its return."""

Break = Literal["unreachable", "tls", "timeout", "reset", "cut", "too_large", "protocol"]
"""How a reply broke off: no connection, none that is safe, a limit, a reset, closed, too long, or no HTTP."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """Why a reply did not come to its end; `what` says it as a sentence without a beginning."""

    kind: Break
    what: str


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One reply; stamps are nanoseconds of one monotonic clock.

    `connected_ns` is when there was a connection, `requested_ns` when the last bytes of the request were
    written (the beginning, where that never came about), `headers_ns` when the headers had come, and
    `ended_ns` when the last byte had come or the reply broke off. `status` is `None` when no reply began.
    Header names are in lower case.
    """

    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    reads: tuple[Read, ...] = ()
    connected_ns: int | None = None
    requested_ns: int
    headers_ns: int | None = None
    ended_ns: int
    broken: Broken | None = None

    @cached_property
    def body(self) -> bytes:
        """The bytes of the body as far as they came."""
        return b"".join(data for _, data in self.reads)

    @property
    def content_type(self) -> str:
        """The media type in lower case, without its parameters; empty when none is named."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()
