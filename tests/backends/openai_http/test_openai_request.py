"""A profile becomes a request in the dialect of its server; what that cannot say is refused beforehand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from gemma_eval.backends import llama_request
from gemma_eval.backends.capabilities import SAMPLING, needs
from gemma_eval.backends.openai_http.dialects import CAPABILITIES, DIALECTS, Dialect, refusal, unknown
from gemma_eval.backends.openai_http.request import Wanted, body, clash, effective
from gemma_eval.errors import BackendError, UsageError
from gemma_eval.records import Message, Prompt, SamplingProfile

PROMPT = Prompt(
    messages=(Message(role="system", content="Be brief."), Message(role="user", content="Hi")),
    text="<bos>Hi",
    n_tokens=None,
)
PLAIN = SamplingProfile(name="plain", max_tokens=7)
RICH = replace(
    PLAIN,
    temperature=0.7,
    top_p=0.9,
    presence_penalty=0.1,
    frequency_penalty=0.2,
    stop=("\n", ""),
    logit_bias={"5": 2.0},
)


class Words:
    """A vocabulary in which the text of a token is a letter."""

    size = 100

    def encode(self, text: str) -> Sequence[int]:
        """Return a token for each letter."""
        return [ord(letter) % self.size for letter in text]

    def piece(self, token: int) -> str:
        """Return no text."""
        return ""


def made(
    profile: SamplingProfile = PLAIN, dialect: Dialect = "openai", **wanted: object
) -> dict[str, object]:
    """Return the body of a request to a model `tiny`."""
    asked = Wanted(**{"dialect": dialect, "endpoint": "chat", "model": "tiny", **wanted})  # type: ignore[arg-type]
    return dict(body(PROMPT, wanted=asked, profile=profile, seed=3, vocabulary=Words()))


def test_a_chat_has_messages_and_what_every_server_knows() -> None:
    """What is off is sent as off, for a server may have other defaults."""
    assert made() == {
        "model": "tiny",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "max_tokens": 7,
        "seed": 3,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 1.0,
        "top_p": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
    }


def test_an_answer_is_held_to_a_schema_in_the_word_of_the_endpoint() -> None:
    """A chat has one everywhere, a completion of llama-server another; otherwise nothing is sent."""
    held = '{"type": "object"}'
    in_chat = {"name": "reply", "strict": True, "schema": {"type": "object"}}
    assert made(json_schema=held)["response_format"] == {"type": "json_schema", "json_schema": in_chat}
    assert made(dialect="vllm", endpoint="completions", json_schema=held)["response_format"]
    assert made(dialect="llama.cpp", endpoint="completions", json_schema=held)["json_schema"] == {
        "type": "object"
    }
    assert not {"response_format", "json_schema"} & set(made())
    for dialect in ("openai", "ollama"):
        with pytest.raises(BackendError, match=f"{dialect} holds no completion to a JSON Schema"):
            made(dialect=dialect, endpoint="completions", json_schema=held)


def test_a_profile_is_sent_in_the_names_of_the_protocol() -> None:
    """Empty stop strings, which would end every answer, are left out."""
    found = made(RICH)
    assert {key: found[key] for key in ("temperature", "top_p", "presence_penalty", "frequency_penalty")} == {
        "temperature": 0.7,
        "top_p": 0.9,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
    }
    assert (found["stop"], found["logit_bias"]) == (["\n"], {"5": 2.0})


def test_vllm_has_more_names_and_counts_at_each_piece() -> None:
    """Its own defaults may come from the model's generation_config, so everything is sent."""
    found = made(replace(RICH, top_k=5, min_p=0.1, repeat_penalty=1.1), "vllm")
    assert (found["top_k"], found["min_p"], found["repetition_penalty"]) == (5, 0.1, 1.1)
    off = made(dialect="vllm")
    assert (off["top_k"], off["min_p"], off["repetition_penalty"]) == (-1, 0.0, 1.0)
    assert off["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}
    assert made(dialect="vllm", counts_each=False)["stream_options"] == {"include_usage": True}
    assert made(replace(PLAIN, logit_bias={"a": -1.0}), "vllm")["logit_bias"] == {"97": -1.0}


def test_llama_server_is_asked_as_the_engine_in_this_process_is() -> None:
    """One translation of profiles for both, so that one profile is one distribution."""
    profile = replace(
        RICH, mirostat=0, min_p=0.1, dry_multiplier=0.8, dynatemp_range=0.2, logit_bias={"a": 1.0}
    )
    found = made(profile, "llama.cpp")
    same = llama_request.request(profile, ids=(1,), seed=3, vocabulary=Words())
    ours = {"prompt", "verbose", "n_predict", "stream", "cache_prompt"}
    assert {key: found[key] for key in same if key not in ours} == {
        key: value for key, value in same.items() if key not in ours
    }
    assert (found["cache_prompt"], found["timings_per_token"], found["max_tokens"]) == (False, True, 7)
    assert "verbose" not in found


def test_what_is_off_is_off_for_llama_server() -> None:
    """Whose own defaults are a top_k of 40, a top_p of 0.95 and a min_p of 0.05."""
    found = made(dialect="llama.cpp")
    off = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "temperature": 1.0, "typical_p": 1.0, "samplers": []}
    assert {key: found[key] for key in off} == off


