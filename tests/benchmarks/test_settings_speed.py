"""How long the settings of all layers take to read; figures for docs/performance.md.

pytest tests/benchmarks/test_settings_speed.py -m slow -s
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter

import pytest
from ruamel.yaml import YAML

from gemma_eval.config import settings
from gemma_eval.config.edit_settings import HEADER, put
from gemma_eval.config.places import Place, places
from gemma_eval.config.settings_keys import KEYS, Key
from gemma_eval.files import yaml12

pytestmark = pytest.mark.slow

VALUES: Mapping[str, object] = {
    "path": "out/x",
    "paths": ["evals", "more"],
    "name": "pocket",
    "place": "m.db",
    "switch": True,
    "count": 7,
    "seconds": 0.25,
}
TIMES = 200
TYPED = ("GEMMA_EVAL_BACKUPS", "GEMMA_EVAL_RELOAD_POLL_S")


def median_ms(work: Callable[[], object]) -> float:
    """Return the median of what some work takes, after one that is not counted."""
    work()
    took: list[float] = []
    for _ in range(TIMES):
        began = perf_counter()
        work()
        took.append(perf_counter() - began)
    return statistics.median(took) * 1e3


def full(folder: Path) -> str:
    """Write a settings.yaml with every key and return its text."""
    text = HEADER
    for key in KEYS:
        text = put(text, key, value(key))
    folder.mkdir()
    (folder / settings.FILE).write_text(text)
    return text


def value(key: Key) -> object:
    """Return a value that a key may have."""
    return VALUES[key.kind]


def test_settings_of_all_layers_are_read_in_milliseconds(tmp_path: Path) -> None:
    """Two files with every key and two variables, found from below, beside a run without any of it."""
    full(tmp_path / "user")
    text = full(tmp_path / ".gemma-eval")
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    variables = {"GEMMA_EVAL_CONFIG": str(tmp_path / "user"), TYPED[0]: "3", TYPED[1]: "1e-1"}

    def whole() -> settings.Settings:
        found = places(here=tmp_path / "a" / "b" / "c", environment=variables)
        return settings.load(found, environment=variables)

    def none() -> settings.Settings:
        return settings.load((Place(layer="user", folder=tmp_path / "none"),), environment={})

    assert (whole().backups, whole().chat_model) == (3, "pocket")
    oracle = YAML(typ="safe", pure=True)
    figures = {
        "all layers": median_ms(whole),
        "no file, no variable": median_ms(none),
        "one file as YAML 1.2": median_ms(lambda: yaml12.parse(text)),
        "the same by ruamel.yaml": median_ms(lambda: oracle.load(text)),
        "a key set in the text": median_ms(lambda: put(text, KEYS[0], "y")),
    }
    for name, took in figures.items():
        print(f"{name}: {took:.2f} ms")
    assert figures["one file as YAML 1.2"] < figures["the same by ruamel.yaml"]
    assert figures["no file, no variable"] < figures["all layers"]
