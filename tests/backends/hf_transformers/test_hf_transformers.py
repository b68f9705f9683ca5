"""Transformers on PyTorch as a backend: the answers of `numpy_gemma`, by other arithmetic."""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from gemma_eval import plugins
from gemma_eval.backends import numpy_gemma
from gemma_eval.backends.hf_transformers import backend as hf_transformers
from gemma_eval.backends.hf_transformers import model as hf_transformers_model
from gemma_eval.backends.hf_transformers.backend import HfTransformers
from gemma_eval.backends.hf_transformers.model import Decoding
from gemma_eval.errors import (
    BackendError,
    ContextOverflow,
    MissingDependency,
    ModelNotFound,
    NonFiniteLogits,
    UnknownName,
)
from gemma_eval.gemma import decode
from gemma_eval.gemma.reading import found
from gemma_eval.gemma.tensors import Array
from gemma_eval.gemma.tokenizer import load as load_tokenizer
from gemma_eval.prompts import chat
from gemma_eval.protocols import Backend
from gemma_eval.records import (
    Generation,
    Message,
    ModelSpec,
    Option,
    Prompt,
    RopeScaling,
    SamplingProfile,
)
from tests import required
from tests.gemma.tiny import END_OF_TURN, tokenizer, write_model

torch = required.module("torch", extra="transformers")
transformers = required.module("transformers", extra="transformers")

POCKET = Path(__file__).parents[3] / "src" / "gemma_eval" / "pocket"
PROMPT = Prompt(messages=(), text="<bos><start_of_turn>user\nHi<end_of_turn>", n_tokens=None)
GREEDY = SamplingProfile(name="greedy", temperature=0.0, max_tokens=10)
QUESTIONS = (
    "What is the capital of Japan?",
    "Where does Finn live?",
    "Finn lives in Oslo. Mia lives in Rome. Where does Mia live?",
    "What is 12 + 30?",
    "Tell a story about a fox.",
    "Write the words apple, pear and plum as a JSON list.",
    "Write OSLO in lower case.",
    "Name a color.",
    "Who are you?",
    "Say nothing.",
    " ".join(f"Person {number} likes the number {number * 7}." for number in range(20)) + " What about 3?",
    "Café ✓ 🦊",
)


def marked(question: str) -> Prompt:
    """Return a prompt in the markup that the shipped model was trained on."""
    turns = (Message(role="user", content=question),)
    text = chat.render((POCKET / "chat_template.jinja").read_text(), turns)
    return Prompt(messages=turns, text=text, n_tokens=None)


def ticking() -> Callable[[], int]:
    """Return a clock that goes on by a millisecond at every reading."""
    ticks: Iterator[int] = count(1_000_000, 1_000_000)
    return lambda: next(ticks)


def spec(location: object, options: Mapping[str, Option] | None = None, **fields: object) -> ModelSpec:
    """Return a model in a folder."""
    return ModelSpec(
        name="tiny",
        backend="hf_transformers",
        location=str(location),
        options=options or {},
        **fields,  # type: ignore[arg-type]
    )


