"""The scorer of how few letters must be changed to make a reference of an answer."""

from __future__ import annotations

from gemma_eval.protocols import Scorer
from gemma_eval.records import Options
from gemma_eval.scoring.findings import Finding, best, quoted, scorer_of
from gemma_eval.scoring.options import CheckOptions


def levenshtein(options: Options) -> Scorer:
    """1 - d / n, with d the edits between answer and `text` and n the length of the longer one.

    Edits insert, delete or replace a character; space around both does not count. Of several texts the
    nearest counts. With `max_distance` the value is 1 up to that many edits, else 0. `ignore_case` makes case
    not matter. Source: Levenshtein 1966, "Binary codes capable of correcting deletions, insertions and
    reversals".
    """
    from rapidfuzz.distance import Levenshtein

    given = CheckOptions("levenshtein", options, known=("text", "max_distance", "ignore_case"))
    most = given.whole("max_distance")
    fold = str.casefold if given.flag("ignore_case") else str
    wanted = [text.strip() for text in given.texts("text")]

    def compare(text: str, reference: str) -> Finding:
        left, right = fold(text.strip()), fold(reference)
        edits = Levenshtein.distance(left, right)
        longest = max(len(left), len(right))
        likeness = 1 - edits / longest if longest else 1.0
        value = likeness if most is None else float(edits <= most)
        counted = "1 edit" if edits == 1 else f"{edits} edits"
        why = "" if value == 1 else f"{counted} from {quoted(reference)}"
        return Finding(
            value=value, answer=text.strip(), why=why, figures={"edits": edits, "likeness": likeness}
        )

    def find(text: str) -> Finding:
        return best([compare(text, reference) for reference in wanted])

    return scorer_of("levenshtein", find)
