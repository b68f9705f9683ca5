"""Files of texts are read as passages, and what is wrong with one is told with its line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gemma_eval.errors import UsageError
from gemma_eval.memory import reading
from gemma_eval.memory.passages import Splitting, split
from gemma_eval.memory.reading import each, read
from gemma_eval.records import Document, Piece


def rows(path: Path, *made: dict[str, object] | str) -> Path:
    """Write rows of JSON, or lines as they are."""
    lines = (each if isinstance(each, str) else json.dumps(each) for each in made)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_markdown_and_text_are_split_as_the_documents_of_a_case(tmp_path: Path) -> None:
    """With the same ids, so that a corpus and a document are one thing."""
    path = tmp_path / "people.md"
    path.write_text("# People\n- Finn lives in Oslo.\n- Ada lives in Rome.\n")
    assert read(path) == split(Document(name="people.md", text=path.read_text()))


def test_a_folder_is_its_files_by_name_and_others_are_left_alone(tmp_path: Path) -> None:
    """A document is named by its path below the folder."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.txt").write_text("b")
    (tmp_path / "a.md").write_text("a")
    (tmp_path / "image.png").write_bytes(b"\x89PNG\0")
    rows(tmp_path / "c.jsonl", {"text": "c"})
    assert [(piece.document, piece.text) for piece in read(tmp_path)] == [
        ("a.md", "a"),
        ("c.jsonl", "c"),
        ("deep/b.txt", "b"),
    ]


def test_a_row_says_all_that_is_known_of_a_passage(tmp_path: Path) -> None:
    """And a time in any of its forms."""
    full = {
        "id": "a",
        "text": "It rains.",
        "title": "Weather",
        "source": "diary",
        "time": "2026-11-29T10:00:00+01:00",
        "importance": 1,
        "tier": "episodic",
        "tags": ["x", "y"],
        "url": "left alone",
    }
    path = rows(tmp_path / "c.jsonl", full, "", {"id": 7, "text": "b", "time": 5}, {"text": "c"})
    first, second, third = read(path)
    assert first == Piece(
        id="a",
        text="Weather. It rains.",
        document="diary",
        tier="episodic",
        at_s=1_795_942_800.0,
        importance=1.0,
        tags=("x", "y"),
    )
    assert (second.id, second.at_s, second.document) == ("7", 5.0, "c.jsonl")
    assert third.id == split(Document(name="c.jsonl", text="c"))[0].id


def test_a_corpus_of_beir_is_read_as_it_is(tmp_path: Path) -> None:
    """Its rows have `_id`, `title`, `text` and `metadata`."""
    path = rows(
        tmp_path / "corpus.jsonl",
        {"_id": "4983", "title": "Microstructural development.", "text": "Alterations.", "metadata": {}},
        {"_id": "5836", "title": "", "text": "Induction.", "metadata": {}},
        {"_id": "7912", "title": "A title alone", "text": "", "metadata": {}},
    )
    assert [(piece.id, piece.text) for piece in read(path)] == [
        ("4983", "Microstructural development. Alterations."),
        ("5836", "Induction."),
        ("7912", "A title alone"),
    ]


def test_a_row_that_is_too_long_becomes_parts_that_name_it(tmp_path: Path) -> None:
    """Only where a length is asked for; a judgement by its id still holds, by the document."""
    path = rows(
        tmp_path / "c.jsonl", {"id": "a", "text": "One two.  Three four."}, {"id": "b", "text": "Five"}
    )
    splitting = Splitting(count_tokens=lambda text: len(text.split()), max_tokens=2)
    assert [(piece.id, piece.document, piece.text) for piece in read(path, splitting)] == [
        ("a#1", "a", "One two."),
        ("a#2", "a", "Three four."),
        ("b", "c.jsonl", "Five"),
    ]
    assert read(path)[0].text == "One two.  Three four."


def test_parts_of_a_row_without_a_name_stay_of_their_document(tmp_path: Path) -> None:
    """Whoever replaces the document by another forgets them."""
    path = rows(tmp_path / "c.jsonl", {"text": "One two. Three four."})
    splitting = Splitting(count_tokens=lambda text: len(text.split()), max_tokens=2)
    assert [piece.document for piece in read(path, splitting)] == ["c.jsonl", "c.jsonl"]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("{", "c.jsonl:2: is not a row of JSON"),
        ("[1]", "c.jsonl:2: is no row"),
        ({"id": "x"}, "c.jsonl:2: has no text"),
        ({"id": "x", "text": " "}, "c.jsonl:2: has no text"),
        ({"id": "x", "text": 5}, "c.jsonl:2: text is a text"),
        ({"id": "", "text": "x"}, "c.jsonl:2: id is a text of 1 to"),
        ({"id": "x", "_id": "x", "text": "x"}, "c.jsonl:2: has both id and _id"),
        ({"id": "first", "text": "x"}, 'c.jsonl:2: id "first" is taken by'),
        ({"text": "x", "importance": 2}, "c.jsonl:2: importance is a number from 0 to 1"),
        ({"text": "x", "importance": True}, "c.jsonl:2: importance is a number from 0 to 1"),
        (
            {"text": "x", "importanse": 1},
            'c.jsonl:2: no key "importanse" is read; did you mean "importance"?',
        ),
        ({"text": "x", "tier": "semantik"}, 'c.jsonl:2: no tier named "semantik"; did you mean "semantic"?'),
        ({"text": "x", "tags": "a"}, "c.jsonl:2: tags is a list of texts"),
        ({"text": "x", "time": "yesterday"}, "c.jsonl:2: time is a date"),
        ({"gemma_eval_memory": 1, "tiers": {}}, "c.jsonl:2: is an export of a memory"),
        ('{"text": "a", "text": "b"}', 'c.jsonl:2: gives "text" twice'),
        ({"text": "half \ud83d"}, "c.jsonl:2: has half of a surrogate pair"),
        ({"text": "nul \0"}, "c.jsonl:2: has a NUL character"),
        ({"id": "nul \0", "text": "x"}, "c.jsonl:2: has a NUL character"),
        ({"text": "x", "tags": ["nul \0"]}, "c.jsonl:2: has a NUL character"),
        ({"id": 10**600, "text": "x"}, "c.jsonl:2: id is a text of 1 to"),
        ({"text": "x", "time": 10**400}, "c.jsonl:2: time is a date"),
        ({"text": "x", "time": 1_764_000_000_000}, "c.jsonl:2: time is a date"),
        ("[" * 100_000, "c.jsonl:2: is not a row of JSON"),
    ],
)
def test_a_wrong_row_is_told_with_its_line(tmp_path: Path, row: dict[str, object] | str, what: str) -> None:
    """And what would be right."""
    path = rows(tmp_path / "c.jsonl", {"id": "first", "text": "x"}, row)
    with pytest.raises(UsageError) as refused:
        read(path)
    assert what in str(refused.value)


