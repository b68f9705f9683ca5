"""What a dataset of 100,000 rows costs before any of them is asked; figures for docs/performance.md.

pytest tests/benchmarks/test_dataset_rows.py -m slow -s
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time

import pytest

from gemma_eval import plugins
from gemma_eval.executors.rows import row_cells
from gemma_eval.pytest_plugin.planned import Planned
from gemma_eval.store.write import open_store
from gemma_eval.suite import load_suite
from tests.examples import a_run

pytestmark = pytest.mark.slow

ROWS = 100_000
PLANNED = 10_000
SUITE = """
[defaults]
models = ["pocket"]
profiles = ["greedy"]
templates = ["plain"]

[[case]]
id = "qa"
prompt = "{{ context }}\\n\\nQ: {{ question }}\\nA:"
checks = [{ scorer = "contains", text = "{{ answer }}" }, { scorer = "token_f1", reference = "{{ answer }}" }]

[case.dataset]
path = "qa.jsonl"
id_column = "id"
cluster_column = "document"
"""


def written(folder: Path, *, rows: int) -> Path:
    """Write a suite with a dataset of so many rows."""
    with (folder / "qa.jsonl").open("w") as file:
        for number in range(rows):
            row = {
                "id": f"row-{number}",
                "question": f"What is the capital of country number {number}?",
                "answer": "Oslo",
                "document": f"document {number // 10}",
                "context": "Some text about the place. " * 8,
            }
            file.write(json.dumps(row) + "\n")
    path = folder / "qa.gemma.toml"
    path.write_text(SUITE)
    return path


def collected(folder: Path, *, rows: int) -> tuple[float, float, float]:
    """Return the seconds of collecting so many rows, those of processors, and the peak memory in MB."""
    written(folder, rows=rows)
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider"]
    began_s = perf_counter()
    with subprocess.Popen(
        [*command, "--gemma-suite", "qa.gemma.toml"], cwd=folder, stdout=subprocess.PIPE, text=True
    ) as process:
        printed = process.stdout.read() if process.stdout is not None else ""
        _, process.returncode, used = os.wait4(process.pid, 0)
    assert "collected in" in printed, printed
    return perf_counter() - began_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def test_a_hundred_thousand_rows_are_collected_in_seconds_and_hardly_any_memory(tmp_path: Path) -> None:
    """Ten rows take the start of pytest; a file of 100,000 takes little more of memory than its index."""
    few_s, few_cpu_s, few_mb = collected(tmp_path, rows=10)
    many_s, many_cpu_s, many_mb = collected(tmp_path, rows=ROWS)
    size_mb = (tmp_path / "qa.jsonl").stat().st_size / 1e6
    many = f"{many_s:.1f} s ({many_cpu_s:.1f} s of processors), {many_mb:.0f} MB"
    few = f"{few_s:.1f} s ({few_cpu_s:.1f} s), {few_mb:.0f} MB"
    sys.stdout.write(f"\n{ROWS:,} rows, {size_mb:.0f} MB: {many}; 10 rows: {few}\n")
    assert many_s < 10
    assert many_mb - few_mb < size_mb


def test_planning_a_row_takes_less_than_a_millisecond(tmp_path: Path) -> None:
    """Before the first is asked, each is made into its case, told from all others by a hash, and written."""
    suite, cells = load_suite(written(tmp_path, rows=PLANNED), plugins.load())
    planned = Planned(
        cells=cells,
        spread=lambda cell: (each.cell for each in row_cells(cell, suite.rows[cell.case.id])),
    )
    with closing(open_store(tmp_path / "gemma_eval.db")) as store:
        began_s = process_time()
        store.begin(replace(a_run(), planned=len(planned)), planned)
        each_ms = 1e3 * (process_time() - began_s) / PLANNED
    sys.stdout.write(f"\nplanning a row: {each_ms:.2f} ms of a processor\n")
    assert each_ms < 1
