"""The HTML report: one file that needs nothing else, asks nobody, and obeys nothing that a model wrote."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gemma_eval.records import Report
from gemma_eval.report.trials import WORDS, TrialRow
from gemma_eval.report.view import Page, page
from gemma_eval.report.visible import visible

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]

MOST_STATIC_ROWS = 1_000
MOST_STATIC_CHARACTERS = 1_200_000
"""Up to these sizes every trial stands in the page as HTML; beyond, as data that the page's script lays out."""

SHARED_FROM = 24
"""Texts longer than this are stored once, however many trials share them."""


class Html:
    """Writes `report.html`."""

    file_name = "report.html"

    def render(self, report: Report) -> str:
        """Return the whole page; equal reports give equal text."""
        content = page(report)
        static = _is_static(content.trials)
        style, first_script, script = (Markup(_source(name)) for name in ("report.css", "theme.js", "report.js"))  # noqa: S704 - files of this package
        return _environment().get_template("report.html.j2").render(
            page=content,
            words=WORDS,
            static=static,
            index=_index(content),
            details=None if static else _details(content.trials),
            policy=_policy(styles=(style,), scripts=(first_script, script)),
            style=style,
            theme_script=first_script,
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
def _source(name: str) -> str:
    loader = PackageLoader("gemma_eval.report")
    return loader.get_source(Environment(autoescape=True), name)[0]


def _policy(*, styles: Sequence[str], scripts: Sequence[str]) -> str:
    """Return a content security policy that lets these very texts act and nothing else."""
    return (
        f"default-src 'none'; script-src {_hashes(scripts)}; style-src {_hashes(styles)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hashes(texts: Sequence[str]) -> str:
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return " ".join(f"'sha256-{b64encode(digest).decode()}'" for digest in digests)


def _is_static(trials: Sequence[TrialRow]) -> bool:
    characters = sum(
        len(row.detail.prompt) + len(row.detail.answer) + sum(len(passage.text) for passage in row.detail.passages)
        for row in trials
    )
    return len(trials) <= MOST_STATIC_ROWS and characters <= MOST_STATIC_CHARACTERS


def _index(content: Page) -> Json:
    """Return what the script sorts and filters by, a list for each trial."""
    columns = ("case", "model", "profile", "template", "repeat", "status", "score")
    columns += ("ttft_s", "output_tokens_per_s", "e2e_s", "output_tokens")
    rows = [[getattr(row, column) for column in columns] for row in content.trials]
    return {"columns": columns, "rows": rows, "models": len(content.models)}


def _details(trials: Sequence[TrialRow]) -> Json:
    """Return what each trial opens to, with the long texts apart and once."""
    texts: dict[str, int] = {}
    rows = [_shared({**asdict(row), "result": row.result, "cells": row.cells}, texts) for row in trials]
    return {"texts": list(texts), "rows": rows}


def _shared(value: Json, texts: dict[str, int]) -> Json:
    """Replace long texts by their number in `texts`, as `{"t": 3}`."""
    if isinstance(value, str):
        return {"t": texts.setdefault(value, len(texts))} if len(value) > SHARED_FROM else value
    if isinstance(value, Mapping):
        return {key: _shared(item, texts) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_shared(item, texts) for item in value]
    return value
