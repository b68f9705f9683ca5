"""The table of cases: a row for each trial, and what it opens to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gemma_eval.records import Generation, Outcome, Passage, Prompt, Report, Score
from gemma_eval.report import charts, numbers
from gemma_eval.report.facts import Fact
from gemma_eval.report.findings import Status, status
from gemma_eval.report.trial_facts import trial_facts
from gemma_eval.report.visible import visible

TIMELINE_WIDTH = 600
EXCERPT = 90

WORDS: Mapping[Status, str] = {
    "passed": "passed",
    "missed": "missed",
    "open": "no demand",
    "error": "error",
}
"""What a status is called on the page."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ContextPassage:
    """A passage that was retrieved; `used` tells whether it fitted the budget and the context.

    `fate` says what became of it, "" of one that stands in the prompt as it was found.
    """

    rank: int
    document: str
    score: str
    text: str
    used: bool
    fate: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreRow:
    """One check on one answer."""

    scorer: str
    value: str
    result: str
    answer: str
    explanation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A text that a model wrote: its answer, its reasoning or its calls, under its heading."""

    heading: str
    text: str
    kind: Literal["reasoning", "call", "answer"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """When each delta arrived, on a line from the request to the end."""

    ticks: str
    first: int
    end: str
    width: int = TIMELINE_WIDTH


@dataclass(frozen=True, kw_only=True, slots=True)
class Detail:
    """All that is known of one trial."""

    error: str
    prompt: str
    prompt_note: str
    passages: tuple[ContextPassage, ...]
    texts: tuple[Written, ...]
    scores: tuple[ScoreRow, ...]
    facts: tuple[Fact, ...]
    timeline: Timeline | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialRow:
    """One trial: what it is sorted and filtered by, the same in words, and its detail."""

    case: str
    model: str
    profile: str
    template: str
    retrieval: str
    repeat: int
    status: Status
    score: float | None
    ttft_s: float | None
    output_tokens_per_s: float | None
    e2e_s: float | None
    output_tokens: int | None
    query: str
    excerpt: str
    detail: Detail

    @property
    def result(self) -> str:
        """The status in words."""
        return WORDS[self.status]

    @property
    def cells(self) -> tuple[str, ...]:
        """The measured values in words: score, TTFT, tokens/s, end to end, tokens."""
        rate = self.output_tokens_per_s
        return (
            numbers.score(self.score),
            numbers.seconds(self.ttft_s),
            numbers.known(rate),
            numbers.seconds(self.e2e_s),
            numbers.count(self.output_tokens),
        )


def trial_rows(report: Report) -> tuple[TrialRow, ...]:
    """Return a row for each outcome, in the order of the run."""
    return tuple(_row(outcome) for outcome in report.outcomes)


def _row(outcome: Outcome) -> TrialRow:
    trial, measured = outcome.trial, outcome.measurement
    cell = trial.cell
    return TrialRow(
        case=visible(cell.case.id),
        model=visible(cell.model.name),
        profile=visible(cell.profile.name),
        template=visible(cell.template.name),
        retrieval=visible(cell.retrieval.name),
        repeat=trial.repeat,
        status=status(outcome),
        score=outcome.score,
        ttft_s=None if measured is None else measured.ttft_s,
        output_tokens_per_s=None if measured is None else measured.output_tokens_per_s,
        e2e_s=None if measured is None else measured.e2e_s,
        output_tokens=None if measured is None else measured.output_tokens,
        query=_excerpt(cell.case.query),
        excerpt=_excerpt(_said(outcome)),
        detail=_detail(outcome),
    )


def _said(outcome: Outcome) -> str:
    if outcome.failure is not None:
        return f"{outcome.failure.kind}: {outcome.failure.message}"
    return "" if outcome.generation is None else outcome.generation.text


def _excerpt(text: str) -> str:
    """Return the beginning of a text on one line."""
    line = visible(" ".join(text[: 4 * EXCERPT].split()))
    return line if len(line) <= EXCERPT else f"{line[:EXCERPT]}…"


def _detail(outcome: Outcome) -> Detail:
    prompt, generation, failure = outcome.prompt, outcome.generation, outcome.failure
    return Detail(
        error="" if failure is None else visible(f"{failure.kind}: {failure.message}"),
        prompt="" if prompt is None else visible(_prompt_text(prompt)),
        prompt_note="" if prompt is None else _prompt_note(prompt),
        passages=() if prompt is None else _passages(prompt, told=bool(outcome.trial.cell.retrieval.name)),
        texts=() if generation is None else _written(generation, whole=failure is None),
        scores=tuple(_score(score) for score in outcome.scores),
        facts=trial_facts(outcome),
        timeline=None if generation is None else timeline(generation),
    )


def _written(generation: Generation, *, whole: bool) -> tuple[Written, ...]:
    """Return what was written, channel by channel; what had come of a broken answer is called so."""
    broken = "" if whole else ", as far as it had come"
    texts = (
        Written(heading=f"Reasoning{broken}", text=visible(generation.reasoning), kind="reasoning"),
        Written(heading=f"Answer{broken}", text=visible(generation.text), kind="answer"),
        Written(heading=f"Tool calls{broken}", text=visible(generation.tool_calls), kind="call"),
    )
    return tuple(each for each in texts if each.text)


def _prompt_text(prompt: Prompt) -> str:
    if prompt.text is not None:
        return prompt.text
    return "\n\n".join(f"{message.role}:\n{message.content}" for message in prompt.messages)


def _prompt_note(prompt: Prompt) -> str:
    how = "as the model read it"
    if prompt.text is None:
        how = "as messages; the server applied its own markup"
    if prompt.n_tokens is not None:
        how = f"{numbers.count(prompt.n_tokens)} tokens, {how}"
    if prompt.dropped_turns:
        turns = "turn" if prompt.dropped_turns == 1 else f"{numbers.count(prompt.dropped_turns)} turns"
        how += f"; the first {turns} left out, for which the context has no room"
    return how


def _passages(prompt: Prompt, *, told: bool) -> tuple[ContextPassage, ...]:
    """Return the passages, with the reason of what became of each if that is to be `told`."""
    packed = {each.passage: each for each in prompt.packing} if told else {}

    def passage(each: Passage, fate: str, *, used: bool) -> ContextPassage:
        known = packed.get(each.id)
        if known is not None and known.fate != "kept":
            fate = f"{known.fate}: {known.reason}"
        return ContextPassage(
            rank=each.rank,
            document=visible(each.document),
            score=numbers.number(each.score),
            text=visible(each.text),
            used=used,
            fate=visible(fate),
        )

    cut = {each.passage for each in prompt.packing if each.fate == "cut"}
    used = [passage(each, "", used=True) for each in prompt.passages]
    dropped = (each for each in prompt.dropped if each.id not in cut)
    return (*used, *(passage(each, "dropped: no room for it", used=False) for each in dropped))


def _score(score: Score) -> ScoreRow:
    result = {None: "no demand", True: "passed", False: "missed"}[score.passed]
    return ScoreRow(
        scorer=visible(score.scorer),
        value=numbers.score(score.value),
        result=result if score.unscored is None else "unscored",
        answer=visible(score.answer),
        explanation=visible(score.explanation if score.unscored is None else score.unscored),
    )


def timeline(generation: Generation) -> Timeline | None:
    """Return the arrivals of an answer's deltas from its request to its end, `None` when it had no delta."""
    if not generation.deltas:
        return None
    end_ns = max(generation.ended_ns, generation.deltas[-1].at_ns)
    x = charts.Scale(low=generation.requested_ns, high=end_ns, start=0, stop=TIMELINE_WIDTH)
    places = [x(delta.at_ns) for delta in generation.deltas]
    return Timeline(
        ticks=charts.rug_path(places, height=10),
        first=round(places[0]),
        end=numbers.seconds((end_ns - generation.requested_ns) / 1e9),
    )
