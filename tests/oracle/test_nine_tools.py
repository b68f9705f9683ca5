"""One stream as nine tools describe it: each tool's rule by itself, our formulas, and the table in the docs.

A rule is what the source of a tool says, over the same list of events; that it says so was read in the file
that is named, and may have changed since.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from typing import Literal

import pytest

from gemma_eval.measure.events import icl_s, itl_s
from gemma_eval.measure.latency import measure
from gemma_eval.records import Delta, Generation

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
MS = 1_000_000
Kind = Literal["role", "content", "usage", "done", "closed"]
Number = int | Fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """What came from the server, in milliseconds after the request was sent, and the tokens it carried."""

    at: int
    kind: Kind
    tokens: int = 0


STREAM = (
    Event(at=5, kind="role"),
    Event(at=245, kind="content", tokens=1),
    Event(at=285, kind="content", tokens=1),
    Event(at=325, kind="content", tokens=3),
    Event(at=445, kind="content", tokens=1),
    Event(at=465, kind="content", tokens=2),
    Event(at=466, kind="usage"),
    Event(at=475, kind="done"),
    Event(at=476, kind="closed"),
)
N = 8
"""The tokens of the answer, as the server counts them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a tool says about a stream, in milliseconds: what it calls TTFT, TPOT and ITL."""

    ttft: Number | None
    tpot: Number | None = None
    itl: tuple[Number, ...] = ()
    note: str = ""


Events = tuple[Event, ...]
Rule = Callable[[Events], Said]


def stamps(events: Events, *kinds: Kind) -> list[int]:
    """Return when events of these kinds came."""
    return [event.at for event in events if event.kind in kinds]


def gaps(times: list[int]) -> tuple[int, ...]:
    """Return the times between them."""
    return tuple(later - earlier for earlier, later in pairwise(times))


def vllm_chat(events: Events) -> Said:
    """Take any chunk with `choices` for the first token; the latency ends with the last of them.

    Source: vllm-project/vllm:vllm/benchmarks/lib/endpoint_request_func.py, benchmarks/serve.py.
    """
    times = stamps(events, "role", "content")
    itl = gaps(times)
    tpot = Fraction(times[-1] - times[0], N - 1)
    return Said(ttft=times[0], tpot=tpot, itl=itl, note=f"mean {shown(mean(itl))}")


def vllm_completions(events: Events) -> Said:
    """Do the same where no chunk is without text.

    Source: vllm-project/vllm:vllm/benchmarks/lib/endpoint_request_func.py, benchmarks/serve.py.
    """
    return vllm_chat(tuple(event for event in events if event.kind != "role"))


def sglang_chat(events: Events) -> Said:
    """Take the first text, and let the latency end with `[DONE]`.

    Source: sgl-project/sglang:python/sglang/benchmark/serving.py.
    """
    times, (done,) = stamps(events, "content"), stamps(events, "done")
    return Said(ttft=times[0], tpot=Fraction(done - times[0], N - 1), itl=gaps(times))


def guidellm(events: Events) -> Said:
    """Divide the whole time by all tokens for TPOT, and the rest by the other tokens for ITL.

    Source: vllm-project/guidellm:src/guidellm/schemas/request_stats.py.
    """
    times = stamps(events, "content")
    itl = Fraction(times[-1] - times[0], N - 1)
    return Said(ttft=times[0], tpot=Fraction(times[-1], N), itl=(itl,), note="one figure for all")


def aiperf(events: Events) -> Said:
    """Name the mean time per token ITL; the gaps between chunks are ICL.

    Source: ai-dynamo/aiperf:src/aiperf/metrics/types/inter_token_latency_metric.py.
    """
    times = stamps(events, "content")
    itl = Fraction(times[-1] - times[0], N - 1)
    icl = ", ".join(map(str, gaps(times)))
    return Said(ttft=times[0], itl=(itl,), note=f"ICL {icl}")


def inference_perf(events: Events) -> Said:
    """Stamp each token of a chunk with the time of the chunk, so that all but the first have no gap.

    Source: kubernetes-sigs/inference-perf:inference_perf/apis/streaming_parser.py, reportgen/base.py.
    """
    tokens = [event.at for event in events for _ in range(event.tokens)]
    (closed,) = stamps(events, "closed")
    itl = gaps(tokens)
    note = f"median {shown(median(itl))}; NTPOT {shown(Fraction(closed, N))}"
    return Said(ttft=tokens[0], tpot=Fraction(tokens[-1] - tokens[0], N - 1), itl=itl, note=note)


def llmperf(events: Events) -> Said:
    """Sum the gaps, with the time to the first token as one of them, and divide by the count of chunks.

    Source: ray-project/llmperf:src/llmperf/ray_clients/openai_chat_completions_client.py,
    token_benchmark_ray.py.
    """
    times = stamps(events, "content")
    chunks = stamps(events, "role", "content")
    return Said(ttft=times[0], itl=(Fraction(sum(gaps([0, *times])), len(chunks)),))


def llama_server_before(events: Events) -> Said:
    """Divide the time after the first token by all tokens.

    Source: ggml-org/llama.cpp:tools/server/server-common.h, older builds.
    """
    times = stamps(events, "content")
    tpot = Fraction(times[-1] - times[0], N)
    return Said(ttft=None, tpot=tpot, note=f"{shown(1000 / tpot)} tokens/s")


def llama_server(events: Events) -> Said:
    """Divide it by the tokens that were made in it.

    Source: ggml-org/llama.cpp:tools/server/server-common.h, `n_gen_steps`.
    """
    times = stamps(events, "content")
    tpot = Fraction(times[-1] - times[0], N - 1)
    return Said(ttft=None, tpot=tpot, note=f"{shown(1000 / tpot)} tokens/s")


def gemma_eval(events: Events) -> Said:
    """Measure with our own formulas."""
    made = generation(events)
    found = measure(made)
    assert found.ttft_s is not None
    assert found.tpot_s is not None
    by_token = mean(itl_s(made) or ())
    return Said(
        ttft=in_ms(found.ttft_s),
        tpot=in_ms(found.tpot_s),
        itl=tuple(in_ms(gap) for gap in icl_s(made)),
        note=f"a token {shown(in_ms(by_token))}",
    )


RULES: Mapping[str, Rule] = {
    "gemma_eval": gemma_eval,
    "vLLM, chat": vllm_chat,
    "vLLM, completions": vllm_completions,
    "SGLang": sglang_chat,
    "GuideLLM": guidellm,
    "AIPerf, GenAI-Perf": aiperf,
    "inference-perf": inference_perf,
    "llmperf": llmperf,
    "llama-server, before": llama_server_before,
    "llama-server": llama_server,
}

TABLE = {
    "gemma_eval": ("245", "31.43", "40, 40, 120, 20 (a token 31.43)"),
    "vLLM, chat": ("5", "65.71", "240, 40, 40, 120, 20 (mean 92)"),
    "vLLM, completions": ("245", "31.43", "40, 40, 120, 20 (mean 55)"),
    "SGLang": ("245", "32.86", "40, 40, 120, 20"),
    "GuideLLM": ("245", "58.13", "31.43 (one figure for all)"),
    "AIPerf, GenAI-Perf": ("245", "-", "31.43 (ICL 40, 40, 120, 20)"),
    "inference-perf": ("245", "31.43", "40, 40, 0, 0, 120, 20, 0 (median 20; NTPOT 59.5)"),
    "llmperf": ("245", "-", "77.5"),
    "llama-server, before": ("-", "27.5", "- (36.36 tokens/s)"),
    "llama-server": ("-", "31.43", "- (31.82 tokens/s)"),
}
"""The figures as they were published, each computed by hand from its rule."""


def generation(events: Events) -> Generation:
    """Return what a backend makes of the stream: the stamps, as nanoseconds, and the server's count."""
    (closed,), (usage,) = stamps(events, "closed"), stamps(events, "usage")
    return Generation(
        text="".join("x" * event.tokens for event in events),
        deltas=tuple(
            Delta(text="x" * event.tokens, n_tokens=event.tokens, at_ns=event.at * MS)
            for event in events
            if event.kind in ("role", "content")
        ),
        prompt_tokens=100,
        output_tokens=N,
        count_source="server_usage",
        finish_reason="length",
        requested_ns=0,
        usage_ns=usage * MS,
        ended_ns=closed * MS,
    )


