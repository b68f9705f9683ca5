"""A session keeps what was said, finds it again in its time, and survives what goes wrong with a turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from gemma_eval.cli.chat_memory import ChatMemory, statements
from gemma_eval.cli.chat_session import Session
from gemma_eval.errors import BackendError, StoreError
from gemma_eval.memory.sqlite.store import open_store
from gemma_eval.protocols import MemoryStore, Tell
from gemma_eval.records import (
    Among,
    EngineInfo,
    Generation,
    Hit,
    Message,
    ModelSpec,
    Prompt,
    Retrieval,
    SamplingProfile,
    Template,
)

START_S = 1_700_000_000.0
DAY_S = 86_400.0


@dataclass
class Told:
    """A backend that says what it is told to, word by word, and may be broken off after some of them."""

    says: str = "I see."
    interrupts_after: int | None = None
    fails: bool = False
    chat_template: str | None = None
    read: list[Prompt] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)

    def info(self) -> EngineInfo:
        """Say that nothing is driven."""
        return EngineInfo(
            engine="told", version="1", model_sha256=None, parameters=None, context_tokens=None, threads=None
        )

    def count_tokens(self, text: str) -> int:
        """Count words."""
        return len(text.split())

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Say it at once."""
        return self.generate_streaming(prompt, profile=profile, seed=seed, tell=lambda text: None)

    def generate_streaming(
        self, prompt: Prompt, *, profile: SamplingProfile, seed: int, tell: Tell
    ) -> Generation:
        """Say it word by word."""
        self.read.append(prompt)
        self.seeds.append(seed)
        if self.fails:
            raise BackendError("the engine broke off")
        for n, word in enumerate(self.says.split(" ")):
            if n == self.interrupts_after:
                raise KeyboardInterrupt
            tell(word if n == 0 else f" {word}")
        return Generation(
            text=self.says,
            deltas=(),
            prompt_tokens=None,
            output_tokens=None,
            count_source="client_tokenizer",
            finish_reason="stop",
            requested_ns=0,
            ended_ns=1,
        )

    def close(self) -> None:
        """Do nothing."""


class Unreachable:
    """A store that was reached when the chat began, and is no more."""

    location = "redis://gone"

    def lexical(self, query: str, *, k: int, among: Among) -> tuple[Hit, ...]:
        """Fail."""
        raise StoreError("redis://gone cannot be reached")

    def forget(self, ids: Sequence[str]) -> int:
        """Fail."""
        raise StoreError("redis://gone cannot be reached")

    def touch(self, ids: Sequence[str], *, now_s: float) -> None:
        """Fail."""
        raise StoreError("redis://gone cannot be reached")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[MemoryStore]:
    """An empty memory."""
    with closing(open_store(str(tmp_path / "memory.db"))) as store:
        yield store


def session(
    memory: MemoryStore | None,
    *,
    backend: Told | None = None,
    at_s: float = START_S,
    notes: list[str] | None = None,
) -> Session:
    """Begin a chat at a time."""
    note = ([] if notes is None else notes).append
    way = Retrieval(overflow="truncate", tiers=("episodic", "long_term", "semantic"))
    return Session(
        backend=backend or Told(),
        model=ModelSpec(name="told", backend="told", location="-"),
        profile=SamplingProfile(name="greedy", temperature=0),
        template=Template(name="rag", text="{{ rag_context }}\n{{ query }}"),
        retrieval=way,
        now_s=lambda: at_s,
        note=note,
        memory=memory
        and ChatMemory(store=memory, retrieval=way, clock=lambda: 0, now_s=lambda: at_s, note=note),
    )


def say(chat: Session, text: str) -> tuple[str, ...]:
    """Say something, and return the passages that the model was given with it."""
    return tuple(passage.text for passage in chat.answer(text, tell=lambda piece: None).prompt.passages)


def test_what_is_said_is_found_later_and_forgotten_in_time(memory: MemoryStore) -> None:
    """Episodic passages are kept for seven days."""
    say(session(memory), "Finn lives in Oslo. Mia owns a cat.")
    assert say(session(memory, at_s=START_S + 6 * DAY_S), "Where does Finn live?") == ("Finn lives in Oslo.",)
    assert say(session(memory, at_s=START_S + 8 * DAY_S), "Where does Finn live?") == ()


