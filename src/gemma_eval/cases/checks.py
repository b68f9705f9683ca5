"""Read the checks of a case: scorer, options, filters, and what they need of the case they are in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from gemma_eval.cases.problems import Problems
from gemma_eval.cases.schema import CaseRow
from gemma_eval.cases.schema_checks import CheckRow, FilterRow, Pipeline
from gemma_eval.files import locate, rows
from gemma_eval.protocols import Need
from gemma_eval.records import Case, Check, Filter, Subject


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """What is known of a check once its scorer was built.

    `problem` says what is wrong with it (an unknown scorer, a wrong option), `subject` what the scorer
    judges, `None` when nobody looked, `models` which models it asks, and `repeats` how many of them it needs.
    `needs` are what a scorer of passages cannot do without.
    """

    problem: str | None = None
    subject: Subject | None = None
    models: tuple[str, ...] = ()
    repeats: int = 1
    needs: tuple[Need, ...] = ()


Look = Callable[[Check], Looked]
"""Builds the scorer of a check, and says what it is."""


def unlooked(check: Check) -> Looked:
    """Leave a check alone that is not written out yet."""
    return Looked()


@dataclass(frozen=True, kw_only=True, slots=True)
class Checks:
    """What is needed to read the checks of one suite: its named pipelines, and how to look at a check.

    `stores` are the names of the retrievals that search a store, "" where those do that have no name.
    """

    problems: Problems
    look: Look
    models: Collection[str]
    pipelines: Mapping[str, tuple[Filter, ...]]
    stores: Collection[str] = ()

    def read(self, at: locate.Path, row: CaseRow) -> tuple[Check, ...]:
        """Return the checks of a case as they are written, without having looked at them."""
        if row.check is not None and row.checks is not None:
            self.problems.say(at, "has both checks and [[case.check]]; give them in one way")
        key, given = given_checks(row)
        return tuple(self._check((*at, key, n), f"{key}[{n}]", each) for n, each in enumerate(given))

    def seen(self, at: locate.Path, key: str, checks: Sequence[Check], case: Case) -> tuple[Check, ...]:
        """Return the checks of a case with what their scorers are, and note what is wrong with each."""
        return tuple(
            self._seen((*at, key, number), f"{key}[{number}]", check, case)
            for number, check in enumerate(checks)
        )

    def _check(self, at: locate.Path, key: str, row: CheckRow) -> Check:
        if row.scorer is None and (*at, "scorer") not in self.problems.flawed:
            self.problems.say(at, f"{key} needs a scorer")
        must_pass = row.must_pass or False
        return Check(
            scorer=row.scorer or "",
            options=row.options,
            pass_at=1.0 if must_pass and row.pass_at is None else row.pass_at,
            weight=1.0 if row.weight is None else row.weight,
            must_pass=must_pass,
            negated=row.negated or False,
            filters=self._filters(at, key, row.filter),
        )

    def _filters(self, at: locate.Path, key: str, given: Pipeline | None) -> tuple[Filter, ...]:
        if isinstance(given, str) and given in self.pipelines:
            return self.pipelines[given]
        flat: list[Filter] = []
        for step in steps(given):
            named = self.pipelines.get(step.name) if not step.options else None
            flat += named if named is not None else [step]
            if not step.name and (*at, "filter") not in self.problems.flawed:
                self.problems.say(at, f'{key}: a filter needs a name, as {{filter = "regex", …}}')
        return tuple(flat)

    def _seen(self, at: locate.Path, key: str, check: Check, case: Case) -> Check:
        if not check.scorer:
            return check
        looked = self.look(check)
        if looked.problem:
            self.problems.say(at, f"{key}: {looked.problem}")
        elif looked.subject is not None and not self.problems.flawed & _read_in(at[:-2]):
            for what in _misfits(check, looked, case, searches=self._searches(case)):
                self.problems.say(at, f"{key}: {what}")
        if looked.models and case.kind == "benchmark":
            what = f"{check.scorer} asks a model, and a benchmark measures the one that answers"
            self.problems.say(at, f'{key}: {what}; judge its answers in a case of kind = "quality"')
        for name in looked.models:
            if name not in self.models:
                self.problems.say(at, f"{key}: {rows.unknown('model', name, self.models)}")
        return replace(
            check,
            over_repeats=looked.subject == "repeats",
            of_passages=looked.subject == "passages",
            judges=looked.models,
        )

    def _searches(self, case: Case) -> bool:
        """Whether there is somewhere to look for the passages of a case."""
        stored = {*self.stores}.intersection(case.retrievals or [""])
        return bool(case.documents or case.corpus or stored)


def given_checks(row: CaseRow) -> tuple[str, Sequence[CheckRow]]:
    """Return the key that the checks of a case stand under, and their rows."""
    return ("check", row.check) if row.check is not None else ("checks", row.checks or ())


def steps(given: Pipeline | None) -> tuple[Filter, ...]:
    """Return the filters of a pipeline as it is written; one without a name has the name ""."""
    if given is None:
        return ()
    return tuple(
        Filter(name=each.filter or "", options=each.options)
        if isinstance(each, FilterRow)
        else Filter(name=each)
        for each in (given if isinstance(given, list) else [given])
    )


def _misfits(check: Check, looked: Looked, case: Case, *, searches: bool) -> list[str]:
    """Say why a check and a case do not go together: each subject needs its own kind of case."""
    subject = looked.subject
    both = case.continuation is not None and bool(case.choices)  # that is said already
    if both or subject == "passages" or case.kind == "retrieval":
        return [] if both else _passage_misfits(check, looked, case, searches=searches)
    read = "continuation" if case.continuation is not None else "choices" if case.choices else None
    if subject == "continuation" and read != subject:
        return [f'{check.scorer} scores a text that is read; give it as continuation = "…"']
    if subject == "choices" and read != subject:
        return [f'{check.scorer} scores choices that are read; give them as choices = ["…", "…"]']
    if subject in ("answer", "repeats") and read is not None:
        scorers = {"continuation": "likelihood", "choices": "acc"}
        what = f"{check.scorer} judges an answer, and with {_a(read)} there is none"
        return [f'{what}; the scorer is "{scorers[read]}"']
    if subject == "choices" and case.target is None:
        return [f"{check.scorer} needs to know the right choice; give its index, as target = 0"]
    return _unused(check, looked, case)


def _passage_misfits(check: Check, looked: Looked, case: Case, *, searches: bool) -> list[str]:
    """Say what a scorer of passages lacks in its case, or one of answers where there is none."""
    answers = looked.subject != "passages" or "answer" in looked.needs
    found = []
    if answers and case.kind == "retrieval":
        found.append(f"{check.scorer} judges an answer, and a case that asks for passages alone has none")
    elif answers and case.is_read:
        found.append(f"{check.scorer} judges an answer, and what is read is none; leave out the check")
    elif check.filters and not answers:
        found.append(f"{check.scorer} looks at passages, and a filter changes none; leave out the filter")
    elif not searches and (case.kind == "retrieval" or "relevant" in looked.needs):
        found.append(f"{check.scorer} has nowhere to find passages; give documents, a corpus or a memory")
    if "relevant" in looked.needs and not any(each.grade > 0 for each in case.relevant):
        found.append(f'{check.scorer} needs to know what is relevant; say so, as relevant = ["its id"]')
    return found


def _unused(check: Check, looked: Looked, case: Case) -> list[str]:
    """Say what of a check could have no effect on its case, or leave it without a value always."""
    if case.is_read and check.filters:
        return [f"{check.scorer} goes by probabilities, and a filter changes none; leave out the filter"]
    if looked.subject == "repeats" and case.repeats < looked.repeats:
        needed = f"needs at least {looked.repeats} answers to a case"
        return [f"{check.scorer} {needed}, and there is {case.repeats}; give repeats = {looked.repeats}"]
    return []


def _read_in(at: locate.Path) -> set[locate.Path]:
    """Return the paths of what a check depends on; while one is flawed nothing is to be said of it."""
    keys = ("continuation", "choices", "target", "documents", "corpus", "relevant", "qrels")
    return {*((*at, key) for key in keys), ("defaults", "corpus")}


def _a(noun: str) -> str:
    return noun if noun.endswith("s") else f"a {noun}"
