"""A fresh plugin manager per session, and what its plugins have registered, by kind and name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from importlib import import_module
from typing import TYPE_CHECKING, Generic, TypeVar, cast

import pluggy

from gemma_eval import hookspecs
from gemma_eval.errors import GemmaEvalError, PluginError, UnknownName
from gemma_eval.hookspecs import PROJECT, hookimpl
from gemma_eval.logs import observer
from gemma_eval.protocols import (
    BackendFactory,
    EmbedderFactory,
    RegisterBackend,
    RegisterCommand,
    RegisterEmbedder,
    RegisterReporter,
    RegisterReranker,
    RegisterRetriever,
    RegisterScorer,
    RegisterStore,
    RegisterTransform,
    Reporter,
    RerankerFactory,
    RetrieverFactory,
    ScorerFactory,
    StoreFactory,
    TransformFactory,
)

if TYPE_CHECKING:
    import click

T = TypeVar("T")


class Registered(Mapping[str, T], Generic[T]):
    """The things of one kind by name; one given as `"module:object"` is imported when first asked for."""

    def __init__(self, noun: str) -> None:
        """`noun` names the kind in messages: `no scorer named …`."""
        self.noun = noun
        self._things: dict[str, T | str] = {}
        self._owners: dict[str, str] = {}

    def find(self, name: str) -> T:
        """Return the thing called `name`. Raises UnknownName, or PluginError if it cannot be loaded."""
        if name not in self._things:
            raise UnknownName(self.noun, name, self._things)
        return self[name]

    def add(self, name: str, thing: T | str, *, owner: str) -> None:
        """Register `thing` for the plugin `owner`. Raises PluginError when the name is taken."""
        if name in self._things:
            both = f'"{self._owners[name]}" and "{owner}"'
            raise PluginError(f'{self.noun} "{name}" is registered twice, by {both}; one must be renamed')
        self._things[name] = thing
        self._owners[name] = owner

    def owner(self, name: str) -> str:
        """Return the plugin that registered `name`."""
        return self._owners[name]

    def __getitem__(self, name: str) -> T:
        thing = self._things[name]
        if isinstance(thing, str):
            thing = cast(T, self._load(name, thing))
            self._things[name] = thing
        return thing

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._things))

    def __len__(self) -> int:
        return len(self._things)

    def __contains__(self, name: object) -> bool:
        return name in self._things

    def _load(self, name: str, target: str) -> object:
        module, _, attribute = target.partition(":")
        try:
            return getattr(import_module(module), attribute)
        except GemmaEvalError:
            raise
        except Exception as error:  # whatever a plugin's module does when it is imported
            what = f'{self.noun} "{name}" of "{self._owners[name]}"'
            raise PluginError(f'{what}: cannot load "{target}": {_said(error)}') from error


@dataclass(frozen=True, kw_only=True)
class Registry:
    """All that plugins have registered, and the relay that calls the observing hooks."""

    hook: pluggy.HookRelay
    backends: Registered[BackendFactory] = field(default_factory=lambda: Registered("backend"))
    transforms: Registered[TransformFactory] = field(default_factory=lambda: Registered("transform"))
    scorers: Registered[ScorerFactory] = field(default_factory=lambda: Registered("scorer"))
    retrievers: Registered[RetrieverFactory] = field(default_factory=lambda: Registered("retriever"))
    embedders: Registered[EmbedderFactory] = field(default_factory=lambda: Registered("embedder"))
    rerankers: Registered[RerankerFactory] = field(default_factory=lambda: Registered("reranker"))
    stores: Registered[StoreFactory] = field(default_factory=lambda: Registered("store"))
    reporters: Registered[Callable[[], Reporter]] = field(default_factory=lambda: Registered("reporter"))
    commands: Registered[click.Command] = field(default_factory=lambda: Registered("command"))


def load(plugins: Iterable[object] = (), *, installed: bool = True) -> Registry:
    """Register the built-ins, the `installed` plugins (entry-point group `gemma_eval`) and `plugins`.

    Raises PluginError: a name registered twice, a hook that does not exist or fails, a plugin that cannot be
    imported.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(_BuiltIns(), name=PROJECT)
    manager.register(observer, name=f"{PROJECT}.logs")
    try:
        if installed:
            manager.load_setuptools_entrypoints(PROJECT)
        for plugin in plugins:
            manager.register(plugin)
        manager.check_pending()
    except Exception as error:  # whatever an installed plugin's module does when it is imported
        raise PluginError(f"a plugin cannot be loaded: {_said(error)}") from error
    registry = Registry(hook=manager.hook)
    for kind in (each.name for each in fields(Registry) if each.name != "hook"):
        _collect(manager, kind, getattr(registry, kind))
    return registry