def test_exchanges_are_gone_on_from_for_a_quarter_of_an_hour(memory: MemoryStore) -> None:
    """The turns of a chat that ended just now stand in the prompt of the next, in their order."""
    first = session(memory)
    say(first, "Finn lives in Oslo.")
    say(first, "Where does Finn live?")
    soon, late = session(memory, at_s=START_S + 800), session(memory, at_s=START_S + 1000)
    assert soon.resume() == 2
    assert soon.history == (
        Message(role="user", content="Finn lives in Oslo."),
        Message(role="assistant", content="I see."),
        Message(role="user", content="Where does Finn live?"),
        Message(role="assistant", content="I see."),
    )
    assert late.resume() == 0
    assert session(None).resume() == 0


def test_exchanges_of_several_chats_do_not_replace_each_other(memory: MemoryStore) -> None:
    """Each has a name of its own."""
    for _ in range(3):
        say(session(memory), "Hello.")
    assert session(memory).resume() == 3


def test_questions_are_no_statements() -> None:
    """They would be found before what answers them."""
    assert statements("Finn lives in Oslo. Where is Mia? She owns a cat!  ") == (
        "Finn lives in Oslo.",
        "She owns a cat!",
    )
    assert statements("Where is Mia?") == ()
    assert statements("Hello. Hello.") == ("Hello.",)


def test_an_answer_that_is_stopped_is_kept_as_far_as_it_came(memory: MemoryStore) -> None:
    """Ctrl-C ends the answer, not the chat."""
    chat = session(memory, backend=Told(says="One two three.", interrupts_after=1))
    told: list[str] = []
    turn = chat.answer("Count. Finn lives in Oslo.", tell=told.append)
    assert (turn.generation, turn.said, told) == (None, "One", ["One"])
    assert chat.history[-1] == Message(role="assistant", content="One")
    assert say(chat, "Where does Finn live?") == ("Finn lives in Oslo.",)


def test_a_turn_that_fails_was_not_said(memory: MemoryStore) -> None:
    """It stands neither in the history nor in the memory, and may be said again."""
    chat = session(memory, backend=Told(fails=True))
    with pytest.raises(BackendError):
        say(chat, "Finn lives in Oslo.")
    assert chat.history == ()
    assert list(memory.each()) == []


def test_a_memory_that_is_lost_on_the_way_is_noted_and_the_chat_goes_on() -> None:
    """Once for what is not found, once for what is not kept."""
    notes: list[str] = []
    chat = session(Unreachable(), notes=notes)  # type: ignore[arg-type]  # the two methods that are called
    assert say(chat, "Where does Finn live?") == ()
    assert notes == [
        "redis://gone cannot be reached",
        "this turn is not remembered: redis://gone cannot be reached",
    ]
    assert len(chat.history) == 2


def test_what_is_given_to_the_model_is_marked(memory: MemoryStore) -> None:
    """So that what is of use moves on to a tier that lasts longer."""
    say(session(memory), "Finn lives in Oslo. Mia owns a cat.")
    say(session(memory, at_s=START_S + 60), "Where does Finn live?")
    accesses = {piece.text: piece.accesses for piece in memory.each(Among(tiers=("episodic",)))}
    assert accesses == {"Finn lives in Oslo.": 1, "Mia owns a cat.": 0}


def test_a_template_without_passages_searches_nothing(memory: MemoryStore) -> None:
    """What it shows is the question alone; what is said is kept all the same."""
    plain = replace(session(memory), template=Template(name="plain", text="{{ query }}"))
    assert say(plain, "Finn lives in Oslo.") == ()
    assert say(plain, "Where does Finn live?") == ()
    assert say(session(memory), "Where does Finn live?") == ("Finn lives in Oslo.",)


def test_what_is_said_is_data_and_no_template(memory: MemoryStore) -> None:
    """Braces come back as they were said, as a question and as a passage."""
    backend = Told()
    chat = session(memory, backend=backend)
    say(chat, "Finn writes {{ 7 * 7 }} and {% raw %}.")
    assert say(chat, "What does Finn write?") == ("Finn writes {{ 7 * 7 }} and {% raw %}.",)
    assert "{{ 7 * 7 }} and {% raw %}" in backend.read[-1].messages[-1].content
