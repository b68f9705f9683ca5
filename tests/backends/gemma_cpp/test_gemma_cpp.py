"""`gemma` of gemma.cpp as a backend, driven through a stand-in with its command line and its output."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Unpack

import psutil
import pytest

from gemma_eval.backends.gemma_cpp import backend as gemma_cpp
from gemma_eval.backends.gemma_cpp.backend import GemmaCpp
from gemma_eval.backends.gemma_cpp.command import one_turn
from gemma_eval.errors import (
    BackendError,
    ContextOverflow,
    EngineCrashed,
    GenerationTimeout,
    ModelNotFound,
    UnknownName,
)
from gemma_eval.prompts import chat
from gemma_eval.records import Message, ModelSpec, Option, Prompt, RopeScaling, SamplingProfile
from tests.backends.gemma_cpp import stand_in_gemma
from tests.backends.gemma_cpp.stand_in_gemma import MARKUP_TOKENS, TOKENS, Told

QUESTION = "Where does Finn live?"
PROMPT = Prompt(messages=(Message(role="user", content=QUESTION),), text=None, n_tokens=None)
GREEDY = SamplingProfile(name="greedy", temperature=0.0, max_tokens=64)
HOT = SamplingProfile(name="hot", temperature=1.5, top_k=4, max_tokens=40)
ANSWER = "".join(TOKENS).lstrip()
BUILDS = ("2025-04", "2025-10", "2026")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with weights of a kind."""
    (tmp_path / "gemma.sbs").write_bytes(b"weights")
    return tmp_path


def spec(
    folder: Path, options: Mapping[str, Option] | None = None, *, context_tokens: int | None = None
) -> ModelSpec:
    """Return a model of the stand-in in `folder`."""
    return ModelSpec(
        name="standing-in",
        backend="gemma_cpp",
        location=str(folder / "gemma.sbs"),
        context_tokens=context_tokens,
        options={"binary": str(folder / "gemma"), **(options or {})},
    )


def load(folder: Path, model: ModelSpec | None = None, **told: Unpack[Told]) -> GemmaCpp:
    """Install a stand-in that is `told` so, and load it with the clock of a run."""
    stand_in_gemma.install(folder, **told)
    return loaded(model or spec(folder))


def loaded(model: ModelSpec) -> GemmaCpp:
    """Load what is there."""
    return gemma_cpp.load(model, clock=time.perf_counter_ns, transforms={})


@pytest.mark.parametrize("build", BUILDS)
def test_every_build_answers(folder: Path, build: str) -> None:
    """The answer is the text alone; tokens and times are those that the program tells."""
    found = load(folder, build=build).generate(PROMPT, profile=GREEDY, seed=1)
    assert found.text == ANSWER
    assert found.output_tokens == len(TOKENS), "the end of turn, which the program counts, is no output"
    assert found.prompt_tokens == MARKUP_TOKENS + 4
    assert (found.finish_reason, found.count_source, found.cached_tokens) == ("stop", "engine", 0)
    assert found.engine_timings["generated_tokens"] == len(TOKENS) + 1
    assert {"prompt_ms", "decode_ms", "load_ms", "time_to_first_token_ms"} <= set(found.engine_timings)


@pytest.mark.parametrize("build", BUILDS)
def test_an_answer_is_cut_at_as_many_tokens_as_are_allowed(folder: Path, build: str) -> None:
    """The limit is the program's."""
    found = load(folder, build=build).generate(PROMPT, profile=replace(GREEDY, max_tokens=3), seed=1)
    assert (found.text, found.output_tokens, found.finish_reason) == ("Finn lives in", 3, "length")


@pytest.mark.parametrize("build", BUILDS)
def test_an_answer_that_is_over_at_once_is_empty(folder: Path, build: str) -> None:
    """Its only token is the end of turn, whatever is allowed."""
    backend = load(folder, build=build, tokens=())
    for allowed in (1, 8):
        found = backend.generate(PROMPT, profile=replace(GREEDY, max_tokens=allowed), seed=1)
        assert (found.text, found.deltas, found.output_tokens, found.finish_reason) == ("", (), 0, "stop")


