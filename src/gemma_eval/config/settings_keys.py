"""The keys of settings: what each is called in a file and in the environment, what it holds and means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ENVIRONMENT = "GEMMA_EVAL_"
"""What the environment variable of a key begins with: `chat.model` is `GEMMA_EVAL_CHAT_MODEL`."""

Kind = Literal["path", "paths", "name", "place", "switch", "count", "seconds"]
"""What a key holds; a *place* is a path or a URL, *paths* are a list, a *switch* is true or false."""

TEXTS = frozenset({"path", "name", "place"})
"""Kinds of which each value is one text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """One key of settings.yaml; `chat.model` stands there as `model` in the table `chat`.

    `least` and `most` bound a number; what `may_be_none` is turned off by `null`. An `option` of the command
    line overrules it, a value of pytest's `ini` file the files.
    """

    name: str
    kind: Kind
    words: str
    least: float = 0
    most: float = 0
    may_be_none: bool = False
    option: str = ""
    ini: str = ""

    @property
    def field(self) -> str:
        """The name of the field of `Settings`."""
        return self.name.replace(".", "_")

    @property
    def variable(self) -> str:
        """The name of the environment variable."""
        return ENVIRONMENT + self.field.upper()

    @property
    def path(self) -> tuple[str, ...]:
        """The names of its table, if it is in one, and of the key."""
        return tuple(self.name.split("."))


KEYS: tuple[Key, ...] = (
    Key(name="database", kind="path", words="the results database", option="--db", ini="gemma_db"),
    Key(
        name="reports",
        kind="path",
        words="the folder that gets the reports",
        option="--gemma-report",
        ini="gemma_reports",
    ),
    Key(
        name="suite_paths",
        kind="paths",
        words="folders where the name of a suite is looked up, before those that ship",
        ini="gemma_suite_paths",
    ),
    Key(name="chat.model", kind="name", words="the model that gemma-eval chat talks to", option="--model"),
    Key(name="chat.profile", kind="name", words="its sampling profile", option="--profile"),
    Key(
        name="chat.template",
        kind="name",
        words="the prompt template of each question",
        may_be_none=True,
        option="--template",
    ),
    Key(
        name="chat.memory",
        kind="place",
        words="the memory that passages come from: a file, or the URL of a server",
        may_be_none=True,
        option="--memory",
    ),
    Key(name="chat.history", kind="switch", words="whether what was typed is kept for the next chat"),
    Key(
        name="reload.poll_s",
        kind="seconds",
        least=0.01,
        most=60,
        words="seconds between looks at files that are reloaded when they change",
    ),
    Key(
        name="reload.quiet_s",
        kind="seconds",
        most=60,
        words="seconds without another change before a changed file is read",
    ),
    Key(
        name="backups",
        kind="count",
        most=1000,
        words="how many earlier versions of a file are kept when a command changes it",
    ),
    Key(
        name="log_json",
        kind="path",
        words="a file that gets the log, a line of JSON each",
        may_be_none=True,
        option="--log-json",
    ),
)
"""All keys, in the order in which they are shown."""

BY_NAME = {key.name: key for key in KEYS}
