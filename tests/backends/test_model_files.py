"""Where a model's files are found, and the pocket model as a GGUF file."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemma_eval import plugins
from gemma_eval.backends import model_files, numpy_gemma
from gemma_eval.backends.model_files import POCKET, cache_folder, exported, locate
from gemma_eval.errors import ModelNotFound
from gemma_eval.gemma import checkpoint
from gemma_eval.records import ModelSpec, Prompt, SamplingProfile
from tests import required
from tests.gemma.tiny import merge_a_pair, write_model


def test_the_location_of_a_model_is_a_folder_or_a_gguf_file(tmp_path: Path) -> None:
    """And nothing else: a weights file is not taken for a model."""
    (tmp_path / "model.gguf").touch()
    (tmp_path / "model.safetensors").touch()
    assert locate(str(tmp_path)) == tmp_path
    assert locate(str(tmp_path / "model.gguf")) == tmp_path / "model.gguf"
    with pytest.raises(ModelNotFound, match=r"is not a GGUF file; give a file \*\.gguf or the folder"):
        locate(str(tmp_path / "model.safetensors"))
    with pytest.raises(ModelNotFound, match="no such folder or file"):
        locate(str(tmp_path / "absent"))


def test_a_misspelt_shipped_model_is_suggested() -> None:
    """Names that begin with @ are no paths."""
    with pytest.raises(
        ModelNotFound, match=r'no model ships as @pocket\.Q8\.gguf; did you mean "@pocket\.Q8_0'
    ):
        locate("@pocket.Q8.gguf")
    assert locate(POCKET).is_dir()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"XDG_CACHE_HOME": "/somewhere"}, Path("/somewhere/gemma_eval")),
        ({"XDG_CACHE_HOME": "relative"}, Path.home() / ".cache/gemma_eval"),
        ({"XDG_CACHE_HOME": ""}, Path.home() / ".cache/gemma_eval"),
        ({}, Path.home() / ".cache/gemma_eval"),
    ],
)
def test_the_cache_is_where_the_user_has_it(environment: dict[str, str], expected: Path) -> None:
    """A relative path is ignored, as the XDG Base Directory Specification has it."""
    assert cache_folder(environment) == expected


def test_a_model_is_exported_once_and_anew_when_it_changed(tmp_path: Path) -> None:
    """The file's name carries the hash of what it was made from."""
    required.module("gguf", extra="gguf")
    folder, cache = write_model(tmp_path / "model"), tmp_path / "cache" / "deep"
    merge_a_pair(folder)
    first = exported(folder, "F16", cache=cache)
    stamp = first.stat().st_mtime_ns
    assert exported(folder, "F16", cache=cache) == first
    assert first.stat().st_mtime_ns == stamp
    (folder / "tokenizer_config.json").write_text('{"chat_template": "another"}')
    second = exported(folder, "F16", cache=cache)
    assert second != first
    assert sorted(cache.iterdir()) == sorted((first, second))


def test_a_damaged_file_of_the_cache_is_written_again(tmp_path: Path) -> None:
    """A download that broke off can be repeated by the user; what is written here, by us."""
    required.module("gguf", extra="gguf")
    folder = write_model(tmp_path / "model")
    merge_a_pair(folder)
    path = exported(folder, "F16", cache=tmp_path / "cache")
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    assert exported(folder, "F16", cache=tmp_path / "cache") == path
    assert path.read_bytes() == whole


def test_a_folder_may_be_called_as_a_file_is(tmp_path: Path) -> None:
    """What a location is decides how it is read, not its name."""
    folder = write_model(tmp_path / "model.gguf")
    assert locate(str(folder)) == folder
    assert checkpoint.load(folder).weights.stored_dtype == "F32"


def test_a_cache_that_cannot_be_written_says_which_variable_moves_it(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    required.module("gguf", extra="gguf")
    folder = write_model(tmp_path / "model")
    merge_a_pair(folder)
    (tmp_path / "cache").touch()
    with pytest.raises(ModelNotFound, match=r"cannot be written: .*; set XDG_CACHE_HOME"):
        exported(folder, "F32", cache=tmp_path / "cache")


def test_the_engine_runs_a_gguf_file_as_the_folder(tmp_path: Path) -> None:
    """The same answer, another hash of the weights, and the type they are stored in."""
    required.module("gguf", extra="gguf")
    folder = write_model(tmp_path / "model")
    merge_a_pair(folder)
    path = exported(folder, "F32", cache=tmp_path)
    prompt = Prompt(messages=(), text="<bos><start_of_turn>user\nHi<end_of_turn>", n_tokens=None)
    answers, infos = [], []
    for location in (folder, path):
        spec = ModelSpec(name="tiny", backend="numpy_gemma", location=str(location))
        engine = numpy_gemma.load(spec, clock=lambda: 0, transforms=plugins.load().transforms)
        profile = SamplingProfile(name="greedy", temperature=0.0, max_tokens=10)
        answers.append(engine.generate(prompt, profile=profile, seed=1).text)
        infos.append(engine.info())
    assert answers[0] == answers[1]
    assert infos[1].model_sha256 == model_files.sha256([path])
    assert infos[1].quantisation == "F32"
    assert infos[0].parameters == infos[1].parameters
    assert "config_sha256" in infos[0].details
    assert "config_sha256" not in infos[1].details
