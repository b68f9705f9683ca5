"""What was run, as rows of a Markdown table: a row for each model, one for the host, one for its noise."""

from __future__ import annotations

from gemma_eval.records import EngineInfo, Run
from gemma_eval.report import numbers
from gemma_eval.report.conditions import harness_sentence, noise_facts
from gemma_eval.report.facts import Pairs

HASH = 16
"""How many characters of a hash tell it from others."""


def facts_of(run: Run) -> Pairs:
    """Return names and values: what one needs to run it again, and to judge what it says."""
    host = run.host
    machine = f"{host.cpu}, {numbers.count(host.logical_cores)} cores, {numbers.bytes_(host.memory_bytes)}"
    return [
        ("started", run.started_utc),
        ("ended", run.ended_utc or numbers.MISSING),
        ("state", f"{run.state}, {numbers.count(run.planned)} trials planned"),
        ("suites", ", ".join(run.suites)),
        ("command", " ".join(run.arguments) or numbers.MISSING),
        ("commit", run.commit or numbers.MISSING),
        *((f"model {name}", _engine(run.engines[name])) for name in sorted(run.engines)),
        ("host", machine),
        *(() if not host.details else (("host details", _listed(sorted(host.details.items()))),)),
        ("system", f"{host.os}, Python {host.python}"),
        ("versions", _listed(sorted(host.versions.items()))),
        ("noise", _listed(noise_facts(run.noise))),
        ("cost of measuring", harness_sentence(run) or numbers.MISSING),
        ("definitions", f"version {run.definitions_version}"),
    ]


def _engine(info: EngineInfo) -> str:
    weights = _hash("weights", info.model_sha256)
    facts = (
        f"{info.engine} {info.version}",
        info.quantisation or "",
        weights or "weights not hashed",
        _hash("tokenizer", info.tokenizer_sha256),
        _hash("chat template", info.chat_template_sha256),
        f"{numbers.count(info.parameters)} parameters" if info.parameters is not None else "",
        f"context {numbers.count(info.context_tokens)} tokens" if info.context_tokens is not None else "",
        f"threads {numbers.count(info.threads)}" if info.threads is not None else "",
        f"loaded in {numbers.seconds(info.load_s)}" if info.load_s is not None else "",
        f"cold TTFT {numbers.seconds(info.cold_ttft_s)}" if info.cold_ttft_s is not None else "",
    )
    return ", ".join(fact for fact in facts if fact)


def _hash(what: str, sha256: str | None) -> str:
    return "" if sha256 is None else f"{what} sha256 {sha256[:HASH]}"


def _listed(pairs: Pairs) -> str:
    return ", ".join(f"{name} {value}" for name, value in pairs) or numbers.MISSING
