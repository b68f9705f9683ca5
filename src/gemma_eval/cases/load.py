"""Read a suite file into a Suite, or say everything that is wrong with it at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from gemma_eval.cases.documents import Folder
from gemma_eval.cases.schema import (
    CaseRow,
    CheckRow,
    DefaultsRow,
    MessageRow,
    RetrievalRow,
    SuiteFileRow,
    SuiteRow,
)
from gemma_eval.errors import Problem, SuiteError
from gemma_eval.files import decode, locate, read, rows
from gemma_eval.records import Case, Check, Document, Message, Option, Retrieval, Source, Suite

CheckProblem = Callable[[Check], str | None]
"""Says what is wrong with a check (an unknown scorer, a wrong option); `None` when nothing is."""

WARMUP = {"quality": 0, "benchmark": 3}
"""Generations made first and never recorded, where a suite does not say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """The names that a suite may use."""

    models: Collection[str]
    profiles: Collection[str]
    templates: Collection[str]


def load(path: Path, *, names: Names, check_problem: CheckProblem) -> Suite:
    """Return the suite of a TOML file. Raises SuiteError with every problem of the file."""
    try:
        data = read.read_bytes(path)
        table, lines = decode.toml(read.decode(data))
    except read.ReadError as error:
        raise SuiteError([Problem(path=path, line=error.line, what=error.what)]) from error
    row, flaws = rows.check(SuiteFileRow, table)
    reading = _Reading(
        path=path,
        lines=lines,
        names=names,
        check_problem=check_problem,
        ids=tuple(case.id for case in row.case or ()),
        flawed=frozenset(flaw.path[:n] for flaw in flaws for n in range(1, len(flaw.path) + 1)),
    )
    for flaw in flaws:
        reading.say_flaw(flaw)
    suite = reading.suite(row, data)
    if reading.problems:
        raise SuiteError(reading.problems)
    return suite


