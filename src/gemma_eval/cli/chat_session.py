"""A conversation with a loaded model: its turns, how each was made, and how one is taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from gemma_eval.cli.chat_memory import ChatMemory, is_exchange
from gemma_eval.errors import UsageError
from gemma_eval.logs import cleared, redact
from gemma_eval.prompts.build import build
from gemma_eval.prompts.templates import uses_retrieval
from gemma_eval.protocols import Backend, StreamingBackend, Tell
from gemma_eval.records import (
    Case,
    Cell,
    Generation,
    Message,
    ModelSpec,
    Prompt,
    Retrieval,
    SamplingProfile,
    Source,
    Template,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """What was asked and said, and how: of an exchange of an earlier chat no more than that is known.

    `generation` is `None` where the answer was stopped; `kept` are the ids of what a memory has of the turn.
    """

    asked: str
    said: str
    cell: Cell | None = None
    prompt: Prompt | None = None
    seed: int = 0
    generation: Generation | None = None
    context_tokens: int | None = None
    kept: tuple[str, ...] = ()


@dataclass(kw_only=True, slots=True)
class Session:
    """One conversation: with what is loaded and chosen now, and the turns so far.

    A `system` turn stands before all others. `now_s` is the time in seconds since 1970, `note` is told what a
    person should know of a turn. `last` is the newest one, also where nothing of it stands in the
    conversation.
    """

    backend: Backend
    model: ModelSpec
    profile: SamplingProfile
    template: Template
    retrieval: Retrieval
    now_s: Callable[[], float]
    note: Callable[[str], None]
    memory: ChatMemory | None = None
    seed: int = 0
    system: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    """What the variables of the template are."""
    turns: list[Turn] = field(default_factory=list)
    last: Turn | None = None
    made: list[Turn] = field(default_factory=list)
    """Every turn that this session has made, those that were taken back too."""
    _said_what_is_left_out: bool = False

    @property
    def history(self) -> tuple[Message, ...]:
        """The conversation as a model reads it, the system turn first."""
        first = (Message(role="system", content=self.system),) if self.system else ()
        spoken = (
            message
            for turn in self.turns
            for message in (
                Message(role="user", content=turn.asked),
                Message(role="assistant", content=turn.said),
            )
        )
        return (*first, *spoken)

    def resume(self) -> int:
        """Go on from the exchanges that are still kept whole, and return how many. Raises StoreError."""
        if self.memory is None:
            return 0
        earlier = self.memory.earlier()
        self.turns += [Turn(asked=asked, said=said, kept=(id_,)) for id_, asked, said in earlier]
        return len(earlier)

    def answer(self, text: str, *, tell: Tell, seed: int | None = None) -> Turn:
        """Answer what the user says; what is written by the time of an interrupt is the answer.

        Raises BackendError, TemplateError and UsageError; then the turn was not said. Nor was one that was
        interrupted before its first word.
        """
        cell = self._cell(text)
        context_tokens = self.backend.info().context_tokens
        shown = self.memory is not None and uses_retrieval(cell.template)
        prompt = build(
            cell,
            passages=self.memory.find(text) if shown and self.memory is not None else (),
            chat_template=self.model.chat_template or self.backend.chat_template,
            count_tokens=self.backend.count_tokens,
            context_tokens=context_tokens,
        )
        self._note_left_out(prompt, context_tokens)
        seed = self._next_seed() if seed is None else seed
        said, made = self._generated(prompt, seed=seed, tell=tell)
        kept: tuple[str, ...] = ()
        if self.memory is not None and said:
            kept = self.memory.keep(text, said, given=prompt.passages)
        turn = Turn(
            asked=text,
            said=said,
            cell=cell,
            prompt=prompt,
            seed=seed,
            generation=made,
            context_tokens=context_tokens,
            kept=kept,
        )
        if said or made is not None:
            self.turns.append(turn)
        self.made.append(turn)
        self.last = turn
        return turn

    def retry(self, *, tell: Tell) -> Turn:
        """Take the last exchange back and ask it again with the next seed.

        Where that fails the exchange is there again. Raises UsageError without one, and as `answer` does.
        """
        before = self.undo()
        try:
            again = self.answer(before.asked, tell=tell, seed=before.seed + 1)
        except Exception:
            self._put_back(before)
            raise
        if not again.said and again.generation is None:
            self._put_back(before)
        return again

    def undo(self) -> Turn:
        """Take the last exchange back, out of the memory as well, and return it. Raises UsageError."""
        if not self.turns:
            raise UsageError("nothing was said yet")
        turn = self.turns.pop()
        if self.memory is not None and turn.kept:
            self.memory.forget(turn.kept)
        return turn

    def clear(self) -> int:
        """Forget the conversation but for its system turn, and return how many exchanges it had.

        What the memory has whole goes with it, so that no later chat goes on from it; sentences stay there.
        """
        n = len(self.turns)
        if self.memory is not None:
            whole = [id_ for turn in self.turns for id_ in turn.kept if is_exchange(id_)]
            if whole:
                self.memory.forget(whole)
        self.turns.clear()
        self.last = None
        self._said_what_is_left_out = False
        return n

    def _put_back(self, turn: Turn) -> None:
        kept = self.memory.keep(turn.asked, turn.said, given=()) if self.memory is not None else ()
        self.turns.append(replace(turn, kept=kept))

    def _next_seed(self) -> int:
        """Return the seed that the profile fixes, or one for each turn."""
        return self.seed + len(self.turns) if self.profile.seed is None else self.profile.seed

    def _cell(self, text: str) -> Cell:
        case = Case(
            id="chat",
            kind="quality",
            messages=(*self.history, Message(role="user", content=text)),
            models=(self.model.name,),
            profiles=(self.profile.name,),
            templates=(self.template.name,),
            texts=self.texts,
            now=datetime.fromtimestamp(self.now_s()).astimezone().isoformat(timespec="seconds"),
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

    def _generated(self, prompt: Prompt, *, seed: int, tell: Tell) -> tuple[str, Generation | None]:
        """Return what was said, and the generation unless it was interrupted, without the keys of models."""
        told: list[str] = []

        def hear(piece: str) -> None:
            told.append(piece)
            tell(piece)

        try:
            made = cleared.answer(self._generate(prompt, seed=seed, hear=hear))
        except KeyboardInterrupt:
            return redact.current().answer("".join(told)), None
        return made.text, made

    def _generate(self, prompt: Prompt, *, seed: int, hear: Tell) -> Generation:
        if isinstance(self.backend, StreamingBackend):
            return self.backend.generate_streaming(prompt, profile=self.profile, seed=seed, tell=hear)
        made = self.backend.generate(prompt, profile=self.profile, seed=seed)
        hear(made.text)
        return made

    def _note_left_out(self, prompt: Prompt, context_tokens: int | None) -> None:
        """Say once that the context is full, and what that takes away."""
        if not prompt.dropped_turns or self._said_what_is_left_out:
            return
        self._said_what_is_left_out = True
        n = prompt.dropped_turns // 2
        what = "the earliest exchange is" if n == 1 else f"the {n} earliest exchanges are"
        self.note(f"the context of {context_tokens} tokens is full: {what} left out, and more as it grows")
