"""The Markdown report says what was measured, and nothing that a model wrote is markup in it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gemma_eval.records import Failure, Report, Skipped
from gemma_eval.report.markdown import MOST_BYTES, Markdown
from gemma_eval.report.markdown_text import fence, inline
from gemma_eval.stats.summary import summarise
from tests.examples import a_generation, a_run, an_outcome
from tests.report.example import Shape, example, report_of, with_text
from tests.report.timed import OPEN, Timed, answer, cell_of, outcome_of, timed_run

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=40) | st.text(
    "`|\\*_[]()<>@#\n~: a"
)
HOSTILE = (
    "a|b\n\n# heading\n\n@everyone [x](http://e) *a* ~~b~~ ![i](http://e/i) "
    "<script>alert(1)</script> ``` \x1b[2J \u202e \ud800 `"
)


def sections(text: str) -> dict[str, list[str]]:
    """Return the lines of each second-level section, with what is inside fences left out."""
    found: dict[str, list[str]] = {"": []}
    lines = without_fences(text)
    name = ""
    for line in lines:
        if line.startswith("## "):
            name = line[3:]
            found[name] = []
        found[name].append(line)
    return found


def without_fences(text: str) -> list[str]:
    """Read fences as CommonMark does: one ends at a line of at least as many backticks and nothing else."""
    outside: list[str] = []
    ticks = ""
    for line in text.split("\n"):
        if ticks:
            closing = re.fullmatch(r" {0,3}(`{3,}) *", line)
            ticks = "" if closing and len(closing[1]) >= len(ticks) else ticks
        elif opening := re.match(r" {0,3}(`{3,})[^`]*$", line):
            ticks = opening[1]
        else:
            outside.append(line)
    assert not ticks, "a fence is left open"
    return outside


def cells(line: str) -> list[str]:
    """Split a table row at the bars that are not escaped."""
    return [cell.strip() for cell in re.split(r"(?<!\\)(?:\\\\)*\|", line.strip().strip("|"))]


def rows(report: Report, section: str) -> list[list[str]]:
    """Return the rows of the table in a section, without its head."""
    lines = [line for line in sections(Markdown().render(report))[section] if line.startswith("|")]
    return [cells(line) for line in lines[2:]]


def test_the_summary_table_has_a_row_for_each_group() -> None:
    """Model, profile and template, score with interval, TTFT, rate, memory, and what they rest on."""
    outcomes = [an_outcome("a"), an_outcome("b"), an_outcome("c", value=0.0)]
    assert rows(report_of(outcomes), "Results") == [
        ["scripted", "greedy", "rag", "0.67 [0.21, 0.94]", "10.0 ms", "–", "50.0", "200 MB", "3", "3"]  # noqa: RUF001
    ]


def test_what_was_not_measured_is_a_dash_with_its_count() -> None:
    """A failed trial is missing, not zero."""
    failed = replace(an_outcome(), generation=None, measurement=None, scores=())
    failed = replace(failed, failure=Failure(kind="timeout", message="no token for 30 s"))
    report = Report(run=a_run(planned=1), outcomes=(failed,), summaries=summarise([failed]))
    text = Markdown().render(report)
    dash = "–"  # noqa: RUF001
    assert rows(report, "Results") == [
        ["scripted", "greedy", "rag", *[dash] * 5, "0 (1 missing)", "0 (1 missing)"]
    ]
    assert list(sections(text))[:3] == ["", "Failures", "Results"]
    assert "### timeout: 1 trial" in text
    assert "```text\nno token for 30 s\n```" in text


def test_a_run_without_failures_has_no_failures_section() -> None:
    """Nor a section of lost points when none were lost."""
    text = Markdown().render(report_of([an_outcome()]))
    assert list(sections(text)) == ["", "Results", "Cases", "What was run"]
    assert "Measuring adds" not in text


def test_it_says_what_was_run() -> None:
    """Model, host, suite, commit, command: what a reader needs to run it again."""
    text = "\n".join(sections(Markdown().render(example(Shape(cases=2))))["What was run"])
    facts = ("standard", "Example CPU at 2.4 GHz", "3f4a58d0c1e2b3a4958677665544332211009988")
    for fact in (*facts, "numpy_gemma 0.1.0", "pytest --gemma-suite standard"):
        assert fact in text


def test_repeats_of_a_case_are_one_row() -> None:
    """The mean over the repeats, and how many they were."""
    outcomes = [an_outcome(repeat=0, value=1.0), an_outcome(repeat=1, value=0.5)]
    assert rows(report_of(outcomes), "Cases") == [
        ["home", "scripted", "greedy", "rag", "0.75", "open", "10.0 ms", "50.0", "2"]
    ]


def test_equal_reports_give_equal_bytes() -> None:
    """Also when their mappings were filled in another order."""
    report = example(Shape(cases=4))
    versions = dict(reversed(list(report.run.host.versions.items())))
    other = replace(report, run=replace(report.run, host=replace(report.run.host, versions=versions)))
    assert other == report
    assert Markdown().render(other) == Markdown().render(report) == Markdown().render(example(Shape(cases=4)))


def test_a_large_run_stays_below_the_limit_and_says_what_is_left_out() -> None:
    """Long answers in many trials: tables and texts are cut, each with the number that is missing."""
    outcomes = [
        replace(an_outcome(f"case-{i}", value=0.0), generation=a_generation("long \u202e answer " * 800))
        for i in range(6000)
    ]
    loads = [
        outcome_of(cell_of(f"load-{i} \u202e", load=OPEN), answer(20, 40, sent_ms=9, scheduled_ms=0))
        for i in range(400)
    ]
    skipped = tuple(
        Skipped(model="m", profile=f"p{i}", reason="because \u202e " * 9, cells=1) for i in range(3000)
    )
    report = report_of([*outcomes, *loads])
    text = Markdown().render(replace(report, run=replace(report.run, skipped=skipped)))
    assert 400_000 < len(text.encode()) < MOST_BYTES
    assert re.search(r"\n[\d ]+ more rows are in `results.json`\.\n", text)
    assert re.search(r"\n[\d ]+ more answers are in `results.json`\.\n", text)
    assert re.search(r"\n[\d ]+ more sentences about them are in `report.html`\.\n", text)


def html(text: str) -> str:
    """Render as a code host does: CommonMark with raw HTML, tables and strikethrough."""
    renderer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return str(renderer.render(text))


def test_a_noisy_run_says_so_before_anything_else() -> None:
    """As a quotation in bold, before the short of it."""
    text = Markdown().render(timed_run(Timed(repeats=1)))
    assert text.index("> **This run is noisy: some task") < text.index("**In short:**")
    assert "noisy" not in Markdown().render(timed_run(Timed(repeats=1, noisy=False)))


def test_benchmarks_and_loads_have_a_row_each() -> None:
    """With all their figures in one line, and sentences about what does not compare."""
    run = timed_run()
    first = rows(run, "Benchmarks")[0]
    assert first[:4] == ["read-128", "small", "128", "16"]
    assert first[4].startswith("35.9 ms [")
    assert first[5].endswith("(by the engine)")
    closed, opened = rows(run, "Under load")
    assert closed[:4] == [
        "four-at-once",
        "small",
        "closed, 4 at once",
        "35 of 38 ok (2 warm-up, 2 server_error, 1 timeout)",
    ]
    assert opened[7].startswith("1.07 s (sent 118 ms)")
    text = Markdown().render(run)
    assert "requests waited on this side" in text
    assert "answers differ in length" in text
    assert "Measuring adds 2.13 µs per token" in text


def test_what_a_model_cannot_run_is_listed_with_the_reason() -> None:
    """Instead of silence."""
    assert rows(timed_run(Timed(repeats=1)), "What a model cannot run")[0] == [
        "large",
        "mirostat",
        "6",
        'the backend "gemma_cpp" has no mirostat',
    ]


def test_a_broken_answer_shows_what_had_come() -> None:
    """Where anything had; thoughts and calls as such."""
    run = timed_run(Timed(models=("small",), repeats=1))
    text = "\n".join(sections(Markdown().render(run))["Answers that lost points"])
    assert "what-may-happen[small/greedy/plain] repeat 0" in text
    assert "Answer, as far as it had come:" in text
    assert "four-at-once[small/greedy/plain] repeat 17" not in text
    failed = replace(an_outcome(value=0.0), generation=replace(a_generation(), reasoning="Hm."))
    assert "Reasoning:" in Markdown().render(report_of([failed]))


@pytest.mark.parametrize(
    "report", [example(Shape(cases=3)), timed_run(Timed(repeats=2))], ids=["scored", "timed"]
)
def test_hostile_text_everywhere_stays_text(report: Report) -> None:
    """In ids, names, answers, explanations and errors at once, as an independent renderer sees it."""
    text = Markdown().render(with_text(report, HOSTILE))
    page = html(text)
    for markup in ("<script", "<a ", "<img", "<em>", "<s>", "\x1b", "\u202e"):
        assert markup not in page
    assert page.count("<h1>") == 1
    assert "@everyone" not in "\n".join(without_fences(text))
    for name, lines in sections(text).items():
        lengths = {len(cells(line)) for line in lines if line.startswith("|")}
        assert len(lengths) <= 1, f"a row of {name} has another number of cells"
    text.encode()


def test_the_check_for_hostile_text_sees_it_unescaped() -> None:
    """The positive control: without the guard the same text is markup to the renderer."""
    page = html(f"# Run {HOSTILE}")
    assert page.count("<h1>") == 2
    for markup in ("<script", "<a ", "<img", "<em>", "<s>", "\x1b"):
        assert markup in page


@settings(max_examples=200)
@given(ANY_TEXT)
def test_an_inline_text_is_one_line_without_markup(text: str) -> None:
    """The law of `inline`, for any text at all."""
    written = inline(text)
    assert "\n" not in written
    assert not set(written) & set("<>")
    assert not re.search(r"@\w", written)
    assert len(cells(f"| {written} |")) == 1
    assert not re.search(r"(?<!\\)(?:\\\\)*`", written)
    assert "](" not in written.replace("\\](", "")
    written.encode()


@settings(max_examples=200)
@given(ANY_TEXT)
def test_nothing_gets_out_of_a_fence(text: str) -> None:
    """What follows a fence is outside it, and nothing before."""
    assert without_fences(f"before\n{fence(text)}\nafter") == ["before", "after"]
    fence(text).encode()


@pytest.mark.parametrize("name", ["min_p", "rag-cited", "greedy", "gemma-3.1b", "a.b:c", "where[1]"])
def test_ordinary_names_are_left_alone(name: str) -> None:
    """A report is read raw as often as rendered."""
    assert inline(name) == name
