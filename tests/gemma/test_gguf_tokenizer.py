"""The tokenizer in a GGUF file gives the ids of llama.cpp, and those of sentencepiece for its tokens."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.errors import ModelNotFound
from gemma_eval.gemma import checkpoint, gguf_write, tokenizer
from tests import required
from tests.gemma import sentencepieces
from tests.gemma.sentencepieces import Pieces
from tests.gemma.tiny import CHAT_TEMPLATE, END_OF_TURN, EOS, merge_a_pair, write_model
from tests.llama_cpp import serve

SPACES = (
    " ",
    "  ",
    "   ",
    "\n",
    "\n\n",
    "\n\n\n",
    "\r\n",
    "\t",
    "\N{NO-BREAK SPACE}",
    "\u3000",
    "\u2028",
    "\x1c",
)
WORDS = ("the", " lives in", "Oslo", "'s", " I'm", "'LL", "naïve", "Straße", "東京", "привет", "e\u0301", "ﬁ")
NUMBERS = ("1", "23", "12345", "3.14", "½", "²", "٣")
SIGNS = ("<h1>", "<0x0A>", "<end_of_turn>", "<start_of_turn>", "$+<=>^~|`", "...", "≠", "_", "\x00")
EMOJI = ("\N{GRINNING FACE}", "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}")
PIECES = st.sampled_from((*SPACES, *WORDS, *NUMBERS, *SIGNS, *EMOJI))
LETTERS = st.characters(exclude_categories=["Cs", "Cn", "Co"], max_codepoint=0x1FAFF)
TEXTS = st.lists(PIECES | LETTERS, max_size=12).map("".join)

SPLITS = ("gpt-2", "smollm", "default")


def pocket_folder(folder: Path, *, split: str) -> Path:
    """Copy the settings of the tokenizer that ships beside a small random model, with that way to split."""
    shipped = Path(gguf_write.__file__).parents[1] / "pocket" / "tokenizer.json"
    content = json.loads(shipped.read_text(encoding="utf-8"))
    if split == "gpt-2":
        content["pre_tokenizer"] = content["pre_tokenizer"]["pretokenizers"][1]
    write_model(folder, config={"vocab_size": len(content["model"]["vocab"])})
    (folder / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A GGUF file for each way to split text before the merges."""
    required.module("gguf", extra="gguf")
    folder = tmp_path_factory.mktemp("byte-level")
    written = {}
    for split in SPLITS:
        path = folder / f"{split}.gguf"
        gguf_write.write(pocket_folder(folder / split, split=split), path, dtype="F32")
        if split == "default":  # what a file means that does not say how
            path.write_bytes(path.read_bytes().replace(b"tokenizer.ggml.pre", b"tokenizer.ggml.nil"))
        written[split] = path
    return written


@pytest.mark.parametrize("split", SPLITS)
def test_byte_level_ids_are_those_of_llama_cpp(files: dict[str, Path], split: str) -> None:
    """Letters of every script, digits, spaces, markup and characters of several code points."""
    ours = checkpoint.load(files[split]).tokenizer
    with serve(files[split], context_tokens=64) as engine:
        agree(ours.encode, engine.tokenize)


def agree(
    ours: Callable[[str], tuple[int, ...]], theirs: Callable[[str], tuple[int, ...]], *, without: str = ""
) -> None:
    """Assert the same ids for any text that has none of the characters in `without`."""

    @given(TEXTS)
    @settings(max_examples=200)
    def same(text: str) -> None:
        asked = text.translate(dict.fromkeys(map(ord, without)))
        assert ours(asked) == theirs(asked)

    same()


@pytest.mark.parametrize("split", ["gpt-2", "smollm"])
def test_the_file_tokenizes_as_the_folder_it_was_made_from(files: dict[str, Path], split: str) -> None:
    """And ends an answer with the same ids."""
    ours = checkpoint.load(files[split]).tokenizer
    folder = tokenizer.load(files[split].with_suffix(""))
    agree(ours.encode, folder.encode)
    agree(
        lambda text: tuple(map(ord, ours.decode(list(ours.encode(text))))),
        lambda text: tuple(map(ord, folder.decode(list(folder.encode(text))))),
    )
    assert ours.stop_ids == folder.stop_ids == {EOS, END_OF_TURN}
    assert ours.chat_template == folder.chat_template == CHAT_TEMPLATE


