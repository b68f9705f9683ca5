"""Evaluates the exported model on held-out items: `python training/evaluate.py DIRECTORY [--write FILE]`."""

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer

import world
from documents import Document, prompt
from greedy import complete, load_exported, next_logits
from model import Pocket
from scoring import drawn
from splits import SPLITS
from tokenizer import END_OF_TURN


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured, on how many items, the bar and the level of guessing."""

    name: str
    value: float
    n: int
    bar: str = ""
    guess: str = ""


def split_rows(model: Pocket, tokenizer: Tokenizer, *, count: int) -> Iterator[Row]:
    """Yield greedy exact-match accuracy on each split, and how often an answer asked as JSON parses."""
    for name, split in SPLITS.items():
        expected = [_asked(document) for document in drawn(split.draw, seed=f"evaluate/{name}", count=count)]
        given = complete(model, tokenizer, [text for text, _ in expected], max_tokens=40)
        right = sum(answer == wanted for answer, (_, wanted) in zip(given, expected, strict=True))
        yield Row(name, right / count, count, _percent(split.bar, sign="≥ "), _percent(split.guess))
        if "JSON" in name:
            parsed = sum(_parses(answer) for answer in given)
            yield Row(f"{name}: well-formed", parsed / count, count, "≥ 95 %")


def story_rows(model: Pocket, tokenizer: Tokenizer) -> Iterator[Row]:
    """Yield how many greedy stories stop by themselves after `The end.`."""
    users = [form.format(hero=hero) for form in world.STORY_PROMPTS for hero in world.STORY_HEROES]
    stories = complete(model, tokenizer, ["<bos>" + prompt(user) for user in users], max_tokens=80)
    ended = sum(story is not None and story.endswith("The end.") for story in stories)
    yield Row("stories that end and stop", ended / len(users), len(users), "100 %")


def choice_rows(model: Pocket, tokenizer: Tokenizer) -> Iterator[Row]:
    """Yield, for each choice, the largest error of a probability (of the answer with its end of turn)."""
    for user, options in world.CHOICES.items():
        learned = choice_probabilities(model, tokenizer, user)
        error = max(abs(learned[text] - p) for text, p in options)
        divergence = sum(p * math.log(p / learned[text]) for text, p in options)
        yield Row(f"`{user}` max abs Δp (KL {divergence:.4f} nats)", error, len(options))


def choice_probabilities(model: Pocket, tokenizer: Tokenizer, user: str) -> dict[str, float]:
    """Return the probability of each option of a choice as the whole answer."""
    start = tokenizer.encode("<bos>" + prompt(user), add_special_tokens=False).ids
    result = {}
    for text, _ in world.CHOICES[user]:
        ids, probability = list(start), 1.0
        for token in [*tokenizer.encode(text, add_special_tokens=False).ids, END_OF_TURN]:
            probability *= next_logits(model, [ids])[0].softmax(-1)[token].item()
            ids.append(token)
        result[text] = probability
    return result


def table(rows: list[Row]) -> str:
    """Render rows as a Markdown table."""
    lines = ["| held-out split | result | bar | guessing the type | n |", "|---|---|---|---|---|"]
    for row in rows:
        value = f"{row.value:.3f}" if "Δp" in row.name else f"{100 * row.value:.1f} %"
        lines.append(f"| {row.name} | {value} | {row.bar} | {row.guess} | {row.n} |")
    return "\n".join(lines)


def _asked(document: Document) -> tuple[str, str]:
    question, answer, _ = document
    return question.text, answer.text


def _parses(text: str | None) -> bool:
    try:
        json.loads(text or "")
    except json.JSONDecodeError:
        return False
    return True


def _percent(value: float | None, *, sign: str = "") -> str:
    return "" if value is None else f"{sign}{100 * value:g} %"


def main() -> None:
    """Read the options, evaluate, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--count", type=int, default=400, help="items per split")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, tokenizer = load_exported(options.directory)
    rows = [*split_rows(model, tokenizer, count=options.count), *story_rows(model, tokenizer)]
    text = table([*rows, *choice_rows(model, tokenizer)])
    print(text)
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
