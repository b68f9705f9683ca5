"""The examples before a question: which are drawn, and how they are written.

Source: EleutherAI/lm-evaluation-harness:lm_eval/api/samplers.py and lm_eval/api/task.py (`fewshot_context`,
`build_qa_turn`), version 0.4.13. The same seed draws the same examples as there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from gemma_eval.files.rows import show
from gemma_eval.importers.data import Columns
from gemma_eval.importers.lm_eval.fields import Fields, Unfit, UnfitTask
from gemma_eval.importers.lm_eval.task import FewShotRow, TaskRow

SEED = 1234
"""What lm-evaluation-harness draws its examples with, if nobody says otherwise."""


@dataclass(slots=True)
class Draw:
    """Draws examples from a pool, one set for each row in the order of the rows."""

    pool: Sequence[Columns]
    sampler: Literal["default", "first_n"]
    random: Random
    excludes_asked: bool
    """Whether a row that is asked is kept out of its own examples."""

    @property
    def is_fixed(self) -> bool:
        """Whether every row has the same examples."""
        return self.sampler == "first_n" and not self.excludes_asked

    def examples(self, n: int, asked: Columns) -> Sequence[Columns]:
        """Return `n` examples for a row. Raises Unfit when the pool has too few."""
        if self.sampler == "first_n":
            left = [doc for doc in self.pool if doc != asked] if self.excludes_asked else self.pool
            if len(left) < n:
                raise UnfitTask("num_fewshot", f"is {n}, and there are {len(left)} examples")
            return left[:n]
        wanted = n + 1 if self.excludes_asked else n
        if len(self.pool) < wanted:
            raise UnfitTask("num_fewshot", f"is {n}, and there are {len(self.pool)} examples")
        drawn = self.random.sample(list(self.pool), wanted)
        if not self.excludes_asked:
            return drawn
        others = [doc for doc in drawn if doc != asked][:n]
        if len(others) == n:
            return others
        left = [doc for doc in self.pool if doc != asked]
        if len(left) < n:
            raise UnfitTask("num_fewshot", f"is {n}, and there are {len(left)} other examples")
        return self.random.sample(left, n)


@dataclass(frozen=True, kw_only=True, slots=True)
class Style:
    """How an example is written: what `fewshot_config` says, or else the task."""

    text: object
    target: object
    choices: object
    prefix: str | None
    between: str
    after: str


def style(task: TaskRow) -> Style:
    """Return the style of the examples of a task."""
    own = task.fewshot_config or FewShotRow()
    return Style(
        text=task.doc_to_text if own.doc_to_text is None else own.doc_to_text,
        target=task.doc_to_target if own.doc_to_target is None else own.doc_to_target,
        choices=task.doc_to_choice if own.doc_to_choice is None else own.doc_to_choice,
        prefix=task.gen_prefix if own.gen_prefix is None else own.gen_prefix,
        between=task.target_delimiter if own.target_delimiter is None else own.target_delimiter,
        after=task.fewshot_delimiter if own.fewshot_delimiter is None else own.fewshot_delimiter,
    )


def written(docs: Sequence[Columns], style: Style, fields: Fields) -> str:
    """Return examples as they stand before the question. Raises Unfit."""
    return "".join(_one(doc, style, fields) for doc in docs)


def asked(question: str, prefix: str, *, between: str) -> str:
    """Return a question with the beginning of its answer, which is read as a part of it."""
    return f"{question}{between if needs_space(question, prefix) else ''}{prefix}" if prefix else question


def needs_space(before: str, after: str) -> bool:
    """Whether neither text has space where they meet."""
    return bool(before) and not (before[-1].isspace() or after[:1].isspace())


def _one(doc: Columns, style: Style, fields: Fields) -> str:
    question = fields.text(style.text, doc)
    prefix = fields.plain(style.prefix, doc, key="gen_prefix")
    answer = _answer(doc, style, fields)
    if answer is None or answer == "":
        return asked(question, prefix, between=style.between)
    if not isinstance(answer, str):
        raise Unfit("doc_to_target", f"makes {show(answer)} of an example; the answer there should be a text")
    space = style.between if not prefix or needs_space(question, prefix) else ""
    return f"{question}{space}{_joined(prefix, answer)}{style.after}"


def _answer(doc: Columns, style: Style, fields: Fields) -> object:
    """Return the answer of an example: the first of several, the text of a choice."""
    choices = fields.choices(style.choices, doc) if style.choices is not None else None
    target = fields.target(style.target, doc)
    if isinstance(target, list):
        return target[0] if target else None
    if choices and isinstance(target, int):
        if not -len(choices) <= target < len(choices):
            raise Unfit("doc_to_target", f"is {target}, and an example has {len(choices)} choices")
        return choices[target]
    return target


def _joined(prefix: str, text: str) -> str:
    if not prefix:
        return text
    return f"{prefix} {text}" if needs_space(prefix, text) else prefix + text
