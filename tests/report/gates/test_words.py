"""Every verdict has its words, and what is worse comes first."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from gemma_eval.records import Tier, Verdict
from gemma_eval.report.gates.words import (
    WORDS,
    Level,
    account,
    allowed,
    compared,
    is_held_back,
    level,
    metric_of,
    notes,
    present,
    tally,
    worst_first,
)
from tests.report.gates.example_gating import TTFT, every, gate, gated, gating, tainted

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
TIERS: tuple[Tier, ...] = get_args(Tier)


def test_every_verdict_has_words_and_an_example() -> None:
    """One sentence each: what is known, and what to do."""
    assert set(WORDS) == set(VERDICTS) == {each.comparison.verdict for each in every()}
    for words in WORDS.values():
        assert words.sentence == f"{words.known}: {words.to_do}."
        assert "." not in words.known + words.to_do


def test_the_worst_comes_first_and_then_the_tier() -> None:
    """What is proved to be worse before what is not known, and that before what passed."""
    ordered = worst_first(every())
    verdicts = [each.comparison.verdict for each in ordered]
    assert verdicts[0] == "REGRESSED"
    assert verdicts[-1] == "PASS"
    assert list(dict.fromkeys(verdicts)) == list(WORDS) == list(present(ordered))
    ttft = [gated(gate("ttft", "ttft_s", line=1, tier=tier), TTFT) for tier in reversed(TIERS)]
    assert [each.gate.tier for each in worst_first(ttft)] == list(TIERS)


def test_verdicts_are_counted() -> None:
    """The worst first."""
    assert tally(every()).startswith("3 REGRESSED, 1 MISSING")
    assert tally(every()).endswith("4 PASS")
    assert tally([]) == ""


@pytest.mark.parametrize(
    ("verdict", "levels"),
    [
        ("REGRESSED", ("error", "warning", "note")),
        ("MISSING", ("error", "warning", "note")),
        ("INCONCLUSIVE", ("warning", "warning", "note")),
        ("INVALID", ("warning", "warning", "note")),
        ("INCOMPLETE", ("warning", "warning", "note")),
        ("INCOMPARABLE", ("warning", "warning", "note")),
        ("NEW", ("note", "note", "note")),
        ("ACCEPTED", ("note", "note", "note")),
        ("PASS", (None, None, None)),
    ],
)
def test_tier_and_verdict_say_how_loudly_it_is_told(
    verdict: Verdict, levels: tuple[Level | None, ...]
) -> None:
    """Only what is proved of a critical gate is an error."""
    told = [gated(gate("g", "ttft_s", line=1, tier=tier), replace(TTFT, verdict=verdict)) for tier in TIERS]
    assert tuple(map(level, told)) == levels


def test_what_was_compared_is_told() -> None:
    """Both runs with their commits, how the base was found, blocks, changes and notes."""
    told = list(compared(gating()))
    assert told[0] == (
        "Candidate 20261129T040000-b8797bf against base 20261129T035900-51ed33a (commit 51ed33a6a3ef): "
        "the checkout of origin/main, measured in turns."
    )
    assert told[1:] == [
        "Both were measured in turns, 12 blocks.",
        "What sets them apart: template rag: 212 → 260 characters.",
        "3 of 15 gates are of a base on another machine",
    ]
    assert list(compared(replace(gating(), blocks=None)))[1] == "Each was measured in a run of its own."
    nothing = "Both were measured in one session, and nothing was timed."
    assert list(compared(replace(gating(), blocks=0)))[1] == nothing


def test_the_id_of_the_base_is_told_once() -> None:
    """Where how it was found begins with it."""
    base = gating().base
    for found, how in ((f"run {base}", "."), (f"run {base}, the newest of main", ": the newest of main.")):
        assert next(iter(compared(replace(gating(), found=found)))).endswith(f"(commit 51ed33a6a3ef){how}")


def test_a_run_without_a_base_says_why() -> None:
    """And nothing of how both were measured."""
    alone = replace(gating(), base=None, found="no base: no run is recorded yet", changes=(), notes=())
    assert list(compared(alone)) == ["Candidate 20261129T040000-b8797bf; no base: no run is recorded yet."]


def test_a_gate_is_named_with_its_percentile() -> None:
    """And what it allows as a change of the metric, or as a limit."""
    by_id = {each.gate.id: each for each in every()}
    assert metric_of(by_id["ttft-p95"].gate) == "ttft_s p95"
    assert allowed(by_id["ttft-p50"]) == "+5.0 %"
    assert allowed(by_id["quality"]) == "-0.020"
    assert allowed(by_id["limit"]) == "at most 2.00 s"
    least = replace(by_id["quality"], gate=replace(by_id["quality"].gate, limit=0.9))
    assert allowed(least) == "at least 0.90"


def test_what_only_the_family_holds_back_is_told_with_both_p() -> None:
    """Its low bound is above the margin, and it is not called REGRESSED."""
    held = [each for each in every() if is_held_back(each)]
    assert [each.gate.id for each in held] == ["ttft-p95"]
    assert "p 0.031 by itself, 0.124 among the gates of its tier" in notes(held[0])
    half = held[0].comparison.margin / 2
    unproved = replace(held[0], comparison=replace(held[0].comparison, low=half))
    assert not any("by itself," in note for note in notes(unproved))


def test_an_acceptance_is_told_with_its_reason_and_its_end() -> None:
    """Also where it did not help."""
    found = {each.comparison.verdict: notes(each) for each in every() if each.acceptance is not None}
    said = "citations make the prompt longer (Mia, 2026-11-01)"
    assert f"accepted until 2026-12-24 at +12.0 %: {said}" in found["ACCEPTED"]
    assert (
        f"it was accepted at +2.0 % until 2026-12-24, which does not cover it: {said}" in found["REGRESSED"]
    )


def test_one_line_tells_everything_of_a_gate() -> None:
    """The verdict, values, change, bounds, data, notes and what to do."""
    told = account(every()[-1])
    assert told.startswith(
        "REGRESSED: ttft_s of greedy · rag: 12.3 ms → 14.1 ms, +14.6 % [+9.1 %, +20.4 %], 12"
    )
    assert "+5.0 % is allowed" in told
    assert told.endswith(WORDS["REGRESSED"].sentence)
    missing = next(each for each in every() if each.comparison.verdict == "MISSING")
    assert account(missing).startswith("MISSING: ttft_s of greedy · lost: base 12.3 ms, candidate –;")  # noqa: RUF001


def test_no_word_of_others_breaks_a_line_or_acts_on_a_terminal() -> None:
    """Controls are pictures, and every text is one line."""
    found = tainted()
    for text in (*compared(found), *map(account, found.gated)):
        assert "\n" not in text
        assert not set(text) & set("\x1b\r\u202e")
        assert "␛[31m" in text or "measured in a run" in text


def told_levels(page: str) -> dict[tuple[str, str], str]:
    """Return the level that a page's table gives each verdict in each tier."""
    head, *rows = re.findall(
        r"^\| (.*) \|$", page[page.index("| | critical") :].partition("\n\n")[0], re.MULTILINE
    )
    tiers = [cell.strip() for cell in head.split("|")][1:]
    return {
        (verdict, tier): word.strip()
        for row in rows
        for tier, word in zip(tiers, row.split("|")[1:], strict=True)
        for verdict in re.findall(r"`(\w+)`", row)
    }


def test_the_page_has_the_levels_that_are_used() -> None:
    """Of every verdict in every tier."""
    page = (Path(__file__).parents[3] / "docs" / "ci.md").read_text(encoding="utf-8")
    expected = {
        (verdict, tier): level(gated(gate("g", "ttft_s", line=1, tier=tier), replace(TTFT, verdict=verdict)))
        or "–"  # noqa: RUF001
        for verdict in VERDICTS
        for tier in TIERS
    }
    assert told_levels(page) == expected
    assert told_levels(page.replace("| error |", "| warning |")) != expected
