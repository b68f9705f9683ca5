"""The shapes that a plugin can have; each has at most a handful of methods and knows only records."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from gemma_eval.records import (
    Case,
    Document,
    EngineInfo,
    Generation,
    ModelSpec,
    Options,
    Passage,
    Prompt,
    Question,
    Reply,
    Report,
    SamplingProfile,
    Score,
    Subject,
)

if TYPE_CHECKING:
    import click
    import numpy as np
    from numpy.typing import NDArray

    Logits = NDArray[np.float32]
    """Logits of one position, shape [V], float32; a token that may not be drawn is -inf."""
    Embeddings = NDArray[np.float32]
    """One row per text, shape [N, D], float32, each of length 1."""

Clock = Callable[[], int]
"""A monotonic clock in nanoseconds, `time.perf_counter_ns` in use and a list of numbers in tests."""


class Backend(Protocol):
    """Drives one engine with one loaded model."""

    @property
    def chat_template(self) -> str | None:
        """The Jinja2 chat template of the model, `None` when the engine applies its own."""

    def info(self) -> EngineInfo:
        """Say what is driven, for the record of the run."""

    def count_tokens(self, text: str) -> int | None:
        """Count the tokens of `text` as the model would read it; `None` when the engine cannot tell."""

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Answer `prompt` and stamp every delta. Raises BackendError."""

    def close(self) -> None:
        """Free the engine; a second call does nothing."""


@runtime_checkable
class BatchBackend(Backend, Protocol):
    """A backend that can give one prompt several answers, reading the prompt once."""

    def generate_batch(
        self, prompt: Prompt, *, profile: SamplingProfile, seeds: Sequence[int]
    ) -> tuple[Generation, ...]:
        """Answer `prompt` once per seed, each answer as `generate` would give it. Raises BackendError."""


@runtime_checkable
class ReadingBackend(Backend, Protocol):
    """A backend that can tell how probable a given text is."""

    def read(self, prompt: Prompt, *, continuation: str) -> Generation:
        """Read `continuation` after `prompt` as if it were the answer; nothing is drawn.

        The generation's text is the continuation, and its `log_probabilities` are one natural logarithm per
        token of it, each given all before it and from the unchanged softmax. Raises BackendError.
        """


@runtime_checkable
class ChoosingBackend(ReadingBackend, Protocol):
    """A backend that can tell how probable several continuations of one prompt are, reading that once."""

    def read_choices(self, prompt: Prompt, *, choices: Sequence[str], unconditional: bool) -> Generation:
        """Read each of `choices` after `prompt` as `read` does; nothing is drawn.

        The generation has a `ChoiceReading` for each, and as its text the most probable one. `unconditional`
        asks also how probable each is after an empty prompt. Raises BackendError.
        """


@runtime_checkable
class ConstrainedBackend(Backend, Protocol):
    """A backend that can hold an answer to a JSON Schema while it is written."""

    def generate_constrained(
        self, prompt: Prompt, *, profile: SamplingProfile, seed: int, json_schema: str
    ) -> Generation:
        """Answer `prompt` with JSON that satisfies `json_schema` (JSON text). Raises BackendError."""


@runtime_checkable
class ConcurrentBackend(Backend, Protocol):
    """A backend whose `generate` may be called from several threads at once."""

    @property
    def max_in_flight(self) -> int | None:
        """How many requests it serves at once; `None` when nothing limits them on this side."""


@runtime_checkable
class PrefixCachingBackend(Backend, Protocol):
    """A backend whose engine keeps what it has read, so that a prompt asked twice is not read twice."""

    @property
    def caches_prefixes(self) -> bool:
        """Whether prompts must differ from their beginning on, lest they be answered from a cache."""


