"""The NumPy engine as a backend: what ends an answer, what is stamped, what is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from threadpoolctl import threadpool_info

from gemma_eval import plugins
from gemma_eval.backends import numpy_gemma
from gemma_eval.backends.numpy_gemma import NumpyGemma
from gemma_eval.errors import BackendError, ContextOverflow, ModelNotFound, UnknownName
from gemma_eval.gemma import decode
from gemma_eval.gemma.tokenizer import load as load_tokenizer
from gemma_eval.records import Generation, ModelSpec, Option, Prompt, SamplingProfile
from tests.gemma.tiny import END_OF_TURN, write_model

PROMPT = Prompt(messages=(), text="<bos><start_of_turn>user\nHi<end_of_turn>", n_tokens=None)
GREEDY = SamplingProfile(name="greedy", temperature=0.0, max_tokens=10)
HOT = SamplingProfile(name="hot", temperature=1.5, max_tokens=40)


def ticking() -> Callable[[], int]:
    """Return a clock that goes on by a millisecond at every reading."""
    ticks: Iterator[int] = count(1_000_000, 1_000_000)
    return lambda: next(ticks)


def load(folder: Path, *, options: Mapping[str, Option] | None = None, **fields: object) -> NumpyGemma:
    """Load a model with a clock that ticks."""
    spec = ModelSpec(
        name="tiny",
        backend="numpy_gemma",
        location=str(folder),
        options=options or {},
        **fields,  # type: ignore[arg-type]
    )
    return numpy_gemma.load(spec, clock=ticking(), transforms=plugins.load().transforms)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder that a test may change."""
    return write_model(tmp_path / "model")


def test_a_greedy_answer_is_the_best_token_of_each_position(folder: Path) -> None:
    """Against whole-sequence logits, computed without any cache."""
    model, tokenizer = decode.load(folder), load_tokenizer(folder)
    ids = list(tokenizer.encode(PROMPT.text or ""))
    answer: list[int] = []
    while len(answer) < GREEDY.max_tokens:
        best = int(decode.all_logits(model, ids + answer)[-1].argmax())
        if best in tokenizer.stop_ids:
            break
        answer.append(best)
    found = load(folder).generate(PROMPT, profile=GREEDY, seed=1)
    assert found.text == tokenizer.decode(answer)
    assert found.output_tokens == len(answer)


def test_a_greedy_answer_does_not_depend_on_the_seed(folder: Path) -> None:
    """A temperature of 0 draws nothing."""
    backend = load(folder)
    assert len({backend.generate(PROMPT, profile=GREEDY, seed=seed).text for seed in range(3)}) == 1


def test_other_seeds_give_other_answers(folder: Path) -> None:
    """A hot profile draws; the seed decides."""
    backend = load(folder)
    texts = {backend.generate(PROMPT, profile=HOT, seed=seed).text for seed in range(5)}
    assert len(texts) > 1


def test_stamps_are_of_the_injected_clock(folder: Path) -> None:
    """One reading at the request, one after the prompt, one per token, one at the end."""
    found = load(folder).generate(PROMPT, profile=replace(GREEDY, max_tokens=3), seed=1)
    assert found.finish_reason == "length"
    assert found.requested_ns == 1_000_000
    assert found.engine_timings == {"prompt_ms": 1.0, "decode_ms": 4.0}
    assert found.deltas[-1].at_ns == 5_000_000
    assert found.ended_ns == 6_000_000


def point_every_answer_at(folder: Path, token: int) -> None:
    """Make one token the best answer to everything: all directions of the final norm lead to it."""
    file = folder / "model.safetensors"
    stored = load_file(file)
    for name in stored:
        if "layernorm" in name and "post" in name:
            stored[name] = np.full_like(stored[name], -1.0)
    embedding = stored["model.embed_tokens.weight"]
    embedding[:] = np.abs(embedding) * 0.1
    embedding[token] = 9.0
    save_file(stored, file)


def test_the_end_of_turn_token_ends_the_answer_and_is_no_output(folder: Path) -> None:
    """An answer that is over at once has no text, no deltas and no tokens."""
    point_every_answer_at(folder, END_OF_TURN)
    found = load(folder).generate(PROMPT, profile=GREEDY, seed=1)
    assert (found.text, found.deltas, found.output_tokens) == ("", (), 0)
    assert found.finish_reason == "stop"


