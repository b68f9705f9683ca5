"""Prints the tables of docs/gate.md: `python -m tests.statistics.figures`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tests.statistics.peers import RULES, in_turns, ours, runs_apart, slower
from tests.statistics.simulated import Rates
from tests.statistics.speeds import Corrected, History, Truth, families, speeds, two_runs

RUNS = 2000
DEVIATIONS = (0.01, 0.02, 0.04, 0.08)
NOISES = (0.01, 0.03, 0.08)


def share(of: float) -> str:
    """Return a share in percent, to a tenth where it is near 0 or 100 %; 0 and 100 % are none and all."""
    percent = 100 * of
    if percent in (0.0, 100.0) or 10 <= percent < 99.5:
        return f"{percent:.0f} %"
    if not 0.05 <= percent < 99.95:
        return "< 0.1 %" if percent < 50 else "> 99.9 %"
    return f"{percent:.1f} %"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    head, *body = (f"| {' | '.join(line)} |" for line in (columns, *rows))
    return "\n".join([head, "|" + "---|" * len(columns), *body])


def deviations() -> str:
    """Return how gates without a history end, by how much pairs of starts differ."""

    def row(sd: float) -> list[str]:
        same, at_margin, longer = (speeds(Truth(change=by, sd=sd), runs=RUNS) for by in (0.0, 0.05, 0.1))
        return [
            f"{100 * sd:.0f} %",
            share(at_margin.regressed),
            share(at_margin.passed),
            share(same.regressed),
            share(same.passed),
            f"{same.blocks:.1f}",
            share(longer.regressed),
            share(longer.passed),
            f"{longer.blocks:.1f}",
        ]

    columns = [
        "a pair of starts differs by",
        "errs: REGRESSED",
        "errs: PASS",
        "no change: REGRESSED",
        "no change: PASS",
        "after pairs",
        "10 % slower: REGRESSED",
        "10 % slower: PASS",
        "after pairs",
    ]
    return table(columns, map(row, DEVIATIONS))


KINDS: Mapping[str, tuple[Truth, History | None]] = {
    "no history": (Truth(change=0.0, sd=0.02), None),
    "no history, heavy tails (Student's t, 3 df)": (Truth(change=0.0, sd=0.02, tails=3.0), None),
    "no history, neighbouring pairs correlated by 0.2": (Truth(change=0.0, sd=0.02, lag=0.2), None),
    "no history, correlated by 0.4": (Truth(change=0.0, sd=0.02, lag=0.4), None),
    "12 sessions like today": (Truth(change=0.0, sd=0.02), History()),
    "12 sessions like today, heavy tails": (Truth(change=0.0, sd=0.02, tails=3.0), History()),
    "1 session like today": (Truth(change=0.0, sd=0.02), History(sessions=1)),
    "12 sessions with 0.7 of today's deviation": (Truth(change=0.0, sd=0.02), History(of_today=0.7)),
    "12 sessions with 0.5 of today's deviation": (Truth(change=0.0, sd=0.02), History(of_today=0.5)),
    "12 sessions with twice today's deviation": (Truth(change=0.0, sd=0.02), History(of_today=2.0)),
}


def kinds() -> str:
    """Return how gates end by what is known before and by the kind of noise."""

    def ended(kind: str, change: float, sd: float, looks: Sequence[int] = (5, 8, 12, 16, 20)) -> Rates:
        truth, history = KINDS[kind]
        drawn = Truth(change=change, sd=sd, tails=truth.tails, lag=truth.lag)
        return speeds(drawn, runs=RUNS, looks=tuple(looks), history=history)

    def errs(kind: str, looks: Sequence[int]) -> str:
        found = [ended(kind, 0.05, sd, looks) for sd in DEVIATIONS]
        regressed, passed = (sum(getattr(each, of) for each in found) for of in ("regressed", "passed"))
        return share(max(regressed, passed) / len(found))

    def row(kind: str) -> list[str]:
        return [
            kind,
            errs(kind, (5, 8, 12, 16, 20)),
            errs(kind, (5,)),
            f"{ended(kind, 0.0, 0.02).blocks:.1f}",
            share(ended(kind, 0.1, 0.08).regressed),
        ]

    columns = [
        "known before, and noise",
        "errs, 5 to 20 pairs",
        "errs, 5 pairs only",
        "pairs needed, no change, 2 %",
        "10 % slower found, 8 %",
    ]
    return table(columns, map(row, KINDS))


def gates() -> str:
    """Return how often one of 24 gates at their margins is called worse."""
    corrected: Mapping[Corrected, str] = {
        "all looks": "Holm, of the p over all looks (ours)",
        "one look": "Holm, of the p of the look that decided",
        "nothing": "none",
    }
    truth = Truth(change=0.05, sd=0.02)
    rows = [
        [name, *(share(families(truth, runs=RUNS, alike=alike, by=by)) for alike in (0.0, 0.8))]
        for by, name in corrected.items()
    ]
    return table(["correction", "independent gates", "gates correlated by 0.8"], rows)


def runs_in_a_row() -> str:
    """Return how comparisons of one run with the one before it end, with a history of 13 runs."""

    def row(sd: float) -> list[str]:
        at_margin, same, *longer = (
            two_runs(change=change, sd=sd, runs=RUNS) for change in (0.05, 0.0, 0.1, 0.2)
        )
        errors = [share(at_margin.regressed), share(at_margin.passed)]
        found = [share(each.regressed) for each in longer]
        return [f"{100 * sd:.0f} %", *errors, share(same.regressed), share(same.passed), *found]

    columns = [
        "two runs differ by",
        "errs: REGRESSED",
        "errs: PASS",
        "no change: REGRESSED",
        "no change: PASS",
        "10 % slower: REGRESSED",
        "20 % slower: REGRESSED",
    ]
    return table(columns, map(row, DEVIATIONS))


def rules() -> str:
    """Return how often each tool's rule calls the candidate slower: no change / a tenth slower."""

    def apart(rule: str, sd: float) -> str:
        return both(*(slower(rule, runs_apart(change=change, sd=sd, runs=RUNS)) for change in (0.0, 0.1)))

    def turns(rule: str, sd: float, own: float) -> str:
        found = (slower(rule, in_turns(change=change, sd=sd, runs=RUNS, own=own)) for change in (0.0, 0.1))
        return both(*found)

    def gate(name: str, own: float, of: str) -> list[str]:
        rows = [[ours(in_turns(change=by, sd=sd, runs=RUNS, own=own)) for by in (0.0, 0.1)] for sd in NOISES]
        if of == "starts":
            return [name, *(" / ".join(f"{each.blocks:.0f}" for each in row) for row in rows)]
        return [name, *(both(*(getattr(each, of) for each in row)) for row in rows)]

    def both(same: float, longer: float) -> str:
        return f"{share(same)} / {share(longer)}"

    rows = [[f"{rule}, one start a side", *(apart(rule, sd) for sd in NOISES)] for rule in RULES]
    rows += [[f"{rule}, ten starts a side", *(turns(rule, sd, 0.35) for sd in NOISES)] for rule in RULES]
    rows += [[f"{rule}, ten that share nothing", *(turns(rule, sd, 1.0) for sd in NOISES)] for rule in RULES]
    for name, own in (("", 0.35), (", starts that share nothing", 1.0)):
        rows.append(gate(f"**REGRESSED**{name}", own, "regressed"))
        rows.append(gate(f"**PASS**{name}", own, "passed"))
        rows.append(gate(f"starts a side{name}", own, "starts"))
    return table(["rule", *(f"starts differ by {100 * sd:.0f} %" for sd in NOISES)], rows)


TABLES = {
    "deviations": deviations,
    "kinds": kinds,
    "gates": gates,
    "runs_in_a_row": runs_in_a_row,
    "rules": rules,
}

if __name__ == "__main__":
    for name, made in TABLES.items():
        print(f"{name}\n\n{made()}\n")