def test_the_command_line_of_a_newer_build(folder: Path) -> None:
    """Greedy is the best of one; the prompt is a file that only we can read, and it is gone afterwards."""
    load(folder, spec(folder, {"threads": 2}, context_tokens=512)).generate(PROMPT, profile=GREEDY, seed=1)
    (run,) = stand_in_gemma.runs(folder / "gemma")
    argv = [str(argument) for argument in run["argv"]]  # type: ignore[attr-defined]
    told = dict(zip(argv[1::2], argv[2::2], strict=True))
    file = Path(told.pop("--prompt_file"))
    assert told == {
        "--weights": str(folder / "gemma.sbs"),
        "--num_threads": "2",
        "--seq_len": "512",
        "--verbosity": "1",
        "--max_generated_tokens": "64",
        "--top_k": "1",
    }
    assert (run["prompt"], run["prompt_mode"]) == (QUESTION, 0o600)
    assert not file.parent.exists()


def test_the_command_line_of_an_older_build(folder: Path) -> None:
    """The prompt is an argument; model, tokenizer and type of the weights are told."""
    (folder / "tokenizer.spm").write_bytes(b"tokenizer")
    tokenizer = str(folder / "tokenizer.spm")
    backend = load(
        folder,
        spec(folder, {"model": "gemma3-1b", "tokenizer": tokenizer, "weight_type": "sfp"}),
        build="2025-04",
    )
    backend.generate(PROMPT, profile=GREEDY, seed=1)
    (run,) = stand_in_gemma.runs(folder / "gemma")
    argv = [str(argument) for argument in run["argv"]]  # type: ignore[attr-defined]
    told = dict(zip(argv[1::2], argv[2::2], strict=True))
    assert told["--prompt"] == QUESTION
    assert (told["--model"], told["--tokenizer"], told["--weight_type"]) == ("gemma3-1b", tokenizer, "sfp")
    info = backend.info()
    assert info.tokenizer_sha256 == hashlib.sha256(b"tokenizer").hexdigest()
    assert info.quantisation == "sfp"


@pytest.mark.parametrize("build", ["2025-10", "2026"])
@pytest.mark.parametrize(
    "text",
    ["--weights", "--help", "-x; rm *", "$(id)`id`", "a\nb\n", "Café ✓\u2028", "%q", "word " * 60_000],
)
def test_any_prompt_reaches_a_newer_build_as_it_is(folder: Path, build: str, text: str) -> None:
    """One that looks like a flag, one for a shell, and one that is too long for an argument."""
    prompt = replace(PROMPT, messages=(Message(role="user", content=text),))
    backend = load(folder, build=build)
    if text.startswith("word"):
        with pytest.raises((ContextOverflow, EngineCrashed), match=r"60009|60073"):
            backend.generate(prompt, profile=GREEDY, seed=1)  # the older does not say how much room there is
        return
    backend.generate(prompt, profile=GREEDY, seed=1)
    (run,) = stand_in_gemma.runs(folder / "gemma")
    assert run["prompt"] == text.strip()


@pytest.mark.parametrize("text", ["--weights", "--help", "a\0b", "word " * 60_000, "\udc80"])
def test_a_prompt_that_an_older_build_cannot_be_given_is_refused(folder: Path, text: str) -> None:
    """It would take it for a flag, or the kernel does not take it."""
    prompt = replace(PROMPT, messages=(Message(role="user", content=text),))
    with pytest.raises(BackendError, match=r"cannot be given the prompt|cannot be started|UTF-8 has not"):
        load(folder, build="2025-04").generate(prompt, profile=GREEDY, seed=1)
    assert stand_in_gemma.runs(folder / "gemma") == []


