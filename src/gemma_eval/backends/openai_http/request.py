"""A prompt and a sampling profile as the body of a request, in the dialect of the server.

What a profile has off is sent as off wherever the server has a default of its own and a word for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from gemma_eval.backends import llama_request
from gemma_eval.backends.openai_http.dialects import COUNTS_EACH, Dialect
from gemma_eval.errors import BackendError, UsageError
from gemma_eval.protocols import Vocabulary
from gemma_eval.records import Options, Prompt, SamplingProfile
from gemma_eval.sampling.bias import token_of
from gemma_eval.sampling.effective import effective as in_effect

Endpoint = Literal["chat", "completions"]
Body = Mapping[str, object]

PATHS: Mapping[Endpoint, str] = {"chat": "/chat/completions", "completions": "/completions"}

_OF_LLAMA_CPP_ITSELF = ("prompt", "verbose", "n_predict", "stream", "cache_prompt")
_VLLM_ORDER = ("logit_bias", "penalties", "temperature", "min_p", "top_k", "top_p")
"""Source: vllm-project/vllm:vllm/v1/sample/sampler.py."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """How answers are asked for, the same for every request to one server.

    `added_bos` is the text of the token that the server puts before every completion. `extra` are fields
    that are sent as they stand. With a `json_schema` (JSON text) answers are held to it.
    """

    dialect: Dialect
    endpoint: Endpoint
    model: str
    stream: bool = True
    counts_each: bool = True
    cache_prompt: bool = False
    context_tokens: int | None = None
    added_bos: str = ""
    extra: Body = field(default_factory=dict)
    json_schema: str | None = None


def body(
    prompt: Prompt, *, wanted: Wanted, profile: SamplingProfile, seed: int, vocabulary: Vocabulary | None
) -> Body:
    """Return the body of a request. Raises UsageError for a bias.

    Raises BackendError for a prompt without text, and for a JSON Schema that the server has no word for.

    `vocabulary` finds the token of a logit bias that is given by its text.
    """
    return {
        "model": wanted.model,
        **_asked(prompt, wanted),
        "max_tokens": profile.max_tokens,
        "seed": seed,
        **({"stop": stops} if (stops := [stop for stop in profile.stop if stop]) else {}),
        **_streaming(wanted),
        **_sampling(profile, wanted, seed, vocabulary or _WORDLESS),
        **wanted.extra,
        **_held(wanted),
    }


def clash(wanted: Wanted) -> str | None:
    """Say which fields of the option `request` are decided elsewhere, `None` when none is."""
    taken = sorted(set(wanted.extra) & _fields_of(wanted))
    if not taken:
        return None
    follows, them = ("follows", "it") if len(taken) == 1 else ("follow", "them")
    why = f"which {follows} from the profile and the other options; leave {them} out"
    return f"the option request sets {', '.join(taken)}, {why}"


def effective(profile: SamplingProfile, dialect: Dialect, *, seed: int) -> Options:
    """Return the parameters that decide a draw, as far as the request says them.

    OpenAI's protocol has no order of steps and no window of penalties; vLLM has an order of its own.
    """
    used = {**in_effect(profile), "seed": seed}
    if profile.ignore_eos:
        used["ignore_eos"] = True
    if dialect == "llama.cpp":
        return used
    used.pop("order", None)
    used.pop("penalty_last_n", None)
    return used | {"order": _VLLM_ORDER} if dialect == "vllm" else used


def _fields_of(wanted: Wanted) -> frozenset[str]:
    """Return the fields that requests of this kind may have, which `extra` may not change."""
    everything = replace(wanted, extra={}, stream=True)
    profile = SamplingProfile(name="", stop=("x",))
    prompt = Prompt(messages=(), text="", n_tokens=None)
    made = body(prompt, wanted=everything, profile=profile, seed=0, vocabulary=_WORDLESS)
    return frozenset(made) | {"messages", "prompt", "logit_bias", "n", "n_predict"}


def _asked(prompt: Prompt, wanted: Wanted) -> Body:
    if wanted.endpoint == "chat":
        return {"messages": [{"role": turn.role, "content": turn.content} for turn in prompt.messages]}
    if prompt.text is None:
        raise BackendError('the prompt has no text; endpoint = "completions" needs a chat_template')
    text = prompt.text.removeprefix(wanted.added_bos)
    return {"prompt": text, **({"add_special_tokens": False} if wanted.dialect == "vllm" else {})}


def _held(wanted: Wanted) -> Body:
    """Return what holds an answer to a JSON Schema: a `response_format`, or llama-server's own word."""
    if wanted.json_schema is None:
        return {}
    try:
        schema = json.loads(wanted.json_schema)
    except ValueError as error:
        raise BackendError(f"the JSON Schema is no JSON: {error}") from error
    if wanted.endpoint == "completions" and wanted.dialect == "llama.cpp":
        return {"json_schema": schema}
    if wanted.endpoint == "completions" and wanted.dialect != "vllm":
        raise BackendError(f'{wanted.dialect} holds no completion to a JSON Schema; use endpoint = "chat"')
    return {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "reply", "strict": True, "schema": schema},
        }
    }