def load(location: object, options: Mapping[str, Option] | None = None, **fields: object) -> HfTransformers:
    """Load a model with a clock that ticks."""
    return hf_transformers.load(
        spec(location, options, **fields), clock=ticking(), transforms=plugins.load().transforms
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder that a test may change."""
    return write_model(tmp_path / "model")


@pytest.fixture(scope="module")
def pocket() -> HfTransformers:
    """The model that ships, in PyTorch."""
    return load("@pocket")


@pytest.fixture(scope="module")
def by_numpy() -> numpy_gemma.NumpyGemma:
    """The model that ships, in NumPy."""
    made = ModelSpec(name="pocket", backend="numpy_gemma", location="@pocket")
    return numpy_gemma.load(made, clock=ticking(), transforms=plugins.load().transforms)


def pieces(answer: Generation) -> list[tuple[str, int | None]]:
    """Return the texts and token counts of an answer as they came."""
    return [(delta.text, delta.n_tokens) for delta in answer.deltas]


def answers(backend: Backend, profile: SamplingProfile, seed: int = 1) -> list[object]:
    """Return what a backend answers to all the questions: pieces, counts and ends."""
    made = [backend.generate(marked(question), profile=profile, seed=seed) for question in QUESTIONS]
    return [(pieces(one), one.prompt_tokens, one.output_tokens, one.finish_reason) for one in made]


def test_greedy_answers_are_those_of_the_numpy_engine(
    pocket: HfTransformers, by_numpy: numpy_gemma.NumpyGemma
) -> None:
    """Token for token, a dozen prompts, one of them far longer than the window of the local layers."""
    profile = SamplingProfile(name="greedy", temperature=0.0, max_tokens=48)
    assert answers(pocket, profile) == answers(by_numpy, profile)


@pytest.mark.parametrize(
    "profile",
    [
        SamplingProfile(name="plain", max_tokens=24),
        SamplingProfile(
            name="chain", temperature=1.2, top_k=40, top_p=0.95, min_p=0.02, repeat_penalty=1.1, max_tokens=24
        ),
        SamplingProfile(name="mirostat", mirostat=2, mirostat_tau=2.0, max_tokens=24),
        SamplingProfile(name="dynatemp", dynatemp_range=0.5, xtc_probability=0.5, max_tokens=24),
    ],
    ids=lambda profile: profile.name,
)
def test_seeded_answers_are_those_of_the_numpy_engine(
    pocket: HfTransformers, by_numpy: numpy_gemma.NumpyGemma, profile: SamplingProfile
) -> None:
    """The same chain on logits that differ in the sixth digit draws the same tokens."""
    for seed in (1, 2**31):
        assert answers(pocket, profile, seed) == answers(by_numpy, profile, seed)


def test_another_seed_would_be_seen(pocket: HfTransformers, by_numpy: numpy_gemma.NumpyGemma) -> None:
    """The comparison above has teeth."""
    profile = SamplingProfile(name="plain", max_tokens=24)
    assert answers(pocket, profile, 1) != answers(by_numpy, profile, 2)


STORY = "Once there was a young fox. It lived in the forest. One day it found a friend. " * 6


def test_log_probabilities_are_those_of_the_numpy_engine(
    pocket: HfTransformers, by_numpy: numpy_gemma.NumpyGemma
) -> None:
    """Of a text that is read in several parts, after prompts short and long."""
    for question in QUESTIONS:
        found = pocket.read(marked(question), continuation=STORY)
        expected = by_numpy.read(marked(question), continuation=STORY)
        assert found.output_tokens == expected.output_tokens
        np.testing.assert_allclose(
            found.log_probabilities or (), expected.log_probabilities or (), atol=1e-4, rtol=0
        )


class Shifted(Decoding):
    """A planted error: what comes after the prompt is put one position too far."""

    _position = 0

    def read(self, ids: Sequence[int], *, last: int = 1) -> Array:
        """Read at positions of our own."""
        shift = 1 if self._position else 0
        positions = torch.arange(self._position + shift, self._position + shift + len(ids))[None]
        self._position += len(ids)
        with torch.inference_mode():
            output = self._model.module(
                input_ids=torch.tensor([list(ids)]),
                position_ids=positions,
                use_cache=True,
                **{self._cache_name: self._cache},
            )
        self._cache = getattr(output, self._cache_name)
        return np.asarray(output.logits[0, -last:].numpy(), dtype=np.float32)


class Forgetful(Decoding):
    """A planted error: the cache is not handed on."""

    def read(self, ids: Sequence[int], *, last: int = 1) -> Array:
        """Read as if nothing had been read."""
        self._cache = None
        return super().read(ids, last=last)


class OneBehind(Decoding):
    """A planted error: the logits of the token before are taken."""

    def read(self, ids: Sequence[int], *, last: int = 1) -> Array:
        """Return the logits before the last, where there are some."""
        return super().read(ids, last=min(last + 1, len(ids)))[:last]


def furthest(kind: type[Decoding], pocket: HfTransformers) -> float:
    """Return how far logits of a decoding lie from those of NumPy at most, token by token."""
    model = decode.load(POCKET)
    ids = load_tokenizer(POCKET).encode((marked(QUESTIONS[10]).text or "") + STORY)
    ids, size = ids[:210], 150
    decoding = kind(pocket._loaded)
    found = [decoding.read(ids[:size])[0], *(decoding.read((token,))[0] for token in ids[size:])]
    return float(np.abs(np.stack(found) - decode.all_logits(model, ids)[size - 1 :]).max())


def test_logits_in_the_decoding_loop_are_those_of_numpy(pocket: HfTransformers) -> None:
    """At every token, with the caches of both full."""
    assert furthest(Decoding, pocket) < 1e-3


@pytest.mark.parametrize("wrong", [Shifted, Forgetful, OneBehind])
def test_a_wrong_loop_is_caught(pocket: HfTransformers, wrong: type[Decoding]) -> None:
    """A position, a cache or a row that is off is far outside of the tolerance."""
    assert furthest(wrong, pocket) > 0.1


@pytest.mark.parametrize("family", ["llama", "qwen2", "mistral", "gpt2"])
def test_a_model_of_another_family_answers_as_the_library_has_it(tmp_path: Path, family: str) -> None:
    """Greedy, against its own generation loop, with random weights."""
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    sizes = {
        "vocab_size": 288,
        "intermediate_size": 48,
        "max_position_embeddings": 128,
        "sliding_window": None,
    }
    small = {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 288, "n_positions": 128}
    asked = small if family == "gpt2" else {**shape, **sizes}
    config = transformers.AutoConfig.for_model(family, bos_token_id=2, eos_token_id=1, **asked)
    torch.manual_seed(3)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    folder = tmp_path / family
    model.save_pretrained(folder)
    tokenizer().save(str(folder / "tokenizer.json"))
    backend = load(folder)
    ids = torch.tensor([list(backend.tokenizer.encode("<bos>Finn"))])
    made = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False, pad_token_id=0
    )
    expected = [token for token in made[0, ids.shape[1] :].tolist() if token != 1]
    found = backend.generate(
        replace(PROMPT, text="<bos>Finn"), profile=replace(GREEDY, max_tokens=12), seed=1
    )
    assert found.text == backend.tokenizer.decode(expected)
    assert found.output_tokens == len(expected)
    assert backend.info().details["family"] == family


def test_stamps_are_of_the_injected_clock(folder: Path) -> None:
    """One reading at the request, one after the prompt, one per token, one at the end."""
    found = load(folder).generate(PROMPT, profile=replace(GREEDY, max_tokens=3), seed=1)
    assert found.finish_reason == "length"
    assert found.requested_ns == 1_000_000
    assert found.engine_timings == {"prompt_ms": 1.0, "decode_ms": 4.0}
    assert found.deltas[-1].at_ns == 5_000_000
    assert found.ended_ns == 6_000_000


def test_the_end_of_turn_ends_the_answer_and_is_no_output(folder: Path) -> None:
    """As generation_config.json has it."""
    file = folder / "model.safetensors"
    stored = load_file(file)
    for name in stored:
        if "layernorm" in name and "post" in name:
            stored[name] = np.full_like(stored[name], -1.0)
    embedding = stored["model.embed_tokens.weight"]
    embedding[:] = np.abs(embedding) * 0.1
    embedding[END_OF_TURN] = 9.0
    save_file(stored, file, metadata={"format": "pt"})
    found = load(folder).generate(PROMPT, profile=GREEDY, seed=1)
    assert (found.text, found.deltas, found.output_tokens, found.finish_reason) == ("", (), 0, "stop")


def test_the_same_folder_is_the_same_model(pocket: HfTransformers, by_numpy: numpy_gemma.NumpyGemma) -> None:
    """Hash, size and context are those that the other engine of the folder names."""
    info, other = pocket.info(), by_numpy.info()
    assert (info.engine, info.version) == ("transformers", transformers.__version__)
    assert info.model_sha256 == other.model_sha256
    assert info.parameters == other.parameters
    assert info.context_tokens == other.context_tokens
    assert info.quantisation == "F32"
    assert info.details["torch"] == torch.__version__
    assert info.details["family"] == "gemma3_text"
    assert info.details["device"] == "cpu"
    template = (POCKET / "chat_template.jinja").read_bytes()
    assert info.chat_template_sha256 == hashlib.sha256(template).hexdigest()
    tokenizer = (POCKET / "tokenizer.json").read_bytes()
    assert info.tokenizer_sha256 == hashlib.sha256(tokenizer).hexdigest()
    assert pocket.chat_template == template.decode()


def test_a_dtype_can_be_chosen(folder: Path) -> None:
    """Half the bits give other logits; that of the files is what they hold."""
    continuation = "Finn lives in Oslo"
    wide, narrow = load(folder), load(folder, {"dtype": "bfloat16"})
    assert (wide.info().quantisation, narrow.info().quantisation) == ("F32", "BF16")
    known = [backend.read(PROMPT, continuation=continuation).log_probabilities for backend in (wide, narrow)]
    assert known[0] != known[1]
    np.testing.assert_allclose(known[0] or (), known[1] or (), atol=0.5)
    assert load(folder, {"dtype": "auto"}).info().quantisation == "F32"


def test_threads_are_set_while_computing_and_given_back(folder: Path) -> None:
    """The clock looks at PyTorch during the generation; afterwards it is as before."""
    before = torch.get_num_threads()
    during: list[int] = []

    def looking() -> int:
        during.append(torch.get_num_threads())
        return 0

    asked = before + 1
    backend = hf_transformers.load(
        spec(folder, {"threads": asked}), clock=looking, transforms=plugins.load().transforms
    )
    assert backend.info().threads == asked
    backend.generate(PROMPT, profile=replace(GREEDY, max_tokens=2), seed=1)
    assert set(during[1:]) == {asked}
    assert torch.get_num_threads() == before
    with pytest.raises(BackendError, match="the prompt is empty"):
        backend.generate(replace(PROMPT, text=""), profile=GREEDY, seed=1)
    backend.close()
    assert torch.get_num_threads() == before
    assert load(folder).info().threads == 1


def test_nothing_is_written_to_the_terminal(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """No bar, no warning; and the libraries may write afterwards as before."""
    level = transformers.utils.logging.get_verbosity()
    bars = transformers.utils.logging.is_progress_bar_enabled()
    load(folder).generate(PROMPT, profile=GREEDY, seed=1)
    without_a_weight(folder)
    with pytest.raises(ModelNotFound):
        load(folder)
    assert capfd.readouterr() == ("", "")
    assert transformers.utils.logging.get_verbosity() == level
    assert transformers.utils.logging.is_progress_bar_enabled() == bars
    assert level != logging.CRITICAL


def test_nothing_is_fetched(folder: Path) -> None:
    """A process that may not connect to anything loads and answers, and shows that it would be caught."""
    script = f"""
import socket, sys, time
tried = []
def no_network(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        tried.append((event, arguments))
        raise RuntimeError("the network was used")
sys.addaudithook(no_network)
from gemma_eval.backends.hf_transformers import backend as hf_transformers
assert "torch" not in sys.modules, "nothing heavy is imported before a model is loaded"
from gemma_eval import plugins
from gemma_eval.records import ModelSpec, Prompt, SamplingProfile
spec = ModelSpec(name="x", backend="hf_transformers", location={str(folder)!r})
backend = hf_transformers.load(spec, clock=time.perf_counter_ns, transforms=plugins.load().transforms)
prompt = Prompt(messages=(), text="<bos>Hi", n_tokens=None)
backend.generate(prompt, profile=SamplingProfile(name="p", max_tokens=2), seed=1)
assert not tried, tried
try:
    socket.create_connection(("127.0.0.1", 9))
except RuntimeError:
    print("caught")
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout == "caught\n"


@pytest.mark.parametrize(
    ("options", "error", "complaint"),
    [
        ({"thread": 1}, UnknownName, r'backend hf_transformers\) named "thread"; did you mean "threads"'),
        ({"threads": 0}, BackendError, "model tiny: threads = 0; a whole number of at least 1 is needed"),
        ({"threads": True}, BackendError, "threads = true; a whole number"),
        ({"dtype": "float16"}, BackendError, 'dtype = "float16"; "float32" or "bfloat16" or "auto" is'),
        ({"device": "gpu"}, BackendError, 'device = "gpu"; "cpu" or "cuda" or "mps" is needed'),
        ({"device": 1}, BackendError, "device = 1; "),
    ],
)
def test_a_wrong_option_is_one_sentence(
    folder: Path, options: dict[str, Option], error: type[Exception], complaint: str
) -> None:
    """With what would be right."""
    with pytest.raises(error, match=complaint):
        load(folder, options)


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_an_error(folder: Path, device: str) -> None:
    """And never the processor instead."""
    module = torch.cuda if device == "cuda" else torch.backends.mps
    if module.is_available():
        pytest.skip(f"{device} is there")
    with pytest.raises(BackendError, match=rf'device = "{device}": torch .* sees none; there is "cpu"'):
        load(folder, {"device": device})


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_answers_as_the_processor_does(folder: Path, device: str) -> None:
    """Where there is one."""
    module = torch.cuda if device == "cuda" else torch.backends.mps
    if not module.is_available():
        required.missing(device, f"needs a device {device}")
    found = load(folder, {"device": device}).read(PROMPT, continuation="Finn lives in Oslo")
    expected = load(folder).read(PROMPT, continuation="Finn lives in Oslo")
    np.testing.assert_allclose(found.log_probabilities or (), expected.log_probabilities or (), atol=1e-2)


def without_a_weight(folder: Path) -> None:
    """Leave out a tensor."""
    stored = load_file(folder / "model.safetensors")
    del stored["model.layers.1.mlp.up_proj.weight"]
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})