@dataclass(kw_only=True, slots=True)
class _Reading:
    """One file being read: it goes on after a problem, so that all of them are found.

    `flawed` has each path at or inside of which something is wrong, so that what follows from it is not said.
    """

    path: Path
    lines: locate.Lines
    names: Names
    check_problem: CheckProblem
    ids: tuple[str | None, ...]
    flawed: frozenset[locate.Path]
    problems: list[Problem] = field(default_factory=list)
    documents_of: dict[str, bytes] = field(default_factory=dict)

    def say(self, at: locate.Path, what: str) -> None:
        """Note a problem at a path of the file, after the name of the case it is in."""
        line = self.lines.at(at) or 1
        self.problems.append(Problem(path=self.path, line=line, what=f"{self.case_name(at)}{what}"))

    def say_flaw(self, flaw: rows.Flaw) -> None:
        if flaw.path == ("case",):
            self.say(
                flaw.path, "case should be a list of tables: begin each case with [[case]], in two brackets"
            )
        else:
            self.say(flaw.path, flaw.text(below=2 if flaw.path[0] == "case" else 0))

    def case_name(self, at: locate.Path) -> str:
        if len(at) < 2 or at[0] != "case" or not isinstance(at[1], int):
            return ""
        name = self.ids[at[1]] if at[1] < len(self.ids) else None
        return f"case {rows.show(name)}: " if name else f"case number {at[1] + 1}: "

    def suite(self, row: SuiteFileRow, data: bytes) -> Suite:
        head, defaults, retrieval = (
            row.suite or SuiteRow(),
            row.defaults or DefaultsRow(),
            row.retrieval or RetrievalRow(),
        )
        folder = Folder(self.path.parent, self.documents_of)
        self.known_names(("defaults",), defaults)
        cases = tuple(
            self.case(("case", index), case, defaults, folder) for index, case in enumerate(row.case or ())
        )
        if not cases and ("case",) not in self.flawed:
            self.say((), "has no case; begin each one with [[case]]")
        self.distinct_ids()
        return Suite(
            name=self.suite_name(head),
            path=str(self.path),
            sha256=_sha256(data, folder),
            description=head.description or "",
            seed=defaults.seed or 0,
            retrieval=Retrieval(**retrieval.model_dump(exclude_none=True)),
            cases=cases,
        )

    def suite_name(self, head: SuiteRow) -> str:
        name = head.name or self.path.name.removesuffix(".toml").removesuffix(".gemma")
        flaw = rows.name_flaw(name)
        if flaw and ("suite", "name") not in self.flawed:
            self.say(("suite",), f'the name of the file {flaw}; or give the suite one: name = "…" in [suite]')
        return name

    def distinct_ids(self) -> None:
        first: dict[str, int] = {}
        for index, name in enumerate(self.ids):
            at = ("case", index, "id")
            if name is None:
                if at not in self.flawed:
                    self.say(at, 'needs an id, as id = "capital"')
            elif name in first:
                self.say(at, f"has the id of the case in line {first[name]}; ids are unique in a suite")
            else:
                first[name] = self.lines.at(at)

    def case(self, at: locate.Path, row: CaseRow, defaults: DefaultsRow, folder: Folder) -> Case:
        kind = row.kind or defaults.kind or "quality"
        self.known_names(at, row)
        return Case(
            id=row.id or "",
            kind=kind,
            messages=self.messages(at, row),
            checks=self.checks(at, row, needed=kind == "quality" and (*at, "kind") not in self.flawed),
            documents=self.documents(at, row, folder),
            tags=tuple(dict.fromkeys((*(defaults.tags or ()), *(row.tags or ())))),
            cluster=row.cluster,
            repeats=row.repeats or defaults.repeats or 1,
            warmup=next(n for n in (row.warmup, defaults.warmup, WARMUP[kind]) if n is not None),
            max_tokens=row.max_tokens or defaults.max_tokens,
            models=self.chosen(at, "models", row.models, defaults.models),
            profiles=self.chosen(at, "profiles", row.profiles, defaults.profiles),
            templates=self.chosen(at, "templates", row.templates, defaults.templates),
            source=Source(path=str(self.path), line=self.lines.at(at)),
        )

    def chosen(
        self, at: locate.Path, key: str, own: list[str] | None, default: list[str] | None
    ) -> tuple[str, ...]:
        found = own or default
        if not found and not self.flawed & {(*at, key), ("defaults", key)}:
            self.say(at, f'needs {key}: name them here or in [defaults], as {key} = ["…"]')
        return tuple(found or ())

    def known_names(self, at: locate.Path, row: CaseRow | DefaultsRow) -> None:
        for key, noun, known in (
            ("models", "model", self.names.models),
            ("profiles", "profile", self.names.profiles),
            ("templates", "template", self.names.templates),
        ):
            for index, name in enumerate(getattr(row, key) or ()):
                if name not in known:
                    self.say((*at, key, index), rows.unknown(noun, name, known))

    def messages(self, at: locate.Path, row: CaseRow) -> tuple[Message, ...]:
        given = [
            key
            for key in ("prompt", "messages")
            if getattr(row, key) is not None or (*at, key) in self.flawed
        ]
        if len(given) != 1:
            how = "both prompt and messages" if given else "neither prompt nor messages"
            self.say(at, f"has {how}; give one of them")
        if row.prompt is not None:
            return (Message(role="user", content=row.prompt),)
        if row.messages is None:
            return ()
        if (*at, "messages") not in self.flawed:
            self.turns((*at, "messages"), row.messages)
        return tuple(Message(role=turn.role or "user", content=turn.content or "") for turn in row.messages)

    def turns(self, at: locate.Path, turns: list[MessageRow]) -> None:
        """Check that a conversation is one: perhaps a system turn, then user and assistant in turn."""
        for index, turn in enumerate(turns):
            if turn.role is None or turn.content is None:
                self.say((*at, index), f"messages[{index}] needs a role and a content")
                return
        spoken = [turn.role for turn in turns]
        spoken = spoken[1:] if spoken[:1] == ["system"] else spoken
        if spoken != ["user", "assistant"] * (len(spoken) // 2) + ["user"]:
            self.say(at, "messages should be user, assistant, …, user in turn; only the first may be system")

    def checks(self, at: locate.Path, row: CaseRow, *, needed: bool) -> tuple[Check, ...]:
        if needed and not row.checks and (*at, "checks") not in self.flawed:
            self.say(
                at, 'needs checks, as checks = [{scorer = "contains", text = "…"}], or kind = "benchmark"'
            )
        return tuple(self.check((*at, "checks", index), each) for index, each in enumerate(row.checks or ()))

    def check(self, at: locate.Path, row: CheckRow) -> Check:
        options = {key: _option(value) for key, value in (row.model_extra or {}).items()}
        check = Check(scorer=row.scorer or "", options=options, pass_at=row.pass_at)
        if row.scorer is None:
            if at not in self.flawed:
                self.say(at, f"checks[{at[-1]}] needs a scorer")
        elif what := self.check_problem(check):
            self.say(at, f"checks[{at[-1]}]: {what}")
        return check

    def documents(self, at: locate.Path, row: CaseRow, folder: Folder) -> tuple[Document, ...]:
        found: dict[str, Document] = {}
        for index, each in enumerate(row.documents or ()):
            place = (*at, "documents", index)
            if isinstance(each, str):
                document = Document(name=each, text=self.document_text(place, each, folder))
            else:
                document = Document(name=each.name or f"inline-{index + 1}", text=each.text or "")
                if each.text is None and place not in self.flawed:
                    self.say(place, f"documents[{index}] needs a text")
            if document.name in found:
                self.say(place, f"documents[{index}] has the name {rows.show(document.name)} of another one")
            found[document.name] = document
        return tuple(found.values())

    def document_text(self, at: locate.Path, name: str, folder: Folder) -> str:
        try:
            return folder.text(name)
        except read.ReadError as error:
            where = f", line {error.line}" if error.line else ""
            self.say(at, f"documents[{at[-1]}] {rows.show(name)}{where} {error.what}")
            return ""


def _option(value: object) -> Option:
    return cast(Option, tuple(value) if isinstance(value, list) else value)


def _sha256(data: bytes, folder: Folder) -> str:
    """Hash the bytes of a suite and of the documents it names, each with its name and length."""
    whole = hashlib.sha256(data)
    for name, content in sorted(folder.bytes_of.items()):
        whole.update(f"\0{name}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()
