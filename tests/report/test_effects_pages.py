"""What profile and template do stands in the page and in Markdown, in words that its figures bear out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from markdown_it import MarkdownIt

from gemma_eval.records import Report
from gemma_eval.report.effect_rows import MOST_ROWS, EffectTables, effect_tables
from gemma_eval.report.effects import Effects, effects_of
from gemma_eval.report.grid import grids
from gemma_eval.report.html import Html
from gemma_eval.report.markdown import MOST_BYTES, Markdown
from gemma_eval.stats.layout import FTest
from gemma_eval.stats.selection import HALVINGS, Best
from tests.report.crossed import Array, Crossed, crossed, drawn, outcomes
from tests.report.example import report_of

HOSTILE = "a|b <script>alert(1)</script> *x* `y` \x1b[2J\u202e @every"


def tables_of(report: Report) -> EffectTables:
    """Return the only tables of a report."""
    (found,) = effect_tables(report)
    return found


def said(found: EffectTables) -> dict[str, str]:
    """Return the sentences by what they are about."""
    return {finding.topic: finding.text for finding in found.findings}


def tones(found: EffectTables) -> dict[str, str]:
    """Return whether each is shown."""
    return {finding.topic: finding.tone for finding in found.findings}


def planted(seed: int = 2, *, both: float = 0.0) -> Array:
    """Return scores with a better template, a worse profile, and something that only both do."""
    scores = drawn(seed, (40, 2, 3, 1), spread=0.05)
    scores[:, :, 1] += 0.2
    scores[:, 1] -= 0.1
    scores[:, 1, 1] -= both
    return np.clip(scores, 0, 1)


def test_what_was_planted_is_said() -> None:
    """The best pair, both effects, and that there is no interaction."""
    found = tables_of(crossed(planted()))
    text = said(found)
    assert text["Best"].startswith("greedy · rag has the highest score, 0.")
    assert text["Best"].endswith("; each of the 5 others is proved to be lower.")
    assert text["Profile"].startswith("than greedy, hot is lower by 0.")
    assert text["Template"].startswith("than plain, rag is higher by 0.")
    assert "cited" not in text["Template"]
    assert text["Together"].startswith("no interaction is shown (F(")
    assert "as far as 40 data tell" in text["Together"]
    shown = {topic for topic, tone in tones(found).items() if tone == "shown"}
    assert shown == {"Best", "Profile", "Template"}


def test_an_interaction_is_said_to_choose_the_pair() -> None:
    """With the pair that is furthest from the sum of both."""
    found = tables_of(crossed(planted(both=0.3)))
    assert said(found)["Together"].startswith("what a template does depends on the profile (F(")
    assert "choose the pair" in said(found)["Together"]
    assert tones(found)["Together"] == "shown"
    assert found.parts[-1].rows[0].standing in ("higher", "lower")


def test_scores_that_differ_in_nothing_are_not_said_to() -> None:
    """Neither a best pair nor an effect."""
    found = tables_of(crossed(drawn(4)))
    text = said(found)
    assert text["Best"].startswith("no pair is proved to be best or lower than the best: ")
    assert text["Profile"].startswith("no difference is shown (F(1, 29) = ")
    assert set(tones(found).values()) == {"open"}
    assert {row.standing for row in found.ranking[1:]} == {"may be as good"}


def test_sentences_have_the_figures_of_the_tests() -> None:
    """F, its corrected degrees of freedom, p, and the change with its bounds."""
    report = crossed(planted())
    (grid,) = grids(report)
    found = cast(Effects, effects_of(grid))
    test = cast(FTest, found.factors[1].test)
    df = [f"{test.epsilon * each:.1f}".removesuffix(".0") for each in (test.df_effect, test.df_error)]
    assert test.p < 0.001
    assert f"(F({df[0]}, {df[1]}) = " in said(tables_of(report))["Template"]
    assert "p < 0.001)" in said(tables_of(report))["Template"]
    change = next(each.change for each in found.factors[1].levels if each.name == "rag")
    assert change is not None
    assert (
        f"by {change.value:.3f} [{change.low:+.3f}, {change.high:+.3f}]"
        in said(tables_of(report))["Template"]
    )


def halved(scores: Array, *, halvings: int = 4000) -> tuple[list[float], float]:
    """Return what choices by half of the cases lose on the other half, and how often it is that of all."""
    random = np.random.default_rng(99)
    columns = scores.reshape(len(scores), -1)
    best, again, lost = int(columns.mean(axis=0).argmax()), 0, []
    for _ in range(halvings):
        mask = np.zeros(len(scores), dtype=bool)
        mask[random.choice(len(scores), len(scores) // 2, replace=False)] = True
        at = int(columns[mask].mean(axis=0).argmax())
        lost.append(float(columns[mask, at].mean() - columns[~mask, at].mean()))
        again += at == best
    return lost, again / halvings


def test_the_luck_of_the_choice_is_that_of_halves() -> None:
    """Against other halves of the same cases, twenty times as many."""
    scores = drawn(4)[..., 0]
    report = crossed(scores[..., None])
    found = cast(Best[tuple[str, str]], cast(Effects, effects_of(grids(report)[0])).best)
    lost, again = halved(scores)
    error = float(np.std(lost)) / HALVINGS**0.5
    assert found.flattery == pytest.approx(float(np.mean(lost)), abs=3.5 * error)
    assert found.again == pytest.approx(again, abs=0.1)
    text = said(tables_of(report))["Luck of the choice"]
    assert f"scores {found.flattery:.3f} less on the other half" in text
    assert f"{100 * found.again:.3g}" in text
    assert np.mean(lost) > 3.5 * error


def test_pairs_that_are_equal_share_the_highest_score() -> None:
    """Which of them halves choose says nothing."""
    scores = planted()
    scores[:, 0, 2] = scores[:, 0, 1]
    text = said(tables_of(crossed(scores)))
    assert text["Best"].startswith("greedy · rag and greedy · cited have the highest score, ")
    assert text["Best"].endswith("; the other 4 are proved to be lower.")
    assert "choose the same one" not in text["Luck of the choice"]


def test_what_is_left_out_is_counted() -> None:
    """Cases without a score everywhere, and pairs that never ran."""
    scores = planted()
    scores[:3, 1, 2] = np.nan
    found = tables_of(crossed(scores))
    assert any(note.startswith("3 cases are left out") for note in found.notes)
    assert {row.n for part in found.parts for row in part.rows} == {"37"}
    report = crossed(planted())
    torn = report_of([each for each in report.outcomes if "hot/rag]" not in each.trial.cell.label])
    assert any(note.startswith("hot · rag ran no case") for note in tables_of(torn).notes)
    assert tables_of(torn).parts == ()


def test_nothing_shared_is_said_to_be_nothing() -> None:
    """No case with every score, one, or one cluster."""
    nothing = planted()
    nothing[:20, 0, 0] = nothing[20:, 1, 1] = np.nan
    assert "nothing to compare" in said(tables_of(crossed(nothing)))["Profile and template"]
    assert "only one case" in said(tables_of(crossed(planted()[:1])))["Profile and template"]
    one = crossed(planted(), Crossed(cluster=lambda _: "people"))
    assert "all 40 cases are of one cluster" in said(tables_of(one))["Profile and template"]


def test_clusters_are_what_n_counts() -> None:
    """And few of them make no smallest difference but a limit of it."""
    found = tables_of(crossed(planted(), Crossed(cluster=lambda number: f"c{number % 8}")))
    assert {row.n for row in found.ranking} == {"8"}
    assert any(note.startswith("The 40 cases are in 8 clusters") for note in found.notes)
    assert found.parts[0].rows[1].detectable.startswith("> 0.")
    assert any(note.startswith("“>”") for note in found.notes)


def section(page: str, name: str) -> str:
    """Return a section of the page."""
    return page.partition(f'<section id="{name}"')[2].partition("</section>")[0]


def markdown_tables(text: str) -> list[list[list[str]]]:
    """Return the tables of Markdown as rows of cells, as a reader of it sees them."""
    rows: list[list[list[str]]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "table_open":
            rows.append([])
        elif token.type == "tr_open":
            rows[-1].append([])
        elif token.type == "inline" and rows and token.level > 3:
            rows[-1][-1].append(token.content)
    return rows


def test_the_page_and_markdown_have_every_table_with_n_interval_and_what_would_be_found() -> None:
    """The same rows in both."""
    report = crossed(planted())
    page, text = Html().render(report), Markdown().render(report)
    shown = section(page, "effects")
    assert shown.count("<table") == 3
    assert section(page, "trade").count("<table") == 1
    heads = re.findall(r"<thead>.*?</thead>", shown + section(page, "trade"), re.DOTALL)
    for head in heads:
        assert "95 % interval" in head
        assert "detectable" in head
        assert ">n</th>" in head or ">cases</th>" in head
    tables = [rows for rows in markdown_tables(text) if rows[0][-1] == "detectable"]
    assert [len(rows) - 1 for rows in tables] == [6, 6, 6, 6]
    assert all(len(row) == len(rows[0]) for rows in tables for row in rows)
    for row in tables_of(report).ranking:
        assert row.name in shown
        assert (f">{row.change}</td>" in shown) or row.change == "–"  # noqa: RUF001 - the dash of tables
        assert f"| {row.name} | {row.score} {row.interval} | {row.change} |" in text


def test_one_profile_and_template_have_no_section() -> None:
    """Nor a link to it."""
    report = crossed(planted()[:, :1, :1])
    assert 'id="effects"' not in Html().render(report)
    assert 'href="#effects"' not in Html().render(report)
    assert "What profile and template do" not in Markdown().render(report)
    assert 'href="#effects"' in Html().render(crossed(planted()))


def test_names_are_text_wherever_they_come_from() -> None:
    """In the page no tag, in Markdown no cell and no markup of theirs."""
    names = (f"p {HOSTILE}", f"q {HOSTILE}")
    report = crossed(
        planted()[:, :, :2], Crossed(model=HOSTILE, profiles=names, templates=(f"t {HOSTILE}", "u"))
    )
    page, text = Html().render(report), Markdown().render(report)
    assert "<script>alert" not in page + text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in section(page, "effects")
    assert not set(page + text) & set("\x1b\u202e")
    tables = [rows for rows in markdown_tables(text) if rows[0][-1] == "detectable"]
    assert len(tables) == 4
    assert all(len(row) == len(rows[0]) for rows in tables for row in rows)


def many(models: Sequence[str], profiles: int) -> Report:
    """Return a report of many profiles with long names, for each model."""
    names = tuple(f"profile-{number:03d}-{'x' * 60}" for number in range(profiles))
    found = []
    for model in models:
        of = Crossed(model=model, profiles=names, templates=("plain",))
        found += outcomes(drawn(1, (4, profiles, 1, 1)), of)
    return report_of(found)


def test_many_choices_are_cut_and_counted() -> None:
    """The page stays one that can be read, the Markdown below its size."""
    report = many(("one", "two"), 60)
    first, _ = effect_tables(report)
    assert len(first.ranking) == len(first.ledger) == MOST_ROWS
    assert any("rows are left out" in note for note in first.notes)
    assert len(Markdown().render(report).encode()) < MOST_BYTES
    assert "<h3>two</h3>" in section(Html().render(report), "effects")


def test_equal_reports_give_equal_words() -> None:
    """Halves are drawn from a seed."""
    assert effect_tables(crossed(planted())) == effect_tables(crossed(planted()))
    moved = replace(crossed(planted()), outcomes=crossed(planted(3)).outcomes)
    assert effect_tables(moved) != effect_tables(crossed(planted()))
