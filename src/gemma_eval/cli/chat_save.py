"""`/save` of a chat: the last exchange becomes a case of a suite, which is looked at before it is written."""

from __future__ import annotations

import os
import re
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gemma_eval.cli import chosen
from gemma_eval.cli.chat_case import WAYS, Wanted, difference, ids, with_case
from gemma_eval.cli.chat_chosen import table_of
from gemma_eval.cli.chat_session import Turn
from gemma_eval.config import catalog, edit_json, places, profiles
from gemma_eval.config.changing import change
from gemma_eval.config.files import read_text
from gemma_eval.config.shipped import suites_directory
from gemma_eval.errors import ConfigError, Problem, SuiteError, UsageError
from gemma_eval.files import rows
from gemma_eval.files.read import ReadError, expanded
from gemma_eval.plugins import Registry
from gemma_eval.prompts.build import build
from gemma_eval.prompts.templates import uses_retrieval
from gemma_eval.records import Cell, Check, Passage, Prompt, SamplingProfile, Trial
from gemma_eval.retrieving import Retrieving
from gemma_eval.scoring.check import score
from gemma_eval.stages import scorer_builder
from gemma_eval.suite import load_suite

if TYPE_CHECKING:
    from gemma_eval.cli.chat_talk import Talk

USAGE = "/save SUITE.toml [ID] [contains TEXT]"
"""What the command is given; other checks are those of `WAYS`."""

_WORD = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|(\S+))""")
NO_SUITES = ("models.toml", "pyproject.toml")
"""Files of TOML that a case is not written to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a person asks for: the file, and where they name them the id and the check."""

    path: Path
    id: str | None = None
    scorer: str | None = None
    value: str | None = None


def save(talk: Talk, given: str) -> None:
    """Add the last exchange to a suite, and print what runs it. Raises UsageError with its kinds."""
    request = requested(given)
    turn = talk.session.turns[-1] if talk.session.turns else None
    if turn is None or turn.cell is None or turn.prompt is None:
        what = "nothing was said yet" if turn is None else "the last exchange is of an earlier chat"
        raise UsageError(f"{what}; ask something, then /save")
    scorer, value = _check(request, turn.said, is_whole=turn.generation is not None)
    wanted = Wanted(
        cell=turn.cell, prompt=turn.prompt, id=request.id or "", scorer=scorer, value=value, profile=""
    )
    _free_id(request.path, read_text(request.path) if request.path.exists() else "", wanted.id)
    wanted = replace(wanted, profile=_with_profile(request.path, turn.cell.profile, talk))
    wanted = _written(request.path, wanted, talk)
    for note in _notes(request, wanted, turn, talk.registry):
        talk.screen.note(note)
    talk.screen.say(f"pytest --gemma-suite {shlex.quote(f'{request.path}::{wanted.id}')}")


def requested(given: str) -> Request:
    """Read what stands after the command. Raises UsageError."""
    words = list(_words(given))
    if not words:
        raise UsageError(f"{USAGE} needs a file to write to")
    path = expanded(words[0][0])
    if path.suffix != ".toml" or path.name in NO_SUITES:
        example = f"{path.stem or 'mine'}.gemma.toml"
        raise UsageError(f"{path}: a suite is a TOML file of its own, as {example}")
    if path.absolute().parent == suites_directory():
        raise UsageError(f"{path}: comes with gemma_eval and is not changed; name a file of your own")
    rest = words[1:]
    id_ = rest.pop(0)[0] if rest and rest[0][0] not in WAYS else None
    if id_ is not None and (flaw := rows.name_flaw(id_)):
        raise UsageError(f"the id of the case {flaw}")
    if not rest:
        return Request(path=path, id=id_)
    scorer, end = rest[0]
    if scorer not in WAYS:
        raise UsageError(f'no check named "{scorer}" here; known: {", ".join(WAYS)}')
    value = given[end:].strip()
    if not value:
        raise UsageError(f"{scorer} needs what it looks for, as {scorer} Oslo")
    return Request(path=path, id=id_, scorer=scorer, value=value)


def _words(given: str) -> Iterator[tuple[str, int]]:
    """Yield the words of a line, quoted or not, each with where it ends."""
    at = 0
    while (found := _WORD.match(given, at)) is not None:
        yield next(part for part in found.groups() if part is not None), found.end()
        at = found.end()


def _check(request: Request, said: str, *, is_whole: bool) -> tuple[str, str | float]:
    """Return the scorer of the check, and what it looks for: what is given, or the answer itself."""
    if request.scorer is None or request.value is None:
        if not is_whole or not said.strip():
            what = "was stopped" if not is_whole else "is empty"
            raise UsageError(f"the last answer {what}; say what a right one has: {USAGE}")
        return "contains", said.strip()
    if request.scorer != "numeric":
        return request.scorer, request.value
    try:
        return "numeric", float(request.value)
    except ValueError as error:
        raise UsageError(f'numeric needs a number, not "{request.value}"') from error


def _with_profile(path: Path, profile: SamplingProfile, talk: Talk) -> str:
    """Return the name by which a suite finds a profile, which is put beside it where it has none yet."""
    known = catalog.load(places.folders(here=Path.cwd(), environment=os.environ, suite=path)).profiles
    name = _name_of(profile, known)
    if name not in known:
        beside, own = path.parent / "profiles.json", {**table_of(profile)}
        change(
            beside,
            lambda text: edit_json.put(_readable(text, path=beside), ("profiles", name), own),
            check=lambda text: profiles.parse(text, path=beside),
            backups=talk.chosen.settings.backups,
        )
        talk.screen.note(f"the profile is kept in {beside} as {name}")
    return name


_NO_PROFILES = '{\n  "version": 1,\n  "profiles": {}\n}\n'


def _readable(text: str, *, path: Path) -> str:
    """Return a text of profiles that an edit can read. Raises ConfigError."""
    if not text:
        return _NO_PROFILES
    profiles.parse(text, path=path)
    return text


def _name_of(profile: SamplingProfile, known: Mapping[str, SamplingProfile]) -> str:
    """Return the profile's name; where that is another one beside the suite, with what differs from it."""
    name, there = profile.name, known.get(profile.name)
    if there is not None and replace(there, name="") != replace(profile, name=""):
        before, own = table_of(there), table_of(profile)
        keys = [key for key in {**before, **own} if before.get(key) != own.get(key)]
        more = "-".join(f"{key}-{own.get(key, 'off')}" for key in keys)
        name = re.sub(r"[^A-Za-z0-9_.+-]+", "-", f"{name}-{more}")[:80].strip("-")
    same = {each for each, found in known.items() if replace(found, name="") == replace(profile, name="")}
    candidates = (name, *(f"{name}-{n}" for n in range(2, len(known) + 3)))
    return next(each for each in candidates if each in same or each not in known)


