"""Read one case of a suite, with what the suite's defaults give to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from gemma_eval.cases import load_tables
from gemma_eval.cases.documents import Folder
from gemma_eval.cases.problems import Problems
from gemma_eval.cases.schema import CaseRow, CheckRow, DefaultsRow, InlineDocument, MessageRow
from gemma_eval.files import locate, read, rows
from gemma_eval.records import Case, CaseKind, Check, Document, Message, Source

CheckProblem = Callable[[Check], str | None]
"""Says what is wrong with a check (an unknown scorer, a wrong option); `None` when nothing is."""

LIKELIHOOD = "likelihood"
"""The scorer of a text that the model reads; all others judge one that it has written."""

WARMUP = {"quality": 0, "benchmark": 3}
"""Generations made first and never recorded, where a suite does not say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """The names that a suite may use."""

    models: Collection[str]
    profiles: Collection[str]
    templates: Collection[str]
    retrievers: Collection[str] = frozenset({"bm25"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What is needed to read the cases of one suite."""

    problems: Problems
    names: Names
    check_problem: CheckProblem
    defaults: DefaultsRow
    folder: Folder

    def check_defaults(self) -> None:
        """Note what is wrong with `[defaults]`, once and not for every case."""
        self._check_names(("defaults",), self.defaults)
        load_tables.check_tables(("defaults",), self.defaults, self.problems)

    def case(self, at: locate.Path, row: CaseRow) -> Case:
        """Return the case; after a problem, it is one that nobody may use."""
        defaults = self.defaults
        kind = row.kind or defaults.kind or "quality"
        timed = kind == "benchmark"
        self._check_names(at, row)
        load_tables.check_tables(at, row, self.problems)
        case = Case(
            id=row.id or "",
            kind=kind,
            messages=self._messages(at, row),
            checks=self._checks(at, row, kind),
            documents=self._documents(at, row),
            tags=tuple(dict.fromkeys((*(defaults.tags or ()), *(row.tags or ())))),
            cluster=row.cluster,
            repeats=row.repeats or defaults.repeats or 1,
            warmup=next(n for n in (row.warmup, defaults.warmup, WARMUP[kind]) if n is not None),
            max_tokens=row.max_tokens or defaults.max_tokens,
            ignore_eos=defaults.ignore_eos if row.ignore_eos is None else row.ignore_eos,
            continuation=row.continuation,
            series=row.series,
            variables={name: float(value) for name, value in (row.variables or {}).items()},
            load=load_tables.load(row.load or defaults.load) if timed else None,
            slo=load_tables.slo(row.slo or defaults.slo) if timed else None,
            models=self._chosen(at, "models", row.models or defaults.models),
            profiles=self._chosen(at, "profiles", row.profiles or defaults.profiles),
            templates=self._chosen(at, "templates", row.templates or defaults.templates),
            source=Source(path=self.problems.path.name, line=self.problems.lines.at(at)),
        )
        load_tables.check_case(at, row, case, self.problems)
        return case

    def _check_names(self, at: locate.Path, row: CaseRow | DefaultsRow) -> None:
        for key, noun, given, known in (
            ("models", "model", row.models, self.names.models),
            ("profiles", "profile", row.profiles, self.names.profiles),
            ("templates", "template", row.templates, self.names.templates),
        ):
            for index, name in enumerate(given or ()):
                if name not in known:
                    self.problems.say((*at, key, index), rows.unknown(noun, name, known))

    def _chosen(self, at: locate.Path, key: str, given: Sequence[str] | None) -> tuple[str, ...]:
        if not given and not self.problems.flawed & {(*at, key), ("defaults", key)}:
            self.problems.say(at, f'needs {key}: name them here or in [defaults], as {key} = ["…"]')
        return tuple(given or ())

    def _messages(self, at: locate.Path, row: CaseRow) -> tuple[Message, ...]:
        given = [
            key
            for key, value in (("prompt", row.prompt), ("messages", row.messages))
            if value is not None or (*at, key) in self.problems.flawed
        ]
        if len(given) != 1:
            what = "both prompt and messages" if given else "neither prompt nor messages"
            self.problems.say(at, f"has {what}; give one of them")
        if row.prompt is not None:
            return (Message(role="user", content=row.prompt),)
        turns = row.messages or []
        at = (*at, "messages")
        if row.messages is not None and at not in self.problems.flawed:
            for problem_at, what in _turn_problems(turns):
                self.problems.say((*at, *problem_at), what)
        return tuple(Message(role=turn.role or "user", content=turn.content or "") for turn in turns)

    def _checks(self, at: locate.Path, row: CaseRow, kind: CaseKind) -> tuple[Check, ...]:
        self._check_continuation(at, row, kind)
        flawed = self.problems.flawed & {(*at, "checks"), (*at, "kind")}
        if kind == "quality" and not row.checks and not flawed:
            read = f'checks = [{{scorer = "{LIKELIHOOD}"}}]'
            example = 'checks = [{scorer = "contains", text = "…"}]' if row.continuation is None else read
            self.problems.say(at, f'needs checks, as {example}, or kind = "benchmark"')
        return tuple(
            self._check((*at, "checks", index), f"checks[{index}]", each)
            for index, each in enumerate(row.checks or ())
        )

    def _check_continuation(self, at: locate.Path, row: CaseRow, kind: CaseKind) -> None:
        """A text that is read has no answer, so that the one scorer and it need each other."""
        flawed = (*at, "continuation") in self.problems.flawed
        if row.continuation is not None and kind == "benchmark":
            what = "continuation is read and not written, so there is nothing to time; leave out the kind"
            self.problems.say((*at, "continuation"), what)
        for index, check in enumerate(row.checks or ()):
            place, key = (*at, "checks", index), f"checks[{index}]"
            if check.scorer == LIKELIHOOD and row.continuation is None and not flawed:
                what = f'{key}: {LIKELIHOOD} scores a text that is read; give it as continuation = "…"'
                self.problems.say(place, what)
            if check.scorer not in (LIKELIHOOD, None) and row.continuation is not None:
                what = f"{key}: {check.scorer} judges an answer, and with a continuation there is none"
                self.problems.say(place, f'{what}; the scorer is "{LIKELIHOOD}"')

    def _check(self, at: locate.Path, key: str, row: CheckRow) -> Check:
        check = Check(scorer=row.scorer or "", options=row.options, pass_at=row.pass_at)
        if row.scorer is None:
            if (*at, "scorer") not in self.problems.flawed:
                self.problems.say(at, f"{key} needs a scorer")
        elif what := self.check_problem(check):
            self.problems.say(at, f"{key}: {what}")
        return check

    def _documents(self, at: locate.Path, row: CaseRow) -> tuple[Document, ...]:
        found: dict[str, Document] = {}
        for index, each in enumerate(row.documents or ()):
            place, key = (*at, "documents", index), f"documents[{index}]"
            document = self._document(place, each, key=key, number=index + 1)
            if document.name in found:
                self.problems.say(place, f"{key} has the name {rows.show(document.name)} of another one")
            found[document.name] = document
        return tuple(found.values())

    def _document(self, at: locate.Path, given: str | InlineDocument, *, key: str, number: int) -> Document:
        if isinstance(given, InlineDocument):
            if given.text is None and (*at, "text") not in self.problems.flawed:
                self.problems.say(at, f"{key} needs a text")
            return Document(name=given.name or f"inline-{number}", text=given.text or "")
        try:
            return Document(name=given, text=self.folder.text(given))
        except read.ReadError as error:
            where = f" in line {error.line}" if error.line else ""
            self.problems.say(at, f"{key} {rows.show(given)}{where} {error.what}")
            return Document(name=given, text="")


def _turn_problems(turns: Sequence[MessageRow]) -> list[tuple[locate.Path, str]]:
    """Say what keeps turns from being a conversation: user, assistant, …, user."""
    if bare := [index for index, turn in enumerate(turns) if turn.role is None or turn.content is None]:
        return [((index,), f"messages[{index}] needs a role and a content") for index in bare]
    spoken = [turn.role for turn in turns if turn is not turns[0] or turn.role != "system"]
    if spoken != [*["user", "assistant"] * (len(spoken) // 2), "user"]:
        return [((), "messages should be user, assistant, …, user in turn; only the first may be system")]
    return []
