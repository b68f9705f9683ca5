"""BLEU and chrF of texts, one or many, from the counts of n-grams that were found in each of them.

Counts of several texts add up, and their sum gives the value of the corpus: a mean of values per text is
another, lower number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

BLEU_ORDER = 4
CHRF_ORDER = 6
BETA = 2
"""How many times as much as precision recall counts in chrF."""


def corpus_bleu(figures: Sequence[Mapping[str, float]]) -> float | None:
    """Return BLEU in 0..1 from the figures that the scorer `bleu` left of each text; `None` for no text.

    An order without a match is smoothed to half, a quarter … of one match, as mteval-v13a does.
    Source: Papineni et al. 2002, doi 10.3115/1073083.1073135; Post 2018, arXiv 1804.08771 (sacrebleu).
    """
    summed = _sum(figures)
    if not summed:
        return None
    orders = range(1, BLEU_ORDER + 1)
    counts = [(summed[f"shared_{n}"], summed[f"answer_{n}"]) for n in orders]
    if not any(shared for shared, _ in counts) or not all(total for _, total in counts):
        return 0.0
    logs, smoothing = [], 1.0
    for shared, total in counts:
        smoothing *= 1 if shared else 2
        logs.append(math.log((shared or 1 / smoothing) / total))
    missing = max(0.0, summed["reference_length"] / summed["answer_length"] - 1)
    return math.exp(math.fsum(logs) / BLEU_ORDER - missing)


def corpus_chrf(figures: Sequence[Mapping[str, float]]) -> float | None:
    """Return chrF in 0..1 from the figures that the scorer `chrf` left of each text; `None` for no text.

    Precision and recall are means over the orders that both sides have n-grams of.
    Source: Popović 2015, doi 10.18653/v1/W15-3049; the means are those of sacrebleu from 2.0 on.
    """
    summed = _sum(figures)
    if not summed:
        return None
    orders = [name.removeprefix("shared_") for name in summed if name.startswith("shared_")]
    both = [each for each in orders if summed[f"answer_{each}"] and summed[f"reference_{each}"]]
    if not both:
        return 0.0
    precision = math.fsum(summed[f"shared_{each}"] / summed[f"answer_{each}"] for each in both) / len(both)
    recall = math.fsum(summed[f"shared_{each}"] / summed[f"reference_{each}"] for each in both) / len(both)
    weighed = BETA**2 * precision + recall
    return (1 + BETA**2) * precision * recall / weighed if weighed else 0.0


def _sum(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = figures[0] if figures else ()
    return {name: math.fsum(each[name] for each in figures) for name in names}
