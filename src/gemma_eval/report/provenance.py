"""What was run, on which machine, with which engines, and how far it can be trusted, as lists of facts."""

from __future__ import annotations

from gemma_eval.records import EngineInfo, Host, Run
from gemma_eval.report import numbers
from gemma_eval.report.conditions import harness_facts, noise_facts
from gemma_eval.report.facts import Facts, Pairs, facts, option


def provenance(run: Run) -> tuple[Facts, ...]:
    """Return what one needs to run it again, and to judge what it says."""
    engines = [_facts(f"Model {name}", engine_facts(info)) for name, info in sorted(run.engines.items())]
    return (
        _facts("Run", run_facts(run)),
        _facts("Host", host_facts(run.host)),
        _facts("Noise", noise_facts(run.noise)),
        _facts("Cost of measuring", harness_facts(run.harness)),
        *engines,
    )


def run_facts(run: Run) -> Pairs:
    """Return what was asked for."""
    return [
        ("run", run.id),
        ("started", run.started_utc),
        ("ended", run.ended_utc or numbers.MISSING),
        ("state", f"{run.state}, {numbers.count(run.planned)} trials planned"),
        ("suites", ", ".join(run.suites)),
        ("command", " ".join(run.arguments) or numbers.MISSING),
        ("commit", run.commit or numbers.MISSING),
        ("definitions", f"version {run.definitions_version}"),
    ]


def host_facts(host: Host) -> Pairs:
    """Return the machine, what else decides its speed, and the versions of what ran on it."""
    return [
        ("processor", host.cpu),
        ("logical cores", numbers.count(host.logical_cores)),
        ("memory", numbers.bytes_(host.memory_bytes)),
        ("system", host.os),
        *sorted(host.details.items()),
        ("Python", host.python),
        *sorted(host.versions.items()),
    ]


def engine_facts(info: EngineInfo) -> Pairs:
    """Return what a model is made of and driven by; the times are of its loading in this run."""
    return [
        ("engine", f"{info.engine} {info.version}"),
        ("weights sha256", info.model_sha256 or numbers.MISSING),
        ("tokenizer sha256", info.tokenizer_sha256 or numbers.MISSING),
        ("chat template sha256", info.chat_template_sha256 or numbers.MISSING),
        ("quantisation", info.quantisation or numbers.MISSING),
        ("parameters", numbers.count(info.parameters)),
        ("context, tokens", numbers.count(info.context_tokens)),
        ("threads", numbers.count(info.threads)),
        ("loaded in", numbers.seconds(info.load_s)),
        ("cold TTFT", numbers.seconds(info.cold_ttft_s)),
        *((name, option(value)) for name, value in sorted(info.details.items())),
    ]


def _facts(title: str, pairs: Pairs) -> Facts:
    return Facts(title=title, facts=facts(pairs))
