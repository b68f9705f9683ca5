"""Every reason code has words, and sentences about gaps name each once."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gemma_eval.measure import latency
from gemma_eval.report.reasons import WORDS, Lack, codes, in_words, listed, sentences
from gemma_eval.stats.serving import Serving
from tests.examples import an_outcome

CODES = re.compile(r"[a-z]+(?:_[a-z]+)*(?:, [a-z]+(?:_[a-z]+)*)*")


def declared(text: str) -> set[str]:
    """Return the codes of a table in a docstring, where they stand apart from their words."""
    table = text[text.index("reason code") :]
    parts = [part for line in table.splitlines() for part in re.split(" {2,}", line.strip())]
    return {code for part in parts if CODES.fullmatch(part) for code in part.split(", ")}


def missing_words(known: Iterable[str]) -> set[str]:
    """Return the codes of measurements and loads for which there are no words."""
    told = declared(latency.__doc__ or "") | declared(Serving.missing.__doc__ or "")
    assert {"failed", "warmup", "cooldown", "no_tokens", "unavailable", "no_slo"} <= told
    return told - set(known)


def test_every_code_has_words() -> None:
    """As many as the stages declare that give them."""
    assert missing_words(WORDS) == set()


def test_a_code_without_words_would_be_found() -> None:
    """The check above fails on a planted gap."""
    assert missing_words(set(WORDS) - {"retried"}) == {"retried"}


def test_a_code_that_is_not_known_is_not_explained() -> None:
    """A plugin may have its own."""
    assert in_words("odd") == "not measured"


def test_the_codes_of_a_field_are_those_of_the_answers_without_it() -> None:
    """Each once; one that a record leaves out is unknown."""
    measurement = an_outcome().measurement
    assert measurement is not None
    assert codes([measurement], "ttft_s") == ()
    assert codes([measurement, measurement], "queue_delay_s") == ("unknown",)


def test_figures_that_lack_for_one_reason_in_the_same_rows_are_told_together() -> None:
    """Others by themselves, with in how many rows."""
    lacks = [
        Lack(row=0, figure="TTFT", code="not_streamed"),
        Lack(row=0, figure="TPOT", code="not_streamed"),
        Lack(row=0, figure="memory", code="shared"),
        Lack(row=1, figure="memory", code="shared"),
    ]
    told = sentences(lacks, rows=2)
    assert told[0] == "No TTFT and TPOT in 1 of 2 rows (not_streamed): the answers came whole."
    assert told[1].startswith("No memory (shared): the load was watched as a whole")
    assert sentences([], rows=2) == ()


def test_names_are_listed_as_in_a_sentence() -> None:
    """One, two, three."""
    assert [listed(["a", "b", "c"][:n]) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]
