"""What drives a model: a backend, what some can do besides, and what is asked before one is loaded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

from gemma_eval.protocols.sampling import TransformFactory
from gemma_eval.records import EngineInfo, Generation, ModelSpec, Prompt, SamplingProfile

Tell = Callable[[str], None]
"""Takes the text of each delta of an answer as it comes, in whatever thread the engine has."""
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
    """A backend that can tell how probable several continuations of one prompt are, reading that once.

    It knows what an empty prompt consists of, so that a prompt whose text is "" is one to be read after.
    """

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
class StreamingBackend(Backend, Protocol):
    """A backend whose answers can be followed while they are written."""

    def generate_streaming(
        self, prompt: Prompt, *, profile: SamplingProfile, seed: int, tell: Tell
    ) -> Generation:
        """Answer as `generate` does, and `tell` the text of each delta as it comes. Raises BackendError.

        What interrupts it leaves the engine ready for the next prompt.
        """


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


class BackendFactory(Protocol):
    """Loads the engine of a model spec. Raises BackendError.

    `transforms` are the registered sampling transforms, for a backend that samples in this process;
    a backend whose engine samples by itself ignores them.
    """

    def __call__(
        self, spec: ModelSpec, *, clock: Clock, transforms: Mapping[str, TransformFactory]
    ) -> Backend: ...


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
class DiscerningBackendFactory(CapableBackendFactory, Protocol):
    """A backend factory whose engines differ in what they can do, as the options of their models say."""

    def capabilities_of(self, spec: ModelSpec) -> Collection[str]:
        """Return the capabilities of the engine of `spec`, known before anything is loaded."""


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