def test_llama_server_may_be_told_to_keep_prompts_and_to_count_at_the_end() -> None:
    """By the options of those names."""
    found = made(dialect="llama.cpp", cache_prompt=True, counts_each=False)
    assert (found["cache_prompt"], found["timings_per_token"]) == (True, False)


def test_a_window_over_everything_is_the_context_of_the_server() -> None:
    """Which newer llama-servers want as a number; -1 stays where the context is not known."""
    profile = replace(PLAIN, repeat_penalty=1.2, penalty_last_n=-1)
    assert made(profile, "llama.cpp", context_tokens=2048)["repeat_last_n"] == 2048


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_answer_may_be_asked_for_whole(dialect: Dialect) -> None:
    """Without options of a stream, which some servers refuse then."""
    found = made(dialect=dialect, stream=False)
    assert found["stream"] is False
    assert "stream_options" not in found


def test_a_completion_has_the_text_and_one_beginning() -> None:
    """A server that puts `<bos>` before it is not sent another one."""
    assert made(endpoint="completions")["prompt"] == "<bos>Hi"
    assert made(dialect="llama.cpp", endpoint="completions", added_bos="<bos>")["prompt"] == "Hi"
    found = made(dialect="vllm", endpoint="completions")
    assert (found["prompt"], found["add_special_tokens"]) == ("<bos>Hi", False)
    wanted = Wanted(dialect="openai", endpoint="completions", model="tiny")
    with pytest.raises(BackendError, match=r"the prompt has no text; .* chat_template"):
        body(replace(PROMPT, text=None), wanted=wanted, profile=PLAIN, seed=0, vocabulary=None)


def test_more_fields_are_sent_as_they_stand() -> None:
    """After all others; which names are taken is known."""
    assert made(extra={"reasoning_effort": "low"})["reasoning_effort"] == "low"
    taken = ("messages", "prompt", "top_k", "seed", "stop", "stream", "logit_bias", "n")
    wanted = Wanted(dialect="vllm", endpoint="chat", model="tiny", extra={"x": 1, **dict.fromkeys(taken)})
    said = clash(wanted)
    assert said is not None
    assert said.startswith(f"the option request sets {', '.join(sorted(taken))}, which follow from")
    assert clash(replace(wanted, extra={"x": 1})) is None


def test_a_bias_on_no_token_is_refused() -> None:
    """The text of two tokens."""
    with pytest.raises(UsageError, match='profile "plain": logit_bias: "ab" is 2 tokens'):
        made(replace(PLAIN, logit_bias={"ab": 1.0}), "vllm")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("profile", [PLAIN, RICH, replace(PLAIN, temperature=0.0)])
def test_a_body_is_json(dialect: Dialect, profile: SamplingProfile) -> None:
    """Without numbers that JSON does not have."""
    assert json.loads(json.dumps(made(profile, dialect), allow_nan=False))


# --- what a dialect cannot say -----------------------------------------------------------------------

SAMPLES = {
    "temperature": {"temperature": 0.5},
    "top_k": {"top_k": 5},
    "top_p": {"top_p": 0.5},
    "min_p": {"min_p": 0.5},
    "base_p": {"min_p": 0.5, "base_p": 0.9},
    "typical_p": {"typical_p": 0.5},
    "top_n_sigma": {"top_n_sigma": 1.0},
    "xtc": {"xtc_probability": 0.5},
    "cutoffs": {"epsilon_cutoff": 0.1},
    "repeat_penalty": {"repeat_penalty": 1.5},
    "presence_penalty": {"presence_penalty": 0.5},
    "frequency_penalty": {"frequency_penalty": 0.5},
    "dry": {"dry_multiplier": 0.5},
    "logit_bias": {"logit_bias": {"5": 1.0}},
    "dynatemp": {"dynatemp_range": 0.5},
    "dynatemp_modes": {"dynatemp_mode": "edt", "dynatemp_theta": 1.0},
    "mirostat": {"mirostat": 2},
    "mirostat_original": {"mirostat": 2, "mirostat_surprise": "original"},
    "adaptive_p": {"adaptive_target": 0.5},
    "order": {"order": ("temperature", "top_k")},
    "seed": {},
    "stop": {"stop": ("x",)},
    "ignore_eos": {"ignore_eos": True},
}
"""A profile that needs each word of sampling."""


