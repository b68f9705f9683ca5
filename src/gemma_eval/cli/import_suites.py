"""`gemma-eval import`: make a suite of what another framework is asked from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gemma_eval.cli.import_profiles import import_profiles
from gemma_eval.cli.import_template import import_template
from gemma_eval.errors import UsageError

if TYPE_CHECKING:
    from gemma_eval.importers.inspect_samples import Scorer
    from gemma_eval.importers.openai_evals import Match
    from gemma_eval.importers.written import Choice, Imported


@click.group("import", short_help="Make a suite of files of another framework.")
def import_suites() -> None:
    """Make a suite, its rows and its profiles of files of another framework.

    No code of theirs is run. What cannot be carried over is named with its line, and then nothing is written.
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """What every import is told: the file, where to write, and what the suite is to have."""

    file: Path
    out: Path
    models: tuple[str, ...]
    name: str | None
    replaces: bool


def _common(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument and the options that every import has, as one `asked`."""

    @wraps(command)
    def run(
        *, file: Path, out: Path, models: tuple[str, ...], name: str | None, replaces: bool, **own: object
    ) -> None:
        command(asked=_Asked(file=file, out=out, models=models, name=name, replaces=replaces), **own)

    decorated: Callable[..., None] = run
    for decorate in (
        click.option(
            "--replace", "replaces", is_flag=True, help="Replace files of DIR that have the same names."
        ),
        click.option("--name", help="What the suite is called; as its file or task if not given."),
        click.option(
            "--model", "models", multiple=True, default=("pocket",), show_default=True, help="Who answers."
        ),
        click.option(
            "--out",
            required=True,
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            help="Where to write.",
        ),
        click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False)),
    ):
        decorated = decorate(decorated)
    return decorated


@import_suites.command("lm-eval", short_help="A task of lm-evaluation-harness that is data alone.")
@_common
@click.option(
    "--data",
    "data",
    multiple=True,
    metavar="[SPLIT=]FILE",
    help="Rows of a split (.jsonl, .json, .csv, .tsv, .parquet); of the one that is asked if none is named.",
)
@click.option("--num-fewshot", type=click.IntRange(0, 1000), help="Examples before each question.")
@click.option("--fewshot-seed", type=int, default=1234, show_default=True, help="What draws the examples.")
@click.option("--limit", type=click.IntRange(1), help="Take so many rows, the first ones.")
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), help="Where include may lead to.")
@click.option("--chat", is_flag=True, help="Nothing before a choice, as lm-eval has it with a chat template.")
def lm_eval(  # noqa: PLR0913 - what click gives
    *,
    asked: _Asked,
    data: tuple[str, ...],
    num_fewshot: int | None,
    fewshot_seed: int,
    limit: int | None,
    root: Path | None,
    chat: bool,
) -> None:
    """Make a suite of FILE, the YAML of a task of lm-evaluation-harness.

    A task with Python code (!function, class, process_docs) is refused. Rows come from files of this machine:
    those that the task names itself, or --data.
    """
    from gemma_eval.importers.lm_eval.convert import Wanted, convert
    from gemma_eval.prompts import sandbox

    wanted = Wanted(
        data=_splits(data),
        root=root,
        n_shots=num_fewshot,
        seed=fewshot_seed,
        limit=limit,
        chat=chat,
        choice=_choice(asked),
    )
    _write(convert(asked.file, wanted, render=sandbox.render), asked)


@import_suites.command("openai-evals", short_help="Rows of openai/evals: input and ideal.")
@_common
@click.option(
    "--match",
    type=click.Choice(("match", "includes", "fuzzy")),
    default="match",
    show_default=True,
    help="The class of the eval: the answer begins with an ideal, has one in it, or one has the other in it.",
)
@click.option("--ignore-case", is_flag=True, help="Of includes: case does not matter.")
def openai_evals(
    *,
    asked: _Asked,
    match: Match,
    ignore_case: bool,
) -> None:
    """Make a suite of FILE, JSON Lines with input (a text or messages) and ideal (a text or several)."""
    from gemma_eval.importers import openai_evals as rows

    _write(rows.convert(asked.file, _choice(asked), match=match, ignore_case=ignore_case), asked)


@import_suites.command("inspect", short_help="Samples of Inspect: input, target, choices.")
@_common
@click.option(
    "--scorer",
    type=click.Choice(("match", "includes", "exact")),
    default="match",
    show_default=True,
    help="How answers are scored; samples with choices are scored by their log-likelihood.",
)
def inspect(*, asked: _Asked, scorer: Scorer) -> None:
    """Make a suite of FILE, JSON Lines or JSON with input, target, choices, id and metadata."""
    from gemma_eval.importers import inspect_samples

    _write(inspect_samples.convert(asked.file, _choice(asked), scorer=scorer), asked)


@import_suites.command("promptfoo", short_help="A configuration of promptfoo: prompts, tests, assertions.")
@_common
@click.option("--judge", help="The model that llm-rubric and its like ask; without it they are refused.")
@click.option("--embedder", help="The embedder that similar asks; without it that is refused.")
def promptfoo(*, asked: _Asked, judge: str | None, embedder: str | None) -> None:
    """Make a suite of FILE, a promptfooconfig.yaml; assertions that are code are refused."""
    from gemma_eval.importers.promptfoo.convert import AskedModels, convert
    from gemma_eval.prompts import sandbox

    models = AskedModels(judge=judge, embedder=embedder)
    _write(convert(asked.file, _choice(asked), asked=models, render=sandbox.render), asked)


import_suites.add_command(import_profiles)
import_suites.add_command(import_template)


def _splits(given: Iterable[str]) -> dict[str, Path]:
    """Return the files by split, the one without a name under ""."""
    files: dict[str, Path] = {}
    for text in given:
        split, separator, path = text.partition("=")
        split, path = (split, path) if separator and not Path(text).exists() else ("", text)
        if split in files:
            what = f"the split {split} is given twice" if split else "more than one file has no split"
            raise UsageError(f"--data {text}: {what}; write SPLIT=FILE, each split once")
        if not Path(path).is_file():
            raise UsageError(f"--data {text}: there is no file {path}")
        files[split] = Path(path)
    return files


def _choice(asked: _Asked) -> Choice:
    from gemma_eval.importers.written import Choice, slug

    name = asked.name
    if name is not None and slug(name) != name:
        raise UsageError(
            f'--name {name}: cannot be a name; use letters, digits and _ . + -, as "{slug(name)}"'
        )
    return Choice(models=asked.models, name=name)


def _write(imported: Imported, asked: _Asked) -> None:
    from gemma_eval.importers.written import write

    for path in write(imported, asked.out, replaces=asked.replaces):
        click.echo(path)
    for note in imported.notes:
        click.echo(f"note: {note}", err=True)