def with_a_wrong_shape(folder: Path) -> None:
    """Cut a tensor."""
    stored = load_file(folder / "model.safetensors")
    stored["model.norm.weight"] = stored["model.norm.weight"][:-1].copy()
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})


def cut_short(folder: Path) -> None:
    """Lose the end of the weights."""
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def with_code_of_its_own(folder: Path) -> None:
    """Bring Python along, as models do that transformers does not know."""
    brought = {"AutoConfig": "hal.Config", "AutoModelForCausalLM": "hal.Model"}
    configure(folder, model_type="hal9000", auto_map=brought)
    (folder / "hal.py").write_text(f"open({str(folder / 'ran')!r}, 'w').close()\n")


def configure(folder: Path, **values: object) -> None:
    """Change config.json."""
    config = folder / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **values}))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda folder: (folder / "config.json").unlink(), r"config\.json: no such file"),
    "no JSON": (lambda folder: (folder / "config.json").write_text("{"), r"cannot be read as JSON"),
    "no weights": (
        lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
        r"model: no weights; model\.safetensors or",
    ),
    "cut weights": (cut_short, r"model\.safetensors: not a whole safetensors file"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), r"tokenizer\.json: no such file"),
    "a weight is missing": (
        without_a_weight,
        r"those of config\.json: model\.layers\.1\.mlp\.up_proj\.weight is missing$",
    ),
    "a wrong shape": (with_a_wrong_shape, r"those of config\.json: model\.norm\.weight has another shape$"),
    "unknown architecture": (
        lambda folder: configure(folder, model_type="hal9000"),
        r"transformers cannot load it: .*hal9000",
    ),
    "code of its own": (with_code_of_its_own, r"transformers cannot load it: "),
    "an adapter": (
        lambda folder: (folder / "adapter_config.json").write_text("{}"),
        r"is an adapter; merge it",
    ),
}
"""What is done to a folder, and what is said of it."""


