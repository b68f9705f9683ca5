"""How a plugin adds a thing of each kind under a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from gemma_eval.protocols.engines import BackendFactory
from gemma_eval.protocols.memory import EmbedderFactory, RerankerFactory, RetrieverFactory, StoreFactory
from gemma_eval.protocols.reports import Reporter
from gemma_eval.protocols.sampling import TransformFactory
from gemma_eval.protocols.scorers import ScorerFactory

if TYPE_CHECKING:
    import click


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


class RegisterEmbedder(Protocol):
    """`register(name, factory)` for embedders; a model's `backend` in models.toml names one."""

    def __call__(self, name: str, factory: EmbedderFactory | str) -> None: ...


class RegisterReranker(Protocol):
    """`register(name, factory)` for rerankers."""

    def __call__(self, name: str, factory: RerankerFactory | str) -> None: ...


class RegisterStore(Protocol):
    """`register(scheme, factory)` for stores of passages; the scheme is that of their URLs, as `redis`."""

    def __call__(self, name: str, factory: StoreFactory | str) -> None: ...


class RegisterReporter(Protocol):
    """`register(name, factory)` for reporters; the factory takes no argument."""

    def __call__(self, name: str, factory: Callable[[], Reporter] | str) -> None: ...


class RegisterCommand(Protocol):
    """`register(name, command)` for commands of `gemma-eval`."""

    def __call__(self, name: str, command: click.Command | str) -> None: ...
