"""Read one case of a suite, with what the suite's defaults give to it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from gemma_eval.cases import load_tables, retrievals
from gemma_eval.cases.checks import Checks, given_checks
from gemma_eval.cases.documents import Folder
from gemma_eval.cases.problems import Problems
from gemma_eval.cases.qrels import Qrels, of_query, open_qrels
from gemma_eval.cases.schema import CaseRow, DefaultsRow, InlineDocument, MessageRow
from gemma_eval.cases.schema_variables import numbers, texts
from gemma_eval.files import locate, read, rows
from gemma_eval.records import Caching, Case, CaseKind, Corpus, Document, Judgement, Message, Source

WARMUP = {"quality": 0, "benchmark": 3, "retrieval": 0}
"""Generations made first and never recorded, where a suite does not say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """The names that a suite may use; `embedders` are those of the models that make vectors."""

    models: Collection[str]
    profiles: Collection[str]
    templates: Collection[str]
    retrievers: Collection[str] = frozenset({"bm25"})
    embedders: Collection[str] = frozenset()
    rerankers: Collection[str] = frozenset()
    filters: Collection[str] = frozenset()

    @property
    def of_retrieval(self) -> retrievals.Known:
        """Those that retrieval may use."""
        return retrievals.Known(
            retrievers=self.retrievers,
            models=self.models,
            embedders=self.embedders,
            rerankers=self.rerankers,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What is needed to read the cases of one suite."""

    problems: Problems
    names: Names
    checks: Checks
    defaults: DefaultsRow
    folder: Folder
    retrievals: Collection[str] = frozenset(retrievals.UNDECLARED)
    judged: dict[str, Qrels | None] = field(default_factory=dict)

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
            checks=self.checks.read(at, row),
            documents=self._documents(at, row),
            tags=tuple(dict.fromkeys((*(defaults.tags or ()), *(row.tags or ())))),
            cluster=row.cluster,
            repeats=row.repeats or defaults.repeats or 1,
            warmup=next(n for n in (row.warmup, defaults.warmup, WARMUP[kind]) if n is not None),
            max_tokens=row.max_tokens or defaults.max_tokens,
            ignore_eos=defaults.ignore_eos if row.ignore_eos is None else row.ignore_eos,
            continuation=row.continuation,
            choices=self._choices(at, row),
            target=self._target(at, row),
            delimiter=row.delimiter or "",
            reduce=row.reduce or defaults.reduce or "mean",
            k=row.k or defaults.k,
            series=row.series,
            variables=numbers(row.variables),
            texts=texts(row.variables),
            now=row.now or defaults.now,
            load=load_tables.load(row.load or defaults.load) if timed else None,
            slo=load_tables.slo(row.slo or defaults.slo) if timed else None,
            corpus=self._corpus(at, row),
            relevant=self._relevant(at, row),
            retrievals=tuple(row.retrievals or defaults.retrievals or ()),
            cache=self._cache(at, row, kind),
            models=self._chosen(at, "models", row, kind),
            profiles=self._chosen(at, "profiles", row, kind),
            templates=self._chosen(at, "templates", row, kind),
            source=Source(path=self.problems.path.name, line=self.problems.lines.at(at)),
        )
        load_tables.check_case(at, row, case, self.problems)
        self._check_reading(at, row, case)
        self._check_reduction(at, row, case)
        key, _ = given_checks(row)
        return replace(case, checks=self.checks.seen(at, key, case.checks, case))

    def _check_names(self, at: locate.Path, row: CaseRow | DefaultsRow) -> None:
        for key, noun, given, known in (
            ("models", "model", row.models, self.names.models),
            ("profiles", "profile", row.profiles, self.names.profiles),
            ("templates", "template", row.templates, self.names.templates),
            ("retrievals", "retrieval", row.retrievals, self.retrievals),
        ):
            for index, name in enumerate(given or ()):
                if name not in known:
                    self.problems.say((*at, key, index), rows.unknown(noun, name, known))

    def _chosen(self, at: locate.Path, key: str, row: CaseRow, kind: CaseKind) -> tuple[str, ...]:
        if kind == "retrieval":
            if getattr(row, key):
                what = f"a case that asks for passages alone has no {key}; leave them out"
                self.problems.say((*at, key), what)
            return ()
        given: Sequence[str] | None = getattr(row, key) or getattr(self.defaults, key)
        if not given and not self.problems.flawed & {(*at, key), ("defaults", key)}:
            self.problems.say(at, f'needs {key}: name them here or in [defaults], as {key} = ["…"]')
        return tuple(given or ())

    def _messages(self, at: locate.Path, row: CaseRow) -> tuple[Message, ...]:
        given = [
            key
            for key, value in (("prompt", row.prompt), ("messages", row.messages))
            if value is not None or (*at, key) in self.problems.flawed
        ]
        if not given and (row.continuation is not None or (*at, "continuation") in self.problems.flawed):
            self._check_alone(at, row)
            return ()
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

    def _check_alone(self, at: locate.Path, row: CaseRow) -> None:
        """Note what has no place beside a text that is read after nothing."""
        if row.documents:
            what = "documents are for a prompt, and this text is read after nothing"
            self.problems.say((*at, "documents"), f"{what}; give a prompt, or leave them out")

    def _choices(self, at: locate.Path, row: CaseRow) -> tuple[str, ...]:
        if isinstance(row.choices, str):
            self.problems.say((*at, "choices"), "choices is a text; without a dataset it should be a list")
            self.problems.flawed.add((*at, "choices"))
            return ()
        return tuple(row.choices or ())

    def _target(self, at: locate.Path, row: CaseRow) -> int | None:
        """Return the index of the right choice: given as such, as a letter, or as the choice itself."""
        given, choices = row.target, [] if isinstance(row.choices, str) else row.choices or []
        if given is None:
            return None
        index = _index(given, choices)
        if index is None and (*at, "choices") not in self.problems.flawed:
            letters = "A or B" if len(choices) == 2 else f"A to {chr(ord('A') + len(choices) - 1)}"
            known = f"an index from 0 to {len(choices) - 1}, a letter {letters}, or a choice"
            what = f"target is {rows.show(given)}; it should be {known}"
            self.problems.say((*at, "target"), what if choices else "target needs choices")
            self.problems.flawed.add((*at, "target"))
        return index

    def _check_reading(self, at: locate.Path, row: CaseRow, case: Case) -> None:
        """Note what keeps a case from being read or written, and one without a check that counts."""
        flawed = self.problems.flawed & {(*at, "checks"), (*at, "check"), (*at, "kind")}
        if case.checks and not flawed and not any(check.weight for check in case.checks):
            key, _ = given_checks(row)
            what = "every check has weight 0, so that there is no score; give one of them a weight above 0"
            self.problems.say((*at, key), what)
        if case.kind == "retrieval" and not case.checks and not flawed:
            self.problems.say(at, 'needs checks, as checks = [{scorer = "recall", k = 5}]')
        if case.kind == "quality" and not case.checks and not flawed:
            scorer = "likelihood" if case.continuation is not None else "acc"
            example = f'{{scorer = "{scorer}"}}' if case.is_read else '{scorer = "contains", text = "…"}'
            more = "" if case.is_read else ', or kind = "benchmark"'
            self.problems.say(at, f"needs checks, as checks = [{example}]{more}")
        if case.continuation is not None and case.choices:
            self.problems.say((*at, "choices"), "has both continuation and choices; give one of them")
        read = "continuation is" if case.continuation is not None else "choices are"
        if case.is_read and case.kind != "quality":
            what = f"{read} read and not written, so there is nothing to time; leave out the kind"
            if case.kind == "retrieval":
                what = f"{read} read by a model, and a retrieval case asks none; leave out the kind"
            self.problems.say((*at, read.split(maxsplit=1)[0]), what)

    def _check_reduction(self, at: locate.Path, row: CaseRow, case: Case) -> None:
        """Note a reduction without its number, and one of more repeats than there are."""
        needs_k = case.reduce in ("pass_at_k", "pass_hat_k")
        if needs_k and case.k is None:
            self.problems.say(at, f'reduce = "{case.reduce}" needs k, as k = 5')
        elif needs_k and case.k is not None and case.k > case.repeats:
            what = f"k is {case.k}, more than repeats = {case.repeats}; give more repeats"
            self.problems.say((*at, "k") if row.k else at, what)
        elif not needs_k and row.k is not None:
            self.problems.say((*at, "k"), f'k is for reduce = "pass_at_k", not "{case.reduce}"')

    def qrels(self, at: locate.Path, row: CaseRow) -> Qrels | None:
        """Return the judgements that a case names a file of, and note what is wrong with them."""
        place = (*at, "qrels")
        if row.qrels is None or place in self.problems.flawed:
            return None
        if row.relevant is not None:
            self.problems.say(place, "has both relevant and qrels; give one of them")
        folder, problems = self.folder, self.problems
        return open_qrels(row.qrels, at=place, folder=folder, problems=problems, known=self.judged)

    def _relevant(self, at: locate.Path, row: CaseRow) -> tuple[Judgement, ...]:
        judged = self.qrels(at, row)
        if judged is None:
            return retrievals.relevant(at, row.relevant or (), self.problems)
        return of_query(row.id or "", judged, at=(*at, "qrels"), problems=self.problems)

    def _corpus(self, at: locate.Path, row: CaseRow) -> Corpus | None:
        """Return the corpus of a case; one that cannot be read is noted where it was named, once."""
        given = row.corpus or self.defaults.corpus
        if given is None:
            return None
        place = (*at, "corpus") if row.corpus else ("defaults", "corpus")
        if place in self.problems.flawed:
            return None
        try:
            return Corpus(path=given, sha256=self.folder.digest(given))
        except read.ReadError as error:
            self.problems.say(place, f"corpus {rows.show(given)} {error.what}")
            self.problems.flawed.add(place)
            return None

    def _cache(self, at: locate.Path, row: CaseRow, kind: CaseKind) -> Caching | None:
        """Return the cache of a case; that of [defaults] is for answers whose making nobody measures."""
        unfit = retrievals.without_cache(row, kind, is_loaded=bool(row.load or self.defaults.load))
        if unfit is not None and row.cache is not None and (*at, "cache") not in self.problems.flawed:
            self.problems.say((*at, "cache"), f"{unfit}; leave the cache out")
        if row.cache is None and (unfit is not None or kind != "quality"):
            return None
        if row.cache is None:
            at = ("defaults",)
        if (*at, "cache") in self.problems.flawed:
            return None
        before = len(self.problems.found)
        made = retrievals.caching(
            at, row.cache or self.defaults.cache, self.names.of_retrieval, self.problems
        )
        if len(self.problems.found) > before:
            self.problems.flawed.add((*at, "cache"))  # so that [defaults] say it once
        return made

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


def _index(target: int | str, choices: Sequence[str]) -> int | None:
    if isinstance(target, str) and target in choices:
        return choices.index(target)
    if isinstance(target, str):
        target = ord(target) - ord("A") if len(target) == 1 else -1
    return target if 0 <= target < len(choices) else None
