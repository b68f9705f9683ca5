"""Benchmarks, loads and noise in a browser: readable in both themes, on paper, narrow, without scripts."""

from __future__ import annotations

from functools import cache

import pytest
from playwright.sync_api import expect

from gemma_eval.report.html import Html
from tests.browser.conftest import Scheme, Visitor
from tests.browser.test_page import CONTRAST
from tests.report.example import with_text
from tests.report.timed import Timed, timed_run

WRITTEN = (
    *(
        ".band",
        ".band a",
        ".left-out td",
        ".left-out thead th",
        "#benchmarks .lead",
        "#benchmarks figcaption",
    ),
    *("#benchmarks .ticks text", "#benchmarks .title", "#benchmarks .legend li", ".figured tbody th"),
    *(
        ".figured td",
        ".figured .below",
        ".figured .flag",
        ".figured caption",
        "#load .flagged",
        "#latency .note",
    ),
    "#noise dd",
)
CUT = """
() => [...document.querySelectorAll("#benchmarks .chart")].flatMap((chart) => {
  const paper = chart.getBoundingClientRect();
  return [...chart.querySelectorAll("text")].map((text) => text.getBoundingClientRect())
    .filter((box) => box.left < paper.left - 1 || box.right > paper.right + 1);
})
"""


@cache
def text() -> str:
    """Return the page of a noisy run of benchmarks and loads."""
    return Html().render(timed_run())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read_on_its_ground(visitor: Visitor, scheme: Scheme) -> None:
    """A contrast of at least 4.5 to 1 wherever something is written (WCAG 2.2, 1.4.3), and a quiet page."""
    seen = visitor.visit(text(), scheme=scheme)
    contrasts = dict(seen.page.evaluate(CONTRAST, list(WRITTEN)))
    assert {name: ratio for name, ratio in contrasts.items() if ratio < 4.5} == {}
    assert (seen.errors, seen.requests, seen.violations) == ([], [], [])
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_noisy_run_is_seen_first_and_leads_to_the_evidence(visitor: Visitor) -> None:
    """The band is in view when the page opens."""
    page = visitor.visit(text()).page
    expect(page.locator(".band")).to_be_in_viewport()
    page.get_by_role("link", name="The evidence").click()
    expect(page.locator("#noise")).to_be_in_viewport()


def test_tables_and_pictures_need_no_script(visitor: Visitor) -> None:
    """Every case and every load."""
    page = visitor.visit(text(), scripts="off").page
    expect(page.locator("#benchmarks tbody tr")).to_have_count(13)
    expect(page.locator("#load tbody tr")).to_have_count(2)
    expect(page.locator("#benchmarks .chart")).to_have_count(2)


def test_names_of_cases_stay_on_the_paper_of_their_picture(visitor: Visitor) -> None:
    """Measured where they are drawn."""
    assert visitor.visit(text()).page.evaluate(CUT) == []


def test_a_name_that_runs_over_the_edge_would_be_found(visitor: Visitor) -> None:
    """The test above fails on a planted error."""
    longer = text().replace(">chat-of-a-rather-long…<", f">{'chat-of-a-rather-long' * 3}<")
    assert longer != text()
    assert visitor.visit(longer).page.evaluate(CUT) != []


def test_tables_fit_a_page_of_a_laptop(visitor: Visitor) -> None:
    """Nothing is scrolled sideways at 1200 pixels."""
    page = visitor.visit(text()).page
    for section in ("#benchmarks", "#load"):
        frame = page.locator(f"{section} .scroll").last
        assert frame.evaluate("node => node.scrollWidth <= node.clientWidth"), section


def test_a_narrow_screen_scrolls_only_downwards(visitor: Visitor) -> None:
    """Wide tables scroll in their own frame."""
    page = visitor.visit(text()).page
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_print_keeps_tables_pictures_and_the_band(visitor: Visitor) -> None:
    """In light colours, whatever the theme."""
    page = visitor.visit(text(), scheme="dark").page
    page.emulate_media(media="print")
    for selector in (".band", "#benchmarks .chart", "#benchmarks table", "#load table"):
        expect(page.locator(selector).first).to_be_visible()
    assert (
        page.locator(".figured td").first.evaluate("node => getComputedStyle(node).color")
        == "rgb(27, 29, 34)"
    )


@pytest.mark.parametrize("rows", [1000, 0], ids=["static", "from data"])
def test_what_had_come_of_a_broken_answer_is_in_its_detail(visitor: Visitor, rows: int) -> None:
    """With its error; thoughts, calls and attempts as such in the trials that have them."""
    html = Html(most_static_rows=rows).render(timed_run(Timed(models=("small",), repeats=1)))
    page = visitor.visit(html, place="#q=what-may-happen").page
    for button in page.locator("tr.row button").all():
        button.click()
    details = page.locator(".detail")
    expect(details.nth(0)).to_contain_text("Answer, as far as it had come")
    expect(details.nth(0)).to_contain_text("timeout: the answer took longer")
    expect(details.nth(1)).to_contain_text("server_error after 12.0 ms: 503 Service Unavailable")
    expect(details.nth(2)).to_contain_text("Reasoning")
    expect(details.nth(2).locator("pre.call")).to_have_text('{"name": "weather"}')


@pytest.mark.parametrize("rows", [1000, 0], ids=["static", "from data"])
def test_names_and_reasons_that_are_code_do_nothing(visitor: Visitor, rows: int) -> None:
    """In cases, models, reasons of noise and skips, errors, thoughts and calls."""
    planted = '<img src=x: onerror=window.top.ran=1>"autofocus onfocus="window.top.ran=1'
    run = with_text(timed_run(Timed(repeats=1)), planted)
    seen = visitor.visit(Html(most_static_rows=rows).render(run))
    for button in seen.page.locator("tr.row button").all()[:5]:
        button.click()
    seen.page.wait_for_timeout(150)
    assert seen.page.evaluate("window.ran") is None
    assert (seen.errors, seen.requests, seen.violations) == ([], [], [])
