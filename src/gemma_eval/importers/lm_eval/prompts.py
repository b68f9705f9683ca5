"""The prompt of an imported case: the templates of the task where they can be carried over, else their text.

Source: EleutherAI/lm-evaluation-harness:lm_eval/api/task.py (`fewshot_context`), version 0.4.13.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import jinja2

from gemma_eval.importers import jinja
from gemma_eval.importers.data import Columns, Plain
from gemma_eval.importers.lm_eval import shots
from gemma_eval.importers.lm_eval.documents import Documents, examples_split
from gemma_eval.importers.lm_eval.fields import Fields
from gemma_eval.importers.lm_eval.shots import Draw
from gemma_eval.importers.lm_eval.task import FewShotRow, TaskRow

_PROVIDED = ("range", "namespace")
"""Names that the templates of both have without a column."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What stands in a prompt, for one row: description, examples, question and the begin of the answer."""

    description: str
    examples: str
    question: str

    @property
    def whole(self) -> str:
        """The prompt that lm-evaluation-harness would show to a model without chat markup."""
        return f"{self.description}{self.examples}{self.question}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Carried:
    """A field as the suite has it: a template, the columns that it reads, and one that was made for it."""

    template: str
    reads: frozenset[str] = frozenset()
    column: str | None = None
    values: tuple[Plain, ...] = ()


def draw(task: TaskRow, documents: Documents, *, seed: int) -> Draw:
    """Return what draws the examples of a task, its chance begun at `seed`."""
    own = task.fewshot_config or FewShotRow()
    return Draw(
        pool=documents.pool,
        sampler=own.sampler,
        random=Random(seed),  # noqa: S311 - the same examples as theirs, and no secret
        excludes_asked=examples_split(task) == task.test_split,
    )


def parts(task: TaskRow, fields: Fields, doc: Columns, *, drawn: Draw, n_shots: int) -> Parts:
    """Return the parts of the prompt of a row. Raises Unfit."""
    examples = drawn.examples(n_shots, doc) if n_shots else ()
    prefix = fields.plain(task.gen_prefix, doc, key="gen_prefix")
    question = fields.text(task.doc_to_text, doc)
    return Parts(
        description=fields.plain(task.description, doc, key="description"),
        examples=shots.written(examples, shots.style(task), fields),
        question=shots.asked(question, prefix, between=task.target_delimiter),
    )


def prompt(task: TaskRow, fields: Fields, made: Sequence[Parts], *, fixed: bool) -> Carried:
    """Return the prompt of a case over the rows of which these are the parts.

    Examples that are the same for every row stand in the template; those that are not have a column.
    """
    description = template(task.description, fields) if task.description else ""
    question = template(task.doc_to_text, fields)
    if task.gen_prefix or description is None or question is None:
        name = free("prompt", fields)
        return Carried(template=f"{{{{ {name} }}}}", column=name, values=tuple(each.whole for each in made))
    reads = jinja.names(description + question)
    whole = jinja.whole(description + jinja.literal(made[0].examples) + question)
    if fixed and len(whole) <= jinja.LONGEST:
        return Carried(template=whole, reads=reads)
    name = free("examples", fields)
    whole = jinja.whole(f"{description}{{{{ {name} }}}}{question}")
    return Carried(template=whole, reads=reads, column=name, values=tuple(each.examples for each in made))


def template(given: object, fields: Fields) -> str | None:
    """Return a column or a template as one of this package, `None` when it cannot be carried over."""
    text = str(given)
    if text in fields.columns:
        return f"{{{{ {text} }}}}" if text.isidentifier() and jinja.names(f"{{{{ {text} }}}}") else None
    try:
        fits = jinja.names(text) <= {*fields.columns, *_PROVIDED} and not jinja.leaks(text)
        return jinja.carried(text) if fits else None
    except jinja2.TemplateSyntaxError:
        return None


def free(name: str, fields: Fields) -> str:
    """Return a name for a column that no column has yet."""
    while name in fields.columns:
        name += "_"
    return name
