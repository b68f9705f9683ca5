"""What was run is told whole: machine, engines with their hashes, noise, and what measuring costs."""

from __future__ import annotations

from dataclasses import fields, replace

from gemma_eval.records import EngineInfo
from gemma_eval.report.facts import option
from gemma_eval.report.markdown_facts import facts_of
from gemma_eval.report.provenance import engine_facts, host_facts, provenance
from tests.examples import a_run
from tests.report.timed import timed_run

RUN = timed_run().run


def test_there_is_a_list_for_each_part() -> None:
    """Models in the order of their names."""
    titles = [facts.title for facts in provenance(RUN)]
    assert titles == ["Run", "Host", "Noise", "Cost of measuring", "Model large", "Model small"]


def test_an_engine_tells_what_it_is_made_of() -> None:
    """Hashes, quantisation, how long it loaded, and its first request after that."""
    facts = dict(engine_facts(RUN.engines["small"]))
    assert facts["engine"] == "llama.cpp b9999"
    assert len(facts["tokenizer sha256"]) == len(facts["chat template sha256"]) == 64
    assert facts["quantisation"] == "Q8_0"
    assert facts["loaded in"] == "1.23 s"
    assert facts["cold TTFT"] == "412 ms"
    assert facts["flash_attn"] == "auto"


def test_no_field_of_an_engine_is_left_out() -> None:
    """Engine and version are one fact, and each detail is one."""
    info = RUN.engines["small"]
    assert len(engine_facts(info)) == len(fields(EngineInfo)) - 2 + len(info.details)


def test_what_an_engine_does_not_tell_is_a_dash() -> None:
    """Neither 0 nor empty."""
    info = EngineInfo(
        engine="echo", version="1", model_sha256=None, parameters=None, context_tokens=None, threads=None
    )
    assert {value for _, value in engine_facts(info)} == {"echo 1", "–"}  # noqa: RUF001 - a report's dash


def test_a_host_tells_what_else_decides_its_speed() -> None:
    """Governor and limits stand among the rest."""
    facts = dict(host_facts(RUN.host))
    assert facts["governor"] == "powersave"
    assert facts["cgroup cpu.max"] == "150000 100000"
    assert facts["xllamacpp"] == "2026.10"


def test_markdown_has_the_same_in_a_row_each() -> None:
    """Hashes cut to what tells them apart, and nothing said that is not known."""
    facts = dict(facts_of(RUN))
    assert "Q8_0, weights sha256 81db8ebbbbc69c6c, tokenizer sha256 " in facts["model small"]
    assert facts["model small"].endswith("threads 2, loaded in 1.23 s, cold TTFT 412 ms")
    assert facts["host details"] == "cgroup cpu.max 150000 100000, governor powersave"
    assert "stolen by the hypervisor 8.10 %" in facts["noise"]
    assert facts["cost of measuring"].startswith("Measuring adds 2.13 µs per token")
    bare = dict(facts_of(a_run()))
    assert "host details" not in bare
    assert bare["noise"] == "noise – (nobody looked)"  # noqa: RUF001 - a report's dash
    unhashed = replace(a_run().engines["scripted"], model_sha256=None)
    assert "weights not hashed" in dict(facts_of(replace(a_run(), engines={"x": unhashed})))["model x"]


def test_an_option_of_several_values_is_one_text() -> None:
    """As the names of transforms in their order."""
    assert option(("top_k", "temperature")) == "top_k temperature"
    assert option(1.5) == "1.5"
