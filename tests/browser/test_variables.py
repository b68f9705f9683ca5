"""What was varied, in a browser: readable in both themes, on paper and on a narrow screen."""

from __future__ import annotations

from functools import cache

import pytest
from playwright.sync_api import expect

from gemma_eval.report.html import Html
from tests.browser.conftest import Scheme, Visitor
from tests.browser.test_page import CONTRAST
from tests.report.varied import Varied, varied

WRITTEN = (
    *("#variables .ticks text", "#variables .title", "#variables .legend li", "#variables figcaption"),
    *(".heat td.h10", ".heat td.h0", ".heat .tokens", ".heat thead th:first-child", ".heat tbody th"),
    "#variables .note",
)
OVERLAPS = """
() => [...document.querySelectorAll("#variables .chart")].flatMap((chart) => {
  const boxes = [...chart.querySelectorAll(".ticks text")].map((text) => text.getBoundingClientRect());
  const meet = (one, other) => one.left < other.right && other.left < one.right
    && one.top + 2 < other.bottom && other.top + 2 < one.bottom;
  return boxes.flatMap((one, index) => boxes.slice(index + 1).filter((other) => meet(one, other)));
})
"""


@cache
def text() -> str:
    """Return the page of a run in which length and depth were varied."""
    return Html().render(varied(Varied(needles=4)))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_can_be_read_on_their_ground(visitor: Visitor, scheme: Scheme) -> None:
    """A contrast of at least 4.5 to 1 wherever something is written (WCAG 2.2, 1.4.3), and a quiet page."""
    seen = visitor.visit(text(), scheme=scheme, place="#variables")
    contrasts = dict(seen.page.evaluate(CONTRAST, list(WRITTEN)))
    assert {name: ratio for name, ratio in contrasts.items() if ratio < 4.5} == {}
    assert (seen.errors, seen.requests, seen.violations) == ([], [], [])


def test_a_chart_opens_as_a_table(visitor: Visitor) -> None:
    """Every point of it, without scripts."""
    page = visitor.visit(text(), scripts="off").page
    page.locator("#variables details summary").first.click()
    expect(page.locator("#variables details").first.locator("tbody tr")).to_have_count(20)


def test_figures_are_printed_in_light_colours(visitor: Visitor) -> None:
    """Charts and maps stay, whatever the theme."""
    page = visitor.visit(text(), scheme="dark").page
    page.emulate_media(media="print")
    for selector in ("#variables .chart", "#variables .heat"):
        expect(page.locator(selector).first).to_be_visible()
    cell = page.locator(".heat td.h10").first
    assert cell.evaluate("node => getComputedStyle(node).color") == "rgb(27, 29, 34)"


def test_a_narrow_screen_scrolls_only_downwards(visitor: Visitor) -> None:
    """Wide maps scroll in their own frame."""
    page = visitor.visit(text()).page
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_labels_of_an_axis_do_not_touch(visitor: Visitor) -> None:
    """Measured where they are drawn."""
    page = visitor.visit(text()).page
    overlaps = page.evaluate(OVERLAPS)
    assert overlaps == []
