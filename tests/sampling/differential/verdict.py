"""What a comparison of three samplers says: ours, an engine's, and exact arithmetic between them."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gemma_eval.sampling.candidates import Candidates
from tests.sampling.differential import exact, ours

Verdict = Literal["equal", "rounding", "our set", "their set", "our probability", "their probability"]
"""`rounding`: only tokens that float32 may decide either way differ. Else who departs from what is exact."""
SAME: tuple[Verdict, ...] = ("equal", "rounding")
TOLERANCE = 1e-5
"""The largest difference of a probability; more only where a float32 logit of more than 84 is that coarse."""
UNSEEN = 1e-30
"""A token this improbable may come out as exactly 0, in which a removed one cannot be told from it."""


def judge(
    judged: exact.Left, candidates: Candidates, theirs: NDArray[np.floating], *, slack: float = 0.0
) -> Verdict:
    """Compare what is left of one vector; `theirs` are probabilities [V], 0 for what was removed.

    `slack` is what the engine's own float32 may add to the difference of its probabilities, not to ours.
    """
    kept = ours.kept(candidates)
    if not judged.allows(kept):
        return "our set"
    invisible = judged.kept & (judged.probabilities < UNSEEN)
    if not judged.allows((theirs > 0) | invisible):
        return "their set"
    if not np.array_equal(kept & ~invisible, (theirs > 0) & ~invisible):
        return "rounding"
    expected = judged.probabilities if np.array_equal(kept, judged.kept) else theirs
    allowed = max(TOLERANCE, float(np.abs(judged.logits.max())) * 2.0**-23)
    if np.abs(ours.probabilities(candidates) - expected).max() > allowed:
        return "our probability"
    return "equal" if np.abs(theirs - expected).max() <= allowed + slack else "their probability"
