"""Scorers of a choice that the model has read among others: multiple choice by log-likelihood.

Nothing is written and no letter is asked for: each choice is read after the question, and the one that the
model finds most probable is its answer. What *most probable* means is where the scorers differ. The
log-likelihood of a choice is the sum of the natural log-probabilities of its tokens, those of the delimiter
included; lengths are of the choice alone. Of choices that are equally probable the first is taken.
Source: EleutherAI/lm-evaluation-harness:lm_eval/api/task.py, `ConfigurableTask.process_results`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from gemma_eval.protocols import Scorer
from gemma_eval.records import Case, Generation, Options, Score, Subject
from gemma_eval.scoring.options import CheckOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A question with its choices, as it was read.

    `log_likelihoods` are one for each choice, `unconditional` those after an empty prompt, and `greedy` says
    whether each token of a choice was the most probable one; either is empty where it is not known of all.
    """

    choices: tuple[str, ...]
    target: int
    log_likelihoods: tuple[float, ...]
    unconditional: tuple[float, ...] = ()
    greedy: tuple[bool, ...] = ()


class Unjudged(Exception):
    """Why a question has no score."""


def acc(options: Options) -> Scorer:
    """The choice with the highest log-likelihood is the right one."""
    return _ranking("acc", options, lambda question: question.log_likelihoods)


def acc_norm(options: Options) -> Scorer:
    """The choice with the highest log-likelihood per character is the right one."""
    return _ranking("acc_norm", options, per_character)


def acc_bytes(options: Options) -> Scorer:
    """The choice with the highest log-likelihood per byte of UTF-8 is the right one."""
    return _ranking("acc_bytes", options, per_byte)


def acc_mutual_info(options: Options) -> Scorer:
    """The choice whose log-likelihood the question raises most is the right one: ln P(c | q) - ln P(c)."""
    return _ranking("acc_mutual_info", options, mutual_information, unconditional=True)


def choice_probability(options: Options) -> Scorer:
    """The probability of the right choice among the choices: the softmax of their log-likelihoods."""
    CheckOptions("choice_probability", options, known=())

    def judge(question: Question) -> tuple[float, Mapping[str, float]]:
        return probabilities(question.log_likelihoods)[question.target], {}

    return _Scorer(name="choice_probability", judge=judge)


def brier(options: Options) -> Scorer:
    """1 - B / 2, where B in 0..2 is the squared distance of the probabilities of the choices from the truth.

    B is the figure `brier`. Source: Brier 1950, "Verification of forecasts expressed in terms of
    probability".
    """
    CheckOptions("brier", options, known=())

    def judge(question: Question) -> tuple[float, Mapping[str, float]]:
        distance = brier_score(probabilities(question.log_likelihoods), question.target)
        return min(1.0, max(0.0, 1 - distance / 2)), {"brier": distance}

    return _Scorer(name="brier", judge=judge)


def choice_exact_match(options: Options) -> Scorer:
    """Each token of the right choice was the most probable one: greedy sampling would have written it."""
    CheckOptions("choice_exact_match", options, known=())

    def judge(question: Question) -> tuple[float, Mapping[str, float]]:
        if not question.greedy:
            raise Unjudged("the engine does not tell which token was the most probable one")
        return float(question.greedy[question.target]), {}

    return _Scorer(name="choice_exact_match", judge=judge)


def per_character(question: Question) -> tuple[float, ...]:
    """Return the log-likelihood of each choice divided by its characters (code points)."""
    return _divided(question, [len(choice) for choice in question.choices])


def per_byte(question: Question) -> tuple[float, ...]:
    """Return the log-likelihood of each choice divided by its bytes of UTF-8."""
    return _divided(question, [len(choice.encode()) for choice in question.choices])


def mutual_information(question: Question) -> tuple[float, ...]:
    """Return by how much the question raises the log-likelihood of each choice. Raises Unjudged."""
    if not question.unconditional:
        raise Unjudged("the engine does not tell how probable the choices are after an empty prompt")
    pairs = zip(question.log_likelihoods, question.unconditional, strict=True)
    return tuple(given - alone for given, alone in pairs)


def first_of_the_highest(values: Sequence[float]) -> int:
    """Return the index of the highest of `values`, of equals the first."""
    return max(range(len(values)), key=values.__getitem__)


