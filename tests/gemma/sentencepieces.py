"""A small SentencePiece model with Gemma's settings: as sentencepiece trains it, and in a model folder."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import required
from tests.gemma.tiny import write_model

SPACE = "▁"
CONTROL = ("<start_of_turn>", "<end_of_turn>")
USER_DEFINED = ("\n", "\n\n", "\t", "<h1>", *(SPACE * run for run in range(2, 17)))
LINES = (
    "The harbour has a lighthouse, two cranes and a cat that sleeps on the ropes.",
    "Ada lives in Rome; Finn lives in Oslo. Who lives in Oslo? Finn lives in Oslo.",
    "1 + 1 = 2, 12 * 34 = 408, 3.14159 and 2,718 are numbers.",
    "Straße, naïve, café, señor, Ångström, œuvre",
    "東京 と 大阪 は 日本 の 都市 です。 привет мир, как дела?",
    "def main():    return {'key': [1, 2, 3]}",
)


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """What sentencepiece learned; `encode` is its own."""

    processor: Any

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the ids that sentencepiece gives a text without special tokens."""
        return tuple(self.processor.EncodeAsIds(text))

    @property
    def tokens(self) -> tuple[str, ...]:
        """The text of each id."""
        return tuple(self.processor.IdToPiece(index) for index in range(self.processor.GetPieceSize()))

    @property
    def scores(self) -> tuple[float, ...]:
        """The score of each id."""
        return tuple(self.processor.GetScore(index) for index in range(self.processor.GetPieceSize()))


def train() -> Pieces:
    """Train BPE with byte fallback, no dummy prefix, single digits and kept spaces, as Gemma's is."""
    sentencepiece = required.module("sentencepiece", extra="test")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES * 3),
        model_writer=model,
        model_type="bpe",
        vocab_size=460,
        byte_fallback=True,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        split_digits=True,
        character_coverage=0.98,
        pad_id=0,
        eos_id=1,
        bos_id=2,
        unk_id=3,
        pad_piece="<pad>",
        eos_piece="<eos>",
        bos_piece="<bos>",
        control_symbols=list(CONTROL),
        user_defined_symbols=list(USER_DEFINED),
        minloglevel=2,
    )
    return Pieces(processor=sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()))


def write_folder(folder: Path, pieces: Pieces) -> Path:
    """Write a random Gemma 3 whose tokenizer.json says what Hugging Face makes of such a model."""
    tokens, scores = pieces.tokens, pieces.scores
    write_model(folder, config={"vocab_size": len(tokens)})
    known = set(tokens)
    merges = [
        (scores[tokens.index(token)], token[:cut], token[cut:])
        for token in tokens
        for cut in range(1, len(token))
        if {token[:cut], token[cut:]} <= known
    ]
    specials = ("<pad>", "<eos>", "<bos>", "<unk>", *CONTROL)
    content = {
        "version": "1.0",
        "added_tokens": [
            {
                "id": tokens.index(token),
                "content": token,
                "special": token in specials,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
            }
            for token in (*specials, *USER_DEFINED)
        ],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": {token: index for index, token in enumerate(tokens)},
            "merges": [[left, right] for _, left, right in sorted(merges, key=lambda merge: -merge[0])],
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(content))
    return folder
