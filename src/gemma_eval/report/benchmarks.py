"""A table of benchmarks: what one case costs with one model, profile and template, figure by figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from gemma_eval.records import Summary
from gemma_eval.report import numbers
from gemma_eval.report.cells import TimedCell
from gemma_eval.report.figure import Figure
from gemma_eval.report.groups import Groups
from gemma_eval.report.reasons import Lack, sentences
from gemma_eval.stats.requests import contaminated

FIGURES = {
    "ttft_s": "TTFT",
    "prompt_tokens_per_s": "prompt tokens/s",
    "tpot_s": "TPOT",
    "output_tokens_per_s": "output tokens/s",
    "max_stall_s": "longest stall",
    "peak_memory_bytes": "peak memory",
    "cpu_s_per_output_token": "CPU per token",
}
"""What a figure is called in a sentence, by its metric."""

BASES = {"engine": "by the engine", "ttft": "from TTFT"}
"""What the rate of reading is computed from, by `Measurement.prompt_basis`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchmarkRow:
    """One cell in words; `label` tells it from the others of its case."""

    label: str
    figures: tuple[Figure, ...]
    n: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchmarkCase:
    """The rows of one case."""

    name: str
    rows: tuple[BenchmarkRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Benchmarks:
    """The table of the benchmarks without a load, and what has to be said about it."""

    columns: tuple[str, ...]
    cases: tuple[BenchmarkCase, ...]
    labelled: bool
    left_out: int
    notes: tuple[str, ...]
    lacks: tuple[str, ...]


MOST_ROWS = 200
"""A longer table is cut; every cell is in results.json."""

COLUMNS = (
    *("prompt tokens", "output tokens", "TTFT p50", "prompt tokens/s", "TPOT p50", "output tokens/s"),
    *("longest stall", "peak memory", "CPU per token"),
)
"""The headings of the figures of a row."""


def alone(cells: Sequence[TimedCell]) -> tuple[TimedCell, ...]:
    """Return the benchmarks whose requests are made one by one."""
    return tuple(cell for cell in cells if cell.case.kind == "benchmark" and cell.case.load is None)


def benchmarks(cells: Sequence[TimedCell], groups: Groups) -> Benchmarks | None:
    """Arrange the benchmarks without a load, as `alone` returns them; `None` when there is none."""
    if not cells:
        return None
    lacks = [lack for row, cell in enumerate(cells) for lack in _lacks(row, cell)]
    return Benchmarks(
        columns=COLUMNS,
        cases=tuple(
            BenchmarkCase(name=name, rows=tuple(_row(cell, groups) for cell in members))
            for name, members in groupby(cells[:MOST_ROWS], key=lambda cell: cell.name)
        ),
        labelled=len(groups.order) > 1,
        left_out=max(len(cells) - MOST_ROWS, 0),
        notes=tuple(_notes(cells)),
        lacks=sentences(lacks, rows=len(cells)),
    )


def prompt_rate(cell: TimedCell) -> Figure:
    """Return the prompt tokens read per second, and what they are computed from."""
    summary = cell.summary("prompt_tokens_per_s")
    measured = (outcome.measurement for outcome in cell.measured if outcome.measurement is not None)
    bases = {each.prompt_basis for each in measured if each.prompt_basis is not None}
    words = " and ".join(BASES[basis] for basis in sorted(bases))
    return Figure(value=numbers.known(summary.p50), below=(words,) if words and summary.n else ())


def n_of(cell: TimedCell) -> str:
    """Say how many answers are timed, and of how many trials where some are not."""
    timed = cell.summary("e2e_s").n
    return numbers.count(timed) if timed == len(cell.outcomes) else f"{timed} of {len(cell.outcomes)}"


def is_flagged(cell: TimedCell) -> bool:
    """Tell whether a row compares only with care: prompts came from a cache, or answers differ in length."""
    return _from_cache(cell) or _differ(cell)


def span_of(counts: Sequence[int | None]) -> str:
    """Write equal counts once, others as a span: `512`, `96 to 128`."""
    known = [count for count in counts if count is not None]
    if not known:
        return numbers.MISSING
    low, high = numbers.count(min(known)), numbers.count(max(known))
    return low if low == high else f"{low} to {high}"


def _row(cell: TimedCell, groups: Groups) -> BenchmarkRow:
    return BenchmarkRow(
        label=groups.label(cell.group),
        figures=(
            _read(cell),
            _written(cell),
            _time(cell.summary("ttft_s")),
            prompt_rate(cell),
            _time(cell.summary("tpot_s")),
            Figure(value=numbers.known(cell.summary("output_tokens_per_s").p50)),
            Figure(value=numbers.seconds(cell.summary("max_stall_s").maximum)),
            _memory(cell),
            Figure(value=numbers.seconds(cell.summary("cpu_s_per_output_token").p50)),
        ),
        n=n_of(cell),
    )


def _read(cell: TimedCell) -> Figure:
    """Return the prompt tokens, and how many were cached; the few of a chat template are no warning."""
    cached = [answer.cached_tokens for answer in cell.answers]
    words = (f"{span_of(cached)} cached",) if any(cached) else ()
    value = span_of([answer.prompt_tokens for answer in cell.answers])
    return Figure(value=value, flags=words) if _from_cache(cell) else Figure(value=value, below=words)


def _written(cell: TimedCell) -> Figure:
    value = span_of([answer.output_tokens for answer in cell.answers])
    return Figure(value=value, flags=("lengths differ",) if _differ(cell) else ())


def _from_cache(cell: TimedCell) -> bool:
    return any(contaminated(outcome) for outcome in cell.outcomes)


def _differ(cell: TimedCell) -> bool:
    return len({answer.output_tokens for answer in cell.answers}) > 1


def _time(summary: Summary) -> Figure:
    return Figure(
        value=numbers.percentile(summary, 50, numbers.seconds),
        interval=numbers.seconds_interval(summary.ci_low, summary.ci_high),
    )


def _memory(cell: TimedCell) -> Figure:
    kinds = (("peak_anonymous_bytes", "anonymous"), ("peak_file_bytes", "file"))
    known = [(cell.summary(metric).p50, word) for metric, word in kinds]
    below = tuple(f"{numbers.bytes_(value)} {word}" for value, word in known if value is not None)
    return Figure(value=numbers.bytes_(cell.summary("peak_memory_bytes").p50), below=below)


def _lacks(row: int, cell: TimedCell) -> Iterator[Lack]:
    """Yield the figures that the row of a cell lacks; one whose trials all failed is told of as failures."""
    for metric, figure in FIGURES.items():
        if not cell.summary(metric).n:
            for code in cell.codes(metric):
                yield Lack(row=row, figure=figure, code=code)


def _notes(cells: Sequence[TimedCell]) -> Iterator[str]:
    """Yield what makes rows incomparable that look alike."""
    cached = sum(map(_from_cache, cells))
    if cached:
        yield (
            f"In {_rows(cached, len(cells))} prompts came from a cache: the TTFT is that of a shorter prompt "
            "there, and compares only where as many tokens were cached."
        )
    differing = sum(map(_differ, cells))
    if differing:
        yield (
            f"In {_rows(differing, len(cells))} the answers differ in length: compare rates there, not the "
            "times of whole answers."
        )


def _rows(found: int, total: int) -> str:
    return f"{found} of {total} rows" if total > 1 else "the only row"
