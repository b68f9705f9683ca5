"""The scorer `judge_pairwise`: a model says which of two answers is better, asked in both orders.

A judge that prefers whatever comes first says so of both orders: the two verdicts disagree, and the two
answers are as good as each other for all that it can tell.
"""

from __future__ import annotations

from dataclasses import dataclass

from gemma_eval.protocols import Scorer, Services
from gemma_eval.records import Case, Generation, Options, Score, Vote
from gemma_eval.scoring import judge_options as read_options
from gemma_eval.scoring import judge_prompts, judge_verdict
from gemma_eval.scoring.judge import question
from gemma_eval.scoring.judge_prompts import Wording
from gemma_eval.scoring.judge_verdict import Verdict
from gemma_eval.scoring.judge_votes import Ballot, Judged, Rule, score_of
from gemma_eval.scoring.options import CheckOptions

LABELS = ("A", "B")
TIE = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class PairwiseJudge:
    """Asks `models` whether an answer is better than `against`, once with each of the two first."""

    models: tuple[str, ...]
    against: str
    wording: Wording
    rule: Rule
    max_tokens: int

    def bind(self, services: Services) -> Scorer:
        """Return the scorer that asks through `services`."""

        def score(case: Case, generation: Generation) -> Score:
            judged = Judged(scorer="judge_pairwise", answer=generation.text.strip())
            ballots = [self.ballot(name, case, generation.text, services) for name in self.models]
            return score_of(judged, ballots, rule=self.rule)

        return score

    def ballot(self, judge: str, case: Case, answer: str, services: Services) -> Ballot:
        """Return what a judge says in both orders: 1, 0, or a tie where they disagree."""
        verdicts = [self._verdict(judge, case, answer, services, first=LABELS[n]) for n in range(2)]
        votes = tuple(
            Vote(
                judge=judge,
                value=None if found.label is None else float(found.label == ours),
                label=found.label or "",
                swapped=ours == LABELS[1],
                reason=found.reason,
            )
            for found, ours in zip(verdicts, LABELS, strict=True)
        )
        reason = next((vote.reason for vote in votes if vote.reason is not None), None)
        values = [vote.value for vote in votes if vote.value is not None]
        if len(values) < len(votes):
            return Ballot(judge=judge, votes=votes, value=None, reason=reason)
        flips = values[0] != values[1]
        label = "another winner in the other order, a tie" if flips else ("better" if values[0] else "worse")
        return Ballot(judge=judge, votes=votes, value=TIE if flips else values[0], label=label)

    def _verdict(self, judge: str, case: Case, answer: str, services: Services, *, first: str) -> Verdict:
        """Ask in the order in which the answer has the label `first`."""
        pair = (answer, self.against) if first == LABELS[0] else (self.against, answer)
        text, _ = self.wording.about(case, dict(zip(("first", "second"), pair, strict=True)), LABELS)
        asked = question(text, LABELS, max_tokens=self.max_tokens)
        return judge_verdict.read(services.ask(judge, asked), LABELS)


def judge_pairwise(options: Options) -> PairwiseJudge:
    """Whether the answer is better than the text `against`: 1, 0, or 0.5 where the two orders disagree.

    `rubric` says by what, `reference` what is right, `prompt` is your own template with {first} and {second}.
    """
    given = CheckOptions("judge_pairwise", options, known=(*read_options.SHARED, "against"))
    has_reference, has_rubric = bool(given.given("reference")), bool(given.given("rubric"))
    if given.given("prompt"):
        needed = ("first", "second")
        template = judge_prompts.checked("judge_pairwise", given.text("prompt"), needed=needed)
    else:
        template = judge_prompts.of_two(has_reference=has_reference, has_rubric=has_rubric)
    return PairwiseJudge(
        models=read_options.models(given),
        against=given.text("against"),
        wording=Wording(
            template=template,
            fence=read_options.fence(given, default="lines"),
            most=read_options.most_characters(given),
            reference=given.text("reference") if has_reference else "",
            rubric=given.text("rubric") if has_rubric else "",
        ),
        rule=read_options.rule(given),
        max_tokens=read_options.max_tokens(given),
    )
