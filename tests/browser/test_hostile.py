"""A model's words are only ever words: planted code neither runs nor asks for anything."""

from __future__ import annotations

from functools import cache

import pytest
from playwright.sync_api import expect

from gemma_eval.records import Report
from gemma_eval.report.html import Html
from tests.browser.conftest import Visit, Visitor
from tests.report.example import Shape, example, with_text

RUN = "window.top.ran=1"
AWAY = "http://127.0.0.1:9"
FRAGMENTS = {
    "script": f"<script>{RUN}</script>",
    "end of script": f"</script><script>{RUN}</script>",
    "comment and script": f"<!--><script>{RUN}</script>-->",
    "end of cdata": f"]]><script>{RUN}</script>",
    "end of everything": f"</textarea></title></style></pre></template></svg><script>{RUN}</script>",
    "image error": f"<img src=x: onerror={RUN}>",
    "svg load": f"<svg onload={RUN}>",
    "svg script": f"<svg><script>{RUN}</script></svg>",
    "details toggle": f"<details open ontoggle={RUN}>",
    "autofocus": f"<input autofocus onfocus={RUN}>",
    "attribute": f'"autofocus onfocus="{RUN}',
    "frame": f'<iframe srcdoc="<script>{RUN}</script>"></iframe>',
    "javascript link": f'<a class="planted" href="javascript:{RUN}">link</a>',
    "remote image": f"<img src={AWAY}/beacon>",
    "remote sheet": f"<link rel=stylesheet href={AWAY}/sheet.css>",
    "import": f"<style>@import url({AWAY}/sheet.css)</style>",
    "style url": f"<style>body{{background:url({AWAY}/ground)}}</style>",
    "base": f"<base href={AWAY}/><img src=beacon>",
    "refresh": f'<meta http-equiv=refresh content="0;url={AWAY}/away">',
    "remote script": f"<script src={AWAY}/code.js></script>",
    "controls": "\x1b]0;title\x07\x00\x9b2J\u202e",
}
ACTING = [name for name in FRAGMENTS if name != "controls"]


@cache
def small() -> Report:
    """Return a run of 45 trials, a few of them failed."""
    return example(Shape(cases=5), seed=1)


def acted(seen: Visit) -> bool:
    """Follow every planted link, wait, and tell whether code ran or something was asked for."""
    for link in seen.page.locator("a.planted").all():
        link.click()
    seen.page.wait_for_timeout(150)
    return bool(seen.requests) or seen.page.evaluate("window.ran") is not None


@pytest.mark.parametrize("rows", [1000, 0], ids=["static", "from data"])
def test_planted_fragments_do_nothing(visitor: Visitor, rows: int) -> None:
    """In ids, names, tags, prompts, passages, answers, scores, errors, host and engine: shown, not obeyed."""
    report = with_text(small(), *FRAGMENTS.values())
    assert [outcome for outcome in report.outcomes if outcome.failure]
    seen = visitor.visit(Html(most_static_rows=rows).render(report))
    for button in seen.page.locator("tr.row button").all():
        button.click()
    seen.page.get_by_role("searchbox").fill("case")
    expect(seen.page.locator("tbody.trial")).to_have_count(45)
    assert not acted(seen)
    assert (seen.errors, seen.violations) == ([], [])
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("name", ACTING)
def test_the_same_fragment_acts_where_it_is_not_escaped(visitor: Visitor, name: str) -> None:
    """The positive control: without escaping and policy each fragment runs or asks for something."""
    fragment = FRAGMENTS[name]
    seen = visitor.visit(
        f'<!doctype html><html><body><input value="{fragment}"><div>{fragment}</div>'
        f'<script type="application/json">{fragment}</script></body></html>'
    )
    assert acted(seen)


@pytest.mark.parametrize("name", ["script", "image error", "remote image", "style url", "frame", "autofocus"])
def test_the_policy_alone_stops_it(visitor: Visitor, name: str) -> None:
    """The second wall: unescaped in the page, the fragment is refused by the policy."""
    page = Html().render(small()).replace("</main>", f"{FRAGMENTS[name]}</main>")
    seen = visitor.visit(page)
    seen.page.wait_for_timeout(150)
    assert any("Content Security Policy" in error for error in seen.errors)
    assert seen.page.evaluate("window.ran") is None


def test_the_text_is_there_word_for_word(visitor: Visitor) -> None:
    """What a model wrote can be read as it wrote it."""
    page = visitor.visit(Html().render(with_text(small(), *FRAGMENTS.values()))).page
    shown = page.locator("tbody.trial pre.answer").all_text_contents()
    written = {FRAGMENTS[name] for name in ACTING}
    assert written <= set(shown)
