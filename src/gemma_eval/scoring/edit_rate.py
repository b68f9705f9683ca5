"""TER: how many words of an answer must be changed or moved to make a reference of it, by sacrebleu."""

from __future__ import annotations

from gemma_eval.errors import UsageError
from gemma_eval.protocols import Scorer
from gemma_eval.records import Options
from gemma_eval.scoring.findings import Finding, scorer_of, unjudged, wrong
from gemma_eval.scoring.options import CheckOptions

FEW_PAIRS, MOST_PAIRS = 2_500, 100_000
"""Words of an answer times those of a reference: to look for moves takes a second for few, many for most."""


def ter(options: Options) -> Scorer:
    """1 - TER, and 0 where TER is above 1: edits of words and moves of runs of them, per word of `reference`.

    Of several references the nearest gives the edits, and their mean length divides them. Case does not
    matter unless `match_case`. The sums of the figures `edits` and `reference_length` over many answers give
    the TER of the corpus; a long answer that is worth 0 however it is edited has none. Needs the extra
    `text-metrics`. Source: Snover et al. 2006, "A study of translation edit rate with targeted human
    annotation".
    """
    given = CheckOptions("ter", options, known=("reference", "match_case"))
    references = list(given.texts("reference"))
    try:
        from sacrebleu.metrics.ter import TER
    except ImportError as error:
        raise UsageError('ter: needs an optional package: pip install "gemma_eval[text-metrics]"') from error
    metric = TER(case_sensitive=given.flag("match_case"))
    lengths = [len(reference.split()) for reference in references]

    def find(text: str) -> Finding:
        n = len(text.split())
        pairs = n * max(lengths)
        if pairs > FEW_PAIRS and n - max(lengths) >= sum(lengths) / len(lengths):
            return wrong(text.strip(), f"{n} words, so many more than wanted that TER is above 1")
        if pairs > MOST_PAIRS:
            return unjudged(text.strip(), f"{n} words against {max(lengths)} are too many to look for moves")
        found = metric.sentence_score(text, references)
        return Finding(
            value=min(1.0, max(0.0, 1 - found.score / 100)),
            answer=text.strip(),
            why=metric.get_signature().format(),
            figures={"edits": found.num_edits, "reference_length": found.ref_length},
        )

    return scorer_of("ter", find)
