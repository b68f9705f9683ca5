"""`gemma-eval memory index`: make the search by vectors fast in a large memory."""

from __future__ import annotations

from contextlib import closing

import click

from gemma_eval.cli import memory_given as given
from gemma_eval.cli import memory_shown as shown
from gemma_eval.errors import UsageError


@click.command(short_help="Make the search by vectors fast in a large memory.")
@click.option("--fewest", type=click.IntRange(2), help="Of so many vectors or more.  [default: 100000]")
@given.store
@click.pass_context
def index(ctx: click.Context, *, fewest: int | None, location: str) -> None:
    """Index the vectors of a large memory, for each embedder that has made enough of them.

    It takes minutes. Once it is there a search looks at a part of the vectors, and may miss some near ones.
    An index that misses too many, or is too old, is not used.
    """
    from gemma_eval.memory.approximate import FEWEST
    from gemma_eval.memory.sqlite import indexes

    path, needed = given.file_of(location), FEWEST if fewest is None else fewest
    if path is None:
        raise UsageError(f"{shown.place(location)}: is no SQLite file; only of those an index is kept")
    with closing(given.known(location, ctx.obj)):
        recall = indexes.build(path, fewest=needed, progress=given.progress)
    given.progress(0)
    if not recall:
        raise UsageError(
            f"{shown.place(location)}: no embedder has made {needed:,} vectors of it; fewer are searched "
            "exactly in milliseconds"
        )
    for line in shown.indexed(recall):
        click.echo(f"{shown.place(location)}: {line}")
