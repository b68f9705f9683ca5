"""What the servers that speak OpenAI's protocol can do beyond it: one dialect for each kind of server."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Literal, get_args

from gemma_eval.backends import llama_request
from gemma_eval.backends.capabilities import lack, needs
from gemma_eval.records import SamplingProfile

Dialect = Literal["openai", "llama.cpp", "vllm", "ollama"]
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)

_OLLAMA = frozenset(("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "stop"))
_OPENAI = _OLLAMA | {"logit_bias"}
_OF_LLAMA_CPP = frozenset(
    (
        *("top_k", "min_p", "typical_p", "top_n_sigma", "xtc", "repeat_penalty", "dry", "dynatemp"),
        *("mirostat", "adaptive_p", "order", "ignore_eos"),
    )
)

CAPABILITIES: Mapping[Dialect, frozenset[str]] = MappingProxyType(
    {
        "openai": _OPENAI | {"concurrent"},
        "ollama": _OLLAMA | {"concurrent"},
        "vllm": _OPENAI | {"top_k", "min_p", "repeat_penalty", "ignore_eos", "logprobs", "concurrent"},
        "llama.cpp": _OPENAI | _OF_LLAMA_CPP | {"logprobs", "concurrent"},
    }
)
"""What each dialect can say, in the words of `backends.capabilities`."""

COUNTS_EACH: frozenset[Dialect] = frozenset(("llama.cpp", "vllm"))
"""The dialects that can be asked how many tokens there are at each piece."""

_FIELDS: Mapping[str, str] = {
    **{word: word for word in ("min_p", "typical_p", "top_n_sigma", "mirostat")},
    "xtc": "xtc_probability",
    "dry": "dry_multiplier",
    "dynatemp": "dynatemp_range",
    "adaptive_p": "adaptive_target",
    "order": "samplers",
}
"""The field of a request that llama-server must know for each sampler that it has not always had."""

MOST_BIAS = 100.0
"""The largest logit bias that OpenAI's protocol has; llama-server takes any."""


def refusal(profile: SamplingProfile, dialect: Dialect | None) -> str | None:
    """Say what servers of a dialect lack for a profile; without one, what OpenAI's own protocol lacks."""
    lacking = lack(profile, CAPABILITIES[dialect or "openai"])
    if lacking is None:
        return _of_details(profile, dialect or "openai")
    if dialect is None:
        able = [name for name in DIALECTS if lack(profile, CAPABILITIES[name]) is None]
        hint = " or ".join(f'"{name}"' for name in able)
        told = f"; if the server is one of these, give the model the option dialect = {hint}" if able else ""
        return f"{lacking} in OpenAI's own protocol{told}"
    return f'{lacking} in the dialect "{dialect}"'


def unknown(profile: SamplingProfile, knows: Collection[str]) -> str | None:
    """Say which sampler a llama-server lacks that says which fields it `knows`; others it would ignore."""
    needed = [_FIELDS[word] for word in needs(profile) if word in _FIELDS]
    lacking = [name for name in needed if name not in knows] if knows else []
    return f"knows no {', '.join(lacking)}: it is of an older version" if lacking else None


def _of_details(profile: SamplingProfile, dialect: Dialect) -> str | None:
    """Say which value of a profile a dialect cannot carry."""
    if dialect == "llama.cpp":
        return llama_request.refusal(profile)
    biases = profile.logit_bias.items()
    if any(abs(bias) > MOST_BIAS for _, bias in biases):
        return f"has no logit_bias beyond {MOST_BIAS:g}"
    words = [key for key, _ in biases if not (key.isascii() and key.isdigit())]
    if words and dialect != "vllm":
        return f'has no logit_bias by text, as "{words[0]}"; give the id of the token'
    return None