def test_earlier_turns_are_divided_by_the_markup_of_gemma(folder: Path) -> None:
    """The program puts the first and the last markup around it."""
    turns = (
        Message(role="system", content="Be brief. "),
        Message(role="user", content=" Hi"),
        Message(role="assistant", content="Hello!\n"),
        Message(role="user", content=QUESTION),
    )
    load(folder).generate(replace(PROMPT, messages=turns), profile=GREEDY, seed=1)
    (run,) = stand_in_gemma.runs(folder / "gemma")
    assert run["prompt"] == (
        "Be brief.\n\nHi<end_of_turn>\n<start_of_turn>model\nHello!<end_of_turn>\n"
        "<start_of_turn>user\nWhere does Finn live?"
    )


def test_that_conversation_is_what_the_chat_template_of_gemma_writes() -> None:
    """Wrapped as the program wraps it, it is the prompt that other engines read."""
    pocket = Path(__file__).parents[3] / "src" / "gemma_eval" / "pocket" / "chat_template.jinja"
    turns = (
        Message(role="user", content="Hi"),
        Message(role="assistant", content="Hello!"),
        Message(role="user", content=QUESTION),
    )
    wrapped = f"<bos><start_of_turn>user\n{one_turn(turns)}<end_of_turn>\n<start_of_turn>model\n"
    assert wrapped == chat.render(pocket.read_text(), turns)
    assert wrapped != chat.render(pocket.read_text(), turns[2:]), "a turn that is lost would be seen"


@pytest.mark.parametrize(
    ("turns", "complaint"),
    [
        ((), "begin and end with a user"),
        ((Message(role="system", content="x"),), "begin and end with a user"),
        ((Message(role="assistant", content="x"), Message(role="user", content="y")), "begin and end with"),
        ((Message(role="user", content=" \n"),), "the prompt is empty"),
    ],
)
def test_a_conversation_that_the_program_cannot_wrap_is_refused(
    folder: Path, turns: tuple[Message, ...], complaint: str
) -> None:
    """Before anything is started."""
    with pytest.raises(BackendError, match=complaint):
        load(folder).generate(replace(PROMPT, messages=turns), profile=GREEDY, seed=1)


def test_the_time_to_load_the_weights_is_in_no_time_of_the_answer(folder: Path) -> None:
    """The request begins when the program begins to read."""
    backend = load(folder, load_s=0.5)
    before = time.perf_counter_ns()
    found = backend.generate(PROMPT, profile=GREEDY, seed=1)
    assert found.engine_timings["load_ms"] >= 500
    assert found.requested_ns - before >= 500_000_000
    assert found.deltas[0].at_ns - found.requested_ns < 500_000_000


def test_stamps_are_in_the_order_of_events(folder: Path) -> None:
    """Each token that comes apart from the others is a delta of its own."""
    found = load(folder, token_s=0.03).generate(PROMPT, profile=GREEDY, seed=1)
    deltas = [delta.at_ns for delta in found.deltas]
    assert found.headers_ns is not None
    assert found.usage_ns is not None
    stamps = [found.requested_ns, found.headers_ns, *deltas, found.usage_ns, found.ended_ns]
    assert all(earlier <= later for earlier, later in pairwise(stamps))
    assert len(found.deltas) > len(TOKENS) // 2
    assert "".join(delta.text for delta in found.deltas) == found.text


def test_a_build_that_tells_no_times_has_none(folder: Path) -> None:
    """Counts that nobody told are not known; the dots still are."""
    found = load(folder, fault="no timings").generate(PROMPT, profile=GREEDY, seed=1)
    assert (found.text, found.output_tokens, found.usage_ns) == (ANSWER, None, None)
    assert found.prompt_tokens == MARKUP_TOKENS + 4
    assert set(found.engine_timings) == {"load_ms"}


