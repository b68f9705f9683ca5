"""Where cells are run outside of pytest: engines, judges, embedders and stores, loaded once and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gemma_eval.executors import device
from gemma_eval.executors.caches import Caches
from gemma_eval.executors.embedders import Embedders
from gemma_eval.executors.in_process import CellResult, Engines, run_cell
from gemma_eval.executors.judges import Judges
from gemma_eval.executors.rows import row_cells, run_rows
from gemma_eval.measure.clock import clock
from gemma_eval.plugins import Registry
from gemma_eval.protocols import Backend, Services
from gemma_eval.records import Cell, ModelSpec, Outcome, RowCase
from gemma_eval.retrieving import Retrieving
from gemma_eval.stages import Stages, load_backend, stages


@dataclass(kw_only=True)
class Room:
    """Runs cells of one suite, one after the other, as a run of pytest does.

    `folder` is that of the suite. `waiting` is told when another process has the machine.
    """

    registry: Registry
    folder: Path
    waiting: Callable[[int | None], None] | None = None
    _engines: Engines = field(init=False)
    _judges: Judges = field(init=False)
    _embedders: Embedders = field(init=False)
    _retrieving: Retrieving = field(init=False)
    _caches: Caches = field(init=False)

    def __post_init__(self) -> None:
        """Load nothing yet."""
        self.renew()

    def renew(self) -> None:
        """Forget what could not be loaded, so that it is tried again."""
        self._engines = Engines(load=self._load_asked)
        self._judges = Judges(load=self._load, answering=self._engines.of)
        self._embedders = Embedders(registry=self.registry)
        self._retrieving = Retrieving(
            registry=self.registry, folder_of=lambda _: self.folder, embedder=self._embedders.embedder
        )
        self._caches = Caches(embedder=self._embedders.embedder)

    def run(
        self, cell: Cell, *, recorded: Mapping[str, Outcome], rows: Sequence[RowCase] | None = None
    ) -> tuple[Outcome, ...]:
        """Return the outcomes of a cell, or of those of its `rows`; what is `recorded` is not run again.

        Raises what interrupts it, and then nothing of the cell is returned.
        """
        self._judges.seat(cell)
        found: list[CellResult] = []
        with device.hold(cell.case.kind, folder=device.lock_folder(), waiting=self.waiting):
            if rows is None or cell.case.dataset is None:
                join = self._joining(cell)
                found.append(run_cell(cell, engines=self._engines, join=join, recorded=recorded))
            else:
                is_timed = cell.case.kind == "benchmark"
                run_rows(
                    row_cells(cell, rows),
                    engines=self._engines,
                    join=self._joining(cell),
                    recorded=recorded,
                    concurrency=1 if is_timed else cell.case.dataset.concurrency,
                    bring=found.append,
                )
        for result in found:
            if result.raised is not None:
                raise result.raised
        return tuple(outcome for result in found for outcome in result.outcomes)

    def close(self) -> None:
        """Free all engines and stores; a second call does nothing."""
        self._engines.close()
        self._judges.close()
        self._retrieving.close()
        self._caches.close()

    def _joining(self, cell: Cell) -> Callable[[Backend], Stages]:
        named = {spec.name: spec for spec in cell.judges}
        services = Services(
            ask=self._judges.ask(cell),
            embed=lambda name, texts: self._embedders.embed(named[name], texts),
        )

        def join(backend: Backend) -> Stages:
            joined = stages(
                self.registry,
                backend,
                retrieve=self._retrieving.retrieve,
                services=services,
                beside=self._judges.beside,
            )
            return replace(joined, answer=self._caches.answer(cell, backend))

        return join

    def _load_asked(self, spec: ModelSpec) -> Backend:
        """Load the engine that answers; no reranker keeps the one before it in memory."""
        self._retrieving.forget_rerankers()
        return self._load(spec)

    def _load(self, spec: ModelSpec) -> Backend:
        return load_backend(spec, self.registry, clock=clock)
