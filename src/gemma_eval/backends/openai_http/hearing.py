"""An answer as it comes: the texts in each line of a stream, told when the line is whole."""

from __future__ import annotations

from collections.abc import Callable

from gemma_eval.backends.openai_http.events import NoSuchEvent, read
from gemma_eval.protocols import Tell

Hear = Callable[[bytes], None]
"""Takes the bytes of each read of a reply, in their order."""

_DATA = b"data:"
_DONE = b"[DONE]"


def hearing(tell: Tell) -> Hear:
    """Return what hears a stream of server-sent events and tells the texts of its answer.

    What is no such event is passed over: the whole reply is looked at when it has ended, and says what was
    wrong.
    """
    rest = b""

    def hear(data: bytes) -> None:
        nonlocal rest
        *lines, rest = (rest + data).replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            said = line.removeprefix(_DATA).strip()
            if line.startswith(_DATA) and said != _DONE:
                for text in _texts(said):
                    tell(text)

    return hear


def _texts(data: bytes) -> list[str]:
    try:
        return [text for channel, text in read(data.decode(errors="replace")).pieces if channel == "output"]
    except NoSuchEvent:
        return []
