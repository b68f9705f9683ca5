"""Documents are split where a reader would split them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.memory.passages import LONGEST_CHARACTERS, split
from gemma_eval.records import Document

MARKDOWN = """\
# People

Finn lives in Oslo.
He likes plums.

## More
- Ada lives in Rome.
* Ben is a cook
  and lives in Bern.
1. First.
2) Second.

---
+ Cleo.

```
some code
```
Title
=====
The end. -5 is no bullet.
"""


def texts(text: str) -> list[str]:
    """Return the texts of the passages of a document."""
    return [piece.text for piece in split(Document(name="d", text=text))]


def test_bullets_and_paragraphs_are_passages_and_headings_are_not() -> None:
    """Each on one line, without its mark."""
    assert texts(MARKDOWN) == [
        "Finn lives in Oslo. He likes plums.",
        "Ada lives in Rome.",
        "Ben is a cook and lives in Bern.",
        "First.",
        "Second.",
        "Cleo.",
        "some code",
        "Title",
        "The end. -5 is no bullet.",
    ]


def test_a_text_without_words_has_no_passage() -> None:
    """Neither an empty document nor one of headings and rules."""
    assert texts("") == texts("\n \n# Title\n---\n") == []


def test_a_repeated_passage_is_kept_once() -> None:
    """It would take its budget twice and tell nothing."""
    assert texts("- a\n- b\n- a\n") == ["a", "b"]


def test_the_id_of_a_passage_follows_from_its_text_and_document_alone() -> None:
    """Moving it does not change it; another document or text does."""
    first = split(Document(name="d", text="- a\n- b\n"))
    moved = split(Document(name="d", text="- b\n\n- a\n"))
    other = split(Document(name="e", text="- a\n"))
    assert {piece.text: piece.id for piece in first} == {piece.text: piece.id for piece in moved}
    assert other[0].id != first[0].id
    assert len({piece.id for piece in (*first, *other)}) == 3


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    """No piece is longer than the limit unless a single sentence is, and nothing is lost."""
    sentence = "A sentence of some forty-two letters, it is. "
    text = sentence * 60 + "x" * (2 * LONGEST_CHARACTERS) + ". End."
    pieces = [piece for piece in texts(text) if "x" not in piece]
    assert all(len(piece) <= LONGEST_CHARACTERS for piece in pieces)
    assert any(len(piece) > LONGEST_CHARACTERS - len(sentence) for piece in pieces)
    assert texts(text)[-1].endswith("End.")


@given(st.text(alphabet="ab -*#\n1.=`", max_size=80))
def test_passages_hold_the_words_of_the_document_in_order(text: str) -> None:
    """Whatever its form, a passage is one line of words that stand in the document."""
    for piece in texts(text):
        assert piece == " ".join(piece.split()) != ""
        at = 0
        for word in piece.split():
            at = text.index(word, at) + len(word)
