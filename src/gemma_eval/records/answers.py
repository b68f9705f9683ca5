"""What is made: a trial of a cell, the prompt that a model reads, and the answer with its stamps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal, cast

from gemma_eval.records.cases import Case, Check, Message, Options
from gemma_eval.records.choices import ModelSpec, SamplingProfile, Template
from gemma_eval.records.retrieval import Packed, Passage, Retrieval, Step

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "error", "timeout"]
CountSource = Literal["engine", "server_usage", "server_per_chunk_usage", "client_tokenizer"]
Channel = Literal["output", "reasoning", "tool_call"]
"""What a piece of an answer is: text for the user, a chain of thought, or the arguments of a call."""

NOBODY = "-"
"""The name of model, profile and template where a case asks for passages alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One case with one model, profile, template and retrieval: what pytest shows as one item.

    `seed` is the suite's. `judges` are the models that its checks ask, in the order of their names;
    `embedders` and `rerankers` those that its retrieval and its cache use.
    """

    suite: str
    case: Case
    model: ModelSpec
    profile: SamplingProfile
    template: Template
    retrieval: Retrieval
    seed: int
    judges: tuple[ModelSpec, ...] = ()
    embedders: tuple[ModelSpec, ...] = ()
    rerankers: tuple[ModelSpec, ...] = ()

    @property
    def asks_model(self) -> bool:
        """Whether a model answers or reads, and not passages alone are looked for."""
        return self.case.kind != "retrieval"

    @property
    def label(self) -> str:
        """`case-id[model/profile/template]`, then `/retrieval` where that has a name; unique in a suite."""
        names = (self.model.name, self.profile.name, self.template.name, self.retrieval.name)
        return f"{self.case.id}[{'/'.join(name for name in names if name)}]"

    @property
    def group(self) -> Group:
        """What it is summarised with: its model, profile, template and retrieval, by their names."""
        return Group(
            model=self.model.name,
            profile=self.profile.name,
            template=self.template.name,
            retrieval=self.retrieval.name,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """What a summary is taken over: a model with a profile, a template and a retrieval ("" without name)."""

    model: str
    profile: str
    template: str
    retrieval: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it has, in that order."""
        return tuple(filter(None, (self.model, self.profile, self.template, self.retrieval)))

    @property
    def shown(self) -> str:
        """How it is told of beside others: its names, or its retrieval where nobody was asked."""
        names = self.names if self.has_model else (self.retrieval, "passages alone")
        return " · ".join(filter(None, names))

    @property
    def has_model(self) -> bool:
        """Whether a model answered, and not retrieval alone was asked."""
        return self.model != NOBODY


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One generation to be made: a cell, which repeat of it (from 0), and the seed.

    A `block` from 1 on is one start of an engine that was made to compare speed; 0 is what pytest shows.
    """

    cell: Cell
    repeat: int
    seed: int
    block: int = 0

    @property
    def key(self) -> str:
        """The identity of the trial: a hash of all that was chosen, and of nothing that was measured."""
        # It takes longer than a short answer, and who records an outcome asks for it several times.
        for trial, key in _LAST:
            if trial is self:
                return key
        key = identity(self)
        _LAST[:] = [(self, key)]
        return key


_LAST: list[tuple[Trial, str]] = []
"""The trial whose key was asked for last."""


def identity(record: object) -> str:
    """Return a hash of what was chosen in a record: two with one hash make the same of an answer."""
    return hashlib.sha256(json.dumps(record, default=_chosen, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """What a model reads.

    `messages` are the turns after the template was applied; `text` is the whole prompt in the model's
    chat markup, `None` when the server applies its own. `dropped` passages did not fit the budget or the
    context, and neither did the first `dropped_turns` of the conversation. `packing` says of each passage
    what became of it, `steps` how long that took; what is cut stands among the `passages` as it was read, and
    whole among those that are dropped.
    """

    messages: tuple[Message, ...]
    text: str | None
    n_tokens: int | None
    passages: tuple[Passage, ...] = ()
    dropped: tuple[Passage, ...] = ()
    dropped_turns: int = 0
    packing: tuple[Packed, ...] = ()
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Delta:
    """A streamed piece of an answer: its text, how many tokens it carries, when it arrived, and its channel.

    `n_tokens` is `None` where the engine did not say; a piece that carries nothing (a role, a sign of life)
    has 0 and no text.
    """

    text: str
    n_tokens: int | None
    at_ns: int
    channel: Channel = "output"


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """A request that failed before another was made for the same trial: why, and when."""

    kind: str
    message: str
    requested_ns: int | None
    ended_ns: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ChoiceReading:
    """How probable a model found one of several choices.

    `log_probabilities` (natural) are one per token, each given all before it; `is_greedy` says whether each
    token was the most probable one. `unconditional` is their sum after an empty prompt, where asked for.
    """

    text: str
    log_probabilities: tuple[float, ...]
    is_greedy: bool | None = None
    unconditional: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Generation:
    """An answer and the stamps of its making: the event row that every time is computed from.

    Stamps are nanoseconds of one monotonic clock, in this order where they are known: `scheduled_ns` when the
    request was due, `dequeued_ns` when it was taken up, `connected_ns` when there was a connection,
    `requested_ns` when its last byte was written or the engine was called, `headers_ns` when the reply
    began, `Delta.at_ns` for each piece, `usage_ns` when the token counts came, `ended_ns` when all had come.

    `text` equals the joined texts of the deltas of channel *output*, `reasoning` and `tool_calls` those of
    the other two. `output_tokens` counts the tokens of all channels, `reasoning_tokens` those of one;
    `client_tokens` is a count of this side's own, to check the engine's by. An answer that came whole is not
    `streamed`: it is one delta, stamped with the end.
    `attempts` are those that failed before this one. With `finish_reason` *error* or *timeout* the answer is
    what had come when it broke off.
    `effective` are the sampling parameters that the engine really used; `engine_timings` what it says itself,
    with `prompt_ms` and `decode_ms` for reading and for writing, `prefill_tokens` where the former is not of
    all tokens of the prompt, and `accept_length` for those that speculative decoding had accepted per step.
    `batch_size` answers were decoded together, so that the stamps of one are not those it would have alone.
    `log_probabilities` (natural) are those of each output token, where the engine was asked for them. Of
    `choices` that were read, `text` is the most probable one.
    """

    text: str
    deltas: tuple[Delta, ...]
    reasoning: str = ""
    tool_calls: str = ""
    prompt_tokens: int | None
    cached_tokens: int | None = None
    output_tokens: int | None
    reasoning_tokens: int | None = None
    client_tokens: int | None = None
    count_source: CountSource
    finish_reason: FinishReason
    scheduled_ns: int | None = None
    dequeued_ns: int | None = None
    connected_ns: int | None = None
    requested_ns: int
    headers_ns: int | None = None
    usage_ns: int | None = None
    ended_ns: int
    streamed: bool = True
    attempts: tuple[Attempt, ...] = ()
    effective: Options = field(default_factory=dict)
    engine_timings: Mapping[str, float] = field(default_factory=dict)
    batch_size: int = 1
    log_probabilities: tuple[float, ...] | None = None
    choices: tuple[ChoiceReading, ...] = ()


_UNTOLD: Mapping[type, tuple[str, ...]] = {
    Case: ("source",),
    Template: ("version", "description", "first_lines"),
}
_AT_FIRST = ("retriever", "top_k", "budget_tokens", "overflow")
_ADDED: Mapping[type, Mapping[str, object]] = {
    Trial: {"block": 0},
    Cell: {"judges": (), "embedders": (), "rerankers": ()},
    Retrieval: {each.name: each.default for each in fields(Retrieval) if each.name not in _AT_FIRST},
    Case: {
        "choices": (),
        "target": None,
        "delimiter": "",
        "reduce": "mean",
        "k": None,
        "dataset": None,
        "corpus": None,
        "relevant": (),
        "retrievals": (),
        "cache": None,
        "texts": {},
        "now": None,
    },
    Template: {"variables": {}, "models": (), "parts": {}},
    Check: {
        "weight": 1.0,
        "must_pass": False,
        "negated": False,
        "filters": (),
        "over_repeats": False,
        "of_passages": False,
        "judges": (),
    },
}
"""Fields that came later, with the values at which a trial has the key that it had before them."""


_NAMES: dict[type, tuple[str, ...]] = {}
"""The names of the fields of each record, which take longer to ask for than to read."""


def _chosen(record: object) -> dict[str, object]:
    """Return the fields of a record that tell a trial from others; where a case was declared does not.

    Neither do the words of a template about itself.
    """
    kind = type(record)
    if kind not in _NAMES:
        _NAMES[kind] = tuple(each.name for each in fields(cast("DataclassInstance", record)))
    plain = {name: getattr(record, name) for name in _NAMES[kind]}
    for name, unused in _ADDED.get(kind, {}).items():
        if plain[name] == unused:
            del plain[name]
    for name in _UNTOLD.get(kind, ()):
        del plain[name]
    return plain
