"""Whether what an answer says stands in the passages that the model read, without asking a judge."""

from __future__ import annotations

from gemma_eval.protocols import PassagesScorer
from gemma_eval.records import Case, Given, Options
from gemma_eval.scoring.findings import Finding, quoted, unjudged
from gemma_eval.scoring.options import CheckOptions
from gemma_eval.scoring.retrieval_abstention import says_it_does_not_know
from gemma_eval.scoring.retrieval_citation import without_citations
from gemma_eval.scoring.retrieval_passages import OfPassages, in_prompt
from gemma_eval.scoring.retrieval_words import in_a_row, occurs, said

_MOST_NAMED = 5


def groundedness(options: Options) -> PassagesScorer:
    """Of the numbers, names and other words with a meaning in the answer, the share that a passage has too.

    Those of the question are no invention and count as found. The figure `span` is 1 where the whole answer
    stands in one passage, word by word. An answer that says that it does not know invents nothing and has 1;
    one without such a word, as *Yes.*, is unscored. It shows what is made up of other words; what puts the
    words of the passages together wrongly it does not see.
    """
    CheckOptions("groundedness", options, known=())

    def find(case: Case, given: Given) -> Finding:
        text = without_citations("" if given.generation is None else given.generation.text)
        answer, passages = said(text), in_prompt(given)
        if says_it_does_not_know(text):
            return Finding(value=1.0, answer=text.strip())
        if not answer:
            return unjudged(text.strip(), "the answer has no number and no word with a meaning of its own")
        there = {key for each in (case.query, *(passage.text for passage in passages)) for key in said(each)}
        missing = [written for key, written in answer.items() if key not in there]
        span = any(occurs(in_a_row(text), in_a_row(passage.text)) for passage in passages)
        return Finding(
            value=(len(answer) - len(missing)) / len(answer),
            answer=text.strip(),
            why=f"in no passage: {_named(missing)}" if missing else "",
            figures={"span": float(span), "n_words": len(answer), "n_missing": len(missing)},
        )

    return OfPassages(name="groundedness", find=find, needs=("answer",))


def _named(words: list[str]) -> str:
    more = len(words) - _MOST_NAMED
    return f"{quoted(*words[:_MOST_NAMED])} and {more} more" if more > 0 else quoted(*words)