def probabilities(log_likelihoods: Sequence[float]) -> tuple[float, ...]:
    """Return the softmax of log-likelihoods."""
    highest = max(log_likelihoods)
    shares = [math.exp(value - highest) for value in log_likelihoods]
    total = math.fsum(shares)
    return tuple(share / total for share in shares)


def brier_score(shares: Sequence[float], target: int) -> float:
    """Return the sum of the squared distances of probabilities from 1 for `target` and 0 for the others."""
    return math.fsum((share - (index == target)) ** 2 for index, share in enumerate(shares))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scorer:
    """Scores what `judge` makes of a question: a value in 0..1 and its figures. It may raise Unjudged."""

    subject: ClassVar[Subject] = "choices"
    name: str
    judge: Callable[[Question], tuple[float, Mapping[str, float]]]
    rank: Callable[[Question], Sequence[float]] = lambda question: question.log_likelihoods
    unconditional: bool = False

    def __call__(self, case: Case, generation: Generation) -> Score:
        try:
            question = _question(case, generation)
            value, figures = self.judge(question)
            ranks = self.rank(question)
        except Unjudged as error:
            return Score(
                scorer=self.name, value=None, passed=None, answer=generation.text, unscored=str(error)
            )
        chosen = first_of_the_highest(ranks)
        return Score(
            scorer=self.name,
            value=value,
            passed=None,
            answer=question.choices[chosen],
            explanation=_why(question, ranks, chosen),
            figures={**figures, "chosen": chosen, "target": question.target, **_all(question)},
        )


def _ranking(
    name: str,
    options: Options,
    rank: Callable[[Question], Sequence[float]],
    *,
    unconditional: bool = False,
) -> Scorer:
    """Return the scorer with the value 1 when the right choice ranks first."""
    CheckOptions(name, options, known=())

    def judge(question: Question) -> tuple[float, Mapping[str, float]]:
        return float(first_of_the_highest(rank(question)) == question.target), {}

    return _Scorer(name=name, judge=judge, rank=rank, unconditional=unconditional)


def _question(case: Case, generation: Generation) -> Question:
    """Return the question that a case asks, as it was read. Raises Unjudged."""
    read = generation.choices
    if case.target is None:
        raise Unjudged("the case does not say which choice is right")
    if not read or len(read) != len(case.choices):
        raise Unjudged(f"{len(read)} of the {len(case.choices)} choices were read")
    sums = tuple(math.fsum(choice.log_probabilities) for choice in read)
    if not all(choice.log_probabilities for choice in read) or not all(map(math.isfinite, sums)):
        raise Unjudged("a choice has no finite log-likelihood")
    alone = tuple(choice.unconditional for choice in read if choice.unconditional is not None)
    greedy = tuple(choice.is_greedy for choice in read if choice.is_greedy is not None)
    return Question(
        choices=case.choices,
        target=case.target,
        log_likelihoods=sums,
        unconditional=alone if len(alone) == len(read) else (),
        greedy=greedy if len(greedy) == len(read) else (),
    )


def _divided(question: Question, lengths: Sequence[int]) -> tuple[float, ...]:
    if 0 in lengths:
        raise Unjudged("an empty choice has no length to divide by")
    return tuple(value / size for value, size in zip(question.log_likelihoods, lengths, strict=True))


def _why(question: Question, ranks: Sequence[float], chosen: int) -> str:
    """Say what stood before the right choice, or beside it."""
    equal = [index for index, rank in enumerate(ranks) if rank == ranks[chosen]]
    if len(equal) > 1:
        named = ", ".join(f'"{question.choices[index]}"' for index in equal)
        return f"{named} rank equally at {ranks[chosen]:.4g}; the first is taken"
    if chosen == question.target:
        return ""
    right = question.choices[question.target]
    return f'"{right}" ranks at {ranks[question.target]:.4g}, the chosen one at {ranks[chosen]:.4g}'


def _all(question: Question) -> Mapping[str, float]:
    """Return the log-likelihoods of all choices as figures, by their indices."""
    known = {f"log_likelihood_{index}": value for index, value in enumerate(question.log_likelihoods)}
    alone = {f"unconditional_{index}": value for index, value in enumerate(question.unconditional)}
    return {**known, **alone}
