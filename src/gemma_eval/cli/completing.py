"""Which names a shell offers where a command wants one; what cannot be read offers nothing, and says nothing.

Each is given to click as it is: `@click.option("--model", shell_complete=completing.models)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from gemma_eval.cli import chosen

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

Complete = Callable[["click.Context", "click.Parameter", str], "list[CompletionItem]"]
_NEWEST = 50
"""So many runs are offered: who means an older one knows its id."""


def _offering(known: Callable[[click.Context], Iterable[tuple[str, str]]]) -> Complete:
    """Return a completion of names with what is said beside them, those that begin as what was typed."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        try:
            names = list(known(ctx))
        except Exception:  # noqa: BLE001 - a shell that completes shows no errors
            return []
        return [
            CompletionItem(name, help=said or None) for name, said in names if name.startswith(incomplete)
        ]

    return complete


def _suites(ctx: click.Context) -> Iterable[tuple[str, str]]:
    from gemma_eval.cli import suites_known

    for found in suites_known.everywhere():
        yield found.name, found.where


def _models(ctx: click.Context) -> Iterable[tuple[str, str]]:
    return ((name, spec.backend) for name, spec in chosen.catalog().models.items())


def _profiles(ctx: click.Context) -> Iterable[tuple[str, str]]:
    return ((name, f"temperature {each.temperature:g}") for name, each in chosen.catalog().profiles.items())


def _templates(ctx: click.Context) -> Iterable[tuple[str, str]]:
    return ((name, each.description) for name, each in chosen.catalog().templates.items())


def _runs(ctx: click.Context) -> Iterable[tuple[str, str]]:
    from gemma_eval.store.read import open_reader

    given = ctx.params.get("database")
    with closing(open_reader(Path(str(given)) if given else Path("reports/gemma_eval.db"))) as reader:
        yield "latest", "the newest run"
        for run in reader.runs()[:_NEWEST]:
            yield run.id, ", ".join(run.suites)


suites = _offering(_suites)
models = _offering(_models)
profiles = _offering(_profiles)
templates = _offering(_templates)
runs = _offering(_runs)
