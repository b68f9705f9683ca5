"""The scorer `judge`: a model, or a jury of several, says which label an answer deserves."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gemma_eval.protocols import Scorer, Services
from gemma_eval.records import Case, Generation, Message, Options, Question, Reply, Score, Vote
from gemma_eval.scoring import judge_options as read_options
from gemma_eval.scoring import judge_prompts, judge_verdict
from gemma_eval.scoring.judge_options import Scale
from gemma_eval.scoring.judge_prompts import PRESETS, Wording
from gemma_eval.scoring.judge_votes import Ballot, Judged, Rule, score_of
from gemma_eval.scoring.options import CheckOptions

_UNWEIGHTED = 'the engine gave no probabilities of the labels, which "weighted" needs'
"""A label alone has another value than the one that is expected, and the two do not go into one mean."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judge:
    """Asks `models` which label an answer deserves; `weighted` values are those expected by probability."""

    models: tuple[str, ...]
    scale: Scale
    wording: Wording
    rule: Rule
    weighted: bool
    max_tokens: int

    def bind(self, services: Services) -> Scorer:
        """Return the scorer that asks through `services`."""

        def score(case: Case, generation: Generation) -> Score:
            return self._score(case, generation, services)

        return score

    def question(self, case: Case, answer: str) -> tuple[Question, int]:
        """Return what is asked about an answer, and how many characters of it were left out."""
        labels = self.scale.labels
        text, left_out = self.wording.about(case, {"answer": answer}, labels)
        return question(text, labels, max_tokens=self.max_tokens), left_out

    def ballot(self, judge: str, reply: Reply) -> Ballot:
        """Return the vote that the reply of a judge is."""
        values = dict(zip(self.scale.labels, self.scale.values, strict=True))
        found = judge_verdict.read(reply, self.scale.labels)
        shares = found.probabilities
        reason = _UNWEIGHTED if self.weighted and found.label and shares is None else found.reason
        if found.label is None or reason is not None:
            vote = Vote(judge=judge, value=None, reason=reason)
            return Ballot(judge=judge, votes=(vote,), value=None, reason=reason)
        value = values[found.label]
        if self.weighted and shares is not None:
            value = math.fsum(share * values[label] for label, share in shares.items())
        value = min(1.0, max(0.0, value))
        return Ballot(
            judge=judge,
            votes=(Vote(judge=judge, value=value, label=found.label),),
            value=value,
            label=found.label,
            probability=None if shares is None else shares[found.label],
            mass=found.mass,
        )

    def _score(self, case: Case, generation: Generation, services: Services) -> Score:
        if self.wording.reference and not generation.text.strip():
            # No judge is needed for it, and a small one takes nothing for a match.
            worst = min(self.scale.values)
            return Score(scorer="judge", value=worst, passed=None, explanation="the answer is empty")
        asked, left_out = self.question(case, generation.text)
        figures = {"characters_left_out": float(left_out)} if left_out else {}
        judged = Judged(scorer="judge", answer=generation.text.strip(), figures=figures)
        ballots = [self.ballot(name, services.ask(name, asked)) for name in self.models]
        return score_of(judged, ballots, rule=self.rule)


def judge(options: Options) -> Judge:
    """What the model `judge`, or the jury `judges`, says of the answer; a rubric or a reference says by what.

    `preset` is *correctness*, or *pocket* for the model that ships; `rubric` is your own rule and `prompt`
    your own template. With none of the five the model that ships judges, with its preset. The verdict is one
    of `labels`, worth `values`, or a number of `scale = [1, 5]`.
    """
    if not {*read_options.MODELS, "preset", "rubric", "prompt"} & options.keys():
        options = {**options, "judge": "pocket", "preset": "pocket"}
    known = (*read_options.SHARED, "preset", "labels", "values", "scale", "weighted")
    given = CheckOptions("judge", options, known=known)
    scale = read_options.scale(given, options)
    weighted = given.flag("weighted")
    if weighted:
        read_options.demand_probabilities(given, scale.labels)
    return Judge(
        models=read_options.models(given),
        scale=scale,
        wording=_wording(given, scale),
        rule=read_options.rule(given),
        weighted=weighted,
        max_tokens=read_options.max_tokens(given),
    )


def question(text: str, labels: tuple[str, ...], *, max_tokens: int) -> Question:
    """Return a question whose reply is one of the labels; those that begin one another are not compared."""
    return Question(
        messages=(Message(role="user", content=text),),
        labels=labels if judge_verdict.told_apart(labels) else (),
        json_schema=judge_verdict.schema(labels),
        max_tokens=max_tokens,
    )


def _wording(given: CheckOptions, scale: Scale) -> Wording:
    by = given.given("preset", "rubric")
    reference = given.text("reference") if given.given("reference") else ""
    if len(by) > 1:
        raise given.problem('give one of "preset" and "rubric"; a preset has its own')
    if given.given("prompt"):
        template = judge_prompts.checked("judge", given.text("prompt"), needed=("answer",))
        chosen = "correctness"
    elif by == ("rubric",):
        template = judge_prompts.by_rubric(has_reference=bool(reference), scale=scale.words)
        chosen = "correctness"
    else:
        chosen = given.choice("preset", PRESETS)
        template = judge_prompts.preset(chosen)
        if not reference:
            raise given.problem(f'the preset "{chosen}" needs a "reference"; or give a "rubric"')
    return Wording(
        template=template,
        fence=read_options.fence(given, default="line" if chosen == "pocket" else "lines"),
        most=read_options.most_characters(given),
        reference=reference,
        rubric=given.text("rubric") if by == ("rubric",) else "",
    )