def test_a_build_that_does_not_say_when_it_reads_is_timed_from_its_start(folder: Path) -> None:
    """No loading is told apart, and none is claimed to be."""
    backend = load(folder, fault="no notes", load_s=0.3)
    found = backend.generate(PROMPT, profile=GREEDY, seed=1)
    assert found.engine_timings == {}
    assert found.deltas[0].at_ns - found.requested_ns >= 300_000_000


def test_a_character_that_is_cut_arrives_whole(folder: Path) -> None:
    """The stand-in writes byte by byte."""
    found = load(folder, fault="split").generate(PROMPT, profile=GREEDY, seed=1)
    assert found.text == ANSWER
    assert "\N{REPLACEMENT CHARACTER}" not in "".join(delta.text for delta in found.deltas)


def test_a_stop_string_ends_the_process(folder: Path) -> None:
    """What would have followed is not waited for, and not counted."""
    backend = load(folder, token_s=0.02, tokens=TOKENS * 100)
    profile = replace(GREEDY, stop=("in Oslo",), max_tokens=1000)
    found = backend.generate(PROMPT, profile=profile, seed=1)
    assert (found.text, found.finish_reason, found.output_tokens) == ("Finn lives ", "stop", None)
    (run,) = stand_in_gemma.runs(folder / "gemma")
    assert not psutil.pid_exists(int(str(run["pid"])))


def test_profiles_that_draw_need_leave_to_do_it_without_a_seed(folder: Path) -> None:
    """No build has a flag for a seed; what is drawn is recorded as such."""
    with pytest.raises(BackendError, match=r"gemma_cpp has no seed \(with the option unseeded = true"):
        load(folder).generate(PROMPT, profile=HOT, seed=1)
    found = load(folder, spec(folder, {"unseeded": True})).generate(PROMPT, profile=HOT, seed=1)
    assert found.effective == {"temperature": 1.5, "top_k": 4, "seed": "the program's own"}
    assert found.output_tokens == 40
    (run,) = stand_in_gemma.runs(folder / "gemma")
    assert {"--temperature", "1.5", "--top_k", "4"} < set(run["argv"])  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("changed", "unseeded", "reason"),
    [
        ({"temperature": 0.0}, False, None),
        ({"temperature": 0.0, "top_k": 40}, False, None),
        ({"temperature": 0.0, "stop": ("x",)}, False, None),
        ({"top_k": 40}, True, None),
        ({"top_k": 40, "temperature": 0.7}, True, None),
        ({"top_k": 40}, False, r"has no seed \(with the option unseeded = true it draws with a seed of its"),
        ({}, True, "draws only among the best tokens; give the profile a top_k of at least 1"),
        ({"top_k": 40, "min_p": 0.1}, True, "has no min_p$"),
        ({"mirostat": 2, "top_k": 40}, True, "has no mirostat"),
        ({"repeat_penalty": 1.1, "temperature": 0.0}, False, "has no repeat_penalty$"),
        ({"min_p": 0.1}, False, r"has no min_p, seed \("),
        ({"dynatemp_range": 0.5, "temperature": 0.0}, True, "has no dynatemp"),
    ],
)
def test_what_no_build_can_do_is_refused_before_anything_is_loaded(
    folder: Path, changed: dict[str, object], unseeded: bool, reason: str | None
) -> None:
    """With the reason, for every cell of that profile."""
    stand_in_gemma.install(folder)
    profile = replace(SamplingProfile(name="p"), **changed)  # type: ignore[arg-type]
    found = gemma_cpp.load.refusal(spec(folder, {"unseeded": unseeded}), profile)
    if reason is None:
        assert found is None
    else:
        assert found is not None
        assert re.search(reason, found)


def test_a_model_that_the_program_cannot_change_is_refused(folder: Path) -> None:
    """Neither its positions nor its chat markup can be told."""
    stretched = replace(spec(folder), rope_scaling=RopeScaling(rope_type="linear", factor=2.0))
    assert gemma_cpp.load.refusal(stretched, GREEDY) == "has no rope_scaling"
    marked = replace(spec(folder), chat_template="{{ messages }}")
    assert "writes the chat markup itself" in (gemma_cpp.load.refusal(marked, GREEDY) or "")


