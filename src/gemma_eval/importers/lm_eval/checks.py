"""The metrics of a task as checks: a scorer for each metric and pipeline, of which the first one counts.

Source: EleutherAI/lm-evaluation-harness:lm_eval/api/metrics.py and registry.py, version 0.4.13.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gemma_eval.errors import suggestion
from gemma_eval.files import locate
from gemma_eval.files.rows import show
from gemma_eval.importers import jinja
from gemma_eval.importers.lm_eval import patterns, steps
from gemma_eval.importers.lm_eval.steps import Step, Steps
from gemma_eval.importers.lm_eval.task import MetricRow, TaskRow
from gemma_eval.importers.sheet import Sheet
from gemma_eval.importers.written import Table, slug

_WHOLE_SET = "is a figure of all rows together; the suite has acc for each row, with the choice that was made"
_SUMS = "there is of all rows together; the suite has it for each row, with the counts that sum to it"
_OF_TEXTS = (
    "word_perplexity, byte_perplexity and bits_per_byte there are of all texts together; a report has them "
    "under Corpus, and the score is of each text"
)
SCORERS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "multiple_choice": {
        "acc": ("acc", ""),
        "acc_norm": ("acc_norm", ""),
        "acc_bytes": ("acc_bytes", ""),
        "acc_mutual_info": ("acc_mutual_info", ""),
        "brier_score": ("brier", "brier_score is the figure `brier` of the scorer, whose value is 1 - B / 2"),
        "exact_match": ("choice_exact_match", ""),
        "f1": ("acc", f"f1 {_WHOLE_SET}"),
        "mcc": ("acc", f"mcc {_WHOLE_SET}"),
    },
    "loglikelihood": {
        "perplexity": (
            "likelihood",
            "perplexity there is e to minus the mean of the figure `log_likelihood`, of texts, not tokens",
        ),
        "acc": ("greedy_match", ""),
    },
    "loglikelihood_rolling": {
        "word_perplexity": ("bits_per_byte", _OF_TEXTS),
        "byte_perplexity": ("bits_per_byte", _OF_TEXTS),
        "bits_per_byte": ("bits_per_byte", _OF_TEXTS),
    },
    "generate_until": {
        "exact_match": ("exact_match", ""),
        "bleu": ("bleu", f"bleu {_SUMS}"),
        "chrf": ("chrf", f"chrf {_SUMS}"),
        "chrf++": ("chrf", f"chrf++ {_SUMS}"),
        "ter": ("ter", f"ter {_SUMS}; the scorer's value is 1 - TER"),
    },
}
"""The scorer of each metric by output type, and what differs."""

DEFAULTS = {
    "multiple_choice": ("acc", "acc_norm"),
    "loglikelihood": ("perplexity", "acc"),
    "loglikelihood_rolling": ("word_perplexity", "byte_perplexity", "bits_per_byte"),
    "generate_until": ("exact_match",),
}
_AGGREGATIONS: Mapping[str, Sequence[str] | None] = {
    "mean": None,
    "perplexity": ("perplexity",),
    "weighted_perplexity": ("word_perplexity", "byte_perplexity"),
    "bits_per_byte": ("bits_per_byte",),
    "bleu": ("bleu",),
    "chrf": ("chrf",),
    "chrf++": ("chrf++",),
    "ter": ("ter",),
    "f1": ("f1",),
    "matthews_corrcoef": ("mcc",),
    "brier_score": ("brier_score",),
}
"""Aggregations, and the metrics that each belongs to; `None` for those of any metric."""
FILTERS = frozenset(
    (
        *(
            "after",
            "before",
            "casefold",
            "code_block",
            "first_line",
            "last_line",
            "lower",
            "map",
            "multi_choice_regex",
            "nfc",
            "nfkc",
        ),
        *("regex", "remove", "remove_whitespace", "replace", "single_spaces", "strip", "strip_start"),
        *("take_words", "upper"),
    )
)
"""The names of filters, which no pipeline may have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The checks of answers that are scored one by one, or of which several have a vote."""

    voters: int
    checks: tuple[Table, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """How a task is scored: its pipelines by name, its checks, and what a reader has to know of them."""

    pipelines: Mapping[str, Sequence[Step]]
    groups: tuple[Group, ...]
    notes: tuple[str, ...] = ()


def read(task: TaskRow, sheet: Sheet, *, reference: str) -> Scored:
    """Return how a task is scored against the column `reference`; problems go to the sheet."""
    known = SCORERS[task.output_type]
    metrics = task.metric_list or [MetricRow(metric=name) for name in DEFAULTS[task.output_type]]
    found = [
        (metric, known[metric.metric or ""])
        for number, metric in enumerate(metrics)
        if _is_known(metric, ("metric_list", number), known, task, sheet)
    ]
    pipelines = _pipelines(task, sheet)
    groups: dict[int, list[Table]] = {}
    for pipeline in pipelines:
        for number, (metric, (scorer, _)) in enumerate(found):
            check = _check(metric, scorer, ("metric_list", number), sheet, reference=reference)
            filters = _filter(pipeline)
            group = groups.setdefault(pipeline.voters, [])
            weight = {"weight": 0.0} if group else {}
            made = {**check, **filters}
            if made not in [{key: each[key] for key in each if key != "weight"} for each in group]:
                group.append({**made, **weight})
    return Scored(
        pipelines={
            _name(each): list(each.filters) for each in pipelines if each.filters and not each.for_each_row
        },
        groups=tuple(Group(voters=n, checks=tuple(each)) for n, each in groups.items()),
        notes=_notes(task, found, groups),
    )


def _pipelines(task: TaskRow, sheet: Sheet) -> tuple[Steps, ...]:
    found = steps.read(task, sheet)
    if task.output_type != "generate_until" and any(each.filters or each.voters > 1 for each in found):
        sheet.say(("filter_list",), f"filter_list has filters of a text, and {task.output_type} writes none")
    if len({_name(each) for each in found}) < len(found):
        sheet.say(("filter_list",), "filter_list has two pipelines of one name; rename one")
    return found


def _is_known(
    row: MetricRow, at: locate.Path, known: Mapping[str, object], task: TaskRow, sheet: Sheet
) -> bool:
    if row.metric is None:
        sheet.say(at, "an entry of metric_list needs a metric")
        return False
    of = None if row.aggregation is None else _AGGREGATIONS.get(row.aggregation, ())
    if of is not None and row.metric not in of:
        sheet.say(
            (*at, "aggregation"), f"aggregation {show(row.aggregation)} of {row.metric} is not carried over"
        )
    if row.metric not in known:
        hint = suggestion(row.metric[:80], known)
        what = f"metric {show(row.metric)} of {task.output_type} is not carried over{hint}"
        sheet.say((*at, "metric"), what)
    return row.metric in known


def _check(row: MetricRow, scorer: str, at: locate.Path, sheet: Sheet, *, reference: str) -> Table:
    if scorer not in ("exact_match", "bleu", "chrf", "ter"):
        return {"scorer": scorer}
    check: Table = {"scorer": scorer, "reference": f"{{{{ {reference} }}}}"}
    if row.metric == "chrf++":
        return check | {"word_order": 2}
    return check | _made_alike(row, at, sheet) if scorer == "exact_match" else check


def _made_alike(row: MetricRow, at: locate.Path, sheet: Sheet) -> Table:
    """Return what is taken away of both sides of an exact match."""
    options: Table = {"normalise": "none"}
    for key in ("ignore_case", "ignore_punctuation", "ignore_numbers"):
        if getattr(row, key):
            options[key] = True
    ignored = patterns.ignored(row.regexes_to_ignore or (), at, sheet)
    # In the suite they are templates over a row, and mean themselves.
    written = [jinja.literal(each) for each in ignored]
    return options | ({"regexes_to_ignore": written} if written else {})


def _notes(
    task: TaskRow, found: Sequence[tuple[MetricRow, tuple[str, str]]], groups: Mapping[int, Sequence[Table]]
) -> tuple[str, ...]:
    notes = list(dict.fromkeys(note for _, (_, note) in found if note))
    if any(len(checks) > 1 for checks in groups.values()):
        notes.append(
            "Only the first check counts for the score of a case; the others, of weight 0, are recorded."
        )
    if task.repeats > 1 and 1 in groups:
        notes.append(
            f"repeats is {task.repeats} there, and all but the first answer are thrown away; here is 1."
        )
    if len(groups) > 1:
        notes.append("A vote has a case of its own, whose answers are generated again.")
    return tuple(notes)


def _filter(pipeline: Steps) -> Table:
    """Return a pipeline by its name, or written out where it reads the row, which one of [filters] cannot."""
    if pipeline.for_each_row:
        return {"filter": list(pipeline.for_each_row)}
    return {"filter": _name(pipeline)} if pipeline.filters else {}


def _name(pipeline: Steps) -> str:
    name = slug(pipeline.name)
    return f"{name}-pipeline" if name in FILTERS else name
