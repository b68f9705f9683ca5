"""The page in a browser: quiet, sorted, filtered, opened, light and dark, with and without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import pytest
from playwright.sync_api import Page, expect

from gemma_eval.records import Report
from gemma_eval.report.html import Html
from tests.browser.conftest import Scheme, Visitor
from tests.report.example import Shape, example
from tests.report.retrieved import retrieved

CONTRAST = """
(selectors) => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const light = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    const parts = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part / 255);
    const [r, g, b] = parts.map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const own = (node) => getComputedStyle(node).backgroundColor;
  const behind = (node) => node ? [...behind(node.parentElement), own(node)] : [];
  return selectors.map((selector) => {
    const node = document.querySelector(selector);
    const style = getComputedStyle(node);
    const ground = behind(node);
    const ink = node.namespaceURI.endsWith("svg") ? style.fill : style.color;
    const [one, other] = [light(ground), light([...ground, ink])];
    return [selector, (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)];
  });
}
"""
WRITTEN = (
    *("h1", ".eyebrow", ".findings dd", ".summary td", ".summary .faint", "thead th", ".lead"),
    *(".chart .ticks text", ".chart .label", ".h10 .interval", ".h2 .interval, .h3 .interval"),
    *(".note", ".row .said", ".missed .result", ".notes", "footer"),
)


SHAPE = Shape()


@cache
def report() -> Report:
    """Return the run of most tests: 180 trials, some failed."""
    return example(SHAPE)


@cache
def text(shape: Shape = SHAPE) -> str:
    """Return the page of a run of that shape."""
    return Html().render(example(shape))


def column(page: Page, number: int) -> list[str]:
    """Return the cells of a column of the table of cases."""
    return page.locator(f".trials tr.row > :nth-child({number})").all_inner_texts()


def figures(page: Page, number: int) -> list[float | None]:
    """Return a column of numbers, `None` for a dash."""
    cells = (re.match(r"[\d.]+", cell) for cell in column(page, number))
    return [float(found.group()) if found else None for found in cells]


def sort_by(page: Page, name: str) -> None:
    """Press the button in a heading."""
    page.locator(".trials thead").get_by_role("button", name=name, exact=True).click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "shape",
    [Shape(), Shape(models=("small", "large"), cases=6), Shape(cases=112)],
    ids=["one", "two", "large"],
)
def test_a_page_is_quiet(visitor: Visitor, shape: Shape, scheme: Scheme) -> None:
    """No error, no request, nothing refused; no sideways scrolling of the page."""
    seen = visitor.visit(text(shape), scheme=scheme)
    expect(seen.page.locator(".trials tr.row")).to_have_count(50)
    assert (seen.errors, seen.requests, seen.violations) == ([], [], [])
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_refused_script_would_be_noted(visitor: Visitor) -> None:
    """The test above can fail: a script that the policy does not know is an error and a violation."""
    seen = visitor.visit(text().replace("</main>", "<script>window.ran = 1</script></main>"))
    assert seen.violations == ["script-src-elem"]
    assert seen.errors
    assert seen.page.evaluate("window.ran") is None


def test_numbers_sort_as_numbers_and_what_is_missing_stands_last(visitor: Visitor) -> None:
    """Up, down, and back to the order of the run; told to assistive technology."""
    page = visitor.visit(text(), place="#q=where-mara").page
    run_order = column(page, 6)
    head = page.locator('.trials th[data-key="ttft_s"]')
    for direction, turned in (("ascending", 1), ("descending", -1)):
        sort_by(page, "TTFT")
        expect(head).to_have_attribute("aria-sort", direction)
        times = figures(page, 6)
        known = [value for value in times if value is not None]
        assert known == sorted(known, key=lambda value: turned * value)
        assert times == known + [None] * (len(times) - len(known))
        assert None in times
    sort_by(page, "TTFT")
    assert head.get_attribute("aria-sort") is None
    assert column(page, 6) == run_order


def test_words_sort_as_words(visitor: Visitor) -> None:
    """By profile, then in the order of the run."""
    page = visitor.visit(text(), place="#q=finn-000").page
    sort_by(page, "profile")
    assert column(page, 2) == ["greedy"] * 3 + ["hot"] * 3 + ["min-p"] * 3


def test_filters_leave_what_matches_and_say_how_many(visitor: Visitor) -> None:
    """By choice, by words of any of the texts, together; Clear brings all back."""
    page = visitor.visit(text()).page
    count = page.get_by_role("status")
    expect(count).to_have_text("180 trials")
    page.locator("select[name=profile]").select_option("hot")
    expect(count).to_have_text("60 of 180 trials")
    page.locator("select[name=template]").select_option("rag")
    expect(count).to_have_text("20 of 180 trials")
    assert set(column(page, 2)) == {"hot"}
    assert set(column(page, 3)) == {"rag"}
    page.get_by_role("searchbox").fill("FINN live")
    shown = page.locator(".trials tbody.trial")
    assert 0 < shown.count() < 20
    assert all("finn" in each.lower() for each in shown.all_text_contents())
    page.get_by_role("searchbox").fill("no such words anywhere")
    expect(count).to_have_text("0 of 180 trials")
    page.get_by_role("button", name="Clear").click()
    expect(count).to_have_text("180 trials")


def test_results_can_be_filtered_by_what_became_of_them(visitor: Visitor) -> None:
    """The note about failures links to them."""
    page = visitor.visit(text()).page
    page.get_by_role("link", name="Show them among the cases").click()
    failed = sum(outcome.failure is not None for outcome in report().outcomes)
    expect(page.get_by_role("status")).to_have_text(f"{failed} of 180 trials")
    assert set(column(page, 4)) == {"error"}


def test_answers_that_were_not_wholly_right_can_be_found(visitor: Visitor) -> None:
    """Whether or not anything was demanded of them."""
    page = visitor.visit(text(), place="#result=below").page
    wrong = sum(outcome.score is not None and outcome.score < 1 for outcome in report().outcomes)
    expect(page.get_by_role("status")).to_have_text(f"{wrong} of 180 trials")
    assert "1.00" not in column(page, 5)


def test_the_address_keeps_the_state(visitor: Visitor) -> None:
    """Opened again, the page shows the same rows in the same order."""
    page = visitor.visit(text()).page
    page.locator("select[name=template]").select_option("plain")
    sort_by(page, "score")
    sort_by(page, "score")
    rows = column(page, 1)
    assert page.url.endswith("#template=plain&sort=score&dir=desc")
    page.reload()
    expect(page.locator("select[name=template]")).to_have_value("plain")
    assert column(page, 1) == rows


def test_an_address_that_makes_no_sense_shows_everything(visitor: Visitor) -> None:
    """Unknown names, columns and pages are ignored."""
    seen = visitor.visit(text(), place="#profile=none&sort=__proto__&page=-7&dir=up&other=1")
    expect(seen.page.get_by_role("status")).to_have_text("180 trials")
    assert seen.errors == []


def test_a_cell_of_the_matrix_leads_to_its_cases(visitor: Visitor) -> None:
    """Profile and template are chosen and the table comes into view."""
    page = visitor.visit(text()).page
    page.locator(".matrix td.best a").click()
    expect(page.get_by_role("status")).to_have_text("20 of 180 trials")
    expect(page.locator("#cases-title")).to_be_in_viewport()


def test_pages_turn(visitor: Visitor) -> None:
    """Fifty rows at a time, the last page short."""
    page = visitor.visit(text()).page
    previous, following = page.locator("#previous"), page.locator("#next")
    expect(previous).to_be_disabled()
    for _ in range(3):
        following.click()
    expect(following).to_be_disabled()
    expect(page.locator("#place")).to_have_text("page 4 of 4")
    expect(page.locator(".trials tr.row")).to_have_count(30)


@pytest.mark.parametrize("rows", [1000, 0], ids=["static", "from data"])
def test_a_row_opens_by_pointer_and_by_keyboard(visitor: Visitor, rows: int) -> None:
    """Prompt, context, answer, scores and timings; closed again by the same key."""
    page = visitor.visit(
        Html(most_static_rows=rows).render(report()), place="#q=where-finn&template=rag"
    ).page
    page.locator("tr.row td.said").first.click()
    first = page.locator("tbody.trial").first
    expect(first.locator("pre").first).to_be_visible()
    for words in ("Use the notes.", "people.txt", "dropped: no room for it", "contains", "seed", "TPOT"):
        expect(first.locator(".detail")).to_contain_text(words)
    second = page.locator("tr.row button").nth(1)
    for expanded in ("true", "false"):
        second.focus()
        page.keyboard.press("Enter")
        expect(second).to_have_attribute("aria-expanded", expanded)
        expect(page.locator("tbody.trial").nth(1).locator(".detail")).to_be_visible(
            visible=expanded == "true"
        )


def test_rows_from_data_are_the_rows_that_stand_in_the_page(visitor: Visitor) -> None:
    """The script and the template lay out the same elements, attribute by attribute."""
    tidy = """
    () => [...document.querySelectorAll("tbody.trial")].map((body) => {
      body.normalize();
      return body.outerHTML.replace(/\\n *(?=<)/g, "").replace(/(?<=>)\\n */g, "");
    })
    """
    static, made = (
        visitor.visit(Html(most_static_rows=rows).render(example(Shape(cases=5)))).page.evaluate(tidy)
        for rows in (1000, 0)
    )
    assert made == static
    assert len(static) == 45


def test_the_theme_follows_the_system_until_one_is_chosen(visitor: Visitor) -> None:
    """Auto, light, dark and round again; the choice outlives the page."""
    page = visitor.visit(text(), scheme="dark").page
    ground: Callable[[], str] = lambda: page.evaluate("getComputedStyle(document.body).backgroundColor")  # noqa: E731
    dark = ground()
    button = page.locator("#theme")
    button.click()
    expect(button).to_have_text("Theme: light")
    light = ground()
    assert light != dark
    page.reload()
    assert ground() == light
    button.click()
    assert ground() == dark
    button.click()
    expect(button).to_have_text("Theme: auto")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_its_ground(visitor: Visitor, scheme: Scheme) -> None:
    """A contrast of at least 4.5 to 1 wherever something is written (WCAG 2.2, 1.4.3)."""
    page = visitor.visit(text(), scheme=scheme, place="#result=missed").page
    contrasts = dict(page.evaluate(CONTRAST, list(WRITTEN)))
    assert {name: ratio for name, ratio in contrasts.items() if ratio < 4.5} == {}


def test_text_that_cannot_be_read_would_be_found(visitor: Visitor) -> None:
    """The test above fails on grey on white; black on white is 21 to 1."""
    html = "<html><body style='background:#fff'><p style='color:#999'>a</p><b style='color:#000'>b</b>"
    (_, grey), (_, black) = visitor.visit(html).page.evaluate(CONTRAST, ["p", "b"])
    assert grey < 4.5
    assert black == pytest.approx(21)


def test_without_scripts_the_table_is_there_and_opens(visitor: Visitor) -> None:
    """Every trial, its detail behind a plain disclosure; no control that does nothing."""
    page = visitor.visit(text(), scripts="off").page
    expect(page.locator("tr.row")).to_have_count(180)
    expect(page.locator(".filters")).to_be_hidden()
    expect(page.locator("#theme")).to_be_hidden()
    page.locator("tbody.trial summary").first.click()
    expect(page.locator("tbody.trial").first.locator(".detail")).to_be_visible()


def test_a_large_run_without_scripts_says_where_its_trials_are(visitor: Visitor) -> None:
    """Not an empty table."""
    page = visitor.visit(Html(most_static_rows=0).render(report()), scripts="off").page
    assert "results.json" in page.locator("noscript").inner_html()
    expect(page.locator("noscript")).to_be_visible()


def test_print_leaves_out_what_only_a_screen_can_use(visitor: Visitor) -> None:
    """No navigation, no filters, light colours whatever the theme."""
    page = visitor.visit(text(), scheme="dark").page
    page.emulate_media(media="print")
    for selector in ("header nav", "#theme", ".filters", ".pages"):
        expect(page.locator(selector)).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 29, 34)"


def test_a_narrow_screen_scrolls_only_downwards(visitor: Visitor) -> None:
    """Wide tables scroll in their own frame."""
    page = visitor.visit(text()).page
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("most", [1000, 3])
def test_cases_are_filtered_and_sorted_by_their_retrieval(visitor: Visitor, most: int) -> None:
    """In a page of rows and in one that its script lays out; elsewhere an address with a name is ignored."""
    page = visitor.visit(Html(most_static_rows=most).render(retrieved())).page
    page.locator("select[name=retrieval]").select_option("hybrid")
    expect(page.get_by_role("status")).to_have_text("20 of 70 trials")
    assert set(column(page, 4)) == {"hybrid"}
    page.locator(".matrix td.best a").click()
    assert page.url.endswith("profile=greedy&template=rag&retrieval=oracle")
    expect(page.get_by_role("status")).to_have_text("10 of 70 trials")
    plain = visitor.visit(text(), place="#retrieval=hybrid").page
    expect(plain.get_by_role("status")).to_have_text("180 trials")
