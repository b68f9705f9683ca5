"""The timed cells of a run: the outcomes of one case in one group, with their summaries at hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from gemma_eval.records import Case, Generation, Group, Outcome, Report, Summary
from gemma_eval.report.groups import Groups, group_of
from gemma_eval.report.reasons import codes
from gemma_eval.stats.requests import answers
from gemma_eval.stats.summary import summarise


@dataclass(frozen=True, kw_only=True)
class TimedCell:
    """A case that is a benchmark, or promises something, with one model, profile and template.

    `name` is the id of the case, with its suite where two suites have that id.
    """

    name: str
    suite: str
    case: Case
    group: Group
    outcomes: tuple[Outcome, ...]
    _summaries: Mapping[str, Summary] = field(repr=False)

    def summary(self, metric: str) -> Summary:
        """Return the summary of one metric over this cell alone."""
        return self._summaries[metric]

    @property
    def summaries(self) -> tuple[Summary, ...]:
        """Return the summaries of all metrics."""
        return tuple(self._summaries.values())

    @property
    def measured(self) -> tuple[Outcome, ...]:
        """Return the outcomes that count: none that a load begins or ends with."""
        return tuple(outcome for outcome in self.outcomes if outcome.phase == "measured")

    @property
    def answers(self) -> tuple[Generation, ...]:
        """Return the whole answers among them: none that broke off."""
        return tuple(answers(self.measured))

    def codes(self, metric: str) -> tuple[str, ...]:
        """Return why whole answers lack a metric."""
        whole = (each.measurement for each in self.measured if each.failure is None)
        return codes((each for each in whole if each is not None), metric)


def timed_cells(report: Report, groups: Groups) -> tuple[TimedCell, ...]:
    """Return the cells that are benchmarks or have an SLO, case by case, each in the order of groups."""
    members: dict[tuple[str, str], dict[Group, list[Outcome]]] = {}
    for outcome in report.outcomes:
        cell = outcome.trial.cell
        if cell.case.kind == "benchmark" or cell.case.slo is not None:
            case = members.setdefault((cell.suite, cell.case.id), {})
            case.setdefault(group_of(outcome), []).append(outcome)
    suites = Counter(case_id for _, case_id in members)
    return tuple(
        _cell(case_id if suites[case_id] == 1 else f"{suite}: {case_id}", group, case[group])
        for (suite, case_id), case in members.items()
        for group in dict.fromkeys((*groups.order, *case))
        if group in case
    )


def _cell(name: str, group: Group, outcomes: list[Outcome]) -> TimedCell:
    cell = outcomes[0].trial.cell
    return TimedCell(
        name=name,
        suite=cell.suite,
        case=cell.case,
        group=group,
        outcomes=tuple(outcomes),
        _summaries={summary.metric: summary for summary in summarise(outcomes)},
    )
