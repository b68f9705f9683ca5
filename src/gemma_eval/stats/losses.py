"""Where on the way to a wrong answer a fact was lost: what was found, ranked, packed, and then said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from gemma_eval.records import Judgement, Outcome, Passage, Trace
from gemma_eval.stats.judgements import fits

Loss = Literal["retrieval", "rank", "packing", "generation"]
"""The step that lost what was needed: no search found it, it did not rank among the first `top_k`, it did not
fit the prompt, or it stood there and the answer is wrong all the same."""
LOSSES: tuple[Loss, ...] = get_args(Loss)


def lost_at(outcome: Outcome) -> Loss | None:
    """Return the step that lost an answer, `None` where it is right, or where that cannot be known.

    Needed is every judgement of the highest grade of the case: of several, the one that was lost first
    decides. An answer is wrong when a check that judges it, and counts or demands something, is not fully
    met; where a case asks for passages alone, what is needed and was not found is lost. It cannot be known
    where nothing is relevant, no passage was looked for, no store was there to look in, or the answer was
    not made or not judged; nor of a text that was judged later, unless a passage with it was read or dropped.
    """
    case = outcome.trial.cell.case
    best = max((each.grade for each in case.relevant), default=0)
    if outcome.failure is not None or outcome.trace is None or best <= 0 or outcome.trace.is_unreached:
        return None
    is_answered = case.kind != "retrieval"
    if is_answered and not _is_wrong(outcome):
        return None
    lost = {_lost(each, outcome, outcome.trace) for each in case.relevant if each.grade == best}
    if None in lost:
        return None
    first = next(each for each in LOSSES if each in lost)
    return first if is_answered or first != "generation" else None


def losses(outcomes: Iterable[Outcome]) -> Mapping[Loss, int]:
    """Count the lost answers by the step that lost them, each step in its place."""
    counts = Counter(lost_at(outcome) for outcome in outcomes)
    return {each: counts[each] for each in LOSSES}


def _is_wrong(outcome: Outcome) -> bool:
    """Whether a check of the answer itself is not met; those of passages say nothing of that."""
    checks = outcome.trial.cell.case.checks
    return any(
        score.value is not None and not (score.value >= 1 if score.passed is None else score.passed)
        for check, score in zip(checks, outcome.scores, strict=False)
        if not check.of_passages and (score.weight > 0 or score.passed is not None)
    )


def _lost(judgement: Judgement, outcome: Outcome, trace: Trace) -> Loss | None:
    prompt, name = outcome.prompt, judgement.passage or judgement.text or ""
    if prompt is not None and _fits_one(judgement, prompt.passages):
        return "generation"
    found = trace.relevant.get(name, ())
    # A passage that was cut stands in the prompt, without the sentence that was needed.
    packed = {each.passage for each in prompt.packing} if prompt is not None else set()
    if prompt is not None and (_fits_one(judgement, prompt.dropped) or packed.intersection(found)):
        return "packing"
    if found or any(judgement.passage in ids for ids in trace.found.values()):
        return "rank"
    # Where passages were ranked, the trace has every text that was judged then.
    later = judgement.text is not None and name not in trace.relevant and "rank" in trace.found
    return None if later else "retrieval"


def _fits_one(judgement: Judgement, passages: Iterable[Passage]) -> bool:
    return any(fits(judgement, id=each.id, document=each.document, text=each.text) for each in passages)
