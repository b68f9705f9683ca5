"""`gemma-eval judge calibrate FILE`: whether a model can be trusted as a judge, before it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from gemma_eval.cli import chosen
from gemma_eval.cli.progress import say
from gemma_eval.plugins import Registry
from gemma_eval.report.numbers import MISSING

if TYPE_CHECKING:
    from gemma_eval.scoring.judge_trust import Calibration, Orders

WIDTH = 80


@click.group(short_help="Find out whether a model can judge answers.")
def judge() -> None:
    """Find out whether a model can judge answers."""


@judge.command(short_help="Hold a judge against labelled answers.")
@click.argument("file", default="judge_calibration")
@click.option("--judge", "model", default="pocket", show_default=True, help="The model that judges.")
@click.option("--preset", help="Ask with this preset instead of what the file says.")
@click.option(
    "--repeats", type=click.IntRange(1, 100), default=3, show_default=True, help="Times each is asked."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.pass_context
def calibrate(
    ctx: click.Context, *, file: str, model: str, preset: str | None, repeats: int, as_json: bool
) -> None:
    """Ask a judge about the labelled answers of FILE, and say how far it agrees with the labels.

    FILE is a TOML file, or the one that ships. The models are those of models.toml beside FILE, in this
    folder, and those that ship. The exit code is 0 when the judge is shown to be good enough, 1 when not.
    """
    from gemma_eval.executors.calibrating import calibrate as ask  # here, so that --help loads no NumPy
    from gemma_eval.executors.calibrating import labels_of
    from gemma_eval.measure.clock import clock
    from gemma_eval.scoring.judge_items import demand_labels, load
    from gemma_eval.stages import load_backend

    path = _path(file)
    labelled = load(path)
    if preset is not None:
        labelled = replace(labelled, options={**labelled.options, "preset": preset})
    demand_labels(labelled, labels_of(labelled), path=path)
    spec = chosen.model(model, path.resolve().parent)
    registry: Registry = ctx.obj
    backend = load_backend(spec, registry, clock=clock)
    try:
        found = ask(backend, spec, labelled, repeats=repeats, say=_said)
    finally:
        backend.close()
    _said("")
    click.echo(_json(found) if as_json else "\n".join(screen(found)))
    ctx.exit(0 if found.trust == "trusted" else 1)


def screen(found: Calibration) -> Iterator[str]:
    """Yield the lines of the screen, in 80 columns."""
    yield click.style(
        f"judge {found.judge}, {found.items} {'answer' if found.items == 1 else 'answers'}", bold=True
    )
    kappa = found.kappa
    if kappa is not None:
        yield _line("agrees with the labels", f"{kappa.agreement:.1%}", f"by chance {kappa.chance:.1%}")
        yield _line("kappa", _number(kappa.value), _between(kappa.low, kappa.high))
    yield _line("alpha with the people", _number(found.alpha), f"people alone {_number(found.people)}")
    yield _line("no verdict", f"{found.unscored}", "".join(found.reasons[:1])[:36])
    again = f"{found.same_again} of {found.asked_again}" if found.asked_again else MISSING
    yield _line("the same again", again, "other seeds")
    yield from _orders("labels in both orders", found.labels)
    yield from _orders("pairs in both orders", found.pairs)
    yield ""
    yield from _confusion(found)
    yield ""
    yield from wrap(sentence(found), WIDTH)


def sentence(found: Calibration) -> str:
    """Say whether the judge can be trusted, and by what."""
    from gemma_eval.scoring.judge_trust import ENOUGH

    asked = f"{ENOUGH:.2f} is asked for"
    kappa = found.kappa
    if kappa is None or kappa.low is None or kappa.high is None:
        return "Nothing tells whether it can be trusted: all answers have one label, or none has any."
    if found.trust == "trusted":
        what = f"{found.judge} can be trusted with answers like these"
        return f"{what}: kappa is at least {kappa.low:.2f}, and {asked}."
    if found.trust == "not_trusted":
        return f"{found.judge} cannot be trusted: kappa is at most {kappa.high:.2f}, and {asked}."
    between = f"kappa lies between {kappa.low:.2f} and {kappa.high:.2f}, and {asked}"
    return f"It is not shown that {found.judge} can be trusted: {between}. Label more answers."


def _said(what: str) -> None:
    """Show progress on a terminal alone: a log does not need a line for each item."""
    import sys

    if sys.stderr.isatty():
        say(what)


def _orders(what: str, found: Orders) -> Iterator[str]:
    if not found.n:
        yield _line(what, MISSING, "none has a verdict in both")
        return
    right = "" if found.right is None else f", right in both {found.right}"
    yield _line(what, f"{found.n}", f"decided by the order {found.flips}{right}")
    interval = found.bias_interval
    if found.position_bias is not None and interval is not None:
        yield _line("  for the first place", f"{found.position_bias:+.2f}", _between(*interval, sign="+"))


def _confusion(found: Calibration) -> Iterator[str]:
    columns = list(dict.fromkeys(given for row in found.confusion.values() for given in row))
    names = [given or "no verdict" for given in columns]
    widths = [max(len(name), 5) for name in names]
    first = max((len(right) for right in found.confusion), default=0) + 8
    yield f"{'label, and the judge says':<{max(first, 26)}}" + "".join(
        f"  {name:>{width}}" for name, width in zip(names, widths, strict=True)
    )
    for right, row in found.confusion.items():
        counts = (f"  {row[given]:>{width}}" for given, width in zip(columns, widths, strict=True))
        yield f"  {right:<{max(first, 26) - 2}}" + "".join(counts)


def _line(what: str, value: str, more: str) -> str:
    return f"  {what:<24}{value:>10}  {more}".rstrip()


def _number(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f}"


def _between(low: float | None, high: float | None, *, sign: str = "") -> str:
    return "" if low is None or high is None else f"[{low:{sign}.2f}, {high:{sign}.2f}]"


def _json(found: Calibration) -> str:
    plain = asdict(found)
    for name in ("labels", "pairs"):
        orders: Orders = getattr(found, name)
        plain[name] |= {"flip_rate": orders.flip_rate, "position_bias": orders.position_bias}
        plain[name]["position_bias_interval"] = orders.bias_interval
    return json.dumps({**plain, "trust": found.trust, "sentence": sentence(found)}, indent=2)


def _path(file: str) -> Path:
    """Return the file of a path, or the one that ships under a name."""
    from gemma_eval.config.shipped import suites_directory

    shipped = suites_directory() / f"{file}.toml"
    return shipped if "/" not in file and not file.endswith(".toml") and shipped.is_file() else Path(file)