def _collect(manager: pluggy.PluginManager, kind: str, registered: Registered[T]) -> None:
    """Call the hook of one kind plugin by plugin, so that each name is booked on who brought it."""
    distributions = {id(plugin): info.project_name for plugin, info in manager.list_plugin_distinfo()}
    for implementation in getattr(manager.hook, f"register_{kind}").get_hookimpls():
        owner = distributions.get(id(implementation.plugin), implementation.plugin_name)

        def register(name: str, thing: T | str, owner: str = owner) -> None:
            registered.add(name, thing, owner=owner)

        try:
            implementation.function(*(register for _ in implementation.argnames))
        except PluginError:
            raise
        except Exception as error:  # whatever a plugin does in its hook
            raise PluginError(f'plugin "{owner}": register_{kind} failed: {_said(error)}') from error


def _said(error: Exception) -> str:
    """Return the message of an error, with its type where the message alone may mean nothing."""
    telling = isinstance(error, ImportError | pluggy.PluginValidationError)
    return str(error) if telling else f"{type(error).__name__}: {error}"


class _BuiltIns:
    """What ships with gemma_eval, through the door that every plugin uses."""

    @hookimpl
    def register_backends(self, register: RegisterBackend) -> None:
        register("numpy_gemma", "gemma_eval.backends.numpy_gemma:load")
        register("llama_cpp", "gemma_eval.backends.llama_cpp.backend:load")
        register("openai_http", "gemma_eval.backends.openai_http.backend:load")
        register("gemma_cpp", "gemma_eval.backends.gemma_cpp.backend:load")
        register("hf_transformers", "gemma_eval.backends.hf_transformers.backend:load")
        register("scripted", "gemma_eval.backends.scripted:load")

    @hookimpl
    def register_transforms(self, register: RegisterTransform) -> None:
        register("logit_bias", "gemma_eval.sampling.bias:logit_bias")
        register("penalties", "gemma_eval.sampling.penalties:penalties")
        register("dry", "gemma_eval.sampling.dry:dry")
        register("top_n_sigma", "gemma_eval.sampling.cutoffs:top_n_sigma")
        register("top_k", "gemma_eval.sampling.transforms:top_k")
        register("typical_p", "gemma_eval.sampling.transforms:typical_p")
        register("top_p", "gemma_eval.sampling.transforms:top_p")
        register("min_p", "gemma_eval.sampling.transforms:min_p")
        register("xtc", "gemma_eval.sampling.xtc:xtc")
        register("epsilon_cutoff", "gemma_eval.sampling.cutoffs:epsilon_cutoff")
        register("eta_cutoff", "gemma_eval.sampling.cutoffs:eta_cutoff")
        register("temperature", "gemma_eval.sampling.dynatemp:temperature")

    @hookimpl
    def register_scorers(self, register: RegisterScorer) -> None:
        register("equals", "gemma_eval.scoring.texts:equals")
        register("contains", "gemma_eval.scoring.texts:contains")
        register("icontains", "gemma_eval.scoring.texts:icontains")
        register("starts_with", "gemma_eval.scoring.texts:starts_with")
        register("regex", "gemma_eval.scoring.patterns:regex")
        register("numeric", "gemma_eval.scoring.numbers:numeric")
        register("choice_letter", "gemma_eval.scoring.choice_letter:choice_letter")
        register("json_equals", "gemma_eval.scoring.structure:json_equals")
        register("json_schema", "gemma_eval.scoring.structure:json_schema")
        register("contains_json", "gemma_eval.scoring.structure:contains_json")
        register("levenshtein", "gemma_eval.scoring.distance:levenshtein")
        register("word_count", "gemma_eval.scoring.limits:word_count")
        register("token_count", "gemma_eval.scoring.limits:token_count")
        register("latency", "gemma_eval.scoring.limits:latency")
        register("exact_match", "gemma_eval.scoring.overlap:exact_match")
        register("fuzzy", "gemma_eval.scoring.overlap:fuzzy")
        register("token_f1", "gemma_eval.scoring.overlap:token_f1")
        register("rouge1", "gemma_eval.scoring.rouge:rouge1")
        register("rouge2", "gemma_eval.scoring.rouge:rouge2")
        register("rougeL", "gemma_eval.scoring.rouge:rouge_l")
        register("bleu", "gemma_eval.scoring.translation:bleu")
        register("chrf", "gemma_eval.scoring.translation:chrf")
        register("ter", "gemma_eval.scoring.edit_rate:ter")
        register("distinct_n", "gemma_eval.scoring.diversity:distinct_n")
        register("self_bleu", "gemma_eval.scoring.diversity:self_bleu")
        register("determinism", "gemma_eval.scoring.diversity:determinism")
        register("likelihood", "gemma_eval.scoring.likelihood:likelihood")
        register("judge", "gemma_eval.scoring.judge:judge")
        register("judge_pairwise", "gemma_eval.scoring.judge_pairwise:judge_pairwise")
        register("similarity", "gemma_eval.scoring.similarity:similarity")
        register("bits_per_byte", "gemma_eval.scoring.likelihood:bits_per_byte")
        register("greedy_match", "gemma_eval.scoring.likelihood:greedy_match")
        register("acc", "gemma_eval.scoring.choices:acc")
        register("acc_norm", "gemma_eval.scoring.choices:acc_norm")
        register("acc_bytes", "gemma_eval.scoring.choices:acc_bytes")
        register("acc_mutual_info", "gemma_eval.scoring.choices:acc_mutual_info")
        register("choice_probability", "gemma_eval.scoring.choices:choice_probability")
        register("brier", "gemma_eval.scoring.choices:brier")
        register("choice_exact_match", "gemma_eval.scoring.choices:choice_exact_match")
        register("recall", "gemma_eval.scoring.retrieval_ranking:recall")
        register("precision", "gemma_eval.scoring.retrieval_ranking:precision")
        register("hit_rate", "gemma_eval.scoring.retrieval_ranking:hit_rate")
        register("mrr", "gemma_eval.scoring.retrieval_ranking:mrr")
        register("map", "gemma_eval.scoring.retrieval_ranking:average_precision")
        register("ndcg", "gemma_eval.scoring.retrieval_ranking:ndcg")
        register("context_precision", "gemma_eval.scoring.retrieval_context:context_precision")
        register("context_recall", "gemma_eval.scoring.retrieval_context:context_recall")
        register("groundedness", "gemma_eval.scoring.retrieval_grounding:groundedness")
        register("citation", "gemma_eval.scoring.retrieval_citation:citation")
        register("abstention", "gemma_eval.scoring.retrieval_abstention:abstention")

    @hookimpl
    def register_retrievers(self, register: RegisterRetriever) -> None:
        register("bm25", "gemma_eval.memory.bm25:Bm25")

    @hookimpl
    def register_embedders(self, register: RegisterEmbedder) -> None:
        register("sentence_bert", "gemma_eval.backends.sentence_bert.embedder:load")
        register("onnx_bert", "gemma_eval.backends.onnx_bert.embedder:load")
        register("openai_embeddings", "gemma_eval.backends.openai_http.embeddings:load")
        register("hashing", "gemma_eval.backends.hashing:load")

    @hookimpl
    def register_rerankers(self, register: RegisterReranker) -> None:
        register("maxsim", "gemma_eval.memory.rerankers.maxsim:load")
        register("engine", "gemma_eval.memory.rerankers.engine:load")
        register("onnx", "gemma_eval.backends.onnx_bert.reranker:load")
        register("llama_cpp", "gemma_eval.backends.openai_http.rerank:load")

    @hookimpl
    def register_stores(self, register: RegisterStore) -> None:
        register("sqlite", "gemma_eval.memory.sqlite.store:open_store")
        register("redis", "gemma_eval.memory.redis.store:open_store")
        register("rediss", "gemma_eval.memory.redis.store:open_store")

    @hookimpl
    def register_reporters(self, register: RegisterReporter) -> None:
        register("html", "gemma_eval.report.html:Html")
        register("markdown", "gemma_eval.report.markdown:Markdown")
        register("json", "gemma_eval.report.json_file:JsonFile")

    @hookimpl
    def register_commands(self, register: RegisterCommand) -> None:
        register("accept", "gemma_eval.cli.accept:accept")
        register("baseline", "gemma_eval.cli.baseline:baseline")
        register("benchmark", "gemma_eval.cli.benchmark:benchmark")
        register("cache", "gemma_eval.cli.cache:cache")
        register("chat", "gemma_eval.cli.chat:chat")
        register("compare", "gemma_eval.cli.compare:compare")
        register("completion", "gemma_eval.cli.completion:completion")
        register("config", "gemma_eval.cli.config:config")
        register("doctor", "gemma_eval.cli.doctor:doctor")
        register("export", "gemma_eval.cli.export:export")
        register("gate", "gemma_eval.cli.gate:gate")
        register("history", "gemma_eval.cli.history:history")
        register("import", "gemma_eval.cli.import_suites:import_suites")
        register("judge", "gemma_eval.cli.judge:judge")
        register("memory", "gemma_eval.cli.memory:memory")
        register("models", "gemma_eval.cli.models:models")
        register("plan", "gemma_eval.cli.plan:plan")
        register("plugins", "gemma_eval.cli.plugins_shown:plugins")
        register("profiles", "gemma_eval.cli.profiles:profiles")
        register("recompute", "gemma_eval.cli.recompute:recompute")
        register("report", "gemma_eval.cli.report:report")
        register("rescore", "gemma_eval.cli.rescore:rescore")
        register("runs", "gemma_eval.cli.runs:runs")
        register("schema", "gemma_eval.cli.schema:schema")
        register("selftest", "gemma_eval.cli.selftest:selftest")
        register("steps", "gemma_eval.cli.steps:steps")
        register("suite", "gemma_eval.cli.suite:suite")
        register("sweep", "gemma_eval.cli.sweep:sweep")
        register("templates", "gemma_eval.cli.templates:templates")
        register("watch", "gemma_eval.cli.watch:watch")