def test_what_the_build_at_hand_lacks_is_refused_too(folder: Path) -> None:
    """A greedy profile needs no flag for it; a program that is not there has no say."""
    program = stand_in_gemma.install(folder, build="2025-04", without=("top_k",))
    model = spec(folder, {"unseeded": True})
    assert gemma_cpp.load.refusal(model, HOT) == f"has no top_k in the build {program}"
    assert gemma_cpp.load.refusal(model, GREEDY) is None
    found = load(folder, build="2025-04", without=("top_k",))
    assert found.generate(PROMPT, profile=GREEDY, seed=1).text == ANSWER
    program.unlink()
    assert gemma_cpp.load.refusal(model, HOT) is None
    assert gemma_cpp.load.refusal(spec(folder, {"unseedy": True}), HOT) is None


@pytest.mark.parametrize(
    ("build", "options", "flag"),
    [
        ("2026", {"weight_type": "sfp"}, "weight_type"),
        ("2025-10", {"model": "gemma3-1b"}, "model"),
    ],
)
def test_an_option_that_the_build_has_no_flag_for_is_an_error(
    folder: Path, build: str, options: dict[str, Option], flag: str
) -> None:
    """An older build would ignore it, a newer one give up in the middle of the run."""
    with pytest.raises(BackendError, match=f"this build has no flag --{flag}; a newer"):
        load(folder, spec(folder, options), build=build)


def test_a_context_that_an_older_build_cannot_be_told_is_an_error(folder: Path) -> None:
    """Its length was fixed when it was built."""
    with pytest.raises(BackendError, match="this build has no flag --seq_len"):
        load(folder, spec(folder, context_tokens=512), build="2025-04")


def test_the_program_is_asked_for_its_flags_once(folder: Path, tmp_path: Path) -> None:
    """A file that is as it was is not asked again; one that was replaced is."""
    program = stand_in_gemma.install(folder, build="2025-10")
    asked = tmp_path / "asked"
    body = program.read_text().split("\n", 1)
    program.write_text(f"{body[0]}\nopen({str(asked)!r}, 'a').write('x')\n{body[1]}")
    loaded(spec(folder))
    loaded(spec(folder))
    assert asked.read_text() == "x"
    os.utime(program, (1, 1))
    loaded(spec(folder))
    assert asked.read_text() == "xx"


def test_the_program_is_found_on_the_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its usual name, when no option names it."""
    stand_in_gemma.install(folder)
    model = replace(spec(folder), options={})
    monkeypatch.setenv("PATH", str(folder / "nowhere"))
    with pytest.raises(BackendError, match=r'no program "gemma" on the PATH; build it from github\.com'):
        loaded(model)
    monkeypatch.setenv("PATH", str(folder))
    assert loaded(model).program.path == str(folder / "gemma")


def test_keys_of_the_environment_do_not_reach_the_program(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets what it needs to start."""
    monkeypatch.setenv("SOME_API_KEY", "secret")
    load(folder).generate(PROMPT, profile=GREEDY, seed=1)
    (run,) = stand_in_gemma.runs(folder / "gemma")
    assert "PATH" in run["environment"]  # type: ignore[operator]
    assert "SOME_API_KEY" not in run["environment"]  # type: ignore[operator]


def test_the_record_of_the_run_names_what_was_driven(folder: Path) -> None:
    """The program tells no version: its hash stands for it."""
    info = load(folder, spec(folder, {"threads": 3}, context_tokens=512)).info()
    binary = hashlib.sha256((folder / "gemma").read_bytes()).hexdigest()
    assert (info.engine, info.version) == ("gemma.cpp", f"binary {binary[:12]}")
    assert info.model_sha256 == hashlib.sha256(b"weights").hexdigest()
    assert (info.threads, info.context_tokens, info.parameters) == (3, 512, None)
    assert info.details["binary_sha256"] == binary


