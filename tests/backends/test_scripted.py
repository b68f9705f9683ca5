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
from gemma_eval.measure.latency import measure
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
    lines = [line.strip() for line in str(scripted.__doc__).splitlines() if line.startswith("    ")]
    table, stream = lines[:-1], lines[-1]
    path = tmp_path / "models.toml"
    path.write_text("\n".join(["version = 1", *table]))
    spec = models.load(path)["echo"]
    assert scripted.load(spec, clock=lambda: 0, transforms={}).replies == ("Oslo", "Rome")
    path.write_text("\n".join(["version = 1", *table[:-1], stream]))
    found = scripted.load(models.load(path)["echo"], clock=lambda: 0, transforms={})
    assert "".join(delta.text for delta in found.stream) == "It is Oslo"


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
        ({"pause_ms": True}, BackendError, "pause_ms = true"),
        ({"reply": 3}, BackendError, "model echo: reply = 3; a text is needed"),
        ({"replies": "a"}, BackendError, 'model echo: replies = "a"; a list of texts is needed'),
        ({"replies": ("a", 3)}, BackendError, r'replies = \["a", 3\]; a text is needed'),
        ({"fail": True}, BackendError, "fail = true; a text is needed"),
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


STREAM = ("5 0", "245 1 It", "285 1  is", "325 3  in the", "445 1 \n", "465 2 north")


def test_a_stream_is_replayed_as_it_was_given() -> None:
    """Pieces, tokens and stamps to the nanosecond, on the clock that was given."""
    answer = load(stream=STREAM).generate(PROMPT, profile=PROFILE, seed=0)
    sent = answer.requested_ns
    assert answer.text == "It is in the\nnorth"
    assert [delta.at_ns - sent for delta in answer.deltas] == [
        at * 1_000_000 for at in (5, 245, 285, 325, 445, 465)
    ]
    assert [delta.n_tokens for delta in answer.deltas] == [0, 1, 1, 3, 1, 2]
    assert (answer.output_tokens, answer.ended_ns - sent) == (8, 465_000_000)
    measured = measure(answer)
    assert (measured.ttft_s, measured.tpot_s) == (0.245, 0.220 / 7)


def test_tokens_of_a_stream_may_be_unknown() -> None:
    """Then nobody has counted the answer."""
    answer = load(stream=("1 ? Os", "2 1 lo")).generate(PROMPT, profile=PROFILE, seed=0)
    assert [delta.n_tokens for delta in answer.deltas] == [None, 1]
    assert answer.output_tokens is None


@pytest.mark.parametrize("piece", ["", "soon 1 x", "5", "5 x", "-5 1 x"])
def test_a_malformed_piece_of_a_stream_is_refused(piece: str) -> None:
    """The message shows the form."""
    with pytest.raises(BackendError, match='should be milliseconds, tokens and text, as "245 1 It"'):
        load(stream=(piece,))


def test_a_stream_whose_times_go_back_is_refused() -> None:
    """No clock does that."""
    with pytest.raises(BackendError, match="go back"):
        load(stream=("5 1 a", "4 1 b"))
