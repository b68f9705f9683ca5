"""The page as text: whole, closed to the outside, the same each time."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from gemma_eval.records import Report
from gemma_eval.report.html import MOST_STATIC_ROWS, Html
from tests.report.example import Shape, example, report_of, with_text
from tests.report.timed import Timed, timed_run

REPORT = example(Shape(cases=4))
TEXT = Html().render(REPORT)
TIMED = timed_run(Timed(repeats=2))
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>'\"&{{ 7 * 7 }}\x1b[2J\u202e\udc80"


class Tags(HTMLParser):
    """Collects the start tags of a page with their attributes, and the texts of its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))
        if tag in self.raw and dict(attrs).get("type") != "application/json":
            self.raw[tag].append("")
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Leave a script or style."""
        if self.open and tag == self.open[-1]:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        """Keep what a script or style holds."""
        if self.open:
            self.raw[self.open[-1]][-1] += data


def embedded(text: str, name: str) -> object:
    """Return the data of a JSON script of the page."""
    found = re.search(f'<script type="application/json" id="{name}">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found.group(1))


def allowed(text: str, directive: str) -> set[str]:
    """Return the hashes that the page's policy allows for scripts or styles."""
    policy = next(tag["content"] for name, tag in Tags(text).tags if tag.get("http-equiv"))
    assert policy is not None
    return set(re.findall(r"'(sha256-[^']+)'", policy.split(f"{directive} ")[1].split(";")[0]))


def digest(text: str) -> str:
    """Return a text's hash as a policy writes it."""
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_equal_reports_give_equal_pages() -> None:
    """Byte by byte."""
    assert Html().render(example(Shape(cases=4))) == TEXT


def test_the_policy_allows_these_scripts_and_styles_and_nothing_else() -> None:
    """Each hash is of a text in the page, each text has its hash, everything else is refused."""
    tags = Tags(TEXT)
    assert {digest(script) for script in tags.raw["script"]} == allowed(TEXT, "script-src")
    assert {digest(style) for style in tags.raw["style"]} == allowed(TEXT, "style-src")
    for part in ("default-src &#39;none&#39;", "base-uri &#39;none&#39;", "form-action &#39;none&#39;"):
        assert part in TEXT
    assert '<meta name="referrer" content="no-referrer">' in TEXT


def test_a_changed_script_would_not_be_allowed() -> None:
    """The check above fails on a planted error."""
    tampered = TEXT.replace('"use strict";', '"use strict"; ', 1)
    assert {digest(script) for script in Tags(tampered).raw["script"]} != allowed(tampered, "script-src")


@pytest.mark.parametrize(
    "report",
    [REPORT, with_text(REPORT, HOSTILE), TIMED, with_text(TIMED, HOSTILE)],
    ids=["plain", "hostile", "timed", "hostile and timed"],
)
def test_no_tag_leads_outside_or_carries_code(report: Report) -> None:
    """No handler, no inline style, no address but places in the page."""
    for name, attributes in Tags(Html().render(report)).tags:
        assert not [key for key in attributes if key.startswith("on") or key == "style"], name
        assert name not in {"img", "iframe", "object", "embed", "link", "base"}
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")


@pytest.mark.parametrize("report", [REPORT, TIMED], ids=["scored", "timed"])
def test_hostile_text_is_shown_as_text_and_made_visible(report: Report) -> None:
    """It is in the page, escaped, controls and overrides as pictures; templates are not evaluated."""
    text = Html().render(with_text(report, HOSTILE))
    assert "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script>alert" not in text
    assert "{{ 7 * 7 }}␛[2J\\u202e\\udc80" in text
    assert not set(text) & set("\x1b\u202e\udc80")


def test_every_part_of_a_run_that_is_not_text_of_its_own_is_guarded() -> None:
    """Reasons of skips and noise, what engine and host tell, attempts, thoughts and calls are all there."""
    text = Html().render(with_text(TIMED, "<i>x</i>"))
    parts = ("reason", "noise", "setting", "state", "tokenizer", "chat template", "quantisation")
    for part in (*parts, "thought", "call", "timing", "kind", "message"):
        assert f"{part} &lt;i&gt;x&lt;/i&gt;" in text, part
    assert "<i>" not in text


