"""What `gemma-eval watch` shows: the scores there are, what an edit changed, and whether it helped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from gemma_eval.executors.refusals import in_words
from gemma_eval.executors.rerunning import Change, Difference
from gemma_eval.records import SHARES, Choice, Comparison, Group, Outcome, Reloaded, Skipped
from gemma_eval.report import numbers
from gemma_eval.report.comparisons import change, lines
from gemma_eval.report.visible import visible
from gemma_eval.stats.summary import summarise

MOST = 10
"""So many cases are shown of those that an edit changed, and how many more there are."""
_WIDTH = 100
_REASONS = 5

HEADINGS = (
    "model",
    "profile",
    "template",
    "retrieval",
    "cases",
    "score",
    "prompt tokens",
    "ttft p50",
    "not passed",
)
RIGHT = ("cases", "prompt tokens", "ttft p50", "not passed")


def rows(outcomes: Mapping[str, Sequence[Outcome]]) -> list[tuple[str, ...]]:
    """Return a row for each model, profile, template and retrieval, as `HEADINGS` names its cells."""
    groups: dict[Group, list[Sequence[Outcome]]] = defaultdict(list)
    for of_case in outcomes.values():
        groups[of_case[0].trial.cell.group].append(of_case)
    return [_row(group, cases) for group, cases in groups.items()]


def _row(group: Group, cases: Sequence[Sequence[Outcome]]) -> tuple[str, ...]:
    outcomes = [outcome for case in cases for outcome in case]
    found = {each.metric: each for each in summarise(outcomes)}
    is_timed = outcomes[0].trial.cell.case.kind == "benchmark"
    return (
        *(group.model, group.profile, group.template, group.retrieval),
        numbers.count(len(cases)),
        numbers.score_with_interval(found["score"]),
        _tokens(outcomes),
        numbers.seconds(found["ttft_s"].p50 if is_timed else None),
        numbers.count(sum(not all(outcome.passed for outcome in case) for case in cases)),
    )


def _tokens(outcomes: Sequence[Outcome]) -> str:
    """Write how many tokens a prompt has in the mean: what an edit of a template costs."""
    counts = [each.generation.prompt_tokens for each in outcomes if each.generation is not None]
    known = [count for count in counts if count is not None]
    return f"{fmean(known):.0f}" if known else numbers.MISSING


def without_empty(
    headings: Sequence[str], found: Sequence[Sequence[str]]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Leave out the columns in which no row has anything."""
    kept = [
        place
        for place in range(len(headings))
        if any(row[place] not in ("", numbers.MISSING) for row in found)
    ]
    return tuple(headings[place] for place in kept), [tuple(row[place] for place in kept) for row in found]


def failures(outcomes: Mapping[str, Sequence[Outcome]]) -> Iterator[str]:
    """Say once for each reason why there is no answer, or no score of it, and for how many cases."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for label, of_case in outcomes.items():
        if (why := next(filter(None, map(_lacked, of_case)), None)) is not None:
            reasons[why].append(label)
    for message, labels in list(reasons.items())[:_REASONS]:
        more = f" and {len(labels) - 1} more" if len(labels) > 1 else ""
        yield visible(f"{labels[0]}{more}: {message}").replace("\n", " ")


def _lacked(outcome: Outcome) -> str | None:
    if outcome.failure is not None:
        return outcome.failure.message
    unscored = next((score for score in outcome.scores if score.unscored is not None), None)
    return None if unscored is None else f"no score of {unscored.scorer}: {unscored.unscored}"


def left_out(skipped: Iterable[Skipped]) -> Iterator[str]:
    """Say what engines cannot run."""
    for each in skipped:
        cells = "1 cell" if each.cells == 1 else f"{each.cells} cells"
        yield f"skipped, {cells}: {in_words(each)}"


def reloaded(told: Reloaded, *, cells: int, of: int) -> str:
    """Say what was edited and how many cells that touches."""
    parts = [
        f"{_listed(each)} {verb}"
        for each, verb in ((told.changed, "changed"), (told.added, "added"), (told.removed, "removed"))
        if each
    ]
    what = ", ".join(parts) or "the files changed, and nothing that is run here"
    return f"{what}: {cells} of {of} cells to run" if cells else f"{what}: nothing to run"


def _listed(choices: Sequence[Choice]) -> str:
    named = [f'{kind} "{name}"' for kind, name in choices[:3]]
    more = f" and {len(choices) - 3} more" if len(choices) > 3 else ""
    return ", ".join(named) + more


def difference(found: Difference) -> Iterator[str]:
    """Write what an edit came to: the cases, the means with their bounds, and a sentence."""
    changed = found.changed
    for each in changed[:MOST]:
        yield from _case(each)
    if len(changed) > MOST:
        yield f"… and {len(changed) - MOST} more cases with another answer"
    if changed:
        yield ""
    comparisons = () if found.compared is None else found.compared.comparisons
    is_timed = any(each.after[0].trial.cell.case.kind == "benchmark" for each in found.touched)
    shown = tuple(each for each in comparisons if each.n and (is_timed or each.metric in SHARES))
    if found.compared is not None and shown:
        yield from lines(replace(found.compared, comparisons=shown))
    for labels, what in ((found.new, "new"), (found.gone, "gone")):
        if labels:
            more = f" and {len(labels) - 3} more" if len(labels) > 3 else ""
            yield f"{what}, and held against nothing: {', '.join(labels[:3])}{more}"
    yield from _sentences(found, shown)


def _case(each: Change) -> Iterator[str]:
    before, after = each.scores
    yield f"{each.label}  {numbers.score(before)} → {numbers.score(after)}"
    if each.answers is not None:
        yield f"  - {_short(each.answers[0])}"
        yield f"  + {_short(each.answers[1])}"


def _short(text: str) -> str:
    line = visible(text).replace("\n", "\\n")
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def _sentences(found: Difference, shown: Sequence[Comparison]) -> Iterator[str]:
    if not found.touched:
        yield "every answer is the accepted one" if not found.new else "there is nothing to compare with"
        return
    if not shown:
        comparisons = () if found.compared is None else found.compared.comparisons
        of_scores = tuple(each for each in comparisons if each.metric in SHARES)
        reasons = dict.fromkeys(each.reason for each in of_scores or comparisons if each.reason)
        yield f"nothing can be compared: {', '.join(reasons) or 'no score and no time is on both sides'}"
    several = len({each.shared for each in shown}) > 1
    for each in shown:
        where = " · ".join(filter(None, (each.shared if several else "", each.metric)))
        yield f"{where}: {verdict(each)}"


def verdict(each: Comparison) -> str:
    """Say in words whether an edit helped, by what is proved, and how much more would tell."""
    unit = each.unit if each.n == 1 else f"{each.unit}s"
    by = f"{change(each.metric)(each.difference)} over {numbers.count(each.n)} {unit}"
    if each.verdict == "REGRESSED":
        return f"it got worse ({by}, proved)"
    if each.verdict == "PASS":
        said = {
            "identical": "the same answers",
            "improved": f"it helped ({by}, proved)",
            "drift": f"a little worse ({by}, proved), and no more than is allowed",
        }
        return said.get(each.lean or "", f"not worse than is allowed ({by}); that it helped is not proved")
    leaning = {"better": f"; it leans to better ({by})", "worse": f"; it leans to worse ({by})"}
    needed = f"; about {numbers.count(each.needed)} {each.unit}s would tell" if each.needed else ""
    why = f": {each.reason}" if each.reason else ""
    return f"cannot tell{leaning.get(each.lean or '', '')}{needed}{why}"
