"""What a comparison of the planned cells could find, by their number and by what earlier blocks differed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime

from gemma_eval.records import MICROBENCHMARK, SCORE, SHARES, UNSCORED, Cell, Gate, Group
from gemma_eval.report import numbers
from gemma_eval.stats.looks import ALPHA, levels
from gemma_eval.stats.paired import Prior
from gemma_eval.stats.power import change, detectable, discordant_sd, log_margin
from gemma_eval.stats.prior import of_sessions
from gemma_eval.stats.sequential import looks_between
from gemma_eval.verdict.costs import costs
from gemma_eval.verdict.history import Earlier
from gemma_eval.verdict.sides import group_of, pairs
from gemma_eval.verdict.where import fits

CHANGING = 0.1
"""The share of right and wrong answers that is taken to differ between two sides where nothing is known."""


def power_lines(cells: Sequence[Cell], gates: Sequence[Gate], earlier: Sequence[Earlier]) -> Iterator[str]:
    """Say for each gate what its data would mostly find, a line for each group that it is about."""
    for gate in gates:
        if gate.metric in (MICROBENCHMARK, UNSCORED):
            continue
        about = [cell for cell in cells if fits(gate.where, cell)]
        for group in dict.fromkeys(cell.group for cell in about):
            members = [cell for cell in about if cell.group == group]
            found = _of_score(gate, members) if gate.metric == SCORE else _of_cost(gate, group, earlier)
            if found and gate.limit is None:
                yield f"  {gate.id}, {_told(group)}: {found}"


def _told(group: Group) -> str:
    return f"{' · '.join(group.names[1:])} of {group.model}" if group.has_model else group.shown


def _of_score(gate: Gate, cells: Sequence[Cell]) -> str:
    cases = [cell.case for cell in cells if cell.case.checks]
    single = [case for case in cases if case.dataset is None]
    n = len({case.id if case.cluster is None else ("cluster", case.cluster) for case in single})
    sets = {case.id: case.dataset for case in cases if case.dataset is not None}.values()
    n += sum(each.clusters for each in sets)
    if n < 2:
        return ""
    asked = len({case.id for case in single}) + sum(each.rows for each in sets)
    what = "cases" if n == asked else "clusters of cases"
    margin = gate.margin or 0.0
    loss = detectable(discordant_sd(CHANGING), n, level=ALPHA, margin=margin, df=math.inf)
    share = f"if {100 * CHANGING:.0f} % of them change"
    if loss >= 1:
        return f"{n} {what} would find no loss whatever, {share}"
    return f"{n} {what} would mostly find a loss of {100 * loss:.1f} points, {share}"


def _of_cost(gate: Gate, group: Group, earlier: Sequence[Earlier]) -> str:
    prior = _noise(gate, group, earlier)
    looks = looks_between(gate.min_blocks, gate.max_blocks)
    if prior is None:
        return f"{looks[0]} to {looks[-1]} blocks; how much they differ is not known from earlier ones"
    margin, sd = log_margin(gate.tolerance or 0.0), math.sqrt(prior.variance)
    found = [
        f"{100 * change(detectable(sd, blocks, level=level, margin=margin, df=math.inf)):+.1f} % by {blocks}"
        for blocks, level in levels(looks).items()
        if blocks in (looks[0], looks[-1])
    ]
    allowed = f"{100 * (gate.tolerance or 0.0):g} % is allowed"
    return f"would mostly be found, where {allowed}: {' and '.join(found)} blocks"


def _noise(gate: Gate, group: Group, earlier: Sequence[Earlier]) -> Prior | None:
    """Return how much blocks of the group differed in earlier comparisons, whatever their base was."""
    sessions = []
    for each in earlier:
        if not each.base or not each.outcomes:
            continue
        for pair in pairs(each.base, each.outcomes):
            if group_of(pair.candidate[0]) == group:
                found = costs(pair, gate.metric, together=True)
                sessions += [found.differences(gate.metric)] if found is not None and found.blocks > 1 else []
    return of_sessions(sessions)


def block_s(earlier: Sequence[Earlier]) -> float | None:
    """Return what a block took in the newest comparison, `None` where there is none."""
    for each in earlier:
        blocks = len({outcome.trial.block for outcome in each.outcomes} - {0})
        if blocks and each.run.ended_utc is not None:
            began, ended = map(datetime.fromisoformat, (each.run.started_utc, each.run.ended_utc))
            return (ended - began).total_seconds() / (blocks + 1)  # the items take about as long as a block
    return None


def blocks_line(cells: Sequence[Cell], gates: Sequence[Gate], *, each_s: float | None) -> str | None:
    """Say what blocks run and for how long, `None` when nothing is timed; a block takes `each_s` seconds."""
    timed = [cell for cell in cells if cell.case.kind == "benchmark"]
    of_speed = [gate for gate in gates if gate.metric not in (*SHARES, MICROBENCHMARK)]
    if not timed or not of_speed:
        return None
    least, most = min(gate.min_blocks for gate in of_speed), max(gate.max_blocks for gate in of_speed)
    answers = sum(cell.case.n_trials + cell.case.warmup for cell in timed)
    generations = "1 generation" if answers == 1 else f"{numbers.count(answers)} generations"
    said = f"with --gemma-ab: {least} to {most} blocks, each {generations} on either side"
    if each_s is None:
        return f"{said}, in a process that has to start"
    shortest, longest = numbers.seconds(least * each_s), numbers.seconds(most * each_s)
    return f"{said}: {shortest} to {longest}, by the last comparison"
