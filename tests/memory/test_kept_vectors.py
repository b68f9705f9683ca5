"""The vectors of a corpus are made once, and a file that does not hold them is made again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gemma_eval.memory.kept_vectors import FEWEST_TEXTS, KeptVectors
from gemma_eval.protocols import PLUMBING

if TYPE_CHECKING:
    from gemma_eval.protocols.scorers import Embeddings

TEXTS = tuple(f"text {n}" for n in range(FEWEST_TEXTS))


class Counting:
    """An embedder that counts how many texts it was given."""

    def __init__(self, name: str = "model/1") -> None:
        self.id = name
        self.given = 0

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """Return vectors that follow from the length of the texts and the last letter."""
        self.given += len(texts)
        made = np.array([[len(text), ord(text[-1]), 1] for text in texts], np.float32)
        return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def test_they_are_made_once(tmp_path: Path) -> None:
    """By another process, too, which finds the same ones."""
    first, second = Counting(), Counting()
    made = KeptVectors(first, tmp_path / "new").embed(TEXTS)
    kept = KeptVectors(second, tmp_path / "new").embed(TEXTS)
    assert (first.given, second.given) == (len(TEXTS), 0)
    assert np.array_equal(made, kept)


@pytest.mark.parametrize(
    ("name", "texts"),
    [("model/2", TEXTS), ("model/1", TEXTS[::-1]), ("model/1", ("text 0text 1", "", *TEXTS[2:]))],
)
def test_other_vectors_are_not_taken_for_them(tmp_path: Path, name: str, texts: Sequence[str]) -> None:
    """Those of another model, of another order, of texts that are the same when they are joined."""
    texts = [text or "-" for text in texts]
    KeptVectors(Counting(), tmp_path).embed(TEXTS)
    other = Counting(name)
    assert np.array_equal(KeptVectors(other, tmp_path).embed(texts), Counting().embed(texts))
    assert other.given == len(texts)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-9]),
        lambda path: np.save(path, np.zeros((FEWEST_TEXTS, 3), np.float32)),
        lambda path: np.save(path, np.full((FEWEST_TEXTS, 3), np.nan, np.float32)),
        lambda path: np.save(path, np.eye(3, dtype=np.float32)),
        lambda path: np.save(path, np.array([{}]), allow_pickle=True),
    ],
)
def test_a_file_that_is_damaged_is_made_again(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    """Nothing in it is believed that is no vector of length 1 for each text."""
    KeptVectors(Counting(), tmp_path).embed(TEXTS)
    (path,) = tmp_path.iterdir()
    spoil(path)
    again = Counting()
    assert np.array_equal(KeptVectors(again, tmp_path).embed(TEXTS), Counting().embed(TEXTS))
    assert again.given == len(TEXTS)
    assert [each.suffix for each in tmp_path.iterdir()] == [".npy"]


def test_a_folder_that_cannot_be_written_costs_no_more_than_the_time(tmp_path: Path) -> None:
    """The vectors are made all the same."""
    (tmp_path / "file").write_text("")
    made = KeptVectors(Counting(), tmp_path / "file" / "below").embed(TEXTS)
    assert np.array_equal(made, Counting().embed(TEXTS))


@pytest.mark.parametrize(("name", "n"), [("model/1", FEWEST_TEXTS - 1), (f"{PLUMBING}1", FEWEST_TEXTS)])
def test_what_is_made_quickly_is_not_kept(tmp_path: Path, name: str, n: int) -> None:
    """A few texts, or those of no model."""
    KeptVectors(Counting(name), tmp_path).embed(TEXTS[:n])
    assert not list(tmp_path.iterdir())
