"""Where given tokens stand among the candidates."""

from __future__ import annotations

import numpy as np

from gemma_eval.sampling.candidates import Candidates, Floats, Indices


def positions(candidates: Candidates, tokens: Indices) -> Indices:
    """Return where the candidates hold one of the ascending `tokens`; in a whole vocabulary, at its id."""
    ids = candidates.ids
    if not len(tokens):
        return np.empty(0, dtype=np.intp)
    if tokens[0] >= 0 and tokens[-1] < len(ids) and np.array_equal(ids[tokens], tokens):
        return tokens
    return np.flatnonzero(np.isin(ids, tokens))


def lowered(candidates: Candidates, tokens: Indices, amounts: Floats) -> Candidates:
    """Return the candidates in their order, the logits of the ascending `tokens` less `amounts`.

    What would leave the range of float32 stays at its end, so that a logit is always a number.
    """
    places = positions(candidates, tokens)
    if not len(places):
        return candidates
    logits = candidates.logits.copy()
    by = amounts[np.searchsorted(tokens, candidates.ids[places])]
    with np.errstate(over="ignore"):
        logits[places] = within_float32(logits[places] - by)
    return candidates.with_logits(logits)


def within_float32(logits: Floats) -> Floats:
    """Return the logits with the infinite ones put at the end of float32; NaN stays NaN."""
    limit = np.finfo(np.float32).max
    finite: Floats = np.clip(logits, -limit, limit)
    return finite
