"""The options that every scorer with judges has: which models judge, by what, and how their votes count."""

from __future__ import annotations

from dataclasses import dataclass

from gemma_eval.records import Option, Options
from gemma_eval.scoring.judge_fence import MOST_CHARACTERS, Fence
from gemma_eval.scoring.judge_verdict import told_apart
from gemma_eval.scoring.judge_votes import Rule
from gemma_eval.scoring.options import CheckOptions

MODELS = ("judge", "judges")
SHARED = (*MODELS, "rubric", "reference", "prompt", "vote", "fence", "max_characters", "max_tokens")
MAX_TOKENS = 64
"""How long a reply may be that is not read from the probabilities of labels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """The labels of a verdict and what each is worth in 0..1; `words` say which end is better."""

    labels: tuple[str, ...]
    values: tuple[float, ...]
    words: str = ""


def models(given: CheckOptions) -> tuple[str, ...]:
    """Return the names of the models that judge. Raises UsageError."""
    named = given.given(*MODELS)
    if len(named) != 1:
        raise given.problem('give one of "judge", the name of a model, and "judges", a list of them')
    names = given.texts(named[0])
    if named == ("judge",) and len(names) > 1:
        raise given.problem('"judge" is one model; give several as judges = ["a", "b"]')
    if len(set(names)) < len(names):
        raise given.problem('"judges" names a model more than once')
    return names


def rule(given: CheckOptions) -> Rule:
    """Return how the votes of several judges become one value. Raises UsageError."""
    return given.choice("vote", ("mean", "majority"))


def fence(given: CheckOptions, *, default: Fence) -> Fence:
    """Return how answers are shown. Raises UsageError."""
    return given.choice("fence", ("lines", "line") if default == "lines" else ("line", "lines"))


def most_characters(given: CheckOptions) -> int:
    """Return how much of an answer is shown at most. Raises UsageError."""
    return given.whole("max_characters", default=MOST_CHARACTERS, least=100) or MOST_CHARACTERS


def max_tokens(given: CheckOptions) -> int:
    """Return how long a reply may be. Raises UsageError."""
    return given.whole("max_tokens", default=MAX_TOKENS, least=1) or MAX_TOKENS


def scale(given: CheckOptions, options: Options) -> Scale:
    """Return the labels and their values, by default *correct* and *incorrect*. Raises UsageError.

    Labels without values are evenly spaced from 1 for the first to 0 for the last.
    """
    if given.given("scale"):
        if given.given("labels", "values"):
            raise given.problem('give "scale", or "labels" with "values"')
        return _of_numbers(given, options["scale"])
    labels = given.texts("labels") if given.given("labels") else ("correct", "incorrect")
    if len({label.casefold().strip() for label in labels}) < len(labels) or len(labels) < 2:
        raise given.wrong("labels", "two or more different texts", labels)
    if not given.given("values"):
        return Scale(labels=labels, values=tuple(1 - n / (len(labels) - 1) for n in range(len(labels))))
    values = _numbers(options["values"])
    if values is None or len(values) != len(labels) or not all(0 <= value <= 1 for value in values):
        raise given.wrong(
            "values", f"a list of {len(labels)} numbers in 0..1, one for each label", options["values"]
        )
    return Scale(labels=labels, values=values)


def demand_probabilities(given: CheckOptions, labels: tuple[str, ...]) -> None:
    """Raise UsageError when the probabilities of the labels would be those of others, too."""
    if not told_apart(labels):
        what = "one label is the beginning of another, so their probabilities cannot be told apart"
        raise given.problem(f'"weighted" needs other labels: {what}; a scale of [1, 5] or [0, 9] has such')


def _of_numbers(given: CheckOptions, value: Option) -> Scale:
    ends = _numbers(value)
    if ends is None or len(ends) != 2 or not all(end.is_integer() for end in ends) or ends[0] == ends[1]:
        raise given.wrong("scale", "two whole numbers, the worst and the best, as [1, 5]", value)
    worst, best = int(ends[0]), int(ends[1])
    if abs(best - worst) > _LONGEST_SCALE:
        raise given.wrong("scale", f"of at most {_LONGEST_SCALE + 1} steps", value)
    step = 1 if best > worst else -1
    numbers = range(worst, best + step, step)
    return Scale(
        labels=tuple(map(str, numbers)),
        values=tuple((number - worst) / (best - worst) for number in numbers),
        words=f"{worst} is the worst and {best} the best.\n",
    )


def _numbers(value: Option) -> tuple[float, ...] | None:
    items = value if isinstance(value, tuple | list) else (value,)
    if any(isinstance(item, bool) or not isinstance(item, int | float) for item in items):
        return None
    return tuple(float(item) for item in items)


_LONGEST_SCALE = 100
