"""Scorers of the passages that a model reads: how many of them bear on the question, and what is missing."""

from __future__ import annotations

from gemma_eval.protocols import PassagesScorer
from gemma_eval.records import Case, Given, Options
from gemma_eval.scoring.findings import Finding
from gemma_eval.scoring.options import CheckOptions
from gemma_eval.scoring.retrieval_passages import OfPassages, in_prompt, judged, named, unreached
from gemma_eval.stats.judgements import first_places


def context_precision(options: Options) -> PassagesScorer:
    """Of the passages in the prompt, the share that is relevant; 0 where there is none."""
    CheckOptions("context_precision", options, known=())

    def find(case: Case, given: Given) -> Finding:
        if (nothing := unreached(given)) is not None:
            return nothing
        passages = in_prompt(given)
        n = sum(grade > 0 for grade in judged(passages, case.relevant).every)
        figures = {"n_passages": len(passages), "n_relevant": n}
        why = f"{len(passages) - n} of {len(passages)} are not relevant" if n < len(passages) else ""
        value = n / len(passages) if passages else 0.0
        return Finding(value=value, answer="", why=why or _NONE * (not passages), figures=figures)

    return OfPassages(name="context_precision", find=find, needs=("relevant",))


def context_recall(options: Options) -> PassagesScorer:
    """Of what the case says is relevant, the share that stands in the prompt."""
    CheckOptions("context_recall", options, known=())

    def find(case: Case, given: Given) -> Finding:
        if (nothing := unreached(given)) is not None:
            return nothing
        wanted = [each for each in case.relevant if each.grade > 0]
        places = first_places(in_prompt(given), wanted)
        missed = [each for each, at in zip(wanted, places, strict=True) if at is None]
        return Finding(
            value=(len(wanted) - len(missed)) / len(wanted),
            answer="",
            why=f"not in the prompt: {named(missed)}" if missed else "",
            figures={"n_relevant": len(wanted), "n_passages": len(in_prompt(given))},
        )

    return OfPassages(name="context_recall", find=find, needs=("relevant",))


_NONE = "no passage is in the prompt"
