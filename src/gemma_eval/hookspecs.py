"""What may be added to gemma_eval: one hook per kind of thing, and two that observe a run.

A plugin is a module or an object with functions marked `@gemma_eval.hookimpl`; it registers by calling
`register("name", factory)`, where the factory may be a `"module:object"` string that is loaded on first use.
"""

from __future__ import annotations

import pluggy

from gemma_eval.protocols import (
    RegisterBackend,
    RegisterCommand,
    RegisterEmbedder,
    RegisterReporter,
    RegisterReranker,
    RegisterRetriever,
    RegisterScorer,
    RegisterStore,
    RegisterTransform,
)
from gemma_eval.records import Outcome, Reloaded, Report

PROJECT = "gemma_eval"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_backends(register: RegisterBackend) -> None:
    """Add backends: `register("my_engine", factory)`; `factory(spec, *, clock, transforms) -> Backend`."""


@hookspec
def register_transforms(register: RegisterTransform) -> None:
    """Add sampling transforms: `register("my_cut", factory)`, `factory(profile, *, vocabulary, seed)`."""


@hookspec
def register_scorers(register: RegisterScorer) -> None:
    """Add scorers: `register("my_scorer", factory)`, with `factory(options) -> Scorer`."""


@hookspec
def register_retrievers(register: RegisterRetriever) -> None:
    """Add retrievers: `register("my_search", factory)`, with `factory(documents) -> Retriever`."""


@hookspec
def register_embedders(register: RegisterEmbedder) -> None:
    """Add embedders: `register("my_vectors", factory)`, with `factory(spec) -> Embedder`."""


@hookspec
def register_rerankers(register: RegisterReranker) -> None:
    """Add rerankers: `register("my_order", factory)`, with `factory(parts) -> Reranker`."""


@hookspec
def register_stores(register: RegisterStore) -> None:
    """Add stores of passages: `register("my-scheme", factory)`, with `factory(location) -> MemoryStore`."""


@hookspec
def register_reporters(register: RegisterReporter) -> None:
    """Add report files: `register("my_format", factory)`, with `factory() -> Reporter`."""


@hookspec
def register_commands(register: RegisterCommand) -> None:
    """Add commands to `gemma-eval`: `register("my-command", click_command)`."""


@hookspec
def outcome_recorded(outcome: Outcome) -> None:
    """See each outcome after it has been committed to the store, on the process that writes it."""


@hookspec
def run_finished(report: Report) -> None:
    """See the whole run after its last outcome, before its reports are written."""


@hookspec
def config_reloaded(reloaded: Reloaded) -> None:
    """See that the files of choices were read again, once the new ones are in use, in `watch` and `chat`."""
