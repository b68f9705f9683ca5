"""What one pytest process holds while suites run: settings, plugins, suites, engines."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

from gemma_eval import plugins
from gemma_eval.errors import GemmaEvalError
from gemma_eval.executors import device
from gemma_eval.executors.arm import INSIDE
from gemma_eval.executors.caches import Caches
from gemma_eval.executors.embedders import Embedders
from gemma_eval.executors.in_process import CellResult, Engines, run_cell
from gemma_eval.executors.judges import Judges
from gemma_eval.executors.refusals import cannot_read, refuse_malformed, refuse_unknown_backends, refused
from gemma_eval.executors.rows import Bring, RowCell, row_cells, run_rows
from gemma_eval.hookspecs import PROJECT
from gemma_eval.logs.events import emit
from gemma_eval.measure.clock import clock
from gemma_eval.plugins import Registry
from gemma_eval.protocols import Backend, ReadingBackend, Services, ServingBackendFactory
from gemma_eval.pytest_plugin import options, pins, suites
from gemma_eval.pytest_plugin.demands import may_have_passed
from gemma_eval.pytest_plugin.ids import is_elsewhere, suite_id
from gemma_eval.pytest_plugin.matrix import LoadedSuite, check, narrow
from gemma_eval.pytest_plugin.planned import Planned
from gemma_eval.pytest_plugin.problems import lines_of
from gemma_eval.pytest_plugin.suites import Asked
from gemma_eval.pytest_plugin.waiting import Waiting
from gemma_eval.records import Cell, ModelSpec, Outcome
from gemma_eval.retrieving import Retrieving
from gemma_eval.stages import Stages, load_backend, stages
from gemma_eval.store.read import open_reader
from gemma_eval.suite import load_suite


class Evaluation:
    """The state of this process, on which the hooks work.

    `resumed` is the id of the run that is gone on with, `None` in a new one.
    """

    def __init__(self, config: pytest.Config, *, resumed: str | None) -> None:
        """Read the settings and find the suites asked for. Raises pytest.UsageError."""
        self.config = config
        self.resumed = resumed
        self.here = config.invocation_params.dir
        self.settings = options.read(config)
        self.asked = suites.find(self.settings.suites, here=self.here, folders=self.settings.suite_folders)
        self.engines = Engines(load=self._load_asked)
        self.judges = Judges(load=self._load_backend, answering=self.engines.of)
        self.suites: dict[Path, LoadedSuite] = {}
        self.notices: dict[str, None] = dict.fromkeys(self.settings.notices)
        self._waiting = Waiting(config)
        self._seen: set[object] = set()
        self._modules: tuple[ModuleType, ...] = ()
        self._registry: Registry | None = None

    @property
    def registry(self) -> Registry:
        """What is registered; a conftest.py that was loaded meanwhile is heard. Raises PluginError."""
        present = self.config.pluginmanager.get_plugins()
        if self._registry is None or present != self._seen:
            self._seen = present
            self._registry = self._load_plugins(_modules_with_hooks(self.config.pluginmanager))
        return self._registry

    def check(self, given: Sequence[Path]) -> None:
        """Load the suites that were asked for and those `given` as files; a worker does so when it collects.

        Raises pytest.UsageError with all problems of all of them.
        """
        if hasattr(self.config, "workerinput"):  # what was broken since is no usage error, but of one suite
            return
        lines: dict[str, None] = {}
        for path in dict.fromkeys((*(asked.path for asked in self.asked), *given)):
            try:
                self.suite(path)
            except GemmaEvalError as error:
                emit("error", failure_kind=error.kind, failure_message=str(error))
                lines |= dict.fromkeys(lines_of(error, here=self.here))
        if lines:
            raise pytest.UsageError(*lines)
        for asked in self.asked:
            suites.refuse_unknown(asked, (cell.label for cell in self.suite(asked.path).everything))
        check(tuple(self.suites.values()), self.settings)
        pins.hold(self)

    def suite(self, path: Path) -> LoadedSuite:
        """Return a suite, read once. Raises UsageError, PluginError."""
        if path not in self.suites:
            suite, cells = load_suite(path, self.registry, models=self.settings.models, say=self.notice)
            refuse_unknown_backends(cells, self.registry)
            kept = narrow(cells, self.settings)
            refuse_malformed(kept, self.registry, suite=path)
            reasons = refused(kept, self.registry)
            self.suites[path] = LoadedSuite(
                path=path, suite=suite, everything=cells, cells=kept, refused=reasons
            )
        return self.suites[path]

    def notice(self, what: str) -> None:
        """Have it said at the end how files were read, each line once."""
        self.notices[what] = None

    def asks_for(self, path: Path) -> bool:
        """Whether `--gemma-suite` names this file of the project."""
        return any(asked.path == path for asked in self.asked if asked not in self.elsewhere)

    @property
    def elsewhere(self) -> tuple[Asked, ...]:
        """The suites asked for that do not belong to the project, which pytest does not find by itself."""
        rootdir = self.config.rootpath
        return tuple(asked for asked in self.asked if is_elsewhere(asked.path, rootdir=rootdir))

    def suite_path(self, nodeid: str) -> Path | None:
        """Return the suite file that a node id belongs to, `None` when it is of no suite."""
        where = nodeid.partition("::")[0]
        for asked in self.asked:
            if suite_id(asked.path, rootdir=self.config.rootpath) == where:
                return asked.path
        path = self.config.rootpath / where
        return path if any(path.match(glob) for glob in self.config.getini("gemma_files")) else None

    def cell(self, nodeid: str) -> Cell | None:
        """Return the cell to run that a node id names, `None` when there is none. Raises UsageError."""
        path = self.suite_path(nodeid)
        label = nodeid.partition("::")[2]
        if path is None or not label:
            return None
        suite = self.suite(path)
        return None if label in suite.refused else suite.by_label.get(label)

    def engine_problems(self, cells: Sequence[Cell]) -> tuple[str, ...]:
        """Load the first engine that loads; say why when none does, before anything is written.

        With one engine the run goes on, and the cells of a model that does not load fail one by one. One that
        loads and cannot read what its cells want read is refused here, if its factory did not tell before.
        """
        lines: dict[str, None] = {}
        for cell in (each for each in cells if each.asks_model):
            try:
                backend = self.engines.get(cell.model)
            except GemmaEvalError as error:
                lines |= dict.fromkeys(lines_of(error, here=self.here))
            else:
                line = None if isinstance(backend, ReadingBackend) else cannot_read(cells, model=cell.model)
                return () if line is None else (line,)
        return tuple(lines)

    def server_processes(self, cells: Sequence[Cell]) -> tuple[int, ...]:
        """Return the processes of this machine that answer or judge for `cells` as servers.

        Those of a backend that cannot be loaded or asked are not known, and its cells say why when they run.
        """
        found: dict[int, None] = {}
        specs = {spec.name: spec for cell in cells for spec in (cell.model, *cell.judges)}
        for spec in specs.values():
            with suppress(Exception):
                factory = self.registry.backends.find(spec.backend)
                if isinstance(factory, ServingBackendFactory):
                    found |= dict.fromkeys(factory.process_ids(spec))
        return tuple(found)

    def run(self, cell: Cell) -> CellResult:
        """Run a cell on its engine, holding the device as its kind needs."""
        self.judges.seat(cell)
        with device.hold(cell.case.kind, folder=device.lock_folder(), waiting=self._waiting):
            result = run_cell(
                cell,
                engines=self.engines,
                join=lambda backend: self._joined(backend, cell),
                recorded=self.recorded,
            )
        return replace(result, judges=self.judges.infos(cell))

    def run_rows(self, cell: Cell, bring: Bring) -> None:
        """Run the rows of a cell that has a dataset, and bring what came of each as soon as it is known."""
        dataset = cell.case.dataset
        if dataset is None:
            bring(self.run(cell))
            return
        self.judges.seat(cell)

        def bring_with_judges(result: CellResult) -> None:
            bring(replace(result, judges=self.judges.infos(cell)))

        with device.hold(cell.case.kind, folder=device.lock_folder(), waiting=self._waiting):
            run_rows(
                self.row_cells(cell),
                engines=self.engines,
                join=lambda backend: self._joined(backend, cell),
                recorded=self.recorded,
                concurrency=1 if cell.case.kind == "benchmark" else dataset.concurrency,
                bring=bring_with_judges,
            )

    def row_cells(self, cell: Cell) -> Iterator[RowCell]:
        """Return the cells of the rows of one that has a dataset, each made when it is asked for."""
        suite = next(each.suite for each in self.suites.values() if each.suite.name == cell.suite)
        return row_cells(cell, suite.rows[cell.case.id])

    def planned(self, cells: Sequence[Cell]) -> Planned:
        """Return the trials of cells, those of rows made when they are asked for."""
        return Planned(cells=cells, spread=lambda cell: (each.cell for each in self.row_cells(cell)))

    @cached_property
    def recorded(self) -> Mapping[str, Outcome]:
        """The outcomes of the resumed run by trial key; empty in a new run. Raises StoreError.

        A question that an engine gave no answer to, for a reason that may have passed, is asked again.
        """
        if self.resumed is None:
            return {}
        with closing(open_reader(self.settings.database)) as reader:
            outcomes = reader.outcomes(self.resumed)
        return {outcome.trial.key: outcome for outcome in outcomes if not may_have_passed(outcome)}

    def close(self) -> None:
        """Free all engines; a second call does nothing."""
        self.engines.close()
        self.judges.close()
        if "_retrieving" in self.__dict__:
            self._retrieving.close()
        if "_caches" in self.__dict__:
            self._caches.close()

    def _joined(self, backend: Backend, cell: Cell) -> Stages:
        named = {spec.name: spec for spec in cell.judges}
        services = Services(
            ask=self.judges.ask(cell),
            embed=lambda name, texts: self._embedders.embed(named[name], texts),
        )
        joined = stages(
            self.registry,
            backend,
            retrieve=self._retrieving.retrieve,
            services=services,
            beside=self.judges.beside,
        )
        # A side of a comparison makes its answers itself: the other one may have kept the same question's.
        return joined if INSIDE in os.environ else replace(joined, answer=self._caches.answer(cell, backend))

    @cached_property
    def _retrieving(self) -> Retrieving:
        return Retrieving(
            registry=self.registry, folder_of=self._folder_of, embedder=self._embedders.embedder
        )

    @cached_property
    def _caches(self) -> Caches:
        return Caches(embedder=self._embedders.embedder)

    def _folder_of(self, suite: str) -> Path:
        return next(each.path.parent for each in self.suites.values() if each.suite.name == suite)

    @cached_property
    def _embedders(self) -> Embedders:
        return Embedders(registry=self.registry)

    def _load_plugins(self, modules: tuple[ModuleType, ...]) -> Registry:
        """Return a new registry when other modules have hooks now, so that what was loaded is kept."""
        if self._registry is None or modules != self._modules:
            self._modules = modules
            return plugins.load(modules)
        return self._registry

    def _load_asked(self, spec: ModelSpec) -> Backend:
        """Load the engine that answers; no reranker keeps the one before it in memory."""
        if "_retrieving" in self.__dict__:
            self._retrieving.forget_rerankers()
        return self._load_backend(spec)

    def _load_backend(self, spec: ModelSpec) -> Backend:
        return load_backend(spec, self.registry, clock=clock)


EVALUATION = pytest.StashKey[Evaluation]()


def _modules_with_hooks(manager: pytest.PytestPluginManager) -> tuple[ModuleType, ...]:
    """Return the conftest.py and `-p` modules with our hooks; installed plugins have their own door."""
    installed = {id(plugin) for plugin, _ in manager.list_plugin_distinfo()}
    modules = (plugin for plugin in manager.get_plugins() if isinstance(plugin, ModuleType))
    loose = (module for module in modules if id(module) not in installed)
    with_hooks = (module for module in loose if any(map(_is_hook, vars(module).values())))
    return tuple(sorted(with_hooks, key=lambda module: module.__file__ or module.__name__))


def _is_hook(value: object) -> bool:
    return isinstance(value, FunctionType) and hasattr(value, f"{PROJECT}_impl")
