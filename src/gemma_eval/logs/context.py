"""What every line of a log tells of the moment: the run, and the trial or cell that is being made."""

from __future__ import annotations

from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import TracebackType

from gemma_eval.records import Cell, ModelSpec, Trial

Subject = Trial | Cell | ModelSpec | None
"""What is being worked on."""

_SUBJECT: ContextVar[Subject] = ContextVar("gemma_eval_subject", default=None)


@dataclass(slots=True)
class Process:
    """What is the same for all that this process tells: the run, and its name among the workers."""

    run: str | None = None
    worker: str | None = None


process = Process()


@dataclass(slots=True)
class About:
    """Has what is told in the block be about a trial, a cell or a model, in this thread."""

    subject: Subject
    _token: Token[Subject] | None = field(default=None, init=False)

    def __enter__(self) -> None:
        """Begin to work on it."""
        self._token = _SUBJECT.set(self.subject)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Go on with what was worked on before."""
        if self._token is not None:
            _SUBJECT.reset(self._token)


def known() -> dict[str, object]:
    """Return the fields of the moment that are known."""
    found: dict[str, object] = {"run": process.run, "worker": process.worker}
    subject = _SUBJECT.get()
    if isinstance(subject, Trial):
        found |= {"trial": subject.key, **_of_cell(subject.cell), "repeat": subject.repeat}
        found["block"] = subject.block or None
    elif isinstance(subject, Cell):
        found |= _of_cell(subject)
    elif subject is not None:
        found["model"] = subject.name
    return found


def _of_cell(cell: Cell) -> dict[str, object]:
    return {
        "suite": cell.suite,
        "case": cell.case.id,
        "model": cell.model.name,
        "profile": cell.profile.name,
        "template": cell.template.name,
        "retrieval": cell.retrieval.name or None,
    }
