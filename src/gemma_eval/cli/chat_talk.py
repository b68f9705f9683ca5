"""A chat from its first line to its last: what is typed is answered or obeyed, as the files say now."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from gemma_eval.cli.chat_chosen import Chosen
from gemma_eval.cli.chat_commands import obey
from gemma_eval.cli.chat_session import Session, Turn
from gemma_eval.cli.chat_shown import Screen
from gemma_eval.config.live import Live
from gemma_eval.config.live_choices import Choices
from gemma_eval.errors import GemmaEvalError, UsageError
from gemma_eval.plugins import Registry
from gemma_eval.protocols import Backend
from gemma_eval.records import ModelSpec, SamplingProfile, Template

MOST_WAITED_S = 1.0
"""How long a file that somebody is writing is waited for before an answer."""


@dataclass(kw_only=True)
class Talk:
    """A session with what is chosen for it, and where all of it is shown.

    `files` are asked before each line, and waited for while somebody writes them. `load` loads the engine of
    a model. `n_failed` counts the turns and commands that went wrong.
    """

    session: Session
    chosen: Chosen
    files: Live[Choices]
    registry: Registry
    screen: Screen
    load: Callable[[ModelSpec], Backend]
    n_failed: int = 0

    def run(self, messages: Iterable[str]) -> None:
        """Answer one message after the other, until there is none or one says so."""
        for text in messages:
            self.reload()
            if text.startswith("/") and "\n" not in text:
                if self._obeyed(text):
                    return
            elif text.strip():
                self.answer(text.strip())

    def answer(self, text: str) -> None:
        """Answer, and show that while it is written; what goes wrong with it ends no conversation."""
        self.show(lambda: self.session.answer(_utf8(text), tell=self.screen.tell))

    def show(self, make: Callable[[], Turn]) -> None:
        """Show a turn that is made, or why it is not."""
        try:
            turn = make()
        except GemmaEvalError as error:
            self.n_failed += 1
            self.screen.failed(error)
        except KeyboardInterrupt:  # while passages were looked for, or kept
            self.screen.note("stopped")
        else:
            self.screen.answered(turn)

    def take(self, chosen: Chosen) -> None:
        """Go on with another choice, all of it or none; a new engine is loaded before the old one is closed.

        Raises UnknownName, UsageError, BackendError.
        """
        chosen.check(self.registry)
        if chosen.model != self.session.model:
            self.put_engine(chosen.model)
        self.session.profile = chosen.profile
        self.session.template = chosen.template
        self.session.texts = chosen.texts
        self.chosen = chosen

    def put_engine(self, model: ModelSpec) -> None:
        """Load the engine of a model and close the one before. Raises BackendError."""
        backend = self.load(model)
        before, self.session.backend, self.session.model = self.session.backend, backend, model
        with closing(before):
            pass

    def reload(self) -> None:
        """Take what the files say now, if that is something else; a turn sees the one or the other."""
        until_s = time.monotonic() + MOST_WAITED_S
        reloaded = self.files.poll()
        while reloaded is None and self.files.is_changing and time.monotonic() < until_s:
            time.sleep(self.files.wait_s)
            reloaded = self.files.poll()
        if reloaded is None:
            return
        found = self.files.value
        before = self._in_use()
        try:
            self.take(replace(self.chosen, catalog=found.catalog, settings=found.settings))
        except GemmaEvalError as error:
            self.screen.note(f"{error}; the chat goes on with what it has")
            return
        pairs = zip(before, self._in_use(), strict=True)
        if new := [f"{kind} {after.name}" for (_, was), (kind, after) in pairs if was != after]:
            self.screen.note(f"changed on disk and in use from now on: {', '.join(new)}")

    def prompt(self) -> str:
        """Return what stands before a line that is typed: model and profile, with `*` for a changed one."""
        star = "*" if self.chosen.changes else ""
        return f"{self.session.model.name}/{self.session.profile.name}{star}> "

    def close(self) -> None:
        """Let go of the engine that is loaded last."""
        self.session.backend.close()

    def _in_use(self) -> Sequence[tuple[str, ModelSpec | SamplingProfile | Template]]:
        session = self.session
        return [("model", session.model), ("profile", session.profile), ("template", session.template)]

    def _obeyed(self, text: str) -> bool:
        """Obey a command, and return whether it ends the chat."""
        try:
            return obey(self, _utf8(text))
        except GemmaEvalError as error:
            self.n_failed += 1
            self.screen.note(str(error))
        except KeyboardInterrupt:
            self.screen.note(f"{text.split(maxsplit=1)[0]} was stopped")
        return False


def _utf8(text: str) -> str:
    """Return a text that can be written as UTF-8, as which a model reads it. Raises UsageError."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError("what was typed is not UTF-8 text") from error
    return text
