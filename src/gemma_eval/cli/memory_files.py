"""The commands that carry a memory from place to place: backup and restore, export and import."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gemma_eval.cli import memory_given as given
from gemma_eval.cli import memory_shown as shown
from gemma_eval.errors import StoreError, UsageError

if TYPE_CHECKING:
    from gemma_eval.plugins import Registry
    from gemma_eval.protocols import MemoryStore

_file = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
_replace = click.option("--replace", is_flag=True, help="Write over what is there.")


@click.command(short_help="Copy a memory to a file.")
@_file
@_replace
@given.store
@click.pass_context
def backup(ctx: click.Context, *, file: Path, replace: bool, location: str) -> None:
    """Copy a memory to FILE, also while it is in use; `restore` puts it back.

    Of a SQLite file it is such a file, of another store an export with vectors.
    """
    from gemma_eval.memory import archive
    from gemma_eval.memory.sqlite import copies

    path, existing = given.file_of(location), archive.existing(replace=replace)
    with closing(given.known(location, ctx.obj)) as store:
        if path is not None:
            n = copies.backup(path, file, existing=existing)
        else:
            n = archive.export(store, file, vectors=True, existing=existing, progress=given.progress)
    given.progress(0)
    click.echo(f"{file}: {shown.passages(n)} of {shown.place(location)}")


@click.command(short_help="Put a backup back.")
@_file
@_replace
@given.store
@click.pass_context
def restore(ctx: click.Context, *, file: Path, replace: bool, location: str) -> None:
    """Make a memory what it was when FILE was made; one that is there is not touched without --replace."""
    from gemma_eval.memory import archive
    from gemma_eval.memory.sqlite import copies

    path, existing = given.file_of(location), archive.existing(replace=replace)
    if copies.is_copy(file):
        if path is None:
            raise UsageError(
                f"{file}: is a SQLite file, {shown.place(location)} is none; "
                f"gemma-eval memory export --memory {file} makes one that import reads"
            )
        n = copies.restore(file, path, existing=existing)
    else:
        archive.looked_through(file)
        if path is not None and path.exists() and not replace:
            raise UsageError(f"{path}: exists already; name another --memory, or add --replace")
        n = _from_archive(file, location, ctx.obj, replace=replace)
    given.progress(0)
    click.echo(f"{shown.place(location)}: {shown.passages(n)} of {file}")


@click.command(short_help="Write a memory as lines of JSON.")
@_file
@click.option("--vectors", is_flag=True, help="With vectors: they can be made again, and are large.")
@_replace
@given.store
@click.pass_context
def export(ctx: click.Context, *, file: Path, vectors: bool, replace: bool, location: str) -> None:
    """Write all passages to FILE (JSONL) with the rules of tiers, for any other store."""
    from gemma_eval.memory import archive

    existing = archive.existing(replace=replace)
    with closing(given.known(location, ctx.obj)) as store:
        n = archive.export(store, file, vectors=vectors, existing=existing, progress=given.progress)
    given.progress(0)
    click.echo(f"{file}: {shown.passages(n)} of {shown.place(location)}")


@click.command("import", short_help="Keep the passages of an export.")
@_file
@given.store
@click.pass_context
def import_(ctx: click.Context, *, file: Path, location: str) -> None:
    """Keep the passages of FILE, which `export` wrote, beside those that are there.

    The file is looked through first: of one that is damaged nothing is kept.
    """
    from gemma_eval.memory import archive

    _, n = archive.looked_through(file)
    with closing(given.opened(location, ctx.obj)) as store:
        before = store.stats(now_s=time.time())
        n_new = archive.restore(store, file, now_s=time.time(), progress=given.progress)
        after = store.stats(now_s=time.time())
    given.progress(0)
    click.echo(f"{shown.place(location)}: {shown.passages(n)} of {file}, {n_new:,} new")
    for line in shown.what_went(before, after, n_new=n_new):
        click.echo(line)


def _from_archive(file: Path, location: str, registry: Registry, *, replace: bool) -> int:
    from gemma_eval.memory import archive

    with closing(given.opened(location, registry)) as store:
        _refuse_full(store, replace=replace)
        return archive.put_back(store, file, now_s=time.time(), progress=given.progress)


def _refuse_full(store: MemoryStore, *, replace: bool) -> None:
    if not replace and next(iter(store.each()), None) is not None:
        raise StoreError(f"{store.location}: has passages; add --replace, or import beside them")
