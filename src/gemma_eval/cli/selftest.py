"""`gemma-eval selftest`: what measuring costs, how far times are off, whether scores are right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from gemma_eval.cli.progress import say
from gemma_eval.plugins import Registry
from gemma_eval.report.numbers import MISSING, number

if TYPE_CHECKING:
    from gemma_eval.selftest.bars import Bar
    from gemma_eval.selftest.check import Section, Selftest


@click.command(short_help="Measure what measuring costs; check the scorers.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--http/--no-http", default=True, show_default=True, help="Measure streams over HTTP as well.")
@click.option("--scorers", is_flag=True, help="Compare scorers with values that others have published.")
@click.pass_context
def selftest(ctx: click.Context, *, as_json: bool, http: bool, scorers: bool) -> None:
    """Measure what measuring costs here, and how far its times are off.

    An engine that takes no time shows the cost. A server that stamps what it sends, on a port of this
    machine, shows the error: the client's time minus the server's. It takes some ten seconds. A figure that
    misses its bar makes the exit code 1. The bars are wider on a machine that is busy with other things.

    With --scorers nothing is measured: scorers and statistics are held against values that the tests of other
    frameworks hold theirs against. One that differs, unless it does so by design, makes the exit code 1.
    """
    if scorers:
        ctx.exit(_scorers(ctx.obj, json=as_json))
    from gemma_eval.measure.clock import clock  # here, so that --help loads no NumPy
    from gemma_eval.selftest.arm import machine
    from gemma_eval.selftest.check import check, http_client

    registry: Registry = ctx.obj
    client = http_client(registry, clock=clock) if http else None
    result = check(registry, machine=machine(clock), client=client, say=say)
    say("")
    click.echo(_json(result) if as_json else "\n".join(screen(result)))
    ctx.exit(1 if result.missed else 0)


def _scorers(registry: Registry, *, json: bool) -> int:
    """Print how our scorers compare with published values, and return the exit code."""
    from gemma_eval.cli import selftest_scorers as shown
    from gemma_eval.selftest.scorers import check_published
    from gemma_eval.selftest.vectors import published

    checked = check_published(registry, published())
    click.echo(shown.as_json(checked) if json else "\n".join(shown.screen(checked)))
    return int(any(each.state == "differs" for each in checked))


def screen(result: Selftest) -> Iterator[str]:
    """Yield the lines of the screen, in 80 columns."""
    for section in result.sections:
        yield click.style(section.title, bold=True)
        yield from _arm(section)
        yield from map(_line, section.bars)
        if section.failure:
            yield f"  a stream failed: {section.failure}"
        yield ""
    yield _ending(result)


def _arm(section: Section) -> Iterator[str]:
    """Yield how busy the machine was, with the first reason why it counts as busy."""
    reasons = "".join(f": {reason}" for reason in section.busyness.reasons[:1])
    yield from wrap(
        f"{section.busyness.arm} machine{reasons}", 78, initial_indent="  ", subsequent_indent="    "
    )


def _line(bar: Bar) -> str:
    asked = ""
    if bar.most is not None:
        asked = f"{'=' if bar.most == bar.least else '<='} {_figure(bar.most, bar.unit)}"
    return f"  {bar.what:<36}{_figure(bar.measured, bar.unit):>13}  {asked:<14}{_verdict(bar)}"


def _verdict(bar: Bar) -> str:
    if bar.measured is None:
        return "not known"
    if bar.kept is None:
        return "not asked"
    return click.style("pass", fg="green") if bar.kept else click.style("FAIL", fg="red")


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return MISSING
    return f"{number(value)} {unit}" if unit else str(round(value))


def _ending(result: Selftest) -> str:
    asked = sum(bar.kept is not None for section in result.sections for bar in section.bars)
    missed = len(result.missed)
    if not missed:
        return click.style(f"all {asked} bars are kept", fg="green")
    return click.style(f"{missed} of {asked} bars {'is' if missed == 1 else 'are'} missed", fg="red")


def _json(result: Selftest) -> str:
    sections = [
        {
            "title": section.title,
            "arm": section.busyness.arm,
            "pressure": section.busyness.pressure,
            "noise": asdict(section.busyness.noise),
            "reasons": section.busyness.reasons,
            "failure": section.failure,
            "bars": [{**asdict(bar), "kept": bar.kept} for bar in section.bars],
        }
        for section in result.sections
    ]
    return json.dumps({"harness": asdict(result.harness), "sections": sections}, indent=2)
