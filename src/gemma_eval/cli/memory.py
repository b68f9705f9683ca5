"""`gemma-eval memory`: keep passages between runs, search them, look after them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import click

from gemma_eval.cli import memory_given as given
from gemma_eval.cli import memory_shown as shown
from gemma_eval.cli.memory_files import backup, export, import_, restore
from gemma_eval.cli.memory_index import index
from gemma_eval.errors import UsageError
from gemma_eval.plugins import Registry
from gemma_eval.protocols import MemoryStore
from gemma_eval.records import Among, MemoryTier, Piece

_AT_ONCE = 1_000
_EMBEDDED_AT_ONCE = 512
_CANDIDATES = 50


@click.group(short_help="Keep passages between runs, and search them.")
def memory() -> None:
    """Keep passages between runs, and search them.

    \b
        gemma-eval memory add docs/ notes.md
        gemma-eval memory search "Where does Finn live?"

    A suite searches the same passages with `memory = "reports/memory.db"` in its [retrieval].
    """


for _command in (backup, restore, export, import_, index):
    memory.add_command(_command)


@memory.command(short_help="Keep the passages of files, or a text.")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--text", help="Keep this text as one passage.")
@click.option("--tier", type=given.TIER, help="How long it is kept.  [default: semantic]")
@click.option("--importance", type=click.FloatRange(0, 1), help="From 0 to 1.  [default: 0.5]")
@click.option("--tag", "tags", multiple=True, help="A tag of all of them; may be given again.")
@click.option("--replace", "is_whole", is_flag=True, help="Forget what else their documents had.")
@click.option("--max-tokens", type=click.IntRange(1), help="Cut passages to this many tokens.")
@click.option("--model", default="pocket", show_default=True, help="Whose tokens.")
@given.store
@click.pass_context
def add(  # noqa: PLR0913 - the options of the command
    ctx: click.Context,
    *,
    paths: tuple[Path, ...],
    text: str | None,
    tier: MemoryTier | None,
    importance: float | None,
    tags: tuple[str, ...],
    is_whole: bool,
    max_tokens: int | None,
    model: str,
    location: str,
) -> None:
    """Keep the passages of PATHS: Markdown, text and JSONL files, and folders of them.

    A passage that is known is written anew. Nothing is kept of files of which one is wrong.
    """
    from gemma_eval.memory import reading

    if not paths and text is None:
        raise UsageError("nothing to keep: name files or folders, or give a --text")
    registry: Registry = ctx.obj
    with given.splitting(max_tokens, model, registry) as splitting:

        def pieces() -> Iterator[Piece]:
            own = () if text is None else (given.piece_of(text),)
            for piece in (*own, *reading.each(*paths, splitting=splitting)):
                yield given.changed(piece, tier=tier, importance=importance, tags=tags)

        n = given.counted(pieces())
        if not n:
            raise UsageError(f"{', '.join(map(str, paths))}: holds no passage: empty, or headings alone")
        with closing(given.opened(location, registry)) as store:
            before, now_s = store.stats(now_s=time.time()), time.time()
            n_new = _added(store, pieces(), now_s=now_s)
            forgotten = _forget_others(store, pieces()) if is_whole else 0
            after = store.stats(now_s=time.time())
    click.echo(f"{shown.place(location)}: {shown.passages(n)} kept, {n_new:,} new")
    for line in shown.what_went(before, after, n_new=n_new, forgotten=forgotten):
        click.echo(line)


@memory.command(short_help="Find passages.")
@click.argument("query")
@click.option("-k", type=click.IntRange(1), default=5, show_default=True, help="At most so many.")
@click.option("--embedder", help="Search by the vectors of this model, too.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each.")
@given.filters
@given.store
@click.pass_context
def search(  # noqa: PLR0913 - the options of the command
    ctx: click.Context,
    *,
    query: str,
    k: int,
    embedder: str | None,
    as_json: bool,
    among: Among,
    location: str,
) -> None:
    """Find the passages that share words with QUERY, best first (BM25).

    With --embedder those whose vectors are near, too; both orders become one by their ranks (RRF, k = 60).
    """
    from gemma_eval.memory.fuse import rrf

    registry: Registry = ctx.obj
    with closing(given.known(location, registry)) as store:
        living = replace(among, now_s=time.time())
        found = store.lexical(query, k=k if embedder is None else max(k, _CANDIDATES), among=living)
        if embedder is not None:
            made = given.embedder(embedder, registry)
            (vector,) = made.embed([query])
            near = store.nearest(vector, k=max(k, _CANDIDATES), embedder=made.id, among=living)
            if store.without_vectors(embedder=made.id, k=1):
                say = "some passages have no vector of it; gemma-eval memory embed makes them"
                click.echo(f"{embedder}: {say}", err=True)
            found = rrf([found, near], k=60)[:k]
        pieces = {piece.id: piece for piece in store.pieces([hit.id for hit in found])}
    for hit in found:
        if hit.id in pieces:
            click.echo(shown.found(pieces[hit.id], score=hit.score, as_json=as_json))
    if not found and not as_json:
        click.echo(f"{shown.place(location)}: nothing is found")


@memory.command("list", short_help="List passages, newest first.")
@click.option("-n", type=click.IntRange(1), default=20, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each of all.")
@given.filters
@given.store
@click.pass_context
def list_(ctx: click.Context, *, n: int, as_json: bool, among: Among, location: str) -> None:
    """List the passages that are kept, newest first; with --json all of them, oldest first."""
    with closing(given.known(location, ctx.obj)) as store:
        if as_json:
            for piece in store.each(among):
                click.echo(shown.json_of(piece))
            return
        last, total = given.last_of(store.each(among), n=n)
    now_s = time.time()
    for line in shown.listed(last[::-1], now_s=now_s):
        click.echo(line)
    if total > len(last):
        click.echo(f"{len(last)} of {shown.passages(total)}; -n shows more")
    if not total:
        click.echo(f"{shown.place(location)}: no passage")


@memory.command(short_help="Forget passages.")
@click.argument("ids", nargs=-1)
@given.filters
@given.store
@click.pass_context
def forget(ctx: click.Context, *, ids: tuple[str, ...], among: Among, location: str) -> None:
    """Forget the passages with IDS, or all of a tier, tag or document."""
    chosen = among != Among()
    if bool(ids) == chosen:
        raise UsageError("name the ids of passages, or a --tier, --tag or --document of which all go")
    with closing(given.known(location, ctx.obj)) as store:
        wanted = tuple(piece.id for piece in store.each(among)) if chosen else ids
        if not chosen:
            given.refuse_unknown(store, ids, location)
        n = sum(store.forget(some) for some in _groups(wanted))
    click.echo(f"{shown.place(location)}: {shown.passages(n)} forgotten")


@memory.command(short_help="Count what is kept.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@given.store
@click.pass_context
def stats(ctx: click.Context, *, as_json: bool, location: str) -> None:
    """Count passages by tier, and vectors by what made them."""
    from gemma_eval.memory.consolidate import rules_of

    with closing(given.known(location, ctx.obj)) as store:
        counted, rules = store.stats(now_s=time.time()), rules_of(store)
    for line in shown.stats(counted, rules, as_json=as_json):
        click.echo(line)


@memory.command(short_help="Merge, move and expire.")
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@given.store
@click.pass_context
def consolidate(ctx: click.Context, *, dry_run: bool, location: str) -> None:
    """Put a memory in order.

    What is past its time goes, what has the same words is merged, what was used moves on to the next tier.
    """
    from gemma_eval.memory import consolidate as putting

    with closing(given.known(location, ctx.obj)) as store:
        if dry_run:
            found = putting.order(store.each(), now_s=time.time(), rules=putting.rules_of(store))
        else:
            found = putting.consolidate(store, now_s=time.time())
    for line in shown.order(found, would=dry_run):
        click.echo(line)


@memory.command(short_help="Show or change the rules of tiers.")
@click.argument("settings", nargs=-1, metavar="[TIER.RULE=VALUE]...")
@given.store
@click.pass_context
def tiers(ctx: click.Context, *, settings: tuple[str, ...], location: str) -> None:
    """Show the rules of the tiers, or change some: `semantic.capacity=200000`, `working.ttl_s=none`.

    They are kept in the memory, and hold for all who open it.
    """
    from gemma_eval.memory.consolidate import rules_of
    from gemma_eval.memory.tiers import DEFAULTS, KeepsRules, changed

    changed(DEFAULTS, settings)  # what cannot be makes no memory
    open_ = given.opened if settings else given.known
    with closing(open_(location, ctx.obj)) as store:
        rules = changed(rules_of(store), settings)
        if settings:
            if not isinstance(store, KeepsRules):
                raise UsageError(f"{shown.place(location)}: this store keeps no rules of its own")
            store.set_rules(rules)
    for line in shown.rules(rules):
        click.echo(line)


@memory.command(short_help="Give passages vectors.")
@click.option("--embedder", "name", required=True, help="A model whose backend is an embedder.")
@given.store
@click.pass_context
def embed(ctx: click.Context, *, name: str, location: str) -> None:
    """Give every passage a vector of EMBEDDER that has none yet, for the search by vectors."""
    registry: Registry = ctx.obj
    with closing(given.known(location, registry)) as store:
        embedder = given.embedder(name, registry)
        n = 0
        while lacking := store.without_vectors(embedder=embedder.id, k=_EMBEDDED_AT_ONCE):
            vectors = embedder.embed([piece.text for piece in lacking])
            store.add_vectors([piece.id for piece in lacking], vectors, embedder=embedder.id)
            n += len(lacking)
            given.progress(n)
        given.progress(0)
    click.echo(f"{shown.place(location)}: {shown.passages(n)} embedded by {name}")


def _added(store: MemoryStore, pieces: Iterator[Piece], *, now_s: float) -> int:
    n_new = n = 0
    while some := tuple(islice(pieces, _AT_ONCE)):
        n_new += store.add(some, now_s=now_s)
        n += len(some)
        given.progress(n)
    given.progress(0)
    return n_new


def _forget_others(store: MemoryStore, pieces: Iterator[Piece]) -> int:
    """Forget the passages of the same documents that are not among these, and return how many."""
    kept: dict[str, set[str]] = {}
    for piece in pieces:
        kept.setdefault(piece.document, set()).add(piece.id)
    of_them = store.each(Among(documents=tuple(kept)))
    gone = [piece.id for piece in of_them if piece.id not in kept[piece.document]]
    return sum(store.forget(some) for some in _groups(gone))


def _groups(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for begin in range(0, len(ids), _AT_ONCE):
        yield ids[begin : begin + _AT_ONCE]
