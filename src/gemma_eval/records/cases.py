"""What is asked: cases, the checks on answers, and how requests arrive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Scalar = str | int | float | bool
Option = Scalar | tuple[Scalar, ...]
"""What a person may give as an option of a scorer, a model or a reporter."""
Options = Mapping[str, Option]
CaseKind = Literal["quality", "benchmark", "retrieval"]
Role = Literal["system", "user", "assistant"]
CacheMode = Literal["exact", "strict", "verified", "cosine"]
Arrival = Literal["constant", "poisson"]
Phase = Literal["warmup", "measured", "cooldown"]
Subject = Literal["answer", "continuation", "choices", "repeats", "passages"]
"""What a scorer judges: an answer, a text or choices that were read, all answers to a case, or passages."""
Reduction = Literal["mean", "median", "mode", "max", "majority", "all", "pass_at_k", "pass_hat_k"]
"""How the scores of the repeats of a case become its one score; formulas in docs/scoring.md."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where something was declared: a file without the folders of a machine, a line from 1."""

    path: str
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A text that a case draws passages from; `name` is its path in the suite's folder or its given name."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """A file or a folder of documents that cases share; `path` is relative to the suite."""

    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """A passage that bears on a question: by its id or that of its document, or by a text that it contains.

    Exactly one of `passage` and `text` is set. A higher `grade` is more relevant, 0 is not.
    """

    passage: str | None = None
    text: str | None = None
    grade: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Caching:
    """How answers to earlier questions may be given again; rules and error rates in docs/cache.md.

    `mode` *exact* wants the same question, *strict* one that differs in form alone by rules and a cosine,
    *verified* one that the model itself takes for the same; *cosine* goes by the cosine alone and is there to
    be measured. Entries live `ttl_s` seconds, at most `max_entries` of them; `location` shares them through
    Redis.
    """

    mode: CacheMode
    embedder: str | None = None
    min_cosine: float = 0.95
    ttl_s: float = 3600.0
    max_entries: int = 1000
    location: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """One step that makes of an answer the text that a scorer is given: its name and options."""

    name: str
    options: Options = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One look at an answer: a scorer and its options.

    `pass_at` is the value from which the check passes; `None` records the value and demands nothing,
    for a wrong answer is a datum first and a failure only when somebody said so. Where a check that
    `must_pass` is missed, the answer's score is 0 whatever the others say. A `negated` one has 1 minus the
    value of its scorer. `filters` run in their order before the scorer. One `over_repeats` judges all
    answers to the case at once, one `of_passages` what was found for it; `judges` are the models that the
    scorer asks. A check of `weight` 0 is shown and counts nothing.
    """

    scorer: str
    options: Options = field(default_factory=dict)
    pass_at: float | None = None
    weight: float = 1.0
    must_pass: bool = False
    negated: bool = False
    filters: tuple[Filter, ...] = ()
    over_repeats: bool = False
    of_passages: bool = False
    judges: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What its scores are known by: its scorer, after *not* where it is negated."""
        return f"not {self.scorer}" if self.negated else self.scorer


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """How the requests of a benchmark case arrive at an engine that serves several at once.

    A closed loop keeps `concurrency` requests in flight: the next is sent when one has ended. An open loop
    sends `rate_per_s` requests per second whatever has ended, evenly (*constant*) or with exponential gaps
    (*poisson*, drawn from the suite's seed), with at most `max_in_flight` at once. Exactly one of
    `concurrency` and `rate_per_s` is set. The first `warmup` and the last `cooldown` requests of a case keep
    their stamps and have no times.
    """

    concurrency: int | None = None
    rate_per_s: float | None = None
    arrival: Arrival = "poisson"
    max_in_flight: int = 64
    warmup: int = 0
    cooldown: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Slo:
    """What makes a request *good*: the most that each metric may be, by its name in `Measurement`.

    A request without a value of such a metric is not good, unless its answer can have none, as one of one
    token has no time per token, and `may_miss` names the metric.
    """

    limits: Mapping[str, float]
    may_miss: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """The rows of a file that a case is asked with, run together as one item.

    `path` is relative to the suite, `rows` how many of them are asked, at most `concurrency` at once. They
    are `clusters` data of an interval, as many as there are rows where these share nothing.
    """

    path: str
    rows: int
    clusters: int
    concurrency: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One question with the checks on its answer.

    `messages` ends with the user's turn that is asked; `prompt` in a suite file is one such turn. There are
    none where the `continuation` is read after nothing.
    `cluster` names what cases share (a document, a needle): one datum of an interval against a variable.
    `warmup` generations per cell are made first and never recorded.
    `continuation` is a text that the model does not write but reads after the prompt, so that its
    probability can be scored; `choices` are several of which the one with the index `target` is right, each
    read after `delimiter`, which its length does not count. `reduce` makes one score of those of the repeats,
    with a number `k` where it needs one. With a `load` its repeats are requests that may be in flight
    together, and `slo` says which of them are good. `variables` are numbers that were varied between the
    cases of one kind (`{"depth": 0.5}`), and `series` names that kind; reports draw the score against each
    variable. A case with a `dataset` stands for those that its rows make, and is itself never asked; what it
    says is what the first row makes of it.

    Passages come from `documents` and from the `corpus`, in one way for each name in `retrievals`; `relevant`
    says which of them bear on the question. A case of kind *retrieval* asks for them alone: no model answers.
    """

    id: str
    kind: CaseKind
    messages: tuple[Message, ...]
    checks: tuple[Check, ...] = ()
    documents: tuple[Document, ...] = ()
    tags: tuple[str, ...] = ()
    cluster: str | None = None
    repeats: int = 1
    warmup: int = 0
    max_tokens: int | None = None
    ignore_eos: bool | None = None
    continuation: str | None = None
    choices: tuple[str, ...] = ()
    target: int | None = None
    delimiter: str = ""
    reduce: Reduction = "mean"
    k: int | None = None
    series: str | None = None
    variables: Mapping[str, float] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    now: str | None = None
    load: Load | None = None
    slo: Slo | None = None
    dataset: Dataset | None = None
    corpus: Corpus | None = None
    relevant: tuple[Judgement, ...] = ()
    retrievals: tuple[str, ...] = ()
    cache: Caching | None = None
    models: tuple[str, ...]
    profiles: tuple[str, ...]
    templates: tuple[str, ...]
    source: Source

    @property
    def query(self) -> str:
        """The last user turn, what retrieval searches for and templates call `query`; "" without any."""
        return self.messages[-1].content if self.messages else ""

    @property
    def is_read(self) -> bool:
        """Whether the model reads what is scored, and writes nothing."""
        return self.continuation is not None or bool(self.choices)

    @property
    def n_trials(self) -> int:
        """How many answers are recorded of it in each of its cells."""
        return self.repeats * (1 if self.dataset is None else self.dataset.rows)

    @property
    def is_whole(self) -> bool:
        """Whether its repeats belong together, so that a part of them is run again with the rest."""
        return self.load is not None or any(check.over_repeats or check.judges for check in self.checks)


@dataclass(frozen=True, kw_only=True, slots=True)
class RowCase:
    """What a row of a dataset makes of its case; `flaw` is what keeps that from being asked."""

    case: Case
    flaw: str | None = None
