"""`gemma-eval templates new`: begin a template with a file that explains itself."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from gemma_eval.cli import chosen, edited
from gemma_eval.errors import ConfigError, UsageError

STARTER = """\
---
version: "1"
description: The passages before the question, in a tone.
# What a case may set, as variables = { tone = "formal" }; one with null has to be set.
variables:
  tone: friendly
# The names of the models that it is for, * for anything; all where this is left out.
# models: ["gemma-3*"]
---
{# No part of the prompt. There are query, passages, rag_context, history, rag_recent, now and model. #}
Answer in a {{ tone }} tone.

{% if passages %}
Context:
{% for passage in passages %}
[{{ passage.number }}] {{ passage.text }}
{% endfor %}

{% endif %}
Question: {{ query }}
"""


@click.command(short_help="Begin a template.")
@click.argument("name")
@click.option("--user", is_flag=True, help="In the folder of the user, and not of this project.")
def new(*, name: str, user: bool) -> None:
    """Write templates/NAME.md with comments that say what there is, for you to change.

    It goes into .gemma-eval of this project, which is made where there is none.
    """
    from gemma_eval.config import front_matter
    from gemma_eval.config.changing import change
    from gemma_eval.config.templates import path_of
    from gemma_eval.files.rows import name_flaw
    from gemma_eval.files.writing import ABSENT

    if flaw := name_flaw(name):
        raise UsageError(f"the name {flaw}")
    where = edited.Where(which="user" if user else "project")
    folder = edited.target("templates", where, known=())
    path = path_of(folder, name)
    if path.exists():
        raise UsageError(f"{edited.short(path)}: exists; give another name")
    change(
        path,
        lambda _: STARTER,
        check=lambda text: front_matter.parse(text, path=path, name=name),
        backups=chosen.settings().backups,
        seen=ABSENT,
    )
    tried = _overruling(name, path) or f"try it with gemma-eval templates render {name}"
    click.echo(f"{edited.short(path)}: {tried}")


def _overruling(name: str, path: Path) -> str:
    """Say which other file is the template of that name here, "" where none is."""
    from gemma_eval.config.templates import path_of

    with suppress(ConfigError):  # of a file that is broken somewhere else
        last = path_of(chosen.catalog().origins["template", name][-1] / "templates", name)
        if last.resolve() != path.resolve():
            return f"{edited.short(last)} overrules it here"
    return ""
