"""The test double answers what it was told, at the times it was told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from gemma_eval.backends import scripted
from gemma_eval.backends.scripted import Scripted
from gemma_eval.config import models
from gemma_eval.errors import BackendError, ContextOverflow, UnknownName
from gemma_eval.protocols import ChoosyBackendFactory
from gemma_eval.records import Message, ModelSpec, Option, Prompt, RopeScaling, SamplingProfile

PROMPT = Prompt(messages=(Message(role="user", content="Where is Finn?"),), text=None, n_tokens=None)
PROFILE = SamplingProfile(name="any", max_tokens=8)


def load(context_tokens: int | None = None, **options: Option) -> Scripted:
    """Load with a clock that stands at one second."""
    spec = ModelSpec(
        name="echo", backend="scripted", location="", context_tokens=context_tokens, options=options
    )
    return scripted.load(spec, clock=lambda: 1_000_000_000, transforms={})


def test_stamps_are_exactly_what_was_asked_for() -> None:
    """The first delta after ttft_ms, the others tpot_ms apart, and nothing waits."""
    found = load(reply="He lives in Oslo.", ttft_ms=40, tpot_ms=2.5).generate(PROMPT, profile=PROFILE, seed=0)
    assert [(delta.text, delta.at_ns - 1_000_000_000) for delta in found.deltas] == [
        ("He", 40_000_000),
        (" lives", 42_500_000),
        (" in", 45_000_000),
        (" Oslo.", 47_500_000),
    ]
    assert (found.requested_ns, found.ended_ns) == (1_000_000_000, 1_047_500_000)
    assert (found.text, found.finish_reason, found.output_tokens) == ("He lives in Oslo.", "stop", 4)
    assert found.prompt_tokens == 3


def test_it_refuses_what_replies_do_not_have_and_takes_any_profile() -> None:
    """Positions cannot be stretched; how a reply would be sampled does not matter."""
    spec = ModelSpec(name="echo", backend="scripted", location="")
    assert isinstance(scripted.load, ChoosyBackendFactory)
    assert scripted.load.refusal(spec, replace(PROFILE, mirostat=2, min_p=0.1)) is None
    stretched = replace(spec, rope_scaling=RopeScaling(rope_type="yarn", factor=4.0))
    assert scripted.load.refusal(stretched, PROFILE) == "replays replies and has no rope_scaling"


def test_the_model_in_its_manual_is_one(tmp_path: Path) -> None:
    """What a person copies from there can be loaded."""
    example = [line for line in str(scripted.__doc__).splitlines() if line.startswith("    ")]
    path = tmp_path / "models.toml"
    path.write_text("\n".join(["version = 1", *(line.strip() for line in example)]))
    spec = models.load(path)["echo"]
    assert scripted.load(spec, clock=lambda: 0, transforms={}).replies == ("Oslo", "Rome")


def test_the_seed_chooses_among_replies() -> None:
    """A trial always gets the same reply, in whatever order trials run."""
    backend = load(replies=("a", "b", "c"))
    assert [backend.generate(PROMPT, profile=PROFILE, seed=seed).text for seed in (0, 1, 2, 4)] == list(
        "abcb"
    )


def test_an_answer_is_cut_at_max_tokens_and_at_stop_strings() -> None:
    """As a real engine would."""
    backend = load(reply="one two three")
    cut = backend.generate(PROMPT, profile=replace(PROFILE, max_tokens=2), seed=0)
    assert (cut.text, cut.finish_reason) == ("one two", "length")
    stopped = backend.generate(PROMPT, profile=replace(PROFILE, stop=(" t",)), seed=0)
    assert (stopped.text, stopped.finish_reason) == ("one", "stop")


def test_the_text_is_counted_when_there_is_one() -> None:
    """A prompt in chat markup is counted as it stands, one without by its messages."""
    marked = replace(PROMPT, text="one two three four")
    assert load(reply="a").generate(marked, profile=PROFILE, seed=0).prompt_tokens == 4
    assert load().chat_template is None


def test_an_empty_reply_has_no_deltas() -> None:
    """Nothing was generated, and the answer is over after the time to the first token."""
    found = load(reply="", ttft_ms=1).generate(PROMPT, profile=PROFILE, seed=0)
    assert (found.text, found.deltas, found.output_tokens, found.finish_reason) == ("", (), 0, "stop")
    assert found.ended_ns == 1_001_000_000


def test_a_failure_is_raised_as_told() -> None:
    """For tests of what a run does with an engine that breaks."""
    with pytest.raises(BackendError, match="the engine fell over"):
        load(fail="the engine fell over").generate(PROMPT, profile=PROFILE, seed=0)


def test_a_pause_really_waits_and_leaves_the_stamps_alone() -> None:
    """For tests that interrupt a run."""
    found = load(reply="a", pause_ms=1, ttft_ms=5).generate(PROMPT, profile=PROFILE, seed=0)
    assert found.ended_ns == 1_005_000_000


def test_the_context_of_the_spec_is_respected() -> None:
    """Three words of prompt and eight of answer need eleven."""
    assert load(context_tokens=11).generate(PROMPT, profile=PROFILE, seed=0).prompt_tokens == 3
    with pytest.raises(ContextOverflow, match="11 tokens"):
        load(context_tokens=10).generate(PROMPT, profile=PROFILE, seed=0)


@pytest.mark.parametrize(
    ("options", "error", "complaint"),
    [
        ({"replys": "a"}, UnknownName, 'did you mean "reply'),
        ({"replies": ()}, BackendError, "replies is empty"),
        ({"ttft_ms": -1}, BackendError, "milliseconds of at least 0 are needed"),
        ({"tpot_ms": float("nan")}, BackendError, "tpot_ms = nan"),
        ({"pause_ms": True}, BackendError, "pause_ms = True"),
    ],
)
def test_a_wrong_option_is_refused(
    options: Mapping[str, Option], error: type[Exception], complaint: str
) -> None:
    """The message names the model and the option."""
    spec = ModelSpec(name="echo", backend="scripted", location="", options=options)
    with pytest.raises(error, match=complaint) as caught:
        scripted.load(spec, clock=lambda: 0, transforms={})
    assert "echo" in str(caught.value)
