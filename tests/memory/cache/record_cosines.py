"""Writes cosines.json: those of all pairs of `suites/data/near_misses.jsonl`, by MiniLM, which takes minutes.

python -m tests.memory.cache.record_cosines
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from gemma_eval import plugins
from gemma_eval.cli.memory_given import embedder
from gemma_eval.memory.cache.key import normalised
from gemma_eval.memory.cache.pairs import embedded, read_pairs

PAIRS = Path(__file__).parents[3] / "suites" / "data" / "near_misses.jsonl"
TABLE = Path(__file__).parent / "cosines.json"


def main() -> None:
    """Embed all questions and write their cosines, with the hash of the file that they are of."""
    pairs = read_pairs(PAIRS)
    vectors = embedded(pairs, embedder("minilm", plugins.load()))
    cosines = {
        pair.id: round(
            float(vectors.known[normalised(pair.first)] @ vectors.known[normalised(pair.second)]), 5
        )
        for pair in pairs
    }
    write(cosines, embedder_id=vectors.id)


def write(cosines: dict[str, float], *, embedder_id: str) -> None:
    """Write the table."""
    sha256 = hashlib.sha256(PAIRS.read_bytes()).hexdigest()
    table = {"sha256": sha256, "embedder": embedder_id, "cosines": cosines}
    TABLE.write_text(json.dumps(table, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
