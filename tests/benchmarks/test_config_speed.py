"""How long files that people edit take to read, and to change for good; figures for docs/performance.md.

pytest tests/benchmarks/test_config_speed.py -m slow -s
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import pytest
import tomli_w

from gemma_eval.config import edit_json, edit_settings, edit_toml, models, profiles, settings_file
from gemma_eval.config.changing import change
from gemma_eval.config.recovery import read_or_last_good
from gemma_eval.config.settings import find
from gemma_eval.files import yaml12

pytestmark = pytest.mark.slow

N = 100
TIMES = 100

PROFILE = {"temperature": 0.7, "top_k": 40, "top_p": 0.95, "min_p": 0.05, "repeat_penalty": 1.1}
MODEL = {"backend": "llama_cpp", "location": "gemma.gguf", "context_tokens": 8192, "options": {"threads": 4}}
SETTINGS = """\
version: 1
database: reports/gemma_eval.db
suite_paths: [suites, ../shared]
chat:
  model: pocket  # the shipped one
  profile: greedy
  history: true
reload:
  poll_s: 0.1
  quiet_s: 0.05
backups: 10
"""


@dataclass(frozen=True)
class File:
    """A file, what reads it, the bare parser beside that, and an edit for each number."""

    name: str
    text: str
    parse: Callable[..., object]
    bare: Callable[[str], object]
    edit: Callable[[str, int], str]


FILES = [
    File(
        "profiles.json",
        json.dumps(
            {"version": 1, "profiles": {f"p{number:03}": {**PROFILE, "seed": number} for number in range(N)}},
            indent=2,
        ),
        profiles.parse,
        json.loads,
        lambda text, number: edit_json.put(text, ("profiles", "p050", "seed"), 1000 + number),
    ),
    File(
        "models.toml",
        tomli_w.dumps({"version": 1, "model": {f"m{number:03}": MODEL for number in range(N)}}),
        models.parse,
        tomllib.loads,
        lambda text, number: edit_toml.put(text, ("model", "m050", "context_tokens"), 1000 + number),
    ),
    File(
        "settings.yaml",
        SETTINGS,
        settings_file.parse,
        yaml12.parse,
        lambda text, number: edit_settings.put(text, find("backups"), 1 + number % 50),
    ),
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_is_read_and_changed_in_a_moment(file: File, tmp_path: Path) -> None:
    """Read with all its checks, in a few times what its bare parser takes.

    Changed: locked, edited as a command does it, checked, its versions kept, all on the disk. Beside that
    stand the edit alone, and what any writer pays to have a file on the disk.
    """
    path = tmp_path / file.name
    path.write_text(file.text)

    def check(text: str) -> object:
        return file.parse(text, path=path)

    read, bare, changed, edited, disk = timed(
        lambda _: read_or_last_good(path, check),
        lambda _: file.bare(path.read_text()),
        lambda number: change(path, lambda text: file.edit(text, number), check=check),
        lambda number: file.edit(file.text, number),
        lambda number: durable(tmp_path / "bare", file.text, number),
    )
    sys.stdout.write(
        f"\n{file.name}, {len(file.text) / 1e3:.1f} kB: read in {told(read)} (bare parser {told(bare)}), "
        f"changed in {told(changed)} (the edit alone {told(edited)}, a bare durable write {told(disk)})"
    )
    assert statistics.median(read) < 50 * statistics.median(bare)
    assert statistics.median(changed) < 4 * statistics.median(edited) + 40 * statistics.median(disk)


def timed(*what: Callable[[int], object]) -> list[list[float]]:
    """Return the milliseconds of each, in order; they take turns, so that all meet the same machine.

    The garbage of a whole session of tests, through which no command would have to look, is left out.
    """
    gc.collect()
    gc.freeze()
    taken: list[list[float]] = [[] for _ in what]
    for number in range(-5, TIMES):
        for each, times in zip(what, taken, strict=True):
            started = perf_counter()
            each(number % 1000)
            times.append((perf_counter() - started) * 1e3)
    gc.unfreeze()
    return [sorted(times[5:]) for times in taken]


def told(taken: list[float]) -> str:
    """Return the median and the 95th percentile."""
    return f"p50 {statistics.median(taken):.2f}, p95 {taken[int(len(taken) * 0.95)]:.2f} ms"


def durable(path: Path, text: str, number: int) -> None:
    """Write a file beside, have it on the disk and put it in its place."""
    beside = path.with_suffix(".new")
    with beside.open("w") as file:
        file.write(f"{text}# {number}\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
