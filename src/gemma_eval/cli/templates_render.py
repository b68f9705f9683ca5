"""`gemma-eval templates render`: the prompt as a model reads it, and what each part of it takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gemma_eval.cli import chosen, completing, screen
from gemma_eval.errors import UnknownName, UsageError
from gemma_eval.plugins import Registry

if TYPE_CHECKING:
    from gemma_eval.prompts.sections import Piece, Section
    from gemma_eval.protocols import Backend
    from gemma_eval.records import Cell, Passage, Prompt

_COLOURS = {"question": "green", "passages": "cyan", "history": "magenta", "template": None, "markup": "blue"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """What the command line says of the prompt."""

    template: str
    case: str | None
    query: str | None
    passages: tuple[str, ...]
    variables: dict[str, str]
    model: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rendered:
    """A prompt, its pieces and what they take, where that can be told."""

    cell: Cell
    prompt: Prompt
    pieces: tuple[Piece, ...] | None
    tokens: dict[Section, int] | None
    context_tokens: int | None


@click.command(short_help="Show a prompt as a model reads it.")
@click.argument("name", shell_complete=completing.templates)
@click.option("--case", metavar="SUITE::CASE", help="The question, documents and variables of this case.")
@click.option("--query", help="This question.")
@click.option("--passage", "passages", multiple=True, help="A passage that was found; may be given again.")
@click.option(
    "--var", "variables", multiple=True, metavar="NAME=VALUE", help="A variable; may be given again."
)
@click.option("--model", shell_complete=completing.models, help="Who reads it; that of the case, or pocket.")
@click.option("--raw", is_flag=True, help="Print the prompt alone.")
@screen.json_option
@click.pass_obj
def render(  # noqa: PLR0913 - the options of the command
    registry: Registry,
    *,
    name: str,
    case: str | None,
    query: str | None,
    passages: tuple[str, ...],
    variables: tuple[str, ...],
    model: str | None,
    raw: bool,
    as_json: bool,
) -> None:
    """Show the prompt that the template NAME makes, with the markup of the model, and count its tokens.

    Without --case and --query it is made of a sample question, two passages and an earlier exchange. Tokens
    are those of the model's own tokenizer; on a terminal each part has a colour.
    """
    if case is not None and query is not None:
        raise UsageError("--case has its own question; give --case or --query")
    asked = _Asked(
        template=name,
        case=case,
        query=query,
        passages=passages,
        variables=dict(map(_variable, variables)),
        model=model,
    )
    made = _rendered(asked, registry)
    if as_json:
        screen.print_json(_as_plain(made))
    elif raw:
        click.echo(_text(made.prompt), nl=False)
    else:
        _show(made)


def _rendered(asked: _Asked, registry: Registry) -> _Rendered:
    """Load the model and make the prompt. Raises UsageError, BackendError, TemplateError, StoreError."""
    from gemma_eval.measure.clock import clock
    from gemma_eval.prompts import check, sections
    from gemma_eval.prompts.build import build
    from gemma_eval.stages import load_backend

    cell, folder = _of_case(asked, registry) if asked.case else (_of_sample(asked), None)
    given = {*cell.case.texts, *cell.case.variables}
    check.check(cell.template, given=given)
    if what := check.wants(cell.template, cell.case):
        raise UsageError(what)
    backend = load_backend(cell.model, registry, clock=clock)
    try:
        chat_template = cell.model.chat_template or backend.chat_template
        context_tokens = backend.info().context_tokens
        prompt = build(
            cell,
            passages=_passages(asked, cell, backend, registry, folder),
            chat_template=chat_template,
            count_tokens=backend.count_tokens,
            context_tokens=context_tokens,
        )
        pieces = sections.pieces(cell, prompt, chat_template=chat_template)
        tokens = None if pieces is None else sections.counted(pieces, count_tokens=backend.count_tokens)
    finally:
        backend.close()
    return _Rendered(cell=cell, prompt=prompt, pieces=pieces, tokens=tokens, context_tokens=context_tokens)


def _of_case(asked: _Asked, registry: Registry) -> tuple[Cell, Path]:
    """Return the cell of a case with this template, and the folder of its suite. Raises UsageError."""
    from gemma_eval.config.shipped import suite_path
    from gemma_eval.suite import load_suite

    name, separator, case_id = (asked.case or "").rpartition("::")
    if not separator:
        raise UsageError(f"--case {asked.case}: names no case; write SUITE::CASE, as smoke::capital")
    path = suite_path(name, folder=Path.cwd())
    _, cells = load_suite(path, registry, models=[asked.model] if asked.model else [])
    of_case = [cell for cell in cells if cell.case.id == case_id and cell.asks_model]
    if not of_case:
        raise UnknownName(
            "case", case_id, _near(case_id, {cell.case.id for cell in cells if cell.asks_model})
        )
    models = {cell.model.name: cell for cell in of_case}
    cell = models[asked.model] if asked.model else of_case[0]
    template = chosen.find("template", asked.template, chosen.catalog(path.parent).templates)
    numbers, texts = _split(asked.variables)
    case = replace(
        cell.case, variables={**cell.case.variables, **numbers}, texts={**cell.case.texts, **texts}
    )
    shown = next((each for each in of_case if each.template.name == template.name), cell)
    return replace(cell, case=case, template=template, retrieval=shown.retrieval), path.parent


def _near(case_id: str, known: set[str]) -> list[str]:
    """Return the ids to suggest: a suite may have thousands."""
    from difflib import get_close_matches

    return get_close_matches(case_id, known, n=5, cutoff=0.3) or sorted(known)[:5]


def _of_sample(asked: _Asked) -> Cell:
    """Return a cell of the question that was given, or of a sample one. Raises UnknownName."""
    from gemma_eval.prompts.lint import sample_case
    from gemma_eval.records import Cell, Message, Retrieval, SamplingProfile

    catalog = chosen.catalog()
    template = chosen.find("template", asked.template, catalog.templates)
    numbers, texts = _split(asked.variables)
    case = sample_case(template)
    if asked.query is not None:
        case = replace(case, messages=(Message(role="user", content=asked.query),))
    return Cell(
        suite="sample",
        case=replace(case, variables=numbers, texts={**case.texts, **texts}, now=_now()),
        model=chosen.find("model", asked.model or "pocket", catalog.models),
        profile=SamplingProfile(name="sample"),
        template=template,
        retrieval=Retrieval(),
        seed=0,
    )


def _passages(
    asked: _Asked, cell: Cell, backend: Backend, registry: Registry, folder: Path | None
) -> tuple[Passage, ...]:
    """Return the passages that were given, found for the case, or of the sample; best first."""
    from contextlib import closing

    from gemma_eval.prompts.lint import sample_passages
    from gemma_eval.prompts.templates import uses_retrieval
    from gemma_eval.records import Passage, Trial
    from gemma_eval.retrieving import Retrieving

    if asked.passages:
        return tuple(
            Passage(id=f"given-{rank}", text=text, document="given", score=1 / rank, rank=rank)
            for rank, text in enumerate(asked.passages, start=1)
        )
    if folder is not None and uses_retrieval(cell.template):
        with closing(Retrieving(registry=registry, folder_of=lambda _: folder)) as finding:
            return finding.retrieve(Trial(cell=cell, repeat=0, seed=0), backend).passages
    return sample_passages() if asked.case is None and asked.query is None else ()


def _variable(text: str) -> tuple[str, str]:
    from gemma_eval.files.variables import flaw

    name, separator, value = text.partition("=")
    if not separator:
        raise UsageError(f"--var {text}: has no value; write NAME=VALUE")
    if what := flaw(name):
        raise UsageError(f"--var {text}: the name {what}")
    return name, value


def _split(variables: dict[str, str]) -> tuple[dict[str, float], dict[str, str]]:
    """Return the variables that are numbers, as a suite has them, and those that are texts."""
    numbers = {}
    for name, value in variables.items():
        try:
            numbers[name] = float(value)
        except ValueError:
            continue
    return numbers, {name: value for name, value in variables.items() if name not in numbers}


def _now() -> str:
    from datetime import datetime

    return datetime.now().astimezone().isoformat(timespec="seconds")


def _text(prompt: Prompt) -> str:
    """Return what is read; of a model whose server writes the markup, the turns."""
    return prompt.text if prompt.text is not None else "\n".join(turn.content for turn in prompt.messages)


def _show(made: _Rendered) -> None:
    from rich.text import Text

    if made.pieces is None:
        click.echo(_text(made.prompt))
    else:
        text = Text()
        for piece in made.pieces:
            text.append(piece.text, style=_COLOURS[piece.section] or "")
        screen.console().print(text, soft_wrap=True)
    click.echo()
    if made.tokens is None:
        whole = made.prompt.n_tokens
        counted = "tokens cannot be counted" if whole is None else f"{whole:,} tokens"
        why = (
            ""
            if made.pieces is not None
            else "; what comes from where cannot be told: it is changed on its way"
        )
        click.echo(f"{counted}{why}")
        return
    total = sum(made.tokens.values())
    rows = [(section, f"{n:,}", _share(n, total)) for section, n in made.tokens.items()]
    screen.table(
        ("section", "tokens", "share"), [*rows, ("total", f"{total:,}", "")], right=("tokens", "share")
    )
    if made.context_tokens:
        share = _share(total, made.context_tokens)
        click.echo(f"{share} of the context of {made.cell.model.name}, {made.context_tokens:,} tokens")
    _say_dropped(made.prompt)


def _say_dropped(prompt: Prompt) -> None:
    from gemma_eval.prompts.packing import UNSHOWN

    for each in prompt.packing:
        if each.fate == "dropped" and each.reason != UNSHOWN:
            click.echo(f"without the passage {each.passage}: {each.reason}", err=True)
    if prompt.dropped_turns:
        click.echo(f"without the first {prompt.dropped_turns} turns: the context is full", err=True)


def _share(n: int, of: int) -> str:
    return f"{100 * n / of:.0f} %" if of else ""


def _as_plain(made: _Rendered) -> dict[str, object]:
    prompt = made.prompt
    return {
        "template": made.cell.template.name,
        "model": made.cell.model.name,
        "case": made.cell.case.id,
        "text": prompt.text,
        "messages": [{"role": turn.role, "content": turn.content} for turn in prompt.messages],
        "tokens": prompt.n_tokens,
        "context_tokens": made.context_tokens,
        "sections": made.tokens,
        "pieces": None
        if made.pieces is None
        else [{"section": piece.section, "text": piece.text} for piece in made.pieces],
        "dropped": [each.passage for each in prompt.packing if each.fate == "dropped"],
    }