def test_every_word_of_sampling_has_a_sample() -> None:
    """So that a new word is tried with every dialect."""
    assert set(SAMPLES) == set(SAMPLING)
    for word, fields in SAMPLES.items():
        assert word in needs(replace(PLAIN, **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("word", SAMPLES)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_dialect_refuses_what_it_has_no_word_for(dialect: Dialect, word: str) -> None:
    """And nothing else."""
    reason = refusal(replace(PLAIN, **SAMPLES[word]), dialect)  # type: ignore[arg-type]
    if word in CAPABILITIES[dialect]:
        assert reason is None
    else:
        assert reason is not None
        assert word in reason
        assert dialect in reason


@pytest.mark.parametrize("word", sorted(set(SAMPLES) & CAPABILITIES["llama.cpp"] - {"seed", "order"}))
@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_a_dialect_has_changes_its_request(dialect: Dialect, word: str) -> None:
    """A parameter that a server is never told of is no capability."""
    if word in CAPABILITIES[dialect]:
        assert made(replace(PLAIN, **SAMPLES[word]), dialect) != made(PLAIN, dialect)  # type: ignore[arg-type]


def test_the_order_of_a_profile_is_that_of_llama_servers_samplers() -> None:
    """Those that are on."""
    profile = replace(PLAIN, temperature=0.5, top_k=3, order=("temperature", "top_p", "top_k"))
    assert made(profile, "llama.cpp")["samplers"] == ["temperature", "top_k"]


def test_without_a_dialect_the_reason_names_those_that_can() -> None:
    """For nobody is asked what a server is before anything is loaded."""
    assert refusal(replace(PLAIN, min_p=0.1), None) == (
        "has no min_p in OpenAI's own protocol; if the server is one of these, give the model the option "
        'dialect = "llama.cpp" or "vllm"'
    )
    assert refusal(replace(PLAIN, epsilon_cutoff=0.1), None) == "has no cutoffs in OpenAI's own protocol"
    assert refusal(RICH, None) is None


@pytest.mark.parametrize(
    ("dialect", "fields", "says"),
    [
        ("openai", {"logit_bias": {"5": -101.0}}, "no logit_bias beyond 100"),
        ("openai", {"logit_bias": {"Oslo": 1.0}}, "no logit_bias by text"),
        ("vllm", {"logit_bias": {"5": float("-inf")}}, "no logit_bias beyond 100"),
        ("llama.cpp", {"order": ("temperature", "mine")}, 'no step "mine"'),
        (
            "llama.cpp",
            {"order": ("top_k", "logit_bias"), "top_k": 3, "logit_bias": {"5": 1.0}},
            "logit_bias as its first",
        ),
    ],
)
def test_values_that_a_dialect_cannot_carry_are_refused(
    dialect: Dialect, fields: dict[str, object], says: str
) -> None:
    """Never sent as something else."""
    assert says in (refusal(replace(PLAIN, **fields), dialect) or "")  # type: ignore[arg-type]


def test_a_llama_server_that_does_not_know_a_field_is_refused() -> None:
    """It would ignore it; one that tells nothing is believed."""
    profile = replace(PLAIN, adaptive_target=0.5, min_p=0.1)
    assert unknown(profile, ("min_p", "top_k")) == "knows no adaptive_target: it is of an older version"
    assert unknown(profile, ()) is None
    assert unknown(PLAIN, ("top_k",)) is None


# --- what was in effect ------------------------------------------------------------------------------


def test_what_is_in_effect_is_told_as_far_as_the_protocol_says_it() -> None:
    """OpenAI's has no order and no window; vLLM scales by temperature first, llama-server as it is told."""
    profile = replace(PLAIN, temperature=0.7, top_p=0.9, presence_penalty=0.1, ignore_eos=True)
    plain = effective(profile, "openai", seed=3)
    assert (plain["temperature"], plain["top_p"], plain["presence_penalty"]) == (0.7, 0.9, 0.1)
    assert (plain["seed"], plain["ignore_eos"]) == (3, True)
    assert not {"order", "penalty_last_n", "top_k"} & set(plain)
    assert effective(profile, "vllm", seed=3)["order"] == (
        "logit_bias",
        "penalties",
        "temperature",
        "min_p",
        "top_k",
        "top_p",
    )
    own = effective(profile, "llama.cpp", seed=3)
    assert (own["order"], own["penalty_last_n"]) == (profile.order, 64)