def test_a_stop_string_may_be_spread_over_tokens(folder: Path) -> None:
    """Two tokens spell it, neither contains it; both are left out."""
    token = load_tokenizer(folder).encode("x")[0]
    point_every_answer_at(folder, token)
    backend = load(folder)
    found = backend.generate(PROMPT, profile=replace(GREEDY, stop=("xxx",)), seed=1)
    assert (found.text, found.output_tokens, found.finish_reason) == ("", 0, "stop")
    assert found.engine_timings == {"prompt_ms": 1.0, "decode_ms": 4.0}, "three tokens are drawn, and no more"
    found = backend.generate(PROMPT, profile=replace(GREEDY, stop=("xy",)), seed=1)
    assert (found.text, found.output_tokens, found.finish_reason) == ("x" * 10, 10, "length")


def test_the_answer_must_fit_the_context_with_its_prompt(folder: Path) -> None:
    """The smaller of the model's and the spec's context counts, to the token."""
    backend = load(folder, context_tokens=30)
    assert backend.info().context_tokens == 30
    room = 30 - backend.count_tokens(PROMPT.text or "")
    backend.generate(PROMPT, profile=replace(GREEDY, max_tokens=room), seed=1)
    with pytest.raises(ContextOverflow) as caught:
        backend.generate(PROMPT, profile=replace(GREEDY, max_tokens=room + 1), seed=1)
    assert (caught.value.needed_tokens, caught.value.limit_tokens) == (31, 30)
    with pytest.raises(
        BackendError, match="context_tokens = 129 is more than the 128 that the model can hold"
    ):
        load(folder, context_tokens=129)


@pytest.mark.parametrize(
    ("text", "complaint"), [(None, "a chat_template to be rendered with"), ("", "the prompt is empty")]
)
def test_a_prompt_without_text_is_refused(folder: Path, text: str | None, complaint: str) -> None:
    """Rendering the chat markup is the caller's."""
    with pytest.raises(BackendError, match=complaint):
        load(folder).generate(replace(PROMPT, text=text), profile=GREEDY, seed=1)


def test_arithmetic_that_overflows_is_an_error_of_its_own_kind(folder: Path) -> None:
    """No token is drawn from NaN, and no warning of NumPy gets in the way."""
    stored = load_file(folder / "model.safetensors")
    stored["model.embed_tokens.weight"][5] = 3e38
    save_file(stored, folder / "model.safetensors")
    with pytest.raises(BackendError, match=r"a logit is (nan|inf); no token can be chosen") as caught:
        load(folder).generate(PROMPT, profile=GREEDY, seed=1)
    assert caught.value.kind == "nonfinite"


def test_the_record_of_the_run_names_what_was_driven(folder: Path) -> None:
    """Hashes, counts and threads, so that two runs can be told apart."""
    info = load(folder).info()
    weights = (folder / "model.safetensors").read_bytes()
    assert info.engine == "numpy_gemma"
    assert info.model_sha256 == hashlib.sha256(weights).hexdigest()
    assert info.parameters == sum(tensor.size for tensor in load_file(folder / "model.safetensors").values())
    assert info.threads == 1
    assert info.details["family"] == "gemma3"
    assert info.quantisation == "F32"
    assert info.tokenizer_sha256 == hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest()