def test_another_way_to_split_gives_other_ids(files: dict[str, Path]) -> None:
    """The comparison can fail: digits are single tokens in one, not in the other."""
    ids = {split: checkpoint.load(files[split]).tokenizer.encode("12 = 34 …!?") for split in SPLITS}
    with serve(files["default"], context_tokens=64) as engine:
        theirs = engine.tokenize("12 = 34 …!?")
    assert ids["default"] == theirs
    assert ids["smollm"] != theirs or ids["gpt-2"] != theirs


@pytest.fixture(scope="module")
def learned() -> Pieces:
    """A SentencePiece model with Gemma's settings."""
    return sentencepieces.train()


@pytest.fixture(scope="module")
def piece_file(learned: Pieces, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a GGUF file."""
    required.module("gguf", extra="gguf")
    folder = tmp_path_factory.mktemp("pieces")
    gguf_write.write(
        sentencepieces.write_folder(folder / "model", learned), folder / "model.gguf", dtype="F32"
    )
    return folder / "model.gguf"


def test_sentencepiece_ids_are_those_of_llama_cpp(piece_file: Path) -> None:
    """Merges by score, bytes for what no token has, runs of spaces and line ends as one token."""
    ours = checkpoint.load(piece_file).tokenizer
    with serve(piece_file, context_tokens=64) as engine:
        agree(ours.encode, engine.tokenize)


def test_sentencepiece_ids_are_those_of_sentencepiece(learned: Pieces, piece_file: Path) -> None:
    """Of all text but the sign that stands for a space, which llama.cpp reads otherwise as well.

    Its control tokens never come from a text, so there is no markup in these.
    """
    ours = checkpoint.load(piece_file).tokenizer
    agree(ours.encode, learned.encode, without="<▁")


def test_sentencepiece_text_comes_back_whole(piece_file: Path) -> None:
    """Ids to text is the inverse: byte tokens are joined, no space is added or lost."""
    ours = checkpoint.load(piece_file).tokenizer
    for text in ("  two  spaces ", "Ångström\n\n\tx", "\N{GRINNING FACE} ﬁ", "a" * 40):
        assert ours.decode(list(ours.encode(text))) == text
        stream = ours.stream()
        pieces = [stream.push(token) for token in ours.encode(text)]
        assert "".join(pieces) + stream.finish() == text


def test_scores_decide_not_ids(learned: Pieces, piece_file: Path) -> None:
    """The comparison can fail: with other scores the same tokens give other ids."""
    content = piece_file.read_bytes()
    ours = checkpoint.load(piece_file).tokenizer
    wrong = piece_file.with_name("wrong.gguf")
    wrong.write_bytes(content.replace(b"tokenizer.ggml.scores", b"tokenizer.ggml.nothin"))
    with pytest.raises(ModelNotFound, match=r"tokenizer\.ggml\.scores is missing, 460 numbers are needed"):
        checkpoint.load(wrong)
    assert learned.scores[300] > learned.scores[301]
    assert ours.encode("lives in Oslo") == learned.encode("lives in Oslo")


def damaged(folder: Path, old: bytes, new: bytes) -> Path:
    """Return a small file in which a text of the metadata is another of the same length."""
    required.module("gguf", extra="gguf")
    merge_a_pair(write_model(folder / "model"))
    path = folder / "model.gguf"
    gguf_write.write(folder / "model", path, dtype="F32")
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (b"\x04\0\0\0\0\0\0\0gpt2", b"\x04\0\0\0\0\0\0\0bert", "a tokenizer of kind 'bert' is not supported"),
        (b"\x05\0\0\0\0\0\0\0gpt-2", b"\x05\0\0\0\0\0\0\0qwen2", "text is split in the way 'qwen2'"),
        (b"ggml.merges", b"ggml.mergez", "tokenizer.ggml.merges is missing, texts are needed"),
        (b"ggml.tokens", b"ggml.tokenz", "tokenizer.ggml.tokens is missing, texts are needed"),
        (b"\x03\0\0\0\0\0\0\0e r", b"\x03\0\0\0\0\0\0\0e\nx", "its tokenizer cannot be built"),
        (b"\x01\0\0\0\0\0\0\0b", b"\x01\0\0\0\0\0\0\0a", "the tokens 70 and 71 are both 'a'"),
    ],
)
def test_a_tokenizer_that_cannot_be_used_is_one_clear_line(
    tmp_path: Path, old: bytes, new: bytes, complaint: str
) -> None:
    """The message names the file, and llama.cpp where that could run it."""
    path = damaged(tmp_path, old, new)
    with pytest.raises(ModelNotFound) as caught:
        checkpoint.load(path)
    assert str(caught.value).startswith(str(path))
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
