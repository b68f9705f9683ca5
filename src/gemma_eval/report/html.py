"""The HTML report: one file that needs nothing else, asks nobody, and obeys nothing that a model wrote."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gemma_eval.records import Report
from gemma_eval.report.trials import WORDS, TrialRow
from gemma_eval.report.view import Page, page
from gemma_eval.report.visible import visible

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]

MOST_STATIC_ROWS = 1_000
MOST_STATIC_CHARACTERS = 600_000
"""Up to these sizes the trials stand in the page as HTML; beyond, as data that its script lays out."""

INDEXED = (
    *("case", "model", "profile", "template", "repeat", "status"),
    *("score", "ttft_s", "output_tokens_per_s", "e2e_s", "output_tokens"),
)
"""The fields of a trial's row that the page's script sorts and filters by."""

RETRIEVAL = "retrieval"
"""The field that comes last where retrievals have names."""

SHARED_FROM = 12
"""Texts longer than this are stored once, however many trials share them."""


@dataclass(frozen=True, kw_only=True)
class Html:
    """Writes `report.html`; runs of more trials than `most_static_rows` stand in it as data."""

    file_name: str = "report.html"
    most_static_rows: int = MOST_STATIC_ROWS

    def render(self, report: Report) -> str:
        """Return the whole page; equal reports give equal text."""
        content = page(report)
        characters = sum(map(_characters, content.trials))
        static = len(content.trials) <= self.most_static_rows and characters <= MOST_STATIC_CHARACTERS
        style, theme_script, script = map(_source, ("report.css", "theme.js", "report.js"))
        return _environment().get_template("report.html.j2").render(
            page=content,
            words=WORDS,
            static=static,
            index=_index(content),
            details=None if static else _details(content.trials),
            policy=_policy(styles=(style,), scripts=(theme_script, script)),
            style=style,
            theme_script=theme_script,
            script=script,
        )  # fmt: skip


@cache
def _environment() -> Environment:
    """Return the templates of the page: every value escaped and made visible, an unknown name an error."""
    return Environment(
        loader=PackageLoader("gemma_eval.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _shown(value: object) -> object:
    """Make a text visible on its way into the page; what is markup already has been through here."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _source(name: str) -> Markup:
    """Return a style or script of this package as it is written."""
    text, _, _ = PackageLoader("gemma_eval.report").get_source(_environment(), name)
    return Markup(text)  # noqa: S704 - ours, and nobody else's words are in it


def _policy(*, styles: Sequence[str], scripts: Sequence[str]) -> str:
    """Return a content security policy that lets these very texts act and nothing else."""
    return (
        f"default-src 'none'; script-src {_hashes(scripts)}; style-src {_hashes(styles)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hashes(texts: Sequence[str]) -> str:
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return " ".join(f"'sha256-{b64encode(digest).decode()}'" for digest in digests)


def _characters(row: TrialRow) -> int:
    detail = row.detail
    strokes = 0 if detail.timeline is None else len(detail.timeline.ticks)
    texts = (*(each.text for each in detail.passages), *(each.text for each in detail.texts))
    return len(detail.prompt) + sum(map(len, texts)) + strokes


def _index(content: Page) -> Json:
    """Return what the script sorts and filters by, a list for each trial."""
    columns = (*INDEXED, RETRIEVAL) if content.retrievals else INDEXED
    rows = [[getattr(row, column) for column in columns] for row in content.trials]
    return {"columns": columns, "rows": rows, "models": len(content.models)}


def _details(trials: Sequence[TrialRow]) -> Json:
    """Return what the index lacks of each trial: fields in their records' order, long texts once."""
    texts: dict[str, int] = {}
    rows = [(row.query, row.excerpt, row.result, row.cells, astuple(row.detail)) for row in trials]
    return {"rows": [_shared(row, texts) for row in rows], "texts": list(texts)}


def _shared(value: Json, texts: dict[str, int]) -> Json:
    """Replace long texts by their number in `texts`, as `{"t": 3}`."""
    if isinstance(value, str):
        return {"t": texts.setdefault(value, len(texts))} if len(value) > SHARED_FROM else value
    if isinstance(value, Sequence):
        return [_shared(item, texts) for item in value]
    return value