def _streaming(wanted: Wanted) -> Body:
    each = wanted.counts_each and wanted.dialect in COUNTS_EACH
    fields: dict[str, object] = {"stream": wanted.stream}
    if wanted.stream:
        continuous = {"continuous_usage_stats": True} if each and wanted.dialect == "vllm" else {}
        fields["stream_options"] = {"include_usage": True, **continuous}
    if wanted.dialect == "llama.cpp":
        fields |= {"timings_per_token": each, "cache_prompt": wanted.cache_prompt}
    return fields


def _sampling(profile: SamplingProfile, wanted: Wanted, seed: int, vocabulary: Vocabulary) -> Body:
    if wanted.dialect == "llama.cpp":
        return _of_llama_cpp(profile, wanted, seed, vocabulary)
    plain: dict[str, object] = {
        "temperature": in_effect(profile)["temperature"],
        "top_p": profile.top_p,
        "presence_penalty": profile.presence_penalty,
        "frequency_penalty": profile.frequency_penalty,
    }
    if profile.logit_bias:
        plain["logit_bias"] = _biases(profile, vocabulary)
    if wanted.dialect == "vllm":
        plain["top_k"] = profile.top_k or -1
        plain["min_p"] = profile.min_p
        plain["repetition_penalty"] = profile.repeat_penalty
        plain["ignore_eos"] = profile.ignore_eos
    return plain


def _of_llama_cpp(profile: SamplingProfile, wanted: Wanted, seed: int, vocabulary: Vocabulary) -> Body:
    """Return what the backend llama_cpp would ask for; a window of -1 is the whole context."""
    whole = wanted.context_tokens or -1
    windows = {
        name: whole
        for name in ("penalty_last_n", "dry_penalty_last_n")
        if getattr(profile, name) < 0 and whole > 0
    }
    native = llama_request.request(
        replace(profile, **windows),  # type: ignore[arg-type]  # two counts
        ids=(),
        seed=seed,
        vocabulary=vocabulary,
    )
    return {name: value for name, value in native.items() if name not in _OF_LLAMA_CPP_ITSELF}


def _biases(profile: SamplingProfile, vocabulary: Vocabulary) -> Mapping[str, float]:
    try:
        return {str(token_of(key, vocabulary)): bias for key, bias in profile.logit_bias.items()}
    except UsageError as error:
        raise UsageError(f'profile "{profile.name}": logit_bias: {error}') from error


class _Wordless:
    """The vocabulary of a server that does not tell its own: any id may be a token."""

    size = 1 << 31

    def encode(self, text: str) -> Sequence[int]:
        """Return no ids: nothing is known."""
        del text
        return ()

    def piece(self, token: int) -> str:
        """Return no text."""
        del token
        return ""


_WORDLESS = _Wordless()
