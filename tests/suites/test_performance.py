"""The performance suite has the lengths that its cells are named for, and a load of each kind."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gemma_eval import plugins
from gemma_eval.config import shipped
from gemma_eval.executors.refusals import refused
from gemma_eval.plugins import Registry
from gemma_eval.prompts.build import build
from gemma_eval.protocols import Backend
from gemma_eval.records import Case, Cell, Load, Message
from gemma_eval.stages import load_backend
from gemma_eval.suite import load_suite
from tests import required

QUESTION_TOKENS = 22
"""What the question alone takes, which depth 0 is."""


@pytest.fixture(scope="module")
def registry() -> Registry:
    """Return the built-in plugins."""
    return plugins.load()


@pytest.fixture(scope="module")
def cells(registry: Registry) -> dict[str, Cell]:
    """Return the cells of the pocket model by the ids of their cases."""
    _, every = load_suite(shipped.suites_directory() / "performance.toml", registry)
    return {cell.case.id: cell for cell in every if cell.model.name == "pocket"}


@pytest.fixture(scope="module")
def pocket(registry: Registry, cells: dict[str, Cell]) -> Iterator[Backend]:
    """Return the loaded pocket model."""
    backend = load_backend(cells["pp64"].model, registry, clock=time.perf_counter_ns)
    yield backend
    backend.close()


def lengths(case_id: str) -> tuple[int, int]:
    """Return how many tokens are to be read and written, by the name of a cell."""
    if found := re.fullmatch(r"pp(\d+)", case_id):
        return int(found[1]), 1
    if found := re.fullmatch(r"tg(\d+)-d(\d+)", case_id):
        return int(found[2]) or QUESTION_TOKENS, int(found[1])
    return QUESTION_TOKENS, 64


def made_lengths(cell: Cell, backend: Backend) -> tuple[int | None, int | None]:
    """Return how many tokens are really read and written."""
    prompt = build(
        cell,
        passages=(),
        chat_template=backend.chat_template,
        count_tokens=backend.count_tokens,
        context_tokens=backend.info().context_tokens,
    )
    generation = backend.generate(prompt, profile=cell.profile, seed=1)
    return generation.prompt_tokens, generation.output_tokens


def test_every_cell_reads_and_writes_what_its_name_says(cells: dict[str, Cell], pocket: Backend) -> None:
    """To the token, so that figures are of one amount of work."""
    assert {case_id: made_lengths(cell, pocket) for case_id, cell in cells.items()} == {
        case_id: lengths(case_id) for case_id in cells
    }


def test_another_text_is_caught(cells: dict[str, Cell], pocket: Backend) -> None:
    """The planted errors: one fact less, and a story that may end."""

    def asked(cell: Cell, text: str) -> Cell:
        return replace(cell, case=replace(cell.case, messages=(Message(role="user", content=text),)))

    shorter = asked(cells["pp256"], cells["pp256"].case.query.split(". ", maxsplit=1)[1])
    free = replace(cells["tg64-d0"], profile=replace(cells["tg64-d0"].profile, ignore_eos=False))
    ending = asked(free, "Tell a story about a fox.")
    assert made_lengths(shorter, pocket)[0] != 256
    assert made_lengths(ending, pocket)[1] != 64


def test_the_cells_are_those_of_llama_bench_and_loads_of_each_kind(cells: dict[str, Cell]) -> None:
    """Reading, writing at three depths, closed loops of 1, 4 and 16, and one open loop."""
    assert list(cells) == [
        *("pp64", "pp256", "pp512"),
        *("tg64-d0", "tg128-d0", "tg128-d256", "tg128-d512"),
        *("closed-1", "closed-4", "closed-16", "open-5"),
    ]
    loads = {case_id: cell.case.load for case_id, cell in cells.items() if cell.case.load}
    assert [load.concurrency for load in loads.values()] == [1, 4, 16, None]
    assert loads["open-5"] == Load(rate_per_s=5.0, arrival="poisson", max_in_flight=16, warmup=5, cooldown=5)


def test_every_cell_is_a_benchmark_with_enough_requests_for_a_95th_percentile(cells: dict[str, Cell]) -> None:
    """Twenty that are measured, after a warm-up of as many as are in flight."""
    for case in (cell.case for cell in cells.values()):
        assert case.kind == "benchmark"
        assert measured(case) >= 20
        if case.load is not None and case.load.concurrency is not None:
            assert case.load.warmup >= case.load.concurrency <= case.load.cooldown


def measured(case: Case) -> int:
    """Return how many requests of a case are measured."""
    return case.repeats - (case.load.warmup + case.load.cooldown if case.load else 0)


def test_no_cell_is_skipped_with_the_shipped_model_in_llama_cpp(registry: Registry) -> None:
    """It has a slot for each request in flight; with the one slot of the default three loads are refused."""
    required.module("xllamacpp", extra="llama-cpp")
    _, every = load_suite(shipped.suites_directory() / "performance.toml", registry)
    cells = [cell for cell in every if cell.model.name == "pocket-llama-cpp"]
    alone = [replace(cell, model=replace(cell.model, options={})) for cell in cells]
    assert len(cells) == 11
    assert refused(cells, registry) == {}
    assert {label.partition("[")[0] for label in refused(alone, registry)} == {
        "closed-4",
        "closed-16",
        "open-5",
    }
