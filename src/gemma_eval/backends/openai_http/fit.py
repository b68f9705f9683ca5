"""What of a model's spec a server cannot be told, and how the one that was found is asked."""

from __future__ import annotations

from dataclasses import replace

from gemma_eval.backends.openai_http.options import HttpOptions
from gemma_eval.backends.openai_http.request import Wanted, clash
from gemma_eval.backends.openai_http.server import Server
from gemma_eval.errors import BackendError
from gemma_eval.records import ModelSpec


def misfit(spec: ModelSpec, options: HttpOptions) -> str | None:
    """Say what of a spec no server can be told."""
    if spec.rope_scaling is not None:
        return "cannot set rope_scaling: it is an option that the server is started with"
    if spec.chat_template is not None and options.endpoint == "chat":
        return (
            'cannot set chat_template: at the endpoint "chat" the server applies its own; use "completions"'
        )
    if options.dialect == "ollama" and options.endpoint == "completions":
        return (
            'has no endpoint "completions" for Ollama, which applies its template there as well; use "chat"'
        )
    return None


def fitting(spec: ModelSpec, options: HttpOptions, server: Server) -> Wanted:
    """Return how answers are asked for. Raises BackendError for what the server that was found cannot do."""
    where = f"model {spec.name}"
    if what := misfit(spec, replace(options, dialect=server.dialect)):
        raise BackendError(f"{where}: the backend openai_http {what}")
    if options.endpoint == "completions" and not (spec.chat_template or server.chat_template):
        raise BackendError(
            f"{where}: the server does not tell its chat template; give the model a chat_template, "
            'or use endpoint = "chat"'
        )
    limit = server.context_tokens
    if spec.context_tokens is not None and limit is not None and spec.context_tokens > limit:
        raise BackendError(f"{where}: context_tokens = {spec.context_tokens}, but the server holds {limit}")
    wanted = Wanted(
        dialect=server.dialect,
        endpoint=options.endpoint,
        model=server.model,
        stream=options.stream,
        counts_each=options.counts == "each",
        cache_prompt=options.cache_prompt,
        context_tokens=spec.context_tokens or limit,
        added_bos=server.added_bos,
        extra=options.extra,
    )
    if taken := clash(wanted):
        raise BackendError(f"{where}: {taken}")
    return wanted
