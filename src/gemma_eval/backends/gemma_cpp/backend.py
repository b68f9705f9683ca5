"""Drives `gemma`, the program of google/gemma.cpp: a child process per answer.

    [model.gemma3-270m]
    backend = "gemma_cpp"
    location = "gemma3-270m-it-sfp.sbs"
    options = { binary = "/opt/gemma.cpp/build/gemma" }

`binary` is the program, by default `gemma` on the PATH; `tokenizer`, `model` and `weight_type` are what
weights from before 2025 need; `threads` are the most threads; `load_timeout_s` and `timeout_s` are how long
the weights may take to load and an answer to come. `unseeded = true` lets profiles draw that need a seed: the
program draws with one of its own, and no trial can be made again.

The weights are loaded for every answer. `requested_ns` is when the program says that it begins to read the
prompt, so no time of an answer holds the loading; that is `load_ms` of the engine timings.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from gemma_eval.backends.capabilities import lack, needs
from gemma_eval.backends.gemma_cpp.command import Program, always, find, one_turn, per_profile, told
from gemma_eval.backends.gemma_cpp.hearing import Hearing
from gemma_eval.backends.gemma_cpp.options import Settings, settings
from gemma_eval.backends.gemma_cpp.process import Child
from gemma_eval.backends.model_files import sha256
from gemma_eval.errors import BackendError, EngineCrashed, GenerationTimeout, ModelNotFound, UnknownName
from gemma_eval.files import read
from gemma_eval.protocols import Clock, TransformFactory
from gemma_eval.records import EngineInfo, Generation, ModelSpec, Prompt, SamplingProfile
from gemma_eval.sampling.effective import is_greedy

CAPABILITIES = frozenset({"temperature", "top_k", "stop"})
"""What every build can do; a stop string ends the process. None has a flag for a seed."""


class Load:
    """Builds the backend; the program is looked for and asked for its flags, no weights are loaded."""

    @property
    def capabilities(self) -> frozenset[str]:
        """What every build of the program can do."""
        return CAPABILITIES

    def check(self, spec: ModelSpec) -> None:
        """Look at the options of a model. Raises UnknownName, BackendError."""
        settings(spec)

    def refusal(self, spec: ModelSpec, profile: SamplingProfile) -> str | None:
        """Say what no build can do, and what the one at hand cannot.

        A program that is not there says nothing here; its cells fail with the reason.
        """
        if spec.rope_scaling is not None:
            return "has no rope_scaling"
        if spec.chat_template is not None:
            return "writes the chat markup itself; remove the chat_template of the model"
        try:
            chosen = settings(spec)
        except (UnknownName, BackendError):  # loading says what is wrong with them
            return None
        return _lacking(profile, chosen) or _lacking_here(profile, chosen)

    def __call__(
        self, spec: ModelSpec, *, clock: Clock, transforms: Mapping[str, TransformFactory]
    ) -> GemmaCpp:
        """Return the backend. Raises UnknownName, BackendError, ModelNotFound."""
        del transforms
        chosen = settings(spec)
        program = find(chosen.binary, environment=os.environ)
        weights = _file(spec.location)
        tokenizer = None if chosen.tokenizer is None else _file(chosen.tokenizer)
        files = {"weights": weights} | ({} if tokenizer is None else {"tokenizer": tokenizer})
        return GemmaCpp(
            program=program,
            settings=chosen,
            files=files,
            fixed=always(program, chosen, files=files, context_tokens=spec.context_tokens),
            context_tokens=spec.context_tokens,
            environment=dict(os.environ),
            clock=clock,
        )


load = Load()


@dataclass(kw_only=True, eq=False)
class GemmaCpp:
    """The program and what it is told for every answer; nothing of it runs between answers."""

    program: Program
    settings: Settings
    files: Mapping[str, Path]
    fixed: tuple[str, ...]
    context_tokens: int | None
    environment: Mapping[str, str]
    clock: Clock

    @property
    def chat_template(self) -> str | None:
        """`None`: the program puts Gemma's markup around the prompt."""
        return None

    def info(self) -> EngineInfo:
        """Say what is driven; a program that tells no version is known by the hash of its file."""
        return self._info

    def count_tokens(self, text: str) -> int | None:
        """Return `None`: only the program can tokenise, and it does so only to answer."""
        del text
        return None

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Answer the messages of `prompt`; `seed` has no effect.

        Raises BackendError: for a profile that the program cannot follow; ContextOverflow; EngineCrashed and
        GenerationTimeout with what had come.
        """
        del seed
        if reason := _lacking(profile, self.settings):
            raise BackendError(f"gemma_cpp {reason}")
        with told(self.program, one_turn(prompt.messages)) as prompt_arguments:
            arguments = (*self.fixed, *per_profile(self.program, profile), *prompt_arguments)
            with self._start(arguments) as child:
                hearing = Hearing(profile, started_ns=child.started_ns, context_tokens=self.context_tokens)
                self._hear(child, hearing)
        return hearing.whole()

    def close(self) -> None:
        """Do nothing: no process runs between answers."""

    @cached_property
    def _info(self) -> EngineInfo:
        binary = sha256((Path(self.program.path),))
        tokenizer = self.files.get("tokenizer")
        return EngineInfo(
            engine="gemma.cpp",
            version=f"binary {binary[:12]}",
            model_sha256=sha256((self.files["weights"],)),
            tokenizer_sha256=None if tokenizer is None else sha256((tokenizer,)),
            quantisation=self.settings.weight_type,
            parameters=None,
            context_tokens=self.context_tokens,
            threads=self.settings.threads,
            details={"binary_sha256": binary, "flags": tuple(sorted(self.program.flags))},
        )

    def _start(self, arguments: Sequence[str]) -> Child:
        try:
            return Child(arguments, clock=self.clock, environment=self.environment)
        except (OSError, ValueError) as error:
            raise BackendError(f"{self.program.path}: cannot be started: {error}") from error

    def _hear(self, child: Child, hearing: Hearing) -> None:
        """Take what the process writes until it has ended well, or a stop string was met."""
        try:
            while reads := child.read(within_s=self._left_s(hearing)):
                for one in reads:
                    hearing.take(one)
                if hearing.answer.stopped:
                    return
            if status := child.wait(within_s=self._left_s(hearing)):
                raise ValueError(_ending(status))
            hearing.answer.finish()
        except TimeoutError:
            self._time_out(hearing)
        except ValueError as error:
            self._fail(hearing, str(error))

    def _left_s(self, hearing: Hearing) -> float:
        """Return how much time is left for the weights, or after those for the answer."""
        begun_ns, limit_s = hearing.started_ns, self.settings.load_timeout_s
        if hearing.is_reading:
            begun_ns, limit_s = hearing.requested_ns, self.settings.timeout_s
        return limit_s - (self.clock() - begun_ns) / 1e9

    def _time_out(self, hearing: Hearing) -> NoReturn:
        what, option = "did not begin to read the prompt", "load_timeout_s"
        if hearing.is_reading:
            what, option = "did not finish the answer", "timeout_s"
        raise GenerationTimeout(
            f"{self.program.path}: {what} within {option} = {getattr(self.settings, option):g}",
            partial=hearing.partial("timeout", ended_ns=self.clock()),
        ) from None

    def _fail(self, hearing: Hearing, what: str) -> NoReturn:
        """Raise what a process that went wrong deserves; its last line says why, where it says anything."""
        when = "" if hearing.is_reading else " while it loaded the weights"
        raise EngineCrashed(
            f"{self.program.path}: {what}{when}; its last words: {hearing.notes.last_line[-300:]}",
            partial=hearing.partial("error", ended_ns=self.clock()),
        ) from None


def _lacking(profile: SamplingProfile, chosen: Settings) -> str | None:
    """Say what no build can do for a profile."""
    able = CAPABILITIES | {"seed"} if chosen.unseeded else CAPABILITIES
    if reason := lack(profile, able):
        hint = " (with the option unseeded = true it draws with a seed of its own)"
        return reason + hint if {"seed"}.intersection(needs(profile)) - able else reason
    if not is_greedy(profile) and profile.top_k < 1:
        return "draws only among the best tokens; give the profile a top_k of at least 1"
    return None


def _lacking_here(profile: SamplingProfile, chosen: Settings) -> str | None:
    """Say what the build at hand cannot do for a profile that draws, when it is there to be asked."""
    if is_greedy(profile):
        return None
    try:
        program = find(chosen.binary, environment=os.environ)
    except BackendError:
        return None
    lacking = [flag for flag in ("temperature", "top_k") if flag not in program.flags]
    return f"has no {', '.join(lacking)} in the build {program.path}" if lacking else None


def _ending(status: int) -> str:
    """Say how a process ended that should have ended with 0."""
    if status > 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def _file(location: str) -> Path:
    path = read.expanded(location).absolute()
    if not read.exists(path, "file"):
        raise ModelNotFound(f"{location}: no such file; gemma.cpp needs its own weights, a file *.sbs")
    return path