@pytest.mark.parametrize("how", DAMAGES)
def test_a_folder_that_is_not_whole_is_one_sentence(folder: Path, how: str) -> None:
    """No weight is drawn at random, no code of a model is run."""
    damage, complaint = DAMAGES[how]
    damage(folder)
    with pytest.raises(ModelNotFound, match=complaint) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    assert not (folder / "ran").exists()


def test_other_places_are_refused(folder: Path) -> None:
    """A name that may be on a hub is none here; GGUF is for other backends."""
    with pytest.raises(ModelNotFound, match="google/gemma-3-270m: no such folder or file"):
        load("google/gemma-3-270m")
    (folder / "x.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelNotFound, match="is a GGUF file; hf_transformers needs a folder"):
        load(folder / "x.gguf")


def test_a_tokenizer_of_another_model_is_found_at_load(folder: Path) -> None:
    """Ids beyond the embedding would fail in the middle of a run."""
    with pytest.raises(ModelNotFound, match=r"id 261, the weights a vocabulary of 200"):
        load(write_model(folder.parent / "small", config={"vocab_size": 200}))


def test_a_token_without_an_embedding_is_refused_only_when_it_is_used(folder: Path) -> None:
    """Text models share a tokenizer with those that see images, whose token they lack."""
    backend = load(write_model(folder.parent / "text", config={"vocab_size": 265}))
    assert backend.generate(PROMPT, profile=GREEDY, seed=1).finish_reason
    with pytest.raises(BackendError, match="no embedding for: id 265"):
        backend.generate(replace(PROMPT, text="<bos>Finn lives in"), profile=GREEDY, seed=1)


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


def test_arithmetic_that_overflows_is_an_error_of_its_own_kind(folder: Path) -> None:
    """No token is drawn from NaN, and no probability is made of it."""
    stored = load_file(folder / "model.safetensors")
    stored["model.embed_tokens.weight"][5] = 3e38
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    backend = load(folder)
    with pytest.raises(NonFiniteLogits):
        backend.generate(PROMPT, profile=GREEDY, seed=1)
    with pytest.raises(NonFiniteLogits, match="a logit of the continuation is not finite"):
        backend.read(PROMPT, continuation="Oslo")


def test_what_it_cannot_do_is_said_before_anything_is_loaded() -> None:
    """Positions are stretched by the folder alone; every sampling is done here."""
    stretched = spec("nowhere", rope_scaling=RopeScaling(rope_type="linear", factor=2.0))
    assert "has no rope_scaling" in (hf_transformers.load.refusal(stretched, GREEDY) or "")
    everything = SamplingProfile(
        name="all", min_p=0.1, mirostat=2, dry_multiplier=1.0, xtc_probability=0.5, stop=("x",)
    )
    assert hf_transformers.load.refusal(spec("nowhere"), everything) is None
    with pytest.raises(BackendError, match="tiny: hf_transformers has no rope_scaling"):
        load("@pocket", rope_scaling=RopeScaling(rope_type="linear", factor=2.0))


def test_a_prompt_without_text_is_refused(folder: Path) -> None:
    """Rendering the chat markup is the caller's."""
    with pytest.raises(BackendError, match="a chat_template to be rendered with"):
        load(folder).generate(replace(PROMPT, text=None), profile=GREEDY, seed=1)


def test_a_closed_model_says_so(folder: Path) -> None:
    """Using an engine after close is a mistake with a message."""
    backend = load(folder)
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.generate(PROMPT, profile=GREEDY, seed=1)


def test_a_chat_template_knows_the_special_tokens_of_its_model(folder: Path) -> None:
    """Those of other families are not Gemma's; the record names the template as it is in the folder."""
    template = "{{ bos_token }}{{ messages[0]['content'] }}{{ eos_token }}"
    tokens = {"bos_token": {"content": '<|"begin"|>'}, "eos_token": "<▁end▁>"}
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template, **tokens}))
    backend = load(folder)
    turns = (Message(role="user", content="Hi"),)
    assert chat.render(backend.chat_template or "", turns) == '<|"begin"|>Hi<▁end▁>'
    assert backend.info().chat_template_sha256 == hashlib.sha256(template.encode()).hexdigest()
    (folder / "tokenizer_config.json").write_text("{}")
    assert load(folder).chat_template is None


