"""K2: what is hostile in the pieces of an answer."""

from __future__ import annotations

from tests.backends.openai_http.hostile_streams import (
    BC,
    DONE,
    END,
    LENGTH,
    REST,
    ROLE,
    STOP,
    A,
    B,
    C,
    Stream,
    chat,
    counts,
    delta,
    event,
    plain,
    three,
    usage,
)

PIECES: tuple[Stream, ...] = (
    three("a role", (5, ROLE), (10, A), *REST, deltas=((5, 0, ""), (10, None, "a"), *BC)),
    three(
        "a role and the first text in one read",
        (10, ROLE + A),
        *REST,
        deltas=((10, 0, ""), (10, None, "a"), *BC),
    ),
    three(
        "empty texts",
        (5, chat("")),
        (10, A),
        (15, chat("")),
        *REST,
        deltas=((5, 0, ""), (10, None, "a"), (15, 0, ""), *BC),
    ),
    three(
        "null as a text",
        (5, delta({"content": None, "tool_calls": None})),
        (10, A),
        *REST,
        deltas=((5, 0, ""), (10, None, "a"), *BC),
    ),
    three(
        "no choices", (5, event({"choices": []})), (6, event({"prompt_filter_results": []})), (10, A), *REST
    ),
    three(
        "another choice", (5, event({"choices": [{"index": 1, "delta": {"content": "x"}}]})), (10, A), *REST
    ),
    three("a null error", (10, chat("a", error=None)), *REST),
    three(
        "reasoning first",
        (10, delta({"reasoning_content": "a"})),
        (20, B),
        (50, C),
        (60, STOP + usage(3, reasoning=1) + DONE),
        reasoning_tokens=1,
        deltas=((10, None, "a", "reasoning"), *BC),
    ),
    three(
        "reasoning by its newer name, twice",
        (10, delta({"reasoning": "a", "reasoning_content": "a", "content": ""})),
        *REST,
        deltas=((10, None, "a", "reasoning"), *BC),
    ),
    three(
        "calls of tools",
        (10, delta({"tool_calls": [{"index": 0, "id": "1", "function": {"name": "find", "arguments": ""}}]})),
        (20, delta({"tool_calls": [{"index": 0, "function": {"arguments": '{"q": 1}'}}]})),
        (50, delta({"tool_calls": [{"index": 1, "function": {"name": "stop", "arguments": "{}"}}]})),
        (60, chat(reason="tool_calls") + usage(3) + DONE),
        finish_reason="tool_calls",
        deltas=(
            (10, None, "find", "tool_call"),
            (20, None, '{"q": 1}', "tool_call"),
            (50, None, "\nstop{}", "tool_call"),
            (60, 0, ""),
        ),
    ),
    three(
        "a function call of old",
        (10, delta({"function_call": {"name": "f", "arguments": "{"}})),
        (20, delta({"function_call": {"arguments": "}"}})),
        (50, C),
        (60, chat(reason="function_call") + usage(3) + DONE),
        finish_reason="tool_calls",
        deltas=((10, None, "f{", "tool_call"), (20, None, "}", "tool_call"), (50, None, "c"), (60, 0, "")),
    ),
    three(
        "two channels in one event",
        (10, delta({"reasoning": "a", "content": "b"}, usage=counts(2))),
        (50, chat("c", usage=counts(3))),
        (60, END),
        count_source="server_per_chunk_usage",
        tpot=20,
        stall=40,
        deltas=((10, 1, "a", "reasoning"), (10, 1, "b"), (50, 1, "c"), (60, 0, "")),
    ),
    three(
        "the reason with the last text",
        (10, A),
        (20, B),
        (50, chat("c", reason="stop")),
        (60, usage(3) + DONE),
        deltas=((10, None, "a"), (20, None, "b"), (50, None, "c")),
    ),
    three(
        "a completion",
        (10, plain("a")),
        (20, plain("b")),
        (50, plain("c")),
        (60, plain("", reason="stop", usage=counts(3)) + DONE),
    ),
    three("length", (10, A), (20, B), (50, C), (60, LENGTH + usage(3) + DONE), finish_reason="length"),
    three(
        "filtered",
        (10, A),
        (20, B),
        (50, C),
        (60, chat(reason="content_filter") + usage(3) + DONE),
        finish_reason="content_filter",
    ),
    three("a reason by another name", (10, A), (20, B), (50, C), (60, chat(reason="eos") + usage(3) + DONE)),
)
"""What events carry."""
