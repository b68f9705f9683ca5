"""Rows that ask by a text or by messages, and the cases over them: one for each order of turns."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from gemma_eval.errors import Problem, SuiteError
from gemma_eval.files import read
from gemma_eval.files.rows import name_flaw, show
from gemma_eval.importers import data
from gemma_eval.importers.data import Columns, Plain
from gemma_eval.importers.written import Table

MOST_SAID = 10
"""Rows that are complained of one by one."""
ROLES = ("system", "user", "assistant")


class Unfit(Exception):
    """A row cannot be carried over, for the reason that is the message."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One row: its turns, what a check needs of it, and what tells it from samples of another case."""

    roles: tuple[str, ...]
    contents: tuple[str, ...]
    columns: Columns
    kind: str = ""
    id: str | None = None


def read_all(path: Path, of_row: Callable[[Columns], Sample]) -> tuple[tuple[Sample, ...], bytes]:
    """Return the samples of a file and its bytes. Raises SuiteError with each row that is none, by line."""
    found: list[Sample] = []
    problems: list[Problem] = []
    try:
        content = data.read_bytes(path)
        for row in data.read(path, content):
            try:
                found.append(of_row(row.columns))
            except Unfit as error:
                problems.append(Problem(path=path, line=row.line, what=str(error)))
            if len(problems) == MOST_SAID:
                break
    except read.ReadError as error:
        problems.append(Problem(path=path, line=error.line, what=error.what))
    if problems:
        raise SuiteError(problems)
    return tuple(found), content


def turns(value: Plain) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the roles and the contents of an `input`: a text, or messages. Raises Unfit."""
    if isinstance(value, str):
        given: list[tuple[str, str]] = [("user", value)]
    elif isinstance(value, list) and value:
        given = [_turn(each) for each in value]
    else:
        raise Unfit(f"input is {show(value)}; it should be a text or a list of messages")
    if [role for role, _ in given] == ["system"]:
        given = [("user", given[0][1])]
    spoken = [role for role, _ in given][given[0][0] == "system" :]
    if spoken != [*["user", "assistant"] * (len(spoken) // 2), "user"]:
        shown = ", ".join(role for role, _ in given)
        raise Unfit(f"input has the turns {shown}; a case asks by user, assistant, …, user, after one system")
    if any(not content.strip() for _, content in given):
        raise Unfit("input has a turn without a text")
    return tuple(role for role, _ in given), tuple(content for _, content in given)


def parsed(text: str) -> Plain:
    """Return the messages that a text is as JSON. Raises Unfit."""
    try:
        return cast(Plain, json.loads(text))
    except (ValueError, RecursionError) as error:
        raise Unfit(f"it begins with [ and is no JSON: {error}") from error


def texts(value: Plain, key: str) -> list[str]:
    """Return one or more texts that are not empty. Raises Unfit."""
    items = value if isinstance(value, list) else [value]
    found = [item for item in items if isinstance(item, str) and item]
    if not found or len(found) != len(items):
        raise Unfit(f"{key} is {show(value)}; it should be a text or a list of texts, none of them empty")
    return found


def cases(
    name: str, samples: Sequence[Sample], body: Callable[[str], Table]
) -> tuple[list[Table], dict[str, list[Columns]]]:
    """Return a case for each order of turns and kind of sample, and the rows of each by path.

    `body` gives what the cases of a kind have beside their turns.
    """
    groups: dict[tuple[tuple[str, ...], str], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.roles, sample.kind), []).append(sample)
    made: list[Table] = []
    rows: dict[str, list[Columns]] = {}
    for number, ((roles, kind), group) in enumerate(groups.items(), start=1):
        own = name if len(groups) == 1 else f"{name}-{number}"
        path = f"data/{own}.jsonl"
        rows[path] = [_row(sample) for sample in group]
        with_ids = all(sample.id is not None for sample in group)
        dataset: object = {"path": path, "id_column": "id"} if with_ids else path
        made.append({"id": own, **_asked(roles), "dataset": dataset, **body(kind)})
    return made, rows


def ids(samples: Sequence[Sample]) -> bool:
    """Whether the samples have ids that can be names, each another."""
    given = [sample.id for sample in samples]
    return len(set(given)) == len(given) and all(each and name_flaw(each) is None for each in given)


def _turn(message: Plain) -> tuple[str, str]:
    if not isinstance(message, dict):
        raise Unfit(f"input has {show(message)}; a message is {{role, content}}")
    role, content = message.get("role"), message.get("content")
    more = sorted(key for key, value in message.items() if key not in ("role", "content") and value)
    if isinstance(content, list) and all(
        isinstance(part, dict) and part.get("type") == "text" for part in content
    ):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    if role not in ROLES or not isinstance(role, str):
        raise Unfit(f"input has the role {show(role)}; a case has {', '.join(ROLES)}")
    if not isinstance(content, str):
        raise Unfit(f"input has the content {show(content)}; it should be a text")
    if more:
        raise Unfit(
            f"input has a message with {', '.join(map(show, more))}; role and content are carried over"
        )
    return role, content


def _asked(roles: Sequence[str]) -> Table:
    if len(roles) == 1:
        return {"prompt": "{{ input }}"}
    turns = [{"role": role, "content": f"{{{{ turn_{n} }}}}"} for n, role in enumerate(roles, start=1)]
    return {"messages": turns}


def _row(sample: Sample) -> Columns:
    own: Columns = {} if sample.id is None else {"id": sample.id}
    if len(sample.contents) == 1:
        return {**own, "input": sample.contents[0], **sample.columns}
    return {**own, **{f"turn_{n}": text for n, text in enumerate(sample.contents, start=1)}, **sample.columns}