@runtime_checkable
class RetryingBackend(Backend, Protocol):
    """A backend whose `generate` asks again when an answer failed before it had begun."""

    def generate_once(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Answer as `generate` does, and fail where that would ask again: what a benchmark measures."""


@runtime_checkable
class ServingBackend(Backend, Protocol):
    """A backend whose engine runs in processes that are neither this one nor started by it."""

    @property
    def process_ids(self) -> Sequence[int]:
        """The processes that the engine runs in; none when they cannot be seen from here."""


@runtime_checkable
class ChoosyBackendFactory(Protocol):
    """A backend factory that knows before it loads anything which models and profiles it cannot serve."""

    def refusal(self, spec: ModelSpec, profile: SamplingProfile) -> str | None:
        """Return why `spec` cannot run with `profile` (`has no mirostat`), or `None` when it can."""


@runtime_checkable
class CapableBackendFactory(Protocol):
    """A backend factory that declares what its engine can do, in the words of `backends.capabilities`."""

    @property
    def capabilities(self) -> Collection[str]:
        """The capabilities of every engine that this factory loads."""


@runtime_checkable
class CheckingBackendFactory(Protocol):
    """A backend factory that can tell before it loads anything what is wrong with a model's options."""

    def check(self, spec: ModelSpec) -> None:
        """Look at location and options of `spec`, and at nothing else. Raises GemmaEvalError."""


@runtime_checkable
class ServingBackendFactory(Protocol):
    """A backend factory that can find the processes of an engine that others have started."""

    def process_ids(self, spec: ModelSpec) -> Sequence[int]:
        """Return those that the engine of `spec` runs in; none when they cannot be seen from here."""


@runtime_checkable
class ConcurrentBackendFactory(Protocol):
    """A backend factory that knows before it loads an engine how many requests that will serve at once."""

    def max_in_flight(self, spec: ModelSpec) -> int | None:
        """Return how many; `None` when nothing limits them on this side."""


@runtime_checkable
class WidenableBackendFactory(ConcurrentBackendFactory, Protocol):
    """A backend factory whose engines serve as many requests at once as an option of the model says."""

    @property
    def in_flight_option(self) -> str:
        """The name of that option."""


class Vocabulary(Protocol):
    """What a sampling transform may ask about the tokens of a model."""

    @property
    def size(self) -> int:
        """The number of ids that logits have a value for."""

    def encode(self, text: str) -> Sequence[int]:
        """Return the ids of `text`, none added."""

    def piece(self, token: int) -> str:
        """Return the text of one token as it stands within a text."""


class Transform(Protocol):
    """One step of a sampling chain: logits in, logits out, the token never chosen set to -inf."""

    def __call__(self, logits: Logits, seen: Sequence[int]) -> Logits:
        """Return new logits [V]; `seen` are the ids of prompt and answer so far."""


class TransformFactory(Protocol):
    """Builds a transform for one generation from a profile; `None` when the profile has it off.

    `seed` is the generation's, for a transform that draws by itself; a transform may keep state, for each
    generation has its own.
    """

    def __call__(
        self, profile: SamplingProfile, *, vocabulary: Vocabulary, seed: int
    ) -> Transform | None: ...


class BackendFactory(Protocol):
    """Loads the engine of a model spec. Raises BackendError.

    `transforms` are the registered sampling transforms, for a backend that samples in this process;
    a backend whose engine samples by itself ignores them.
    """

    def __call__(
        self, spec: ModelSpec, *, clock: Clock, transforms: Mapping[str, TransformFactory]
    ) -> Backend: ...


class Scorer(Protocol):
    """Judges one answer; what it judges else is told by its attribute `subject`, see `subject_of`."""

    def __call__(self, case: Case, generation: Generation) -> Score:
        """Return a score; its `passed` is left `None`, the caller sets it from the check's `pass_at`."""


class RepeatsScorer(Protocol):
    """Judges all answers to a case at once; its `subject` is *repeats*."""

    @property
    def subject(self) -> Subject:
        """What is judged."""

    def __call__(self, case: Case, generations: Sequence[Generation]) -> Score:
        """Return a score as a `Scorer` does, from the answers in the order of their repeats."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """What a scorer may use beside the answer, as callables.

    `ask(model, question)` has a model reply; what goes wrong is the reply's `failure`. `embed(embedder,
    texts)` returns vectors. Raises GemmaEvalError where there is no such embedder.
    """

    ask: Callable[[str, Question], Reply]
    embed: Callable[[str, Sequence[str]], Embeddings]


@runtime_checkable
class ServedScorer(Protocol):
    """A scorer that needs a model or an embedder, and judges when it is bound to them."""

    def bind(self, services: Services) -> Scorer:
        """Return the scorer that judges with `services`."""


AnyScorer = Scorer | RepeatsScorer | ServedScorer


class ScorerFactory(Protocol):
    """Builds a scorer from the options of a check. Raises UsageError on a wrong option."""

    def __call__(self, options: Options) -> AnyScorer: ...


def subject_of(scorer: AnyScorer) -> Subject:
    """Return what a scorer judges: what its attribute `subject` says, an answer when it has none."""
    return cast(Subject, getattr(scorer, "subject", "answer"))


def needs_unconditional(scorer: AnyScorer) -> bool:
    """Return whether a scorer of choices needs their probabilities after an empty prompt too."""
    return bool(getattr(scorer, "unconditional", False))


def models_of(scorer: AnyScorer) -> tuple[str, ...]:
    """Return the names of the models that a scorer asks, by its attribute `models`."""
    return tuple(getattr(scorer, "models", ()))


class Retriever(Protocol):
    """Finds the passages of some documents that bear on a query."""

    def search(self, query: str, *, k: int) -> tuple[Passage, ...]:
        """Return at most `k` passages, best first."""


class RetrieverFactory(Protocol):
    """Indexes documents."""

    def __call__(self, documents: Sequence[Document]) -> Retriever: ...


class Reporter(Protocol):
    """Writes one file of a report."""

    @property
    def file_name(self) -> str:
        """The name of the file in the report's folder, as `report.html`."""

    def render(self, report: Report) -> str:
        """Return the whole text of the file."""


class RegisterBackend(Protocol):
    """`register(name, factory)`; the factory may be a `module:object` string that is loaded on first use."""

    def __call__(self, name: str, factory: BackendFactory | str) -> None: ...


class RegisterTransform(Protocol):
    """`register(name, factory)` for sampling transforms."""

    def __call__(self, name: str, factory: TransformFactory | str) -> None: ...


class RegisterScorer(Protocol):
    """`register(name, factory)` for scorers."""

    def __call__(self, name: str, factory: ScorerFactory | str) -> None: ...


class RegisterRetriever(Protocol):
    """`register(name, factory)` for retrievers."""

    def __call__(self, name: str, factory: RetrieverFactory | str) -> None: ...


class RegisterReporter(Protocol):
    """`register(name, factory)` for reporters; the factory takes no argument."""

    def __call__(self, name: str, factory: Callable[[], Reporter] | str) -> None: ...


class RegisterCommand(Protocol):
    """`register(name, command)` for commands of `gemma-eval`."""

    def __call__(self, name: str, command: click.Command | str) -> None: ...
