"""What a chat keeps of its turns in a memory, what it finds there again, and what it takes back."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gemma_eval.errors import StoreError
from gemma_eval.memory.passages import id_of
from gemma_eval.memory.pipeline import retrieve
from gemma_eval.protocols import Clock, Embedder, MemoryStore
from gemma_eval.records import Among, Passage, Piece, Retrieval

SAID = "chat"
"""The document of what a user said."""
RECENT = "chat-recent"
"""The document of whole exchanges, from which a later session goes on."""

_BETWEEN = "\nassistant: "
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")


@dataclass(kw_only=True, slots=True)
class ChatMemory:
    """Keeps the sentences of the user that are no questions for days (*episodic*), and whole exchanges for
    minutes (*working*), as the rules of the tiers say.

    `now_s` is the time in seconds since 1970, and `note` is told what went wrong without ending the turn.
    """

    store: MemoryStore
    retrieval: Retrieval
    clock: Clock
    now_s: Callable[[], float]
    note: Callable[[str], None]
    embedder: Embedder | None = None
    _id: str = field(default_factory=lambda: secrets.token_hex(4))
    _n: int = 0

    def earlier(self) -> tuple[tuple[str, str, str], ...]:
        """Return the exchanges that are still kept whole: the id of each, what was asked and said.

        Raises StoreError.
        """
        self.store.expire(now_s=self.now_s())
        kept = self.store.each(Among(tiers=("working",), documents=(RECENT,), now_s=self.now_s()))
        return tuple((piece.id, *_parted(piece.text)) for piece in kept)

    def find(self, query: str) -> tuple[Passage, ...]:
        """Return what the memory has on a question; nothing where it cannot be reached."""
        try:
            found = retrieve(
                query,
                source=self.store,
                retrieval=self.retrieval,
                embed=None if self.embedder is None else self.embedder.embed,
                embedder_id=None if self.embedder is None else self.embedder.id,
                clock=self.clock,
                now_s=self.now_s(),
            )
        except StoreError as error:
            self.note(str(error))
            return ()
        if found.trace is not None and found.trace.degraded is not None:
            self.note(found.trace.degraded)
        return found.passages

    def keep(self, asked: str, said: str, *, given: Sequence[Passage]) -> tuple[str, ...]:
        """Keep a turn, mark the passages that it was given, and return the ids of what is new.

        What the store refuses was said anyway.
        """
        now_s = self.now_s()
        self._n += 1
        whole = Piece(
            id=f"{RECENT}-{self._id}-{self._n}",
            text=f"user: {asked}{_BETWEEN}{said}",
            document=RECENT,
            tier="working",
        )
        told = [
            Piece(id=id_of(SAID, each), text=each, document=SAID, tier="episodic", at_s=now_s)
            for each in statements(asked)
        ]
        try:
            self.store.touch([passage.id for passage in given], now_s=now_s)
            known = {piece.id for piece in self.store.pieces([piece.id for piece in told])}
            self.store.add([whole], now_s=now_s)
            self._add_statements(told, now_s=now_s)
        except StoreError as error:
            self.note(f"this turn is not remembered: {error}")
            return ()
        return (whole.id, *(piece.id for piece in told if piece.id not in known))

    def forget(self, ids: Sequence[str]) -> None:
        """Take back what `keep` has returned, as far as the store can be reached."""
        try:
            self.store.forget(ids)
        except StoreError as error:
            self.note(f"the memory keeps it: {error}")

    def _add_statements(self, pieces: Sequence[Piece], *, now_s: float) -> None:
        if not pieces:
            return
        if self.embedder is None:
            self.store.add(pieces, now_s=now_s)
            return
        vectors = self.embedder.embed([piece.text for piece in pieces])
        self.store.add(pieces, now_s=now_s, vectors=vectors, embedder=self.embedder.id)


def statements(text: str) -> tuple[str, ...]:
    """Return the sentences of a text that tell something: those that are no questions."""
    sentences = (each.strip() for each in _SENTENCE_END.split(text))
    return tuple(each for each in dict.fromkeys(sentences) if each and not each.endswith("?"))


def is_exchange(id_: str) -> bool:
    """Whether an id is that of a whole exchange."""
    return id_.startswith(f"{RECENT}-")


def _parted(text: str) -> tuple[str, str]:
    asked, _, said = text.removeprefix("user: ").partition(_BETWEEN)
    return asked, said