def in_ms(seconds: float) -> Fraction:
    """Return milliseconds to the nanosecond."""
    return Fraction(round(seconds * 10**9), 10**6)


def shown(number: Number | float) -> str:
    """Write a number with at most two decimals, halves upwards."""
    hundredths = int(Fraction(number) * 100 + Fraction(1, 2))
    return f"{hundredths / 100:.2f}".rstrip("0").rstrip(".")


def cells(said: Said) -> tuple[str, str, str]:
    """Write what a tool says as the cells of a table."""
    ttft, tpot = ("-" if number is None else shown(number) for number in (said.ttft, said.tpot))
    itl = ", ".join(map(shown, said.itl)) or "-"
    return ttft, tpot, f"{itl} ({said.note})" if said.note else itl


def rows(page: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the rows of the page's table of tools: the name, and the three figures."""
    (table,) = re.findall(r"^\| tool \|.*\n\|[-| ]*\n((?:\|.*\n)+)", page, re.MULTILINE)
    for line in table.splitlines():
        name, *figures = (cell.strip().strip("*") for cell in line.strip("|").split("|"))
        yield name, tuple(figures[:3])


@pytest.mark.parametrize("tool", RULES)
def test_the_rule_of_each_tool_gives_its_figures(tool: str) -> None:
    """Nine tools, ten rules, one stream."""
    assert cells(RULES[tool](STREAM)) == TABLE[tool]


def test_our_formulas_give_the_true_ones_to_the_last_bit() -> None:
    """245 ms, 220/7 ms a token, and gaps of 40, 40, 120 and 20 ms."""
    found = measure(generation(STREAM))
    assert (found.ttft_s, found.tpot_s) == (0.245, float(Fraction(220, 7000)))
    assert icl_s(generation(STREAM)) == (0.04, 0.04, 0.12, 0.02)


def test_the_page_has_the_figures_that_the_rules_give() -> None:
    """And no other row."""
    assert dict(rows(PAGE.read_text(encoding="utf-8"))) == {
        tool: cells(rule(STREAM)) for tool, rule in RULES.items()
    }


@pytest.mark.parametrize("tool", RULES)
def test_a_millisecond_changes_the_figures_of_every_tool(tool: str) -> None:
    """A planted error: no rule gives its figures whatever the stream is."""
    late = tuple(replace(event, at=event.at + 7 * (event.at > 445)) for event in STREAM)
    assert cells(RULES[tool](late)) != TABLE[tool]


def test_a_figure_that_drifted_is_found_on_the_page() -> None:
    """A planted error: the check of the page can fail."""
    page = PAGE.read_text(encoding="utf-8")
    drifted = dict(rows(page.replace("65.71", "65.17")))
    assert drifted["vLLM, chat"] != cells(vllm_chat(STREAM))


def test_a_tool_that_latches_the_role_is_told_from_one_that_does_not() -> None:
    """A planted error: without the role the two would agree, and the table would say nothing."""
    without = tuple(event for event in STREAM if event.kind != "role")
    assert cells(vllm_chat(without)) == TABLE["vLLM, completions"]
    assert cells(vllm_chat(STREAM)) != cells(vllm_completions(STREAM))