@pytest.mark.parametrize(
    ("options", "error", "complaint"),
    [
        ({"thread": 1}, UnknownName, r'named "thread"; did you mean "threads"'),
        ({"threads": 0}, BackendError, r"standing-in: threads = 0; a whole number of at least 1 is needed"),
        ({"threads": True}, BackendError, r"threads = true; a whole number"),
        ({"timeout_s": 0}, BackendError, r"timeout_s = 0; a number of seconds above 0 is needed"),
        ({"timeout_s": "1"}, BackendError, r'timeout_s = "1"; a number of seconds'),
        ({"unseeded": 1}, BackendError, r"unseeded = 1; true or false is needed"),
        ({"model": ""}, BackendError, r'model = ""; a text that is not empty is needed'),
        ({"tokenizer": "nowhere.spm"}, ModelNotFound, r"nowhere\.spm: no such file"),
        ({"binary": "./nowhere/gemma"}, BackendError, r"nowhere/gemma: no such program; build it from"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    folder: Path, options: dict[str, Option], error: type[Exception], complaint: str
) -> None:
    """With what would be right."""
    stand_in_gemma.install(folder)
    with pytest.raises(error, match=complaint):
        loaded(spec(folder, options))


def test_weights_that_are_not_there_are_found_missing_at_load(folder: Path) -> None:
    """Before a process has told it in its own words; a folder is no weights."""
    stand_in_gemma.install(folder)
    for location in (folder / "other.sbs", folder):
        with pytest.raises(ModelNotFound, match=r"no such file; gemma\.cpp needs its own weights, a file"):
            loaded(replace(spec(folder), location=str(location)))


def test_a_program_that_is_not_executable_or_is_none_is_refused(folder: Path) -> None:
    """It is told what was tried and how to build one."""
    program = stand_in_gemma.install(folder)
    program.chmod(0o600)
    with pytest.raises(BackendError, match=r"gemma: is not executable; build it from"):
        loaded(spec(folder))
    program.write_bytes(b"\x7fELF no program")
    program.chmod(0o700)
    with pytest.raises(
        BackendError, match=r"--help names no --weights and --prompt, but says '.*Exec format"
    ):
        loaded(spec(folder))
    with pytest.raises(BackendError, match=r"but says 'usage: something else entirely'; it is not gemma"):
        load(folder, fault="no help")


@pytest.mark.parametrize(
    ("fault", "complaint", "text"),
    [
        ("crash", r"was ended by SIGSEGV; its last words: \[ Timing info \] Prefill", "Finn lives"),
        ("abort", r"was ended by SIGABRT; its last words: Abort at matmul\.cc:77: A is not", "Finn lives"),
        ("bad status", r"ended with status 3; its last words: \[ Timing info \] Generate", ANSWER[:-2]),
        ("not UTF-8", r"wrote bytes that are not UTF-8: b'\\xff", "Finn lives"),
        ("banner", r"began with 'Welcome to gemma!.*', not with dots and a blank line", ""),
        ("no end", r"wrote no blank line after the answer", ANSWER),
        ("endless", r"wrote more than 4,194,304 bytes", None),
    ],
)
def test_what_goes_wrong_is_one_clear_error_and_what_had_come_is_kept(
    folder: Path, fault: str, complaint: str, text: str | None
) -> None:
    """A crash, a bad end, garbage: the program, what it did, and its last words."""
    with pytest.raises(EngineCrashed, match=complaint) as caught:
        load(folder, fault=fault).generate(PROMPT, profile=GREEDY, seed=1)
    partial = caught.value.partial
    if fault == "banner":
        return  # what came first was no answer, and may have come before the program said that it reads
    assert partial is not None
    assert partial.finish_reason == "error"
    assert partial.output_tokens is None
    if text is not None:
        assert partial.text.startswith(text.strip())
    (run,) = stand_in_gemma.runs(folder / "gemma")
    assert not psutil.pid_exists(int(str(run["pid"])))


def test_a_crash_while_weights_are_loaded_says_so(folder: Path) -> None:
    """Nothing of an answer had come."""
    with pytest.raises(
        EngineCrashed, match=r"SIGABRT while it loaded the weights; .* corrupt header"
    ) as caught:
        load(folder, fault="damaged weights").generate(PROMPT, profile=GREEDY, seed=1)
    assert caught.value.partial is None


def living(program: Path) -> list[int]:
    """Return the processes that a stand-in is, or has started, and that still run."""
    here = str(program.parent)
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or ())
        if here in line and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


@pytest.mark.parametrize(
    ("fault", "options", "complaint", "partial"),
    [
        ("hang", {"timeout_s": 1.0}, r"did not finish the answer within timeout_s = 1", "Finn lives"),
        ("hang while reading", {"timeout_s": 0.5}, r"did not finish the answer within timeout_s = 0\.5", ""),
        ("hang while loading", {"load_timeout_s": 1}, r"did not begin to read .* load_timeout_s = 1", None),
    ],
)
def test_a_hang_ends_at_its_limit_and_leaves_no_process_behind(
    folder: Path, fault: str, options: dict[str, Option], complaint: str, partial: str | None
) -> None:
    """Neither the program nor what it had started; what had come is kept."""
    backend = load(folder, spec(folder, options), fault=fault)
    with pytest.raises(GenerationTimeout, match=complaint) as caught:
        backend.generate(PROMPT, profile=GREEDY, seed=1)
    found = caught.value.partial
    assert (None if found is None else found.text) == partial
    if found is not None:
        assert (found.finish_reason, found.output_tokens) == ("timeout", None)
    assert living(folder / "gemma") == []


def test_an_answer_that_does_not_stop_ends_at_its_limit(folder: Path) -> None:
    """Output that keeps coming does not move it."""
    backend = load(folder, spec(folder, {"timeout_s": 0.5}), token_s=0.01, tokens=TOKENS * 1000)
    with pytest.raises(GenerationTimeout) as caught:
        backend.generate(PROMPT, profile=replace(GREEDY, max_tokens=8000), seed=1)
    assert caught.value.partial is not None
    assert caught.value.partial.text.startswith("Finn lives")


@pytest.mark.parametrize("build", ["2025-10", "2026"])
def test_what_does_not_fit_the_context_is_refused_and_not_cut_short(folder: Path, build: str) -> None:
    """The program would shorten the answer, and gives up on the prompt; to the token."""
    backend = load(folder, spec(folder, context_tokens=32), build=build)
    size = MARKUP_TOKENS + 4
    fits = replace(GREEDY, max_tokens=32 - size)
    assert backend.generate(PROMPT, profile=fits, seed=1).output_tokens == len(TOKENS)
    with pytest.raises(ContextOverflow) as caught:
        backend.generate(PROMPT, profile=replace(GREEDY, max_tokens=33 - size), seed=1)
    assert (caught.value.needed_tokens, caught.value.limit_tokens) == (33, 32)
    long = replace(PROMPT, messages=(Message(role="user", content="word " * 40),))
    with pytest.raises(ContextOverflow) as caught:
        backend.generate(long, profile=replace(GREEDY, max_tokens=5), seed=1)
    assert (caught.value.needed_tokens, caught.value.limit_tokens) == (MARKUP_TOKENS + 45, 32)


def test_the_process_is_a_child_of_this_one(folder: Path) -> None:
    """So that a watch sees it without being told of it."""
    backend = load(folder, token_s=0.05)
    seen: set[int] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            seen.update(child.pid for child in psutil.Process().children())

    watcher = threading.Thread(target=watch)
    watcher.start()
    backend.generate(PROMPT, profile=GREEDY, seed=1)
    done.set()
    watcher.join()
    (run,) = stand_in_gemma.runs(folder / "gemma")
    assert run["pid"] in seen


@pytest.fixture
def parent(folder: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Start another Python that has the stand-in hang in the middle of an answer."""
    stand_in_gemma.install(folder, fault="hang alone")
    started: list[subprocess.Popen[bytes]] = []

    def start(module: str) -> subprocess.Popen[bytes]:
        script = textwrap.dedent(f"""
            import time
            from gemma_eval.backends.gemma_cpp import backend as gemma_cpp
            from gemma_eval.records import Message, ModelSpec, Prompt, SamplingProfile
            {module}
            spec = ModelSpec(name="x", backend="gemma_cpp", location={str(folder / "gemma.sbs")!r},
                             options={{"binary": {str(folder / "gemma")!r}}})
            backend = gemma_cpp.load(spec, clock=time.perf_counter_ns, transforms={{}})
            prompt = Prompt(messages=(Message(role="user", content="Hi"),), text=None, n_tokens=None)
            backend.generate(prompt, profile=SamplingProfile(name="g", temperature=0.0), seed=1)
        """)
        started.append(subprocess.Popen([sys.executable, "-c", script]))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def awaited(said: Callable[[], bool]) -> bool:
    """Wait until something is so, ten seconds at most."""
    limit = time.monotonic() + 10
    while not said() and time.monotonic() < limit:
        time.sleep(0.02)
    return said()


@pytest.mark.skipif(sys.platform != "linux", reason="only the kernel of Linux tells a process of its parent")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_program_does_not_outlive_who_started_it(
    folder: Path, parent: Callable[[str], subprocess.Popen[bytes]], how: signal.Signals
) -> None:
    """Killed without a chance to clean up."""
    process = parent("")
    assert awaited(lambda: bool(stand_in_gemma.runs(folder / "gemma")))
    (run,) = stand_in_gemma.runs(folder / "gemma")
    engine = psutil.Process(int(str(run["pid"])))
    assert engine.is_running()
    process.send_signal(how)
    process.wait()
    assert awaited(lambda: not engine.is_running() or engine.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.skipif(sys.platform != "linux", reason="only the kernel of Linux tells a process of its parent")
def test_a_program_that_is_not_tied_would_outlive_it(
    folder: Path, parent: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    """The test above can fail: without the tie the program is left behind."""
    process = parent("from gemma_eval.backends.gemma_cpp import process as p; p._tie = lambda: ()")
    assert awaited(lambda: bool(stand_in_gemma.runs(folder / "gemma")))
    (run,) = stand_in_gemma.runs(folder / "gemma")
    process.kill()
    process.wait()
    time.sleep(0.5)
    assert psutil.Process(int(str(run["pid"]))).is_running()
    os.killpg(int(str(run["pid"])), signal.SIGKILL)


def test_the_stand_in_ignores_unknown_flags_only_as_older_builds_do(folder: Path) -> None:
    """And only when it is lenient: the adapter must not pass what would be ignored."""
    line = ["--weights", str(folder / "gemma.sbs"), "--prompt", "Hi", "--min_p", "0.1"]
    for build, lenient, status in (
        ("2025-10", True, 0),
        ("2025-10", False, -signal.SIGABRT),
        ("2026", True, -signal.SIGABRT),
    ):
        program = stand_in_gemma.install(folder, build=build, lenient=lenient)
        done = subprocess.run([program, *line], capture_output=True, check=False)
        assert done.returncode == status
        assert (b"Unrecognized arg 5: --min_p" in done.stderr) == (status != 0)


def test_closing_leaves_nothing_to_do(folder: Path) -> None:
    """Nothing runs between answers, so a closed backend can still answer."""
    backend = load(folder)
    backend.close()
    assert backend.generate(PROMPT, profile=GREEDY, seed=1).text == ANSWER
