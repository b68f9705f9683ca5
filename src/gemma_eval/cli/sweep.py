"""`gemma-eval sweep`: find the highest rate of requests at which a case still keeps its SLO."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gemma_eval.cli import chosen, completing
from gemma_eval.cli.figures import Figure
from gemma_eval.cli.progress import say
from gemma_eval.errors import BackendError, ConfigError, UnknownName, UsageError
from gemma_eval.plugins import Registry
from gemma_eval.records import Cell, Load

if TYPE_CHECKING:
    from gemma_eval.measure.sweep import Sweep
    from gemma_eval.stages import Stages
    from gemma_eval.stats.serving import Serving

FROM_SCHEDULE = {"ttft_s": "ttft_sched_s", "e2e_s": "e2e_sched_s"}
"""What a user waits for, by what is waited for from the sending on."""
RATE = Figure(0.001, 100_000)
"""The rates that a suite may have as well."""


@click.command(short_help="Find the highest rate of requests that keeps an SLO.")
@click.argument("suite", shell_complete=completing.suites)
@click.option("--case", "case_id", required=True, help="The case that is asked; it has an slo.")
@click.option("--model", required=True, help="The model that answers.", shell_complete=completing.models)
@click.option("--low", type=RATE, default=0.5, show_default=True, help="The first rate, in requests per s.")
@click.option("--high", type=RATE, default=256.0, show_default=True, help="The highest rate to be tried.")
@click.option("--tolerance", type=float, default=0.1, show_default=True, help="How exact, as a share.")
@click.option(
    "--good",
    type=Figure(0, 1, min_open=True),
    default=0.95,
    show_default=True,
    help="The share of good requests wanted.",
)
@click.option(
    "--requests",
    type=click.IntRange(1, 10_000),
    help="Requests per rate; by default the repeats of the case.",
)
@click.pass_obj
def sweep(registry: Registry, /, *, suite: str, case_id: str, model: str, **search: float) -> None:
    """Find the highest rate of requests at which a case of SUITE (a name or a file) keeps its SLO.

    Rates are doubled until one fails, then the gap is halved. Each is an open loop: requests come when they
    are due, whatever has ended, and their times count from then on. Nothing is recorded.
    """
    from gemma_eval.config.shipped import suite_path
    from gemma_eval.executors import device
    from gemma_eval.measure.clock import clock
    from gemma_eval.measure.sweep import check, highest_rate
    from gemma_eval.stages import load_backend, stages

    low, high, tolerance = search["low"], search["high"], search["tolerance"]
    check(low=low, high=high, tolerance=tolerance)
    path = suite_path(suite, folder=Path())
    cell = _cell(path, case_id, model, registry)
    if search["requests"] is not None:
        cell = replace(cell, case=replace(cell.case, repeats=int(search["requests"])))
    _refuse(at_rate(cell, low), registry, suite=path)

    def waiting(pid: int | None) -> None:
        click.echo(device.in_words(pid), err=True)

    click.echo(opening(cell, good=search["good"]))
    with device.hold("benchmark", folder=device.lock_folder(), waiting=waiting):
        say(f"the model {model} is loaded")
        with closing(load_backend(cell.model, registry, clock=clock)) as backend:
            stage = stages(registry, backend)
            _warm_up(cell, stage)
            found = highest_rate(
                lambda rate: _meets(at_rate(cell, rate), stage, good=search["good"]),
                low=low,
                high=high,
                tolerance=tolerance,
            )
    click.echo(in_words(found))


def at_rate(cell: Cell, rate_per_s: float) -> Cell:
    """Return the cell with its requests arriving at a rate, its limits counting from when they are due.

    From the sending on, whoever waits in a line for it would wait for nothing.
    """
    load = replace(cell.case.load or Load(), concurrency=None, rate_per_s=rate_per_s)
    slo = cell.case.slo
    if slo is not None:
        limits: dict[str, float] = {}
        for name, limit in slo.limits.items():
            due = FROM_SCHEDULE.get(name, name)
            limits[due] = min(limit, limits.get(due, limit))
        may_miss = tuple(FROM_SCHEDULE.get(name, name) for name in slo.may_miss)
        slo = replace(slo, limits=limits, may_miss=may_miss)
    return replace(cell, case=replace(cell.case, load=load, slo=slo))


def opening(cell: Cell, *, good: float) -> str:
    """Return what is looked for, with what, and how."""
    many = "1 request" if cell.case.repeats == 1 else f"{cell.case.repeats} requests"
    return f"{cell.label}: up to three times {many} at each rate, {100 * good:.3g} % of them good"


def in_words(found: Sweep) -> str:
    """Return what was found."""
    if found.rate_per_s is None:
        return f"no rate keeps the SLO: {found.failed_per_s:.3g} per s, the lowest, does not"
    above = "the highest that was tried"
    if found.failed_per_s is not None:
        above = f"{found.failed_per_s:.3g} per s does not"
    return f"highest rate that keeps the SLO: {found.rate_per_s:.3g} requests per s ({above})"


def _warm_up(cell: Cell, stage: Stages) -> None:
    """Have the engine answer before it is measured. Raises BackendError when it cannot."""
    from gemma_eval.executors.trials import warm_up

    first = warm_up(cell, stage)
    if first is not None and first.failure is not None:
        raise BackendError(first.failure.message)


def _meets(cell: Cell, stage: Stages, *, good: float) -> bool:
    from gemma_eval.cases.expand import trials
    from gemma_eval.executors.trials import run_trials
    from gemma_eval.report import numbers
    from gemma_eval.stats.serving import serving

    rate = cell.case.load.rate_per_s if cell.case.load else None
    takes_s = cell.case.repeats / rate if rate else None
    say(f"{rate:.3g} per s, for {numbers.seconds(takes_s)} and what the last answers take")
    served = serving(run_trials(trials(cell), stage))
    say("")
    met = served.goodput is not None and served.goodput.ratio >= good
    click.echo(_line(served, met="keeps it" if met else "does not"))
    return met


def _line(served: Serving, *, met: str) -> str:
    from gemma_eval.report import numbers

    load, goodput = served.load, served.goodput
    rate = load.rate_per_s if load is not None else None
    parts = [
        f"{rate or 0:7.3g} per s",
        f"{goodput.ratio:4.0%} good" if goodput is not None else "none good",
        f"TTFT p50 {numbers.seconds(served.ttft.p50_s)}",
        f"{served.answered} of {served.scheduled} answered",
    ]
    parts += [f"{count} failed ({kind})" for kind, count in served.errors.items()]
    return f"{', '.join(parts)}: {met}"


def _cell(suite: Path, case_id: str, model: str, registry: Registry) -> Cell:
    """Return the one cell of a case and a model. Raises UsageError."""
    from gemma_eval.suite import load_suite

    _, cells = load_suite(suite, registry, models=[model], say=chosen.say)
    of_case = [cell for cell in cells if cell.case.id == case_id]
    if not of_case:
        raise UnknownName("case", case_id, {cell.case.id for cell in cells})
    found = [cell for cell in of_case if cell.model.name == model]
    if not found:
        raise UnknownName("model", model, {cell.model.name for cell in of_case})
    _refuse_several(found)
    return found[0]


def _refuse_several(found: Sequence[Cell]) -> None:
    if len(found) > 1:
        names = ", ".join("/".join(each.group.names[1:]) for each in found)
        kinds = "profiles, templates or retrievals" if found[0].retrieval.name else "profiles or templates"
        what = f"has several {kinds} ({names}); sweep one"
        raise UsageError(f'the case "{found[0].case.id}" {what}')


def _refuse(cell: Cell, registry: Registry, *, suite: Path) -> None:
    """Refuse a case without a promise or with too few requests, wrong options, what an engine cannot do.

    Raises UsageError, before the engine is loaded.
    """
    from gemma_eval.backends.refusals import flaw, refusal
    from gemma_eval.cases.load_tables import misfit
    from gemma_eval.prompts.check import unfit

    case = f'the case "{cell.case.id}"'
    if cell.case.slo is None:
        raise UsageError(f"{case} has no slo, as slo = {{ ttft_s = 0.5 }}; nothing is promised")
    if what := misfit(cell.case.load or Load(), repeats=cell.case.repeats):
        raise UsageError(f"{case}: {what}")
    factory = registry.backends.find(cell.model.backend)
    if problem := flaw(factory, cell.model, suite=suite):
        raise ConfigError([problem])
    if reason := refusal(factory, cell) or unfit(cell.template, cell.model.name):
        raise UsageError(f'model "{cell.model.name}" with profile "{cell.profile.name}": {reason}')
