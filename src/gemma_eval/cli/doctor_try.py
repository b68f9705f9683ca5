"""Loads a model and has it write one token, in a process of its own: an engine may take it down with it.

python -m gemma_eval.cli.doctor_try BACKEND LOCATION
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing

from gemma_eval.errors import GemmaEvalError
from gemma_eval.records import Message, ModelSpec, Prompt, SamplingProfile

MARK = "tried: "
"""Begins the line that tells; engines write lines of their own."""
_TURN = "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n"


def main(backend: str, location: str) -> None:
    """Print what came of it."""
    try:
        told = tried(ModelSpec(name=location, backend=backend, location=location))
    except GemmaEvalError as error:
        told = {"problem": str(error)}
    sys.stdout.write(f"\n{MARK}{json.dumps(told)}\n")


def tried(spec: ModelSpec) -> dict[str, str]:
    """Return which engine wrote a token and how long that took, with loading. Raises GemmaEvalError."""
    from gemma_eval.measure.clock import clock
    from gemma_eval.plugins import load
    from gemma_eval.report import numbers
    from gemma_eval.stages import load_backend

    prompt = Prompt(messages=(Message(role="user", content="Hi"),), text=_TURN, n_tokens=None)
    begun_s = time.monotonic()
    with closing(load_backend(spec, load(), clock=clock)) as backend:
        loaded_s = time.monotonic()
        backend.generate(prompt, profile=SamplingProfile(name="one", temperature=0.0, max_tokens=1), seed=0)
        wrote_s = time.monotonic()
        info = backend.info()
    return {
        "engine": f"{info.engine} {info.version}",
        "load": numbers.seconds(loaded_s - begun_s),
        "token": numbers.seconds(wrote_s - loaded_s),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
