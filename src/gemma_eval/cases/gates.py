"""Read `[[gate]]` tables, those of a suite and those of a file of their own, into the gates they demand."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path

from gemma_eval.cases.problems import Problems
from gemma_eval.cases.schema_gates import GateRow, GatesFileRow
from gemma_eval.errors import Problem, SuiteError, suggestion
from gemma_eval.files import decode, rows
from gemma_eval.files.read import ReadError, read_bytes
from gemma_eval.files.read import decode as decoded
from gemma_eval.records import MICROBENCHMARK, SCORE, SHARES, UNSCORED, Gate, Source, Suite, Where

_TIME = {"us": "0.000001", "ms": "0.001", "s": "1", "min": "60"}
_SIZE = {"B": "1", "kB": "1e3", "MB": "1e6", "GB": "1e9", "TB": "1e12"}
_SIZE |= {f"{letter}iB": str(1024**power) for power, letter in enumerate("KMGT", start=1)}
_RATE = {"/s": "1"}

UNITS: Mapping[str, Mapping[str, str]] = {
    SCORE: {},
    UNSCORED: {},
    **dict.fromkeys(("ttft_s", "ttft_sched_s", "ttfo_s", "tpot_s", "ntpot_s"), _TIME),
    **dict.fromkeys(("output_tokens_per_s", "prompt_tokens_per_s"), _RATE),
    **dict.fromkeys(("e2e_s", "e2e_sched_s", "queue_delay_s", "max_stall_s"), _TIME),
    **dict.fromkeys(("peak_memory_bytes", "peak_anonymous_bytes", "peak_file_bytes"), _SIZE),
    "cpu_s_per_output_token": _TIME,
    MICROBENCHMARK: _TIME,
}
"""The metrics of summaries and of micro-benchmarks, with the units that a limit may be in and their worth."""

MARGIN = 0.02
TOLERANCE = 0.05
TOLERANCES: Mapping[str, float] = {"tpot_s": 0.03}
"""What a gate allows that does not say: of a score, of a cost, and of these costs."""

DEFAULT_GATES: tuple[Gate, ...] = (
    Gate(id="score", metric="score", margin=MARGIN),
    Gate(id="ttft_s", metric="ttft_s", tolerance=TOLERANCE, where=Where(kind="benchmark")),
    Gate(id="tpot_s", metric="tpot_s", tolerance=TOLERANCES["tpot_s"], where=Where(kind="benchmark")),
)
"""What is demanded when nothing is written: of the score of every case, and of the times of benchmarks."""

_BOUNDS = ("tolerance", "margin", "limit")
_LARGEST_TOLERANCE = 10
_NUMBER = r"(\d{1,20}(?:\.\d{1,20})?)"
_PER_CENT = re.compile(rf"{_NUMBER} ?%", re.ASCII)
_WITH_UNIT = re.compile(rf"{_NUMBER} ?([A-Za-z/]+)", re.ASCII)


def load_gates(path: Path) -> tuple[Gate, ...]:
    """Return the gates of a file of gates. Raises SuiteError with every problem of the file."""
    try:
        table, lines = decode.toml(decoded(read_bytes(path)))
    except ReadError as error:
        raise SuiteError([Problem(path=path, line=error.line, what=error.what)]) from error
    row, flaws = rows.check(GatesFileRow, table)
    problems = Problems(path=path, lines=lines)
    for flaw in flaws:
        say_flaw(flaw, row.gate or (), problems)
    if not row.gate and ("gate",) not in problems.flawed:
        problems.say((), "has no gate; begin each one with [[gate]]")
    gates = read(row.gate or (), problems)
    if problems.found:
        raise SuiteError(problems.found)
    return gates


def read(given: Sequence[GateRow], problems: Problems, *, suite: str | None = None) -> tuple[Gate, ...]:
    """Return the gates of the tables of a file; those of a suite file are about that `suite` alone.

    After a problem, they are some that nobody may use.
    """
    places = [_Place(problems, index, row) for index, row in enumerate(given)]
    _check_ids(places)
    return tuple(_gate(place, suite=suite) for place in places)


def say_flaw(flaw: rows.Flaw, given: Sequence[GateRow], problems: Problems) -> None:
    """Note a flaw of the tables; its key is named from within its gate."""
    match flaw.path:
        case ("gate", int(index), *_):
            problems.flawed.update(flaw.path[:n] for n in range(1, len(flaw.path) + 1))
            row = given[index] if index < len(given) else GateRow()
            problems.say(flaw.path, _Place(problems, index, row).name + flaw.text(below=2))
        case ("gate",):
            problems.flawed.add(("gate",))
            problems.say(flaw.path, "gate should be a list of tables; begin each gate with [[gate]]")
        case _:
            problems.say_flaw(flaw)


def check_where(suite: Suite, models: Collection[str], problems: Problems) -> None:
    """Note each name in a `where` that is none of the suite, which the gate would wait for in vain.

    Any of the `models` may run its cases, whichever these name.
    """
    cases = suite.cases
    known: Mapping[str, set[str]] = {
        "case": {case.id for case in (*cases, *(rows[0].case for rows in suite.rows.values()))},
        "tag": {tag for case in cases for tag in case.tags},
        "kind": {case.kind for case in cases},
        "model": {*models, *(name for case in cases for name in case.models)},
        "profile": {name for case in cases for name in case.profiles},
        "template": {name for case in cases for name in case.templates},
        "retrieval": {name for case in cases for name in case.retrievals},
    }
    for index, gate in enumerate(suite.gates):
        for key, names in known.items():
            glob = getattr(gate.where, key)
            if glob is not None and not any(fnmatchcase(name, glob) for name in names):
                what = f"where.{key} is {rows.show(glob)}, and this suite has no such {key}"
                at = ("gate", index, "where", key)
                problems.say(at, f"gate {rows.show(gate.id)}: {what}{suggestion(glob, names)}")


@dataclass(frozen=True, slots=True)
class _Place:
    """A table of a file, and where to note its problems."""

    problems: Problems
    index: int
    row: GateRow

    @property
    def name(self) -> str:
        named = rows.show(self.row.id) if self.row.id else f"number {self.index + 1}"
        return f"gate {named}: "

    def say(self, what: str, *key: str) -> None:
        self.problems.say(("gate", self.index, *key), self.name + what)

    def is_flawed(self, *key: str) -> bool:
        return ("gate", self.index, *key) in self.problems.flawed

    def gives(self, key: str) -> bool:
        return getattr(self.row, key) is not None or self.is_flawed(key)


def _check_ids(places: Sequence[_Place]) -> None:
    first: dict[str, int] = {}
    for place in places:
        name, line = place.row.id, place.problems.lines.at(("gate", place.index, "id"))
        if name is None:
            if not place.is_flawed("id"):
                place.say('needs an id, as id = "quality"')
        elif name in first:
            place.say(f"has the id of the gate in line {first[name]}; ids are unique in a file", "id")
        else:
            first[name] = line


def _gate(place: _Place, *, suite: str | None) -> Gate:
    row, metric = place.row, _metric(place)
    least, most = _blocks(place, metric)
    if metric == MICROBENCHMARK:
        _check_microbenchmark(place, suite=suite)
    if row.percentile is not None and metric in SHARES:
        place.say(f"percentile is of costs, and {_a(metric)} has a mean; leave it out", "percentile")
    return Gate(
        id=row.id or "",
        metric=metric or "",
        percentile=row.percentile,
        tier=row.tier or "critical",
        where=_where(place, suite=suite),
        min_blocks=least,
        max_blocks=most,
        source=Source(path=place.problems.path.name, line=place.problems.lines.at(("gate", place.index))),
        **_bound(place, metric),
    )


def _metric(place: _Place) -> str | None:
    """Return the metric, `None` where none is known."""
    given = place.row.metric
    if given is None:
        if not place.is_flawed("metric"):
            place.say('needs a metric, as metric = "score"')
    elif given not in UNITS:
        place.say(rows.unknown("metric", given, UNITS), "metric")
        return None
    return given


def _check_microbenchmark(place: _Place, *, suite: str | None) -> None:
    """Note what a gate of tests of a session says as if they were cells of a suite."""
    if suite is not None:
        what = f"{MICROBENCHMARK} is of tests beside the suite"
        place.say(f"{what}; write the gate into a file of gates", "metric")
    for key in ("percentile", "min_blocks", "max_blocks"):
        if place.gives(key):
            place.say(f"{key} is of answers, and a session is one datum; leave it out", key)
    given = place.row.where.model_dump(exclude_none=True) if place.row.where else {}
    for key in [key for key in given if key != "case"]:
        what = f"where.{key}: a test has no {key}"
        place.say(f'{what}; choose by its full name, as where = {{case = "*test_speed*"}}', "where", key)


def _bound(place: _Place, metric: str | None) -> Mapping[str, float]:
    """Return the one of tolerance, margin and limit that is given, or what the metric has by default."""
    given = [key for key in _BOUNDS if place.gives(key)]
    if metric == UNSCORED and given != ["limit"]:
        place.say("unscored is held against a limit, as limit = 0.05; leave margin and tolerance out")
        return {"limit": 0.0}
    if len(given) > 1:
        place.say(f"has {', '.join(given[:-1])} and {given[-1]}; give one of them", given[-1])
    if len(given) != 1 or metric is None or place.is_flawed(given[0]):
        is_score = metric == "score"
        return {"margin": MARGIN} if is_score else {"tolerance": TOLERANCES.get(metric or "", TOLERANCE)}
    key = given[0]
    value = {"tolerance": _tolerance, "margin": _margin, "limit": _limit}[key](place, metric)
    return {} if value is None else {key: value}


def _tolerance(place: _Place, metric: str) -> float | None:
    given = place.row.tolerance
    if metric == "score":
        place.say(f"tolerance is of costs; of a score give margin = {MARGIN}", "tolerance")
        return None
    if not isinstance(given, str):
        return given
    if not (match := _PER_CENT.fullmatch(given)):
        place.say(f'tolerance is {rows.show(given)}; it should be a share, as "5%" or 0.05', "tolerance")
        return None
    share = float(Decimal(match[1]) / 100)
    if not 0 < share <= _LARGEST_TOLERANCE:
        range_ = f"more than 0% and at most {_LARGEST_TOLERANCE:.0%}"
        place.say(f"tolerance is {rows.show(given)}; it should be {range_}", "tolerance")
    return share


def _margin(place: _Place, metric: str) -> float | None:
    if metric != "score":
        place.say(f'margin is of a score; of a cost give tolerance = "{TOLERANCE:.0%}"', "margin")
    return place.row.margin


def _limit(place: _Place, metric: str) -> float | None:
    given = place.row.limit
    units = UNITS[metric]
    if isinstance(given, str):
        match = _WITH_UNIT.fullmatch(given)
        value = float(Decimal(match[1]) * Decimal(units[match[2]])) if match and match[2] in units else None
    else:
        value = given
    is_what = f"limit is {rows.show(given) if isinstance(given, str) else f'{given:g}'}"
    if not units:
        if value is None or not 0 <= value <= 1:
            place.say(f"{is_what}; of {_a(metric)} it should be a number in 0..1", "limit")
    elif value is None:
        what = f"it should be a number, or one with a unit in quotes ({', '.join(units)})"
        place.say(f"{is_what}; {what}", "limit")
    elif value <= 0:
        place.say(f"{is_what}; it should be more than 0", "limit")
    return value


def _a(metric: str | None) -> str:
    """Name a metric of which the datum is the case within a sentence."""
    return "a score" if metric == SCORE else str(metric)


def _blocks(place: _Place, metric: str | None) -> tuple[int, int]:
    """Return after how many blocks a comparison is looked at first and last."""
    row = place.row
    for key in ("min_blocks", "max_blocks"):
        if metric in SHARES and place.gives(key):
            place.say(f"{key} is of costs, and the datum of {_a(metric)} is the case; leave it out", key)
    default = DEFAULT_GATES[0]
    least = default.min_blocks if row.min_blocks is None else row.min_blocks
    most = default.max_blocks if row.max_blocks is None else row.max_blocks
    if least > most and not (place.is_flawed("min_blocks") or place.is_flawed("max_blocks")):
        key = "max_blocks" if row.min_blocks is None else "min_blocks"
        first = f"min_blocks is {least}{_unless_given(row.min_blocks)}"
        second = f"max_blocks {most}{_unless_given(row.max_blocks)}"
        place.say(f"{first} and {second}; the first should not be larger", key)
    return least, most


def _unless_given(blocks: int | None) -> str:
    return " (unless you give it)" if blocks is None else ""


def _where(place: _Place, *, suite: str | None) -> Where:
    given = place.row.where.model_dump(exclude_none=True) if place.row.where else {}
    if suite is None:
        return Where(**given)
    if "suite" in given:
        what = "where.suite: a gate of a suite file is about that suite; leave it out"
        place.say(f"{what}, or write the gate into a file of gates", "where", "suite")
    return Where(**{**given, "suite": suite})
