"""`gemma-eval suite new | check | list | show`: work on suites without running them."""

from __future__ import annotations

from pathlib import Path

import click

from gemma_eval.cli import completing
from gemma_eval.cli.screen import json_option, print_json
from gemma_eval.errors import UsageError
from gemma_eval.plugins import Registry

STARTERS = ("qa", "rag", "choices", "benchmark")
_FOLDER = Path(__file__).parent / "starters"


@click.group(short_help="Begin a suite, check it, list those that there are.")
def suite() -> None:
    """Begin a suite of one's own, check it before it runs, and see which suites there are."""


@suite.command(short_help="Write a commented suite to begin with.")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--from-example",
    "example",
    type=click.Choice(STARTERS),
    default="qa",
    show_default=True,
    help="Questions, with documents, with choices, or timed.",
)
def new(*, path: Path, example: str) -> None:
    """Write a suite with comments to PATH, a file that is not there yet.

    It runs as it is, on the model that ships. Where the name ends in .gemma.toml, pytest finds it by itself.
    """
    if not path.name:
        raise UsageError("the path is empty; give a file, as cats.gemma.toml")
    if path.suffix != ".toml":
        near = path.with_name(f"{path.name}.gemma.toml")
        raise UsageError(f"{path}: a suite is a file *.toml; did you mean {near}?")
    text = (_FOLDER / f"{example}.toml").read_text(encoding="utf-8")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path}: exists and is left as it is; give another name") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from error
    click.echo(f"{path}: written. Check it, then run it:")
    click.echo(f"    gemma-eval suite check {path}")
    click.echo(f"    gemma-eval benchmark {path}")


@suite.command(short_help="Say all that is wrong with suites.")
@click.argument("suites", nargs=-1, required=True, metavar="NAME|PATH...", shell_complete=completing.suites)
@json_option
@click.pass_context
def check(ctx: click.Context, *, suites: tuple[str, ...], as_json: bool) -> None:
    """Read suites as a run would, and load no engine: every problem is named with its file and line.

    What is right is counted, with what cannot run here and why. The exit code is 2 when anything is wrong.
    """
    from gemma_eval.cli.suite_checked import checked
    from gemma_eval.cli.suite_shown import lines
    from gemma_eval.cli.suites_known import find

    registry: Registry = ctx.obj
    found = [(name, checked(find(name), registry)) for name in suites]
    wrong = any(each.problems for _, each in found)
    if as_json:
        print_json([{"suite": name, **each.plain()} for name, each in found])
    else:
        for name, each in found:
            for problem in each.problems:
                click.echo(str(problem), err=True)
            if not each.problems:
                click.echo("\n".join(lines(name, each)))
    ctx.exit(2 if wrong else 0)


@suite.command("list", short_help="List the suites that can be named.")
@json_option
@click.pass_obj
def list_(registry: Registry, *, as_json: bool) -> None:
    """List the suites that ship, those of the folders in the settings and those of the project.

    A suite of the project is a file *.gemma.toml at or below the folder that one works in.
    """
    from gemma_eval.cli import suites_known
    from gemma_eval.cli.screen import table
    from gemma_eval.cli.suite_checked import checked
    from gemma_eval.cli.suite_shown import figures, needed

    found = [(known, checked(known.path, registry)) for known in suites_known.everywhere()]
    if as_json:
        print_json([{"name": known.name, "where": known.where, **each.plain()} for known, each in found])
        return
    rows = [
        (known.name, known.where, *figures(each), needed(each), each.description) for known, each in found
    ]
    headings = ("suite", "where", "cases", "cells", "needs", "what it measures")
    table(headings, rows, right=("cases", "cells"))


@suite.command(short_help="Print the file of a suite.")
@click.argument("suite", metavar="NAME|PATH", shell_complete=completing.suites)
@click.option("--path", "path_only", is_flag=True, help="Print where the file is instead.")
def show(*, suite: str, path_only: bool) -> None:
    """Print the file of a suite, to be read or begun with."""
    from gemma_eval.cli.suites_known import find
    from gemma_eval.config.files import read_text

    path = find(suite)
    click.echo(str(path) if path_only else read_text(path), nl=path_only)
