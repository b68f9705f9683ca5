"""`gemma-eval cache`: measure how often a cache is right and wrong, and look into one that is shared."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, get_args

import click

from gemma_eval.cli import chosen
from gemma_eval.cli.progress import say
from gemma_eval.errors import UsageError
from gemma_eval.plugins import Registry
from gemma_eval.records import CacheMode, Caching
from gemma_eval.report.numbers import MISSING

if TYPE_CHECKING:
    from gemma_eval.memory.cache.cache import Looked, SemanticCache
    from gemma_eval.memory.cache.pairs import Measured, Rate
    from gemma_eval.memory.cache.same import Ask
    from gemma_eval.protocols import Embedder

MODE = click.Choice(get_args(CacheMode))
_LEAST = Caching(mode="strict").min_cosine

location = click.option(
    "--location", required=True, metavar="URL", help="The server that the cache is shared through."
)
cosine = click.option(
    "--min-cosine",
    type=click.FloatRange(-1, 1),
    default=_LEAST,
    show_default=True,
    help="From which cosine on a question is looked at.",
)


@click.group(short_help="Measure a cache of answers, and look into one.")
def cache() -> None:
    """Measure a cache of answers, and look into one that is shared.

    \b
        gemma-eval cache measure --embedder minilm
        gemma-eval cache explain "Where is Finn?" --location redis://localhost
    """


@cache.command(short_help="Hold a mode against labelled pairs of questions.")
@click.argument("file", default="near_misses")
@click.option("--mode", type=MODE, default="strict", show_default=True, help="How questions are compared.")
@click.option("--embedder", help="The model that makes the vectors; every mode but exact needs one.")
@cosine
@click.option("--model", default="pocket", show_default=True, help="Whom mode verified asks.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.pass_context
def measure(  # noqa: PLR0913 - the options of the command
    ctx: click.Context,
    *,
    file: str,
    mode: CacheMode,
    embedder: str | None,
    min_cosine: float,
    model: str,
    as_json: bool,
) -> None:
    """Ask a cache the second question of each pair in FILE, when it knows the answer to the first.

    FILE is JSONL, or the file that ships. A hit on a pair that wants the same answer is true, one on a pair
    that wants different ones is false. The exit code is 1 where there was a false one.
    """
    from gemma_eval.memory.cache import pairs

    registry: Registry = ctx.obj
    known = pairs.read_pairs(_path(file))
    caching = Caching(mode=mode, embedder=embedder, min_cosine=min_cosine)
    vectors = None
    if mode != "exact":
        say(f"the vectors of {2 * len(known):,} questions")
        vectors = pairs.embedded(known, _embedder(embedder, mode, registry))
        say("")
    with _asking(mode, model, registry) as ask:
        found = pairs.measure(known, caching, embedder=vectors, ask=ask)
    click.echo(_json(found) if as_json else "\n".join(_screen(found, caching)))
    ctx.exit(1 if found.false.hits else 0)


@cache.command(short_help="Say which earlier questions are near, and what keeps them back.")
@click.argument("query")
@location
@click.option("--mode", type=MODE, default="strict", show_default=True, help="How questions are compared.")
@click.option("--embedder", help="The model that made the vectors.")
@cosine
@click.pass_context
def explain(
    ctx: click.Context, *, query: str, location: str, mode: CacheMode, embedder: str | None, min_cosine: float
) -> None:
    """Say for each partition of the cache which earlier questions are near QUERY, and what refuses each."""
    caching = Caching(mode=mode, embedder=embedder, min_cosine=min_cosine, location=location)
    made = None if mode == "exact" else _embedder(embedder, mode, ctx.obj)
    with _opened(caching, made) as opened:
        places = dict.fromkeys(entry.partition for entry in opened.entries.each())
        for place in places:
            click.echo(click.style(f"partition {place[:12]}", bold=True))
            for each in opened.explain(place, query, now_s=time.time()):
                click.echo(_looked(each))
    if not places:
        click.echo("The cache is empty.")


@cache.command(short_help="Count what a shared cache holds.")
@location
def stats(*, location: str) -> None:
    """Count the entries of a shared cache by template, and say how old they are."""
    now_s = time.time()
    with _opened(Caching(mode="exact", location=location), None) as opened:
        entries = opened.entries.each()
    alive = [entry for entry in entries if now_s < entry.expires_s]
    places, dead = len({entry.partition for entry in alive}), len(entries) - len(alive)
    click.echo(f"{len(alive):,} entries in {places:,} partitions, {dead:,} past their time")
    for template in sorted({entry.template for entry in alive}):
        mine = [entry for entry in alive if entry.template == template]
        oldest = now_s - min(entry.created_s for entry in mine)
        size = sum(len(entry.answer) for entry in mine)
        click.echo(f"  {template:<24}{len(mine):>8,}  oldest {oldest:,.0f} s, {size:,} bytes of answers")


@cache.command(short_help="Remove entries of a shared cache.")
@location
@click.option("--entry", metavar="ID", help="The one whose id begins so.")
@click.option("--partition", metavar="ID", help="Those of the partition whose id begins so.")
@click.option("--template", help="Those of this template.")
@click.option("--corpus", help="Those of this corpus.")
@click.option("--all", "everything", is_flag=True, help="All of them.")
def invalidate(
    *,
    location: str,
    entry: str | None,
    partition: str | None,
    template: str | None,
    corpus: str | None,
    everything: bool,
) -> None:
    """Remove the entries that all given options name, so that their questions are answered anew."""
    chosen = {"entry": entry, "partition": partition, "template": template, "corpus": corpus}
    given = {name: value for name, value in chosen.items() if value}
    if not given and not everything:
        raise UsageError("name what to remove: --entry, --partition, --template or --corpus, or --all")
    with _opened(Caching(mode="exact", location=location), None) as opened:
        click.echo(f"{opened.invalidate(**given):,} entries removed")


def _screen(found: Measured, caching: Caching) -> Iterator[str]:
    """Yield the lines of the screen, in 80 columns."""
    floor = "" if caching.mode == "exact" else f", cosine from {caching.min_cosine:g}, {caching.embedder}"
    yield click.style(f"mode {caching.mode}{floor}", bold=True)
    yield f"  {'':<28}{'pairs':>8}{'hits':>8}{'share':>9}  95 %"
    yield _rate("true hits", found.true)
    yield _rate("false hits", found.false)
    for label, kind, rate in found.kinds:
        yield _rate(f"  {'paraphrase' if label == 'same' else 'near-miss'}, {kind}", rate)
    for pair in found.wrong[:_MOST_SHOWN]:
        yield shorten(f"  false: {pair.first} | {pair.second}", WIDTH, placeholder=" …")


WIDTH = 80
_MOST_SHOWN = 5


def _rate(what: str, rate: Rate) -> str:
    low, high = rate.interval.low, rate.interval.high
    share = MISSING if rate.share is None else f"{rate.share:.1%}"
    between = "" if low is None or high is None else f"[{low:.1%}, {high:.1%}]"
    return f"  {what:<28}{rate.n:>8}{rate.hits:>8}{share:>9}  {between}".rstrip()


def _looked(each: Looked) -> str:
    near = "exact" if each.cosine is None else f"{each.cosine:.3f}"
    verdict = "serves" if each.refused_by is None else f"refused by {each.refused_by}: {each.why}"
    return f"  {near:>6}  {each.entry.query}\n          {each.entry.id[:12]}, {verdict}"


def _json(found: Measured) -> str:
    plain = asdict(found)
    plain["kinds"] = [{"label": label, "kind": kind, **asdict(rate)} for label, kind, rate in found.kinds]
    for name in ("true", "false"):
        rate: Rate = getattr(found, name)
        plain[name] |= {"share": rate.share, "low": rate.interval.low, "high": rate.interval.high}
    return json.dumps(plain, indent=2, ensure_ascii=False)


def _path(file: str) -> Path:
    """Return the file of a path, or the one that ships under a name."""
    from gemma_eval.config.shipped import suites_directory

    shipped = suites_directory() / "data" / f"{file}.jsonl"
    return shipped if "/" not in file and not file.endswith(".jsonl") and shipped.is_file() else Path(file)


def _embedder(name: str | None, mode: CacheMode, registry: Registry) -> Embedder:
    from gemma_eval.cli.memory_given import embedder
    from gemma_eval.memory.cache.cache import NO_MEANING
    from gemma_eval.protocols import is_plumbing

    if name is None:
        raise UsageError(f"mode {mode} compares vectors: name their model with --embedder, as minilm")
    made = embedder(name, registry)
    if is_plumbing(made.id):
        raise UsageError(f"--embedder {name}: {NO_MEANING}")
    return made


@contextmanager
def _opened(caching: Caching, embedder: Embedder | None) -> Iterator[SemanticCache]:
    """Open the entries of a shared cache. Raises UsageError, StoreError, MissingDependency."""
    from gemma_eval.memory.cache.answers import open_entries
    from gemma_eval.memory.cache.cache import SemanticCache

    with closing(open_entries(caching, environment=os.environ)) as entries:
        yield SemanticCache(caching=caching, entries=entries, embedder=embedder)


@contextmanager
def _asking(mode: CacheMode, model: str, registry: Registry) -> Iterator[Ask | None]:
    """Load the model that mode *verified* asks; other modes ask nobody."""
    if mode != "verified":
        yield None
        return
    from gemma_eval.executors.judges import reply
    from gemma_eval.measure.clock import clock
    from gemma_eval.stages import load_backend

    spec = chosen.model(model)
    with closing(load_backend(spec, registry, clock=clock)) as backend:
        yield lambda question: reply(backend, spec, question)
