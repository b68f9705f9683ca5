"""A small project with scripted models, in which the plugin is run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path

from gemma_eval import plugins
from gemma_eval.records import Outcome, Run
from gemma_eval.store.read import Reader, open_reader

# pytester forgets what a run inside of this process imports, and the next one would import it all again.
for _name in ("gemma_eval.pytest_plugin.activation", "scipy.special", "scipy.stats"):
    import_module(_name)
_REGISTRY = plugins.load()
_LOADED = [*_REGISTRY.backends.values(), *_REGISTRY.scorers.values(), *_REGISTRY.reporters.values()]

MODELS = """\
version = 1
[model.echo]
backend = "scripted"
location = "@scripted"
options = { replies = ["Oslo", "Rome"], ttft_ms = 40, tpot_ms = 5 }
[model.other]
backend = "scripted"
location = "@scripted"
options = { reply = "Finn lives in Oslo", ttft_ms = 10, tpot_ms = 2 }
[model.broken]
backend = "numpy_gemma"
location = "no-such-folder"
[model.small]
backend = "scripted"
location = "@scripted"
context_tokens = 8
options = { reply = "Oslo" }
[model.slow]
backend = "scripted"
location = "@scripted"
options = { reply = "Finn lives in Oslo", pause_ms = 40 }
[model.hostile]
backend = "scripted"
location = "@scripted"
options = { reply = "\\u001b[2J\\u001b]0;owned\\u0007 \\u202egniht" }
"""

HEAD = """\
[suite]
description = "cities"
[defaults]
models = [{models}]
profiles = [{profiles}]
templates = [{templates}]
seed = 3
"""

CITIES = """
[[case]]
id = "home"
prompt = "Where does Finn live?"
documents = [{ name = "people", text = "- Finn lives in Oslo.\\n" }]
checks = [{ scorer = "contains", text = "Oslo" }]
tags = ["context"]
[[case]]
id = "visit"
prompt = "Which town did Ada see?"
checks = [{ scorer = "contains", text = "Oslo" }]
[[case]]
id = "fast"
kind = "benchmark"
prompt = "Say something."
repeats = 2
"""


def head(
    *,
    models: tuple[str, ...] = ("echo",),
    profiles: tuple[str, ...] = ("greedy",),
    templates: tuple[str, ...] = ("plain",),
) -> str:
    """Return the tables that open a suite."""
    return HEAD.format(models=_quoted(models), profiles=_quoted(profiles), templates=_quoted(templates))


def a_case(
    name: str, *, prompt: str = "?", text: str = "Oslo", pass_at: float | None = None, keys: str = ""
) -> str:
    """Return a case whose answer should contain `text`; `keys` are further lines of TOML."""
    demand = "" if pass_at is None else f", pass_at = {pass_at}"
    check = f'{{ scorer = "contains", text = "{text}"{demand} }}'
    return f'[[case]]\nid = "{name}"\nprompt = "{prompt}"\nchecks = [{check}]\n{keys}\n'


NEVER = a_case("never", text="Bern", pass_at=1)
"""A case that no scripted model answers as demanded."""


def write_project(folder: Path, suite: str | None = None, *, name: str = "cities.gemma.toml") -> Path:
    """Write models.toml and a suite, and return the suite's path."""
    folder.mkdir(exist_ok=True)
    (folder / "models.toml").write_text(MODELS)
    path = folder / name
    path.write_text(head() + CITIES if suite is None else suite)
    return path


@contextmanager
def results(folder: Path) -> Iterator[Reader]:
    """Open the results database of a project."""
    with closing(open_reader(folder / "reports" / "gemma_eval.db")) as reader:
        yield reader


def latest(folder: Path) -> tuple[Outcome, ...]:
    """Return the outcomes of the newest run of a project."""
    with results(folder) as reader:
        return reader.outcomes(reader.run("latest").id)


def newest_run(folder: Path) -> Run:
    """Return the newest run of a project."""
    with results(folder) as reader:
        return reader.run("latest")


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)