def test_a_package_that_is_missing_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the line that installs it."""
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependency, match=r'pip install "gemma_eval\[transformers\]"'):
        load(folder)


def test_packages_that_do_not_fit_together_are_told_apart_from_missing_ones(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Installing them again would not help, so the library's own reason is passed on."""
    (tmp_path / "transformers.py").write_text("raise ImportError('tokenizers<=0.1 is required')")
    monkeypatch.delitem(sys.modules, "transformers")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BackendError, match=r"cannot be imported: tokenizers<=0\.1 is required"):
        load(folder)


def test_a_model_that_cannot_say_which_logits_to_make_makes_all(pocket: HfTransformers) -> None:
    """Not every architecture takes the number of the last ones."""
    plain, saving = Decoding(pocket._loaded), Decoding(pocket._loaded)
    assert saving._keeps_last
    plain._keeps_last = False
    ids = load_tokenizer(POCKET).encode(marked(QUESTIONS[0]).text or "")
    np.testing.assert_allclose(plain.read(ids, last=3), saving.read(ids, last=3), atol=1e-5)


def test_a_reading_in_parts_is_a_reading_in_one(pocket: HfTransformers) -> None:
    """Parts end where they will: with their last token the text ends."""
    model = pocket._loaded
    ids = load_tokenizer(POCKET).encode(STORY)
    whole = Decoding(model).read(ids[:-1], last=len(ids) - 1)
    for size in (2, 33, 34, 35, 65, 66):
        known = hf_transformers_model.read_after(model, ids[:1], ids[1:size])
        expected = found(whole[: size - 1], ids[1:size])
        np.testing.assert_allclose(known.log_probabilities, expected.log_probabilities, atol=1e-4)
        assert known.greedy == expected.greedy


def test_choices_are_read_without_a_cache_that_can_be_had_several_times(
    pocket: HfTransformers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of some models cannot; the prompt is then read for each, and the numbers are the same."""
    model = pocket._loaded
    ids = load_tokenizer(POCKET).encode(STORY)
    texts = [ids[20:21], ids[20:40], ids[25:30]]
    together = hf_transformers_model.read_beside(model, ids[:20], texts)
    monkeypatch.setattr(Decoding, "divides", False)
    alone = hf_transformers_model.read_beside(model, ids[:20], texts)
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.log_probabilities, other.log_probabilities, atol=1e-4)
        assert one.greedy == other.greedy


def test_a_long_choice_is_read_by_itself(pocket: HfTransformers) -> None:
    """Beside a short one, and alone."""
    model = pocket._loaded
    ids = load_tokenizer(POCKET).encode(STORY * 4)
    before, long, short = ids[:9], ids[9:280], ids[30:33]
    expected = hf_transformers_model.read_after(model, before, long).log_probabilities
    for texts in ([short, long], [long]):
        read = hf_transformers_model.read_beside(model, before, texts)[-1]
        np.testing.assert_allclose(read.log_probabilities, expected, atol=1e-4)