def test_threads_are_set_while_generating_and_given_back(folder: Path) -> None:
    """The clock looks at BLAS during the generation; afterwards it is as before."""
    during: list[int] = []

    def looking() -> int:
        during.extend(int(pool["num_threads"]) for pool in threadpool_info() if pool["user_api"] == "blas")
        return 0

    def blas_threads() -> list[int]:
        return [int(pool["num_threads"]) for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = blas_threads()
    spec = ModelSpec(name="t", backend="numpy_gemma", location=str(folder), options={"threads": 1})
    backend = numpy_gemma.load(spec, clock=looking, transforms=plugins.load().transforms)
    backend.generate(PROMPT, profile=replace(GREEDY, max_tokens=1), seed=1)
    assert set(during[len(before) : -len(before)]) == {1}
    assert blas_threads() == before


def test_a_small_model_takes_one_thread_and_a_spec_may_ask_for_more(folder: Path) -> None:
    """The default is a measurement; the option is recorded."""
    assert load(folder).info().threads == 1
    assert load(folder, options={"threads": 2}).info().threads == 2


@pytest.mark.parametrize("threads", [0, True, "two", 1.5])
def test_a_number_of_threads_that_is_none_is_refused(folder: Path, threads: Option) -> None:
    """The message names the model and what would be right."""
    with pytest.raises(
        BackendError, match=r"model tiny: threads = .*; a whole number of at least 1 is needed"
    ):
        load(folder, options={"threads": threads})


def test_an_unknown_option_is_answered_with_the_known(folder: Path) -> None:
    """A misspelt option is not ignored."""
    with pytest.raises(
        UnknownName, match=r'no option of the model tiny .* named "thread"; did you mean "threads"'
    ):
        load(folder, options={"thread": 1})


@pytest.mark.parametrize("location", ["nowhere", "~nobody-is-called-so/nowhere", f"{'a' * 5000}/nowhere"])
def test_a_folder_that_does_not_exist_is_one_line(location: str) -> None:
    """The message names the location and the model that ships."""
    with pytest.raises(ModelNotFound, match=r"nowhere: no such folder or file; .* or @pocket"):
        load(Path(location))


def test_a_tokenizer_of_another_model_is_found_at_load(folder: Path) -> None:
    """Ids beyond the embedding would fail in the middle of a run."""
    small = write_model(folder.parent / "small", config={"vocab_size": 200})
    with pytest.raises(ModelNotFound, match=r"id 261, config\.json a vocabulary of 200"):
        load(small)


def test_an_added_token_without_an_embedding_is_refused_only_when_it_is_used(folder: Path) -> None:
    """Text models of Gemma 3 share a tokenizer with those that see images, whose token they lack."""
    backend = load(write_model(folder.parent / "text", config={"vocab_size": 265}))
    assert backend.generate(PROMPT, profile=GREEDY, seed=1).finish_reason
    with pytest.raises(BackendError, match="no embedding for: id 265"):
        backend.generate(replace(PROMPT, text="<bos>Finn lives in"), profile=GREEDY, seed=1)


def test_a_closed_model_says_so(folder: Path) -> None:
    """Using an engine after close is a mistake with a message."""
    backend = load(folder)
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.generate(PROMPT, profile=GREEDY, seed=1)


def test_more_answers_than_go_together_are_made_in_groups(folder: Path) -> None:
    """Sixteen and two; each answer is that of its seed, and says how many were made with it."""
    backend, profile = load(folder), replace(HOT, max_tokens=4)
    made = backend.generate_batch(PROMPT, profile=profile, seeds=range(18))
    assert [answer.batch_size for answer in made] == [16] * 16 + [2] * 2
    assert [answer.text for answer in made] == [
        backend.generate(PROMPT, profile=profile, seed=seed).text for seed in range(18)
    ]


def test_answers_of_a_batch_are_stamped_as_they_happened(folder: Path) -> None:
    """One reading at the request and after the prompt; then a token of each in turn, and each end."""
    made = load(folder).generate_batch(PROMPT, profile=replace(GREEDY, max_tokens=2), seeds=(1, 2))
    assert [answer.requested_ns for answer in made] == [1_000_000, 1_000_000]
    assert [answer.engine_timings["prompt_ms"] for answer in made] == [1.0, 1.0]
    assert [answer.deltas[-1].at_ns for answer in made] == [5_000_000, 7_000_000]
    assert [answer.ended_ns for answer in made] == [6_000_000, 8_000_000]


def test_token_streams_of_a_batch_are_those_of_its_seeds_alone() -> None:
    """The shipped model, several prompts and profiles, eight seeds each."""
    assert_streams_are_equal(prompts=3, max_tokens=24)


@pytest.mark.slow
def test_token_streams_are_equal_for_many_prompts_and_seeds() -> None:
    """The long form: 60 prompts, three profiles and eight seeds, 64 tokens each."""
    assert_streams_are_equal(prompts=60, max_tokens=64)


def assert_streams_are_equal(*, prompts: int, max_tokens: int) -> None:
    """Compare batches with single answers over prompts of different lengths."""
    spec = ModelSpec(name="pocket", backend="numpy_gemma", location="@pocket")
    backend = numpy_gemma.load(spec, clock=ticking(), transforms=plugins.load().transforms)
    profiles = (
        SamplingProfile(name="plain", temperature=1.0, max_tokens=max_tokens),
        SamplingProfile(
            name="chain", temperature=1.2, top_k=40, top_p=0.95, min_p=0.02, max_tokens=max_tokens
        ),
        SamplingProfile(name="mirostat", mirostat=2, max_tokens=max_tokens),
    )
    names = ("Finn", "Mia", "Oslo", "Rome", "lives in", "likes")
    draw = np.random.default_rng(3)
    for number in range(prompts):
        words = " ".join(draw.choice(names, size=1 + 5 * number % 90))
        prompt = Prompt(messages=(), text=f"<bos><start_of_turn>user\n{words}", n_tokens=None)
        for profile in profiles:
            seeds = range(8 * number, 8 * number + 8)
            made = backend.generate_batch(prompt, profile=profile, seeds=seeds)
            alone = [backend.generate(prompt, profile=profile, seed=seed) for seed in seeds]
            assert [pieces(answer) for answer in made] == [pieces(answer) for answer in alone]


def pieces(answer: Generation) -> list[tuple[str, int | None]]:
    """Return the texts and token counts of an answer as they came."""
    return [(delta.text, delta.n_tokens) for delta in answer.deltas]


def test_a_reading_is_the_softmax_of_the_logits_along_the_continuation(folder: Path) -> None:
    """Against whole-sequence logits, and each token alone in float64."""
    model, tokenizer = decode.load(folder), load_tokenizer(folder)
    before, ids = tokenizer.encode(PROMPT.text or ""), tokenizer.encode("Finn lives in Oslo")
    logits = decode.all_logits(model, before + ids).astype(np.float64)
    expected = [
        logits[len(before) - 1 + index, token] - np.logaddexp.reduce(logits[len(before) - 1 + index])
        for index, token in enumerate(ids)
    ]
    found = load(folder).read(PROMPT, continuation="Finn lives in Oslo")
    np.testing.assert_allclose(found.log_probabilities or (), expected, atol=1e-5)
    assert (found.prompt_tokens, found.output_tokens) == (len(before), len(ids))


def test_no_token_spans_prompt_and_continuation(folder: Path) -> None:
    """Where a text of both has one, as "Oslo" is one, the continuation is tokenised by itself."""
    backend = load(folder)
    found = backend.read(replace(PROMPT, text="<bos>Os"), continuation="lo")
    assert (found.prompt_tokens, found.output_tokens) == (3, 2)
    assert backend.count_tokens("<bos>Oslo") == 2


def test_a_space_at_the_end_of_a_prompt_is_read_with_the_word_after_it(folder: Path) -> None:
    """As lm-evaluation-harness has it: " in" is one token, and no model was taught a space before "in"."""
    backend = load(folder)
    moved = backend.read(replace(PROMPT, text="<bos>lives "), continuation="in")
    assert (moved.prompt_tokens, moved.output_tokens) == (2, 1)
    there = backend.read(replace(PROMPT, text="<bos>lives"), continuation=" in")
    assert moved.log_probabilities == there.log_probabilities
    assert moved.text == "in"


def test_a_continuation_must_fit_the_context_with_its_prompt(folder: Path) -> None:
    """To the token."""
    room = 30 - load(folder).count_tokens(PROMPT.text or "")
    backend = load(folder, context_tokens=30)
    assert backend.read(PROMPT, continuation="x" * room).output_tokens == room
    with pytest.raises(ContextOverflow) as caught:
        backend.read(PROMPT, continuation="x" * (room + 1))
    assert (caught.value.needed_tokens, caught.value.limit_tokens) == (31, 30)


def test_markup_in_a_continuation_is_read_as_such(folder: Path) -> None:
    """The end of the turn is one token of it."""
    found = load(folder).read(PROMPT, continuation="x<end_of_turn>")
    assert len(found.log_probabilities or ()) == 2


def test_a_reading_that_overflows_is_an_error_of_its_own_kind(folder: Path) -> None:
    """No probability is made from NaN."""
    stored = load_file(folder / "model.safetensors")
    stored["model.embed_tokens.weight"][5] = 3e38
    save_file(stored, folder / "model.safetensors")
    with pytest.raises(BackendError, match="a logit of the continuation is not finite") as caught:
        load(folder).read(PROMPT, continuation="Oslo")
    assert caught.value.kind == "nonfinite"


def test_an_answer_that_ignores_its_end_is_as_long_as_it_may_be(folder: Path) -> None:
    """Tokens that end a turn are never drawn; without that, this answer ends before its limit."""
    backend = load(folder)
    long = replace(HOT, max_tokens=100)
    ended = [backend.generate(PROMPT, profile=long, seed=seed) for seed in range(4)]
    assert any(answer.finish_reason == "stop" for answer in ended)
    for seed in range(4):
        answer = backend.generate(PROMPT, profile=replace(long, ignore_eos=True), seed=seed)
        assert (answer.output_tokens, answer.finish_reason) == (100, "length")
