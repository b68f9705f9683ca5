"""`gemma-eval selftest`: what measuring costs on this machine, and how far its times are off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gemma_eval.plugins import Registry

if TYPE_CHECKING:
    from gemma_eval.selftest.bars import Bar
    from gemma_eval.selftest.check import Section, Selftest

_WIDTH = 48


@click.command(short_help="Measure the cost and the error of measuring.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--http/--no-http", default=True, show_default=True, help="Measure streams over HTTP as well.")
@click.pass_context
def selftest(ctx: click.Context, *, as_json: bool, http: bool) -> None:
    """Measure what measuring costs here, and how far its times are off.

    An engine that takes no time shows the cost; a server that stamps what it sends, on a port of this
    machine, shows the error. It takes some ten seconds. The exit code is 1 if a figure misses its bar. Bars
    are wider on a machine that is busy with other things.
    """
    from gemma_eval.measure.clock import clock  # here, so that --help loads no NumPy
    from gemma_eval.selftest.arm import machine
    from gemma_eval.selftest.check import check, http_client

    registry: Registry = ctx.obj
    client = http_client(registry, clock=clock) if http else None
    result = check(registry, machine=machine(clock), client=client, say=_say)
    click.echo(_json(result) if as_json else "\n".join(_screen(result)))
    ctx.exit(1 if result.missed else 0)


def _say(what: str) -> None:
    click.echo(f"measuring {what} ...", err=True)


def _screen(result: Selftest) -> Iterator[str]:
    """Yield the lines of the screen, in 80 columns."""
    for section in result.sections:
        yield ""
        yield click.style(section.title, bold=True)
        yield f"  {_arm(section)}"
        yield from map(_line, section.bars)
        if section.failure:
            yield f"  the first stream that failed: {section.failure}"
    yield ""
    yield _ending(result)


def _arm(section: Section) -> str:
    busyness = section.busyness
    pressure = "unknown" if busyness.pressure is None else f"{busyness.pressure:.1%}"
    arm = f"{busyness.arm} machine"
    return f"{arm}: CPU pressure before {pressure}, others' share of processors {busyness.others:.1%}"


def _line(bar: Bar) -> str:
    words = {True: click.style("pass", fg="green"), False: click.style("FAIL", fg="red"), None: "not asked"}
    asked = (
        "" if bar.most is None else f"{'=' if bar.most == bar.least else '<='} {_figure(bar.most, bar.unit)}"
    )
    return f"  {bar.what:<{_WIDTH - 12}}{_figure(bar.measured, bar.unit):>12}  {asked:<14}{words[bar.kept]}"


def _figure(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}".strip()


def _ending(result: Selftest) -> str:
    asked = sum(bar.kept is not None for section in result.sections for bar in section.bars)
    if not result.missed:
        return click.style(f"all {asked} bars are kept", fg="green")
    return click.style(f"{len(result.missed)} of {asked} bars are missed", fg="red")


def _json(result: Selftest) -> str:
    sections = [
        {
            "title": section.title,
            "arm": section.busyness.arm,
            "pressure": section.busyness.pressure,
            "others": section.busyness.others,
            "failure": section.failure,
            "bars": [{**asdict(bar), "kept": bar.kept} for bar in section.bars],
        }
        for section in result.sections
    ]
    return json.dumps({"harness": asdict(result.harness), "sections": sections}, indent=2)
