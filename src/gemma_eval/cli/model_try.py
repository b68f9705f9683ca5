"""Loads a model and has it write, or embed, a few words, in a process of its own: an engine may end that.

python -m gemma_eval.cli.model_try TOKENS < the model as JSON
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing

from gemma_eval.errors import GemmaEvalError, UnknownName
from gemma_eval.plugins import Registry
from gemma_eval.records import Case, Cell, Message, ModelSpec, Retrieval, SamplingProfile, Source, Template

MARK = "tried: "
"""Begins the line that tells; engines write lines of their own."""
ASKED = "Tell a story about a fox."


def main(tokens: int) -> None:
    """Print what came of it."""
    from gemma_eval import plugins, wire
    from gemma_eval.logs import redact

    try:
        told = tried(wire.load(ModelSpec, json.load(sys.stdin)), plugins.load(), tokens=tokens)
    except GemmaEvalError as error:
        told = {"problem": redact.clear(str(error))}
    except KeyboardInterrupt:
        sys.exit(130)
    sys.stdout.write(f"\n{MARK}{json.dumps(told)}\n")


def tried(spec: ModelSpec, registry: Registry, *, tokens: int) -> dict[str, object]:
    """Return what a model did and how long it took. Raises GemmaEvalError."""
    if spec.backend in registry.backends:
        return _written(spec, registry, tokens=tokens)
    if spec.backend in registry.embedders:
        return _embedded(spec, registry)
    raise UnknownName("backend", spec.backend, (*registry.backends, *registry.embedders))


def _written(spec: ModelSpec, registry: Registry, *, tokens: int) -> dict[str, object]:
    from gemma_eval.logs import redact
    from gemma_eval.measure.clock import clock
    from gemma_eval.measure.latency import measure
    from gemma_eval.measure.resources import watch
    from gemma_eval.prompts.build import build
    from gemma_eval.stages import load_backend

    profile = SamplingProfile(name="test", temperature=0.0, max_tokens=tokens)
    begun_s = time.monotonic()
    with watch() as watched, closing(load_backend(spec, registry, clock=clock)) as backend:
        load_s = time.monotonic() - begun_s
        prompt = build(
            _cell(spec, profile),
            passages=(),
            chat_template=spec.chat_template or backend.chat_template,
            count_tokens=backend.count_tokens,
        )
        made = backend.generate(prompt, profile=profile, seed=0)
        info = backend.info()
    cost = measure(made, resources=watched.reading())
    return {
        "engine": info.engine,
        "version": info.version,
        "threads": info.threads,
        "context_tokens": info.context_tokens,
        "load_s": load_s,
        "ttft_s": cost.ttft_s,
        "output_tokens_per_s": cost.output_tokens_per_s,
        "engine_output_tokens_per_s": cost.engine_output_tokens_per_s,
        "output_tokens": cost.output_tokens,
        "prompt_tokens": made.prompt_tokens,
        "finish_reason": made.finish_reason,
        "peak_memory_bytes": cost.peak_memory_bytes,
        "text": redact.current().answer(made.text),
    }


def _embedded(spec: ModelSpec, registry: Registry) -> dict[str, object]:
    """Embed a text twice: the first time an engine may still prepare itself."""
    begun_s = time.monotonic()
    embedder = registry.embedders.find(spec.backend)(spec)
    embedder.embed([ASKED])
    loaded_s = time.monotonic()
    vectors = embedder.embed([ASKED])
    return {
        "embedder": embedder.id,
        "load_s": loaded_s - begun_s,
        "embed_s": time.monotonic() - loaded_s,
        "dimensions": int(vectors.shape[1]),
    }


def _cell(spec: ModelSpec, profile: SamplingProfile) -> Cell:
    case = Case(
        id="test",
        kind="quality",
        messages=(Message(role="user", content=ASKED),),
        models=(spec.name,),
        profiles=(profile.name,),
        templates=("plain",),
        source=Source(path="test", line=0),
    )
    template = Template(name="plain", text="{{ query }}")
    return Cell(
        suite="test",
        case=case,
        model=spec,
        profile=profile,
        template=template,
        retrieval=Retrieval(),
        seed=0,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