def test_a_noisy_run_begins_with_a_band() -> None:
    """Before everything else, with a link to the evidence; a fair one has none."""
    text = Html().render(TIMED)
    assert text.index('<p class="band"') < text.index('<h1 id="headline"')
    assert 'href="#noise"' in text
    assert 'id="noise"' in text
    fair = Html().render(timed_run(Timed(repeats=1, loads=False, noisy=False)))
    assert '<p class="band"' not in fair
    assert 'id="noise"' in fair


def test_sections_are_there_where_there_is_something_to_show() -> None:
    """And so are the links to them."""
    for text, present in (
        (TEXT, {"matrix", "trade", "benchmarks"}),
        (Html().render(TIMED), {"benchmarks", "load"}),
    ):
        for name in ("matrix", "trade", "benchmarks", "load"):
            assert (f'<section id="{name}"' in text) == (name in present), name
            assert (f'<a href="#{name}">' in text) == (name in present), name


def test_every_chart_is_well_formed_and_named() -> None:
    """A picture with a role has a name for those who do not see it."""
    charts = re.findall(r"<svg.*?</svg>", TEXT + Html().render(TIMED), re.DOTALL)
    assert len(charts) > 20
    for chart in charts:
        root = ElementTree.fromstring(chart)  # noqa: S314 - our own page
        hidden = root.get("aria-hidden") == "true"
        assert hidden or root.get("aria-label") or root.get("aria-labelledby")


@pytest.mark.parametrize("report", [REPORT, TIMED], ids=["scored", "timed"])
def test_ids_are_unique_and_names_refer_to_them(report: Report) -> None:
    """Labels and links find what they name."""
    attributes = [each for _, each in Tags(Html().render(report)).tags]
    ids = [each["id"] for each in attributes if "id" in each]
    assert len(ids) == len(set(ids))
    for each in attributes:
        for name in (each.get("aria-labelledby") or "").split():
            assert name in ids
        place = (each.get("href") or "#")[1:]
        assert not place or "=" in place or place in ids


def test_a_thousand_trials_stand_in_the_page_and_stay_small() -> None:
    """At most 3 MB, every trial readable without scripts."""
    text = Html().render(example(Shape(cases=111)))
    assert text.count('<tbody class="trial') == 999
    assert '<script type="application/json" id="details">' not in text
    assert len(text.encode()) <= 3_000_000


def test_more_trials_are_data_with_each_long_text_once() -> None:
    """The page's script lays them out; a prompt that nine trials share is stored once."""
    report = example(Shape(cases=112))
    assert len(report.outcomes) > MOST_STATIC_ROWS
    text = Html().render(report)
    assert '<tbody class="trial' not in text
    details = embedded(text, "details")
    assert isinstance(details, dict)
    assert len(details["rows"]) == len(report.outcomes)
    assert len(details["texts"]) == len(set(details["texts"]))
    assert len(text.encode()) <= 3_500_000


def test_large_texts_are_data_too() -> None:
    """A few trials with megabytes of answers do not stand in the page twice."""
    outcome = next(outcome for outcome in REPORT.outcomes if outcome.generation is not None)
    assert outcome.generation is not None
    long = replace(outcome, generation=replace(outcome.generation, text="word " * 300_000))
    assert '<tbody class="trial' not in Html().render(report_of([long]))


def test_the_index_has_what_is_sorted_and_filtered() -> None:
    """A list for each trial, `null` for what was not measured."""
    index = embedded(TEXT, "index")
    assert isinstance(index, dict)
    assert index["columns"][:4] == ["case", "model", "profile", "template"]
    assert len(index["rows"]) == len(REPORT.outcomes)
    assert all(len(row) == len(index["columns"]) for row in index["rows"])


@pytest.mark.parametrize(
    "report",
    [
        report_of([]),
        report_of([], unfinished=3),
        report_of(REPORT.outcomes[:1]),
        example(Shape(models=("a", "b"), cases=2)),
        timed_run(Timed(models=(), trouble=False)),
        timed_run(Timed(models=("small",), repeats=1, loads=False)),
    ],
    ids=["nothing", "nothing yet", "one trial", "two models", "loads alone", "benchmarks of one model"],
)
def test_a_run_of_any_size_is_a_page(report: Report) -> None:
    """From nothing at all to several models."""
    assert Html().render(report).rstrip().endswith("</html>")
