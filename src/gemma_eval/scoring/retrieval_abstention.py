"""Whether an answer says that it does not know, and whether it should."""

from __future__ import annotations

from collections.abc import Callable

from gemma_eval.protocols import PassagesScorer
from gemma_eval.records import Case, Given, Options
from gemma_eval.scoring.findings import Finding
from gemma_eval.scoring.options import CheckOptions
from gemma_eval.scoring.patterns import Pattern
from gemma_eval.scoring.retrieval_passages import OfPassages, grade_of, in_prompt


def abstention(options: Options) -> PassagesScorer:
    """The answer says that it does not know exactly where no relevant passage is in the prompt.

    A case that says of no passage that it is relevant has no answer in its documents. What says so is one of
    the texts of `text`, or what `pattern`, an RE2 expression, matches; without them the usual English ways.
    """
    given = CheckOptions("abstention", options, known=("text", "pattern"))
    abstains = _given_ways(given)

    def find(case: Case, given: Given) -> Finding:
        text = "" if given.generation is None else given.generation.text
        n = sum(grade_of(each, case.relevant) > 0 for each in in_prompt(given))
        knows_nothing, says_so = not n, abstains(text)
        why = ""
        if says_so and not knows_nothing:
            why = f"says that it does not know, with {n} relevant {'passage' if n == 1 else 'passages'}"
        elif knows_nothing and not says_so:
            why = "answers without a relevant passage"
        figures = {"abstains": float(says_so), "n_relevant": n}
        return Finding(value=float(not why), answer=text.strip(), why=why, figures=figures)

    return OfPassages(name="abstention", find=find, needs=("answer",))


def says_it_does_not_know(text: str) -> bool:
    """Return whether a text says in one of the usual English ways that it has no answer."""
    return _USUAL.first(_straight(text)) is not None


_USUAL = Pattern(
    r"\b(?:i|we)(?:'m| am|'re| are)? (?:do not|don't|cannot|can't|can not|could not|couldn't|not able to"
    r"|unable to|not sure)(?: (?:know|say|tell|answer|determine|find)|[,.;!]|$)"
    r"|\b(?:cannot|can't|can not|could not|couldn't) be (?:answered|determined|found|inferred|known)\b"
    r"|\b(?:is not|isn't|are not|aren't|was not|wasn't|not) (?:mentioned|stated|given|provided|specified"
    r"|known|in the (?:context|text|passages?|documents?))\b"
    r"|\b(?:no|not enough|insufficient|without any) (?:information|context|answer|mention)\b"
    r"|\b(?:context|text|passages?|documents?|information)(?: above| given| provided)? "
    r"(?:does not|doesn't|do not|don't) (?:say|mention|state|contain|provide|specify|tell|include)\b"
    r"|\b(?:unanswerable|unknown)\b",
    what='abstention: "pattern"',
    ignore_case=True,
)


def _given_ways(given: CheckOptions) -> Callable[[str], bool]:
    """Return what finds the ways to abstain that a check names. Raises UsageError."""
    if len(given.given("text", "pattern")) == 2:
        raise given.problem('give "text" or "pattern", not both')
    if given.given("text"):
        texts = [_straight(each).casefold() for each in given.texts("text")]
        return lambda answer: any(each in _straight(answer).casefold() for each in texts)
    if given.given("pattern"):
        pattern = Pattern(given.text("pattern"), what='abstention: "pattern"', ignore_case=True)
        return lambda answer: pattern.first(answer) is not None
    return says_it_does_not_know


def _straight(text: str) -> str:
    return " ".join(text.replace("\u2019", "'").split())
