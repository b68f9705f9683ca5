"""Asks a loaded model about answers whose verdict is known: each again, and in every other order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

from gemma_eval.errors import GemmaEvalError
from gemma_eval.executors.judges import SEED, reply
from gemma_eval.protocols import Backend, Services
from gemma_eval.records import Case, Message, ModelSpec, Question, Reply, Source
from gemma_eval.scoring.judge import Judge, judge
from gemma_eval.scoring.judge_items import Item, Labelled
from gemma_eval.scoring.judge_pairwise import judge_pairwise
from gemma_eval.scoring.judge_trust import (
    NO_VERDICT,
    Calibration,
    Orders,
    Said,
    calibration,
    orders_of_pairs,
    pairs_of,
)

REPEATS = 3
"""How often each item is asked about, with another seed each time."""


def calibrate(
    backend: Backend,
    spec: ModelSpec,
    labelled: Labelled,
    *,
    repeats: int = REPEATS,
    say: Callable[[str], None] = lambda _: None,
) -> Calibration:
    """Return what is known of a judge when it has been asked about every item. Raises UsageError."""
    said = []
    for number, item in enumerate(labelled.items, start=1):
        say(f"item {number} of {len(labelled.items)}")
        said.append(_said(backend, spec, item, _judge_of(spec, labelled, item), repeats=repeats))
    scale = _judge_of(spec, labelled, labelled.items[0]).scale
    worth = dict(zip(scale.labels, scale.values, strict=True))
    best, worst = max(worth, key=worth.__getitem__), min(worth, key=worth.__getitem__)
    say("pairs of a better and a worse answer")
    pairs = _pairs(backend, spec, labelled, best=best, worst=worst)
    return calibration(spec.name, labelled.items, said, labels=scale.labels, pairs=pairs)


def labels_of(labelled: Labelled) -> tuple[str, ...]:
    """Return the labels that a judge of these items can give. Raises UsageError for a wrong option."""
    return _judge_of(None, labelled, labelled.items[0]).scale.labels


def _judge_of(spec: ModelSpec | None, labelled: Labelled, item: Item) -> Judge:
    given = {"judge": "judge" if spec is None else spec.name}
    if item.reference:
        given["reference"] = item.reference
    return judge({**labelled.options, **given})


def _said(backend: Backend, spec: ModelSpec, item: Item, by: Judge, *, repeats: int) -> Said:
    case = _case(item)
    asked, _ = by.question(case, item.answer)
    ballots = [
        by.ballot(spec.name, _replied(backend, spec, asked, seed=SEED + n)) for n in range(max(1, repeats))
    ]
    turned = replace(
        by,
        scale=replace(by.scale, labels=by.scale.labels[::-1], values=by.scale.values[::-1]),
    )
    other, _ = turned.question(case, item.answer)
    swapped = turned.ballot(spec.name, _replied(backend, spec, other, seed=SEED))
    return Said(
        labels=tuple(ballot.label or NO_VERDICT for ballot in ballots),
        reason=ballots[0].reason,
        reversed_label=swapped.label or NO_VERDICT,
    )


def _pairs(backend: Backend, spec: ModelSpec, labelled: Labelled, *, best: str, worst: str) -> Orders:
    """Hold a better and a worse answer against each other, each first once."""
    services = Services(
        ask=lambda _, question: _replied(backend, spec, question, seed=SEED), embed=_no_embedder
    )
    values: list[tuple[float | None, float | None]] = []
    rubric = labelled.options.get("rubric")
    for better, worse in pairs_of(labelled.items, best=best, worst=worst):
        options = {"judge": spec.name, "against": worse.answer}
        options |= {"reference": better.reference} if better.reference else {}
        options |= {"rubric": rubric} if isinstance(rubric, str) else {}
        ballot = judge_pairwise(options).ballot(spec.name, _case(better), better.answer, services)
        values.append((ballot.votes[0].value, ballot.votes[1].value))
    return orders_of_pairs(values)


def _replied(backend: Backend, spec: ModelSpec, question: Question, *, seed: int) -> Reply:
    try:
        return reply(backend, spec, question, seed=seed)
    except GemmaEvalError as error:
        return Reply(text="", how="text", failure=f"{error.kind}: {error}")


def _no_embedder(name: str, texts: object) -> NoReturn:
    raise GemmaEvalError(f"a judge embeds nothing, and {name} was asked to")


def _case(item: Item) -> Case:
    return Case(
        id="item",
        kind="quality",
        messages=(Message(role="user", content=item.prompt),),
        models=(),
        profiles=(),
        templates=(),
        source=Source(path="", line=0),
    )
