"""What a chat prints: answers while they are written, what they took, and one object a turn as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import median

import click

from gemma_eval.cli.chat_session import Turn
from gemma_eval.errors import GemmaEvalError
from gemma_eval.logs.redact import clear
from gemma_eval.measure.latency import measure
from gemma_eval.records import Measurement, Message, Retrieval
from gemma_eval.report import numbers
from gemma_eval.report.visible import visible


@dataclass(frozen=True, kw_only=True)
class Screen:
    """Where a chat prints to: answers to standard output, notes to standard error.

    With `as_json` an answer is one line of JSON when it is whole, and what commands say goes to standard
    error. `is_terminal` says whether a terminal shows it, which must obey nothing that a model writes, and
    `has_colours` whether that may be coloured.
    """

    is_terminal: bool = False
    has_colours: bool = False
    as_json: bool = False

    def tell(self, piece: str) -> None:
        """Print a piece of an answer."""
        if not self.as_json:
            click.echo(visible(piece) if self.is_terminal else piece, nl=False)

    def answered(self, turn: Turn) -> None:
        """End an answer, or print it as JSON."""
        if self.as_json:
            click.echo(json.dumps(plain(turn), ensure_ascii=False))
        else:
            click.echo("" if turn.generation is not None else self.faint(" (stopped)"))

    def failed(self, error: GemmaEvalError) -> None:
        """Say what went wrong with a turn; as JSON it has an object, too, so that none is missing."""
        self.note(str(error))
        if self.as_json:
            click.echo(json.dumps({"error": clear(str(error)), "kind": error.kind}, ensure_ascii=False))

    def say(self, text: str) -> None:
        """Print what a command says."""
        click.echo(visible(text) if self.is_terminal else text, err=self.as_json)

    def note(self, text: str) -> None:
        """Say what a person should know beside the answers, without secrets."""
        click.echo(self.faint(f"gemma-eval: {visible(clear(text))}"), err=True)

    def faint(self, text: str) -> str:
        """Return a text that stands back behind others, in the colour that the terminal has for it."""
        return click.style(text, dim=True) if self.has_colours else text


def stats(turn: Turn | None) -> str:
    """Return what the last answer took, in one line."""
    if turn is None or turn.prompt is None:
        return "nothing was answered yet"
    n = len(turn.prompt.passages)
    n_read = _read(turn)
    read = f"read {numbers.count(n_read)} tokens with {n} {'passage' if n == 1 else 'passages'}"
    if turn.generation is None:
        return f"{read}, and was stopped"
    cost = measure(turn.generation)
    wrote = f"wrote {numbers.count(cost.output_tokens)} at {_rate(cost.output_tokens_per_s)}"
    used = n_read + cost.output_tokens if n_read is not None and cost.output_tokens is not None else None
    context = f"{numbers.count(used)} of {numbers.count(turn.context_tokens)} tokens of the context used"
    ended = f"finish reason {turn.generation.finish_reason}"
    return f"{read}, {wrote}, TTFT {numbers.seconds(cost.ttft_s)}, {ended}, {context}"


def stats_of_all(turns: Sequence[Turn]) -> str:
    """Return what all answers of a chat took together, in one line."""
    made = [turn for turn in turns if turn.generation is not None]
    if not made:
        return "nothing was answered yet"
    costs = [measure(turn.generation) for turn in made if turn.generation is not None]
    stopped = len(turns) - len(made)
    answers = f"{len(made)} {'answer' if len(made) == 1 else 'answers'}"
    read, wrote = _sum(map(_read, made)), _sum(cost.output_tokens for cost in costs)
    return (
        f"{answers}{f' ({stopped} stopped)' if stopped else ''}: "
        f"read {numbers.count(read)} tokens, wrote {numbers.count(wrote)}, "
        f"medians: {_rate(_median(costs, lambda cost: cost.output_tokens_per_s))}, "
        f"TTFT {numbers.seconds(_median(costs, lambda cost: cost.ttft_s))}"
    )


def plain(turn: Turn) -> dict[str, object]:
    """Return a turn as JSON has it; what was not measured is null."""
    made, cell = turn.generation, turn.cell
    cost = None if made is None else measure(made)
    shown = turn.prompt is not None and bool(turn.prompt.passages)
    return {
        "text": turn.said,
        "prompt_tokens": _read(turn),
        "output_tokens": None if cost is None else cost.output_tokens,
        "context_tokens": turn.context_tokens,
        "ttft_s": None if cost is None else cost.ttft_s,
        "output_tokens_per_s": None if cost is None else cost.output_tokens_per_s,
        "finish_reason": None if made is None else made.finish_reason,
        "model": None if cell is None else cell.model.name,
        "profile": None if cell is None else cell.profile.name,
        "template": None if cell is None else cell.template.name,
        "seed": turn.seed,
        "retrieval": _retrieval(cell.retrieval) if cell is not None and shown else None,
        "passages": [asdict(passage) for passage in turn.prompt.passages] if turn.prompt is not None else [],
    }


def spoken(messages: Sequence[Message]) -> Iterator[str]:
    """Yield the turns of a conversation as lines."""
    for message in messages:
        yield f"{message.role}: {message.content}"


def _retrieval(way: Retrieval) -> dict[str, object]:
    """Return how passages were found, without what is left at its default."""
    plain_way = Retrieval()
    given = {each.name: getattr(way, each.name) for each in fields(way)}
    always = ("retriever", "top_k", "budget_tokens")
    return {key: value for key, value in given.items() if key in always or value != getattr(plain_way, key)}


def _read(turn: Turn) -> int | None:
    """Return how many tokens the model has read, as its engine counts or else as the prompt was counted."""
    if turn.generation is not None and turn.generation.prompt_tokens is not None:
        return turn.generation.prompt_tokens
    return None if turn.prompt is None else turn.prompt.n_tokens


def _rate(per_s: float | None) -> str:
    return f"{numbers.known(per_s)} tokens/s"


def _sum(counts: Iterator[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _median(costs: Sequence[Measurement], of: Callable[[Measurement], float | None]) -> float | None:
    known = [value for cost in costs if (value := of(cost)) is not None]
    return median(known) if known else None