def _written(path: Path, wanted: Wanted, talk: Talk) -> Wanted:
    """Write the suite with the case, and return that with its id. Raises UsageError with its kinds."""
    made: list[Wanted] = []

    def edit(text: str) -> str:
        made.append(replace(wanted, id=_free_id(path, text, wanted.id)))
        after = with_case(text, made[-1])
        if not after.isascii() and after.encode(errors="ignore").decode() != after:
            raise UsageError(f"{path}: cannot hold half of a letter; nothing is written")
        return after

    change(
        path,
        edit,
        check=lambda text: _refuse_another(path, text, made[-1], talk),
        backups=talk.chosen.settings.backups,
    )
    return made[-1]


def _free_id(path: Path, text: str, asked: str) -> str:
    """Return the id that is asked for, or the next one, which no case of a suite has. Raises UsageError."""
    try:
        taken = ids(text)
    except ReadError as error:
        raise ConfigError([Problem(path=path, line=error.line, what=error.what)]) from error
    if asked in taken:
        raise UsageError(f'{path}: has a case "{asked}" already; give another id: {USAGE}')
    free = (f"chat-{n}" for n in range(1, len(taken) + 2))
    return asked or next(each for each in free if each not in taken)


def _refuse_another(path: Path, text: str, wanted: Wanted, talk: Talk) -> None:
    """Raise where a suite cannot be loaded, or does not ask what the chat did."""
    cells = [cell for cell in _cells(path, text, talk.registry) if cell.case.id == wanted.id]
    if len(cells) != 1:
        raise UsageError(
            f"{path}: its [defaults] would make {len(cells)} cells of the case; nothing is written"
        )
    if what := difference(cells[0], wanted, prompt=_prompt(path, cells[0], talk)):
        raise UsageError(f"{path}: {what}; nothing is written")


def _cells(path: Path, text: str, registry: Registry) -> Sequence[Cell]:
    """Load the text of a suite as if it stood at a path. Raises SuiteError."""
    copy = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.toml")
    try:
        copy.write_text(text, encoding="utf-8")
        return load_suite(copy, registry, say=chosen.say)[1]
    except SuiteError as error:
        raise SuiteError(
            replace(problem, path=path) if problem.path == copy else problem for problem in error.problems
        ) from error
    finally:
        copy.unlink(missing_ok=True)


def _prompt(path: Path, cell: Cell, talk: Talk) -> Prompt:
    """Return what the suite would have the model read, as messages."""
    found: tuple[Passage, ...] = ()
    if uses_retrieval(cell.template):
        with closing(Retrieving(registry=talk.registry, folder_of=lambda _: path.parent)) as finding:
            found = finding.retrieve(Trial(cell=cell, repeat=0, seed=0)).passages
    return build(cell, passages=found, chat_template=None, count_tokens=talk.session.backend.count_tokens)


def _notes(request: Request, wanted: Wanted, turn: Turn, registry: Registry) -> Iterator[str]:
    """Yield what a person should know of the check, and of answers to come."""
    if request.scorer is None:
        yield f"the check is that an answer contains this one: {rows.show(str(wanted.value))}"
    elif turn.generation is not None:
        check = Check(scorer=wanted.scorer, options={WAYS[wanted.scorer]: wanted.value})
        found = score(check, wanted.cell.case, turn.generation, build=scorer_builder(registry))
        if found.value is not None and found.value < 1:
            yield "the answer of this chat does not pass the check"
    profile = wanted.cell.profile
    if profile.temperature > 0 and profile.seed != turn.seed:
        yield f"profile {wanted.profile} draws at random, and a suite has other seeds: answers will differ"
