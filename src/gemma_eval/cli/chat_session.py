"""A conversation with a model that remembers: its turns, what is found for each, and what is kept of it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gemma_eval.errors import StoreError
from gemma_eval.memory.passages import id_of
from gemma_eval.memory.pipeline import retrieve
from gemma_eval.prompts.build import build
from gemma_eval.prompts.templates import uses_retrieval
from gemma_eval.protocols import Backend, Clock, Embedder, MemoryStore, StreamingBackend, Tell
from gemma_eval.records import (
    Among,
    Case,
    Cell,
    Generation,
    Message,
    ModelSpec,
    Passage,
    Piece,
    Prompt,
    Retrieval,
    SamplingProfile,
    Source,
    Template,
)

SAID = "chat"
"""The document of what a user said."""
RECENT = "chat-recent"
"""The document of whole exchanges, from which a later session goes on."""

_BETWEEN = "\nassistant: "
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """How one turn went: what was read, what was said, and the generation, `None` where it was stopped."""

    prompt: Prompt
    said: str
    generation: Generation | None


@dataclass(kw_only=True, slots=True)
class Session:
    """One conversation with a loaded model.

    With a `memory` the sentences of the user that are no questions are kept for days (*episodic*), and whole
    exchanges for minutes (*working*), as the rules of the tiers say. `now_s` is the time in seconds since
    1970, and `note` is told what went wrong without ending the turn.
    """

    backend: Backend
    model: ModelSpec
    profile: SamplingProfile
    template: Template
    retrieval: Retrieval
    clock: Clock
    now_s: Callable[[], float]
    note: Callable[[str], None]
    memory: MemoryStore | None = None
    embedder: Embedder | None = None
    seed: int = 0
    history: list[Message] = field(default_factory=list)
    _id: str = field(default_factory=lambda: secrets.token_hex(4))

    def resume(self) -> int:
        """Go on from the exchanges that are still kept whole, and return how many. Raises StoreError."""
        if self.memory is None:
            return 0
        self.memory.expire(now_s=self.now_s())
        kept = self.memory.each(Among(tiers=("working",), documents=(RECENT,), now_s=self.now_s()))
        for piece in kept:
            asked, _, said = piece.text.removeprefix("user: ").partition(_BETWEEN)
            self._add(asked, said)
        return len(self.history) // 2

    def answer(self, text: str, *, tell: Tell) -> Turn:
        """Answer what the user says; what is written by the time of an interrupt is the answer.

        Raises BackendError, TemplateError and UsageError; then the turn was not said.
        """
        cell = self._cell(text)
        prompt = build(
            cell,
            passages=self._found(cell),
            chat_template=self.model.chat_template or self.backend.chat_template,
            count_tokens=self.backend.count_tokens,
            context_tokens=self.backend.info().context_tokens,
        )
        told: list[str] = []

        def hear(piece: str) -> None:
            told.append(piece)
            tell(piece)

        made: Generation | None = None
        try:
            made = self._generate(prompt, seed=self.seed + len(self.history) // 2, hear=hear)
        except KeyboardInterrupt:
            said = "".join(told)
        else:
            said = made.text
        self._add(text, said)
        self._keep(text, said, given=prompt.passages)
        return Turn(prompt=prompt, said=said, generation=made)

    def _cell(self, text: str) -> Cell:
        case = Case(
            id="chat",
            kind="quality",
            messages=(*self.history, Message(role="user", content=text)),
            models=(self.model.name,),
            profiles=(self.profile.name,),
            templates=(self.template.name,),
            source=Source(path="chat", line=0),
        )
        return Cell(
            suite="chat",
            case=case,
            model=self.model,
            profile=self.profile,
            template=self.template,
            retrieval=self.retrieval,
            seed=self.seed,
        )

    def _found(self, cell: Cell) -> tuple[Passage, ...]:
        """Return what the memory has on a question; nothing where it cannot be reached."""
        if self.memory is None or not uses_retrieval(cell.template):
            return ()
        try:
            found = retrieve(
                cell.case.query,
                source=self.memory,
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

    def _generate(self, prompt: Prompt, *, seed: int, hear: Tell) -> Generation:
        if isinstance(self.backend, StreamingBackend):
            return self.backend.generate_streaming(prompt, profile=self.profile, seed=seed, tell=hear)
        made = self.backend.generate(prompt, profile=self.profile, seed=seed)
        hear(made.text)
        return made

    def _add(self, text: str, said: str) -> None:
        self.history += [Message(role="user", content=text), Message(role="assistant", content=said)]

    def _keep(self, text: str, said: str, *, given: Sequence[Passage]) -> None:
        """Keep a turn, and mark the passages that it was given; what the store refuses was said anyway."""
        if self.memory is None:
            return
        now_s = self.now_s()
        whole = Piece(
            id=f"{RECENT}-{self._id}-{len(self.history) // 2}",
            text=f"user: {text}{_BETWEEN}{said}",
            document=RECENT,
            tier="working",
        )
        said_pieces = [
            Piece(id=id_of(SAID, each), text=each, document=SAID, tier="episodic", at_s=now_s)
            for each in statements(text)
        ]
        try:
            self.memory.touch([passage.id for passage in given], now_s=now_s)
            self.memory.add([whole], now_s=now_s)
            self._add_statements(said_pieces, now_s=now_s)
        except StoreError as error:
            self.note(f"this turn is not remembered: {error}")

    def _add_statements(self, pieces: Sequence[Piece], *, now_s: float) -> None:
        if self.memory is None or not pieces:
            return
        if self.embedder is None:
            self.memory.add(pieces, now_s=now_s)
            return
        vectors = self.embedder.embed([piece.text for piece in pieces])
        self.memory.add(pieces, now_s=now_s, vectors=vectors, embedder=self.embedder.id)


def statements(text: str) -> tuple[str, ...]:
    """Return the sentences of a text that tell something: those that are no questions."""
    sentences = (each.strip() for each in _SENTENCE_END.split(text))
    return tuple(each for each in dict.fromkeys(sentences) if each and not each.endswith("?"))