def test_an_id_of_another_file_is_taken_too(tmp_path: Path) -> None:
    """Both places are named."""
    rows(tmp_path / "a.jsonl", {"id": "x", "text": "1"})
    rows(tmp_path / "b.jsonl", {"id": "y", "text": "2"}, {"id": "x", "text": "3"})
    with pytest.raises(UsageError, match=r'b\.jsonl:2: id "x" is taken by .*a\.jsonl:1;'):
        read(tmp_path)


def test_a_text_without_an_id_that_comes_twice_is_one_passage(tmp_path: Path) -> None:
    """As in a document."""
    assert len(read(rows(tmp_path / "c.jsonl", {"text": "x"}, {"text": "x"}))) == 1


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("empty.md", b"", "holds no passage"),
        ("empty.jsonl", b"\n\n", "holds no passage"),
        ("headings.md", b"# A\n## B\n", "holds no passage"),
        ("binary.txt", b"a\nb\0c", "binary.txt:2: is no text: it has a NUL character"),
        ("latin.txt", b"a\ncaf\xe9", "latin.txt:2: is not UTF-8 here"),
        ("rows.jsonl", b'{"text": "a"}\n\xff\xfe', "rows.jsonl:2: "),
        ("marked.md", b"\xef\xbb\xbfa", "byte order mark"),
        ("image.png", b"\x89PNG", "is none of .md, .txt, .jsonl"),
    ],
)
def test_what_is_no_corpus_is_refused(tmp_path: Path, name: str, data: bytes, what: str) -> None:
    """Empty, binary or of another kind."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError) as refused:
        read(tmp_path / name)
    assert what in str(refused.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """None, a pipe, which is not waited for, a folder of nothing, a link that leads elsewhere."""
    os.mkfifo(tmp_path / "pipe.md")
    (tmp_path / "inside").mkdir()
    for path, what in (
        (tmp_path / "none.md", "no such file"),
        (tmp_path / "pipe.md", "not a regular file"),
        (tmp_path / "inside", "without a file"),
        (tmp_path / ("a" * 5_000), "file name too long"),
    ):
        with pytest.raises(UsageError, match=what):
            read(path)
    (tmp_path / "secret.txt").write_text("x")
    (tmp_path / "inside" / "a.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(UsageError, match="leads out of its folder"):
        read(tmp_path / "inside")


def test_a_folder_that_cannot_be_looked_into_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is not taken for an empty one."""
    (tmp_path / "shut").mkdir()
    (tmp_path / "open.md").write_text("Finn lives in Oslo.")
    look = os.scandir

    def refusing(path: str) -> object:
        if Path(path).name == "shut":
            raise PermissionError(13, "Permission denied", path)
        return look(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(UsageError, match=r"shut: cannot be read: permission denied"):
        read(tmp_path)


def test_a_file_whose_name_is_no_text_is_named(tmp_path: Path) -> None:
    """Its passages could have no document."""
    try:
        (tmp_path / "\udcff.md").write_text("Finn lives in Oslo.")
    except OSError:
        pytest.skip("this file system has no such names")
    with pytest.raises(UsageError, match="its name is not UTF-8"):
        read(tmp_path)


def test_a_huge_text_is_refused_by_its_limit_and_a_huge_row_by_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is in memory."""
    monkeypatch.setattr(reading, "MOST_TEXT_BYTES", 1 << 20)
    monkeypatch.setattr(reading, "MOST_ROW_BYTES", 1 << 20)
    with (tmp_path / "huge.txt").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(UsageError, match="is larger than 1 MB"):
        read(tmp_path / "huge.txt")
    (tmp_path / "huge.txt").rename(tmp_path / "huge.jsonl")
    with pytest.raises(UsageError, match=r"huge\.jsonl:1: is a row of more than 1 MB"):
        read(tmp_path / "huge.jsonl")


def test_rows_come_as_they_are_read(tmp_path: Path) -> None:
    """A file whose end is wrong has given its beginning, and one with too many passages says where to go."""
    path = rows(tmp_path / "c.jsonl", {"id": "a", "text": "a"}, "{")
    found = each(path)
    assert next(found).id == "a"
    with pytest.raises(UsageError, match="jsonl:2"):
        next(found)


def test_too_many_passages_belong_into_a_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And that is said."""
    monkeypatch.setattr(reading, "MOST_PASSAGES", 1)
    with pytest.raises(UsageError, match="gemma-eval memory add"):
        read(rows(tmp_path / "c.jsonl", {"text": "a"}, {"text": "b"}))
