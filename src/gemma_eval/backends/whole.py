"""An answer as every backend has to give it: its texts are those of its deltas, its numbers are finite."""

from __future__ import annotations

import math

from gemma_eval.errors import PluginError
from gemma_eval.records import Generation


def whole(generation: Generation, *, backend: str) -> Generation:
    """Return a generation that is what it should be. Raises PluginError: it could not be stored."""
    gave = f'the backend "{backend}" gave'
    for channel, text in (
        ("output", generation.text),
        ("reasoning", generation.reasoning),
        ("tool_call", generation.tool_calls),
    ):
        if "".join(delta.text for delta in generation.deltas if delta.channel == channel) != text:
            raise PluginError(f"{gave} a text that is not the joined texts of its deltas")
    if not all(math.isfinite(known) for known in generation.log_probabilities or ()):
        raise PluginError(f"{gave} a log-probability that is not finite")
    return generation
