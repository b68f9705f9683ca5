"""A session keeps what was said, finds it again in its time, and survives what goes wrong with a turn."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
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
PLAIN_TEMPLATE = "{% for turn in messages %}{{ turn.content }} {% endfor %}"


@dataclass
class Told:
    """A backend that says what it is told to, word by word, and may be broken off after some of them."""

    says: str = "I see."
    interrupts_after: int | None = None
    fails: bool = False
    chat_template: str | None = None
    context_tokens: int | None = None
    read: list[Prompt] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)

    def info(self) -> EngineInfo:
        """Say that nothing is driven."""
        return EngineInfo(
            engine="told",
            version="1",
            model_sha256=None,
            parameters=None,
            context_tokens=self.context_tokens,
            threads=None,
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
        memory=None
        if memory is None
        else ChatMemory(store=memory, retrieval=way, clock=lambda: 0, now_s=lambda: at_s, note=note),
    )


def say(chat: Session, text: str) -> tuple[str, ...]:
    """Say something, and return the passages that the model was given with it."""
    prompt = chat.answer(text, tell=lambda piece: None).prompt
    assert prompt is not None
    return tuple(passage.text for passage in prompt.passages)


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


def test_a_turn_is_taken_back_out_of_the_memory(memory: MemoryStore) -> None:
    """Its exchange and what it told; what was known before stays, though it was told again."""
    say(session(memory), "Finn lives in Oslo.")
    chat = session(memory)
    say(chat, "Finn lives in Oslo. Mia owns a cat.")
    before = chat.undo()
    assert (before.asked, chat.history) == ("Finn lives in Oslo. Mia owns a cat.", ())
    assert [piece.text for piece in memory.each(Among(tiers=("episodic",)))] == ["Finn lives in Oslo."]
    assert session(memory).resume() == 1


def test_a_retry_asks_with_the_next_seed_and_remembers_one_answer(memory: MemoryStore) -> None:
    """The exchange before it is gone, as if it had never been."""
    backend = Told()
    chat = session(memory, backend=backend)
    say(chat, "Finn lives in Oslo.")
    for _ in range(2):
        chat.retry(tell=lambda piece: None)
    say(chat, "Where is Finn?")
    assert backend.seeds == [0, 1, 2, 1]
    assert len(chat.turns) == 2
    assert session(memory).resume() == 2


@pytest.mark.parametrize("broken", [{"fails": True}, {"interrupts_after": 0}])
def test_a_retry_that_comes_to_nothing_leaves_what_was_said(
    memory: MemoryStore, broken: dict[str, int]
) -> None:
    """In the conversation and in the memory."""
    chat = session(memory)
    say(chat, "Finn lives in Oslo.")
    chat.backend = Told(**broken)  # type: ignore[arg-type]
    with contextlib.suppress(BackendError):
        chat.retry(tell=lambda piece: None)
    assert [turn.said for turn in chat.turns] == ["I see."]
    assert session(memory).resume() == 1
    assert [piece.text for piece in memory.each(Among(tiers=("episodic",)))] == ["Finn lives in Oslo."]


def test_an_answer_that_is_stopped_before_its_first_word_was_not_given(memory: MemoryStore) -> None:
    """No chat template knows what to make of an empty turn."""
    chat = session(memory, backend=Told(interrupts_after=0))
    turn = chat.answer("Finn lives in Oslo.", tell=lambda piece: None)
    assert (turn.said, turn.generation) == ("", None)
    assert (chat.history, list(memory.each()), chat.last) == ((), [], turn)


def test_what_is_cleared_is_not_gone_on_from(memory: MemoryStore) -> None:
    """By no later chat; what was told is known all the same."""
    chat = session(memory)
    say(chat, "Finn lives in Oslo.")
    assert chat.clear() == 1
    assert (chat.history, session(memory).resume()) == ((), 0)
    assert say(session(memory), "Where does Finn live?") == ("Finn lives in Oslo.",)


def test_a_system_turn_stands_before_all_others() -> None:
    """Of all prompts, though it was set in the middle."""
    backend = Told()
    chat = session(None, backend=backend)
    say(chat, "Hello.")
    chat.system = "Be brief."
    say(chat, "Hello again.")
    assert [turn.role for turn in backend.read[-1].messages] == ["system", "user", "assistant", "user"]


def test_what_the_context_leaves_out_is_said_once() -> None:
    """And again after the conversation was forgotten."""
    notes: list[str] = []
    chat = session(None, backend=Told(chat_template=PLAIN_TEMPLATE, context_tokens=12), notes=notes)
    chat.profile = replace(chat.profile, max_tokens=4)
    for _ in range(2):
        for n in range(6):
            say(chat, f"Number {n}.")
        chat.clear()
    assert (
        notes
        == ["the context of 12 tokens is full: the earliest exchange is left out, and more as it grows"] * 2
    )


def test_the_time_is_the_clock_of_the_chat() -> None:
    """In the time zone of who chats, with its distance to UTC."""
    chat = session(None)
    turn = chat.answer("Hello.", tell=lambda piece: None)
    assert turn.cell is not None
    assert turn.cell.case.now is not None
    assert datetime.fromisoformat(turn.cell.case.now).timestamp() == START_S


def test_a_key_of_a_model_is_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an answer has one it is neither kept nor saved."""
    from gemma_eval.logs import redact

    monkeypatch.setattr(redact._known, "redactor", redact.Redactor(keys=frozenset({"k-12345678"})))
    chat = session(None, backend=Told(says="It is k-12345678 there"))
    assert chat.answer("Which key?", tell=lambda piece: None).said == "It is <hidden> there"
    assert "k-12345678" not in str(chat.history)
