"""The command line of `gemma`: where the program is, which flags it has, and what it is told."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from gemma_eval.backends.gemma_cpp.options import Settings
from gemma_eval.backends.gemma_cpp.process import Child, passed_on
from gemma_eval.errors import BackendError
from gemma_eval.files.read import expanded
from gemma_eval.records import Message, SamplingProfile
from gemma_eval.sampling.effective import is_greedy

HELP_WITHIN_S = 30.0
"""How long `--help` may take; it loads nothing."""
BUILD = (
    "build it from github.com/google/gemma.cpp (cmake --preset make && cmake --build --preset make) and give "
    'the model its place: options = { binary = "/path/to/gemma" }'
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """The program, and the flags that its `--help` names, without dashes."""

    path: str
    flags: frozenset[str]

    def tell(self, flag: str, value: str | float) -> tuple[str, str]:
        """Return a flag and its value as arguments. Raises BackendError when the program lacks the flag."""
        if flag not in self.flags:
            raise BackendError(f"{self.path}: this build has no flag --{flag}; a newer gemma.cpp may have it")
        return f"--{flag}", str(value)

    def tell_if_known(self, flag: str, value: str | float) -> tuple[str, ...]:
        """Return a flag and its value, or nothing when the program lacks the flag."""
        return self.tell(flag, value) if flag in self.flags else ()


def find(binary: str, *, environment: Mapping[str, str]) -> Program:
    """Return the program called `binary`, a name on the PATH or a path. Raises BackendError.

    It is asked for `--help` once, as long as the file does not change: a newer build gives up on a flag that
    it does not know, and an older one ignores it.
    """
    path = _path(binary, environment)
    try:
        status = Path(path).stat()
        identity = (status.st_ino, status.st_size, status.st_mtime_ns)
        flags = _flags(path, identity, tuple(sorted(passed_on(environment).items())))
    except TimeoutError:
        raise BackendError(f"{path}: --help took more than {HELP_WITHIN_S:.0f} s; is it gemma?") from None
    except OSError as error:
        raise BackendError(f"{path}: cannot be started: {error.strerror or error}; {BUILD}") from error
    return Program(path=path, flags=flags)


def always(
    program: Program, settings: Settings, *, files: Mapping[str, Path], context_tokens: int | None
) -> tuple[str, ...]:
    """Return the program and the arguments that are the same for every answer. Raises BackendError."""
    given = {
        **{flag: str(path) for flag, path in files.items()},
        "model": settings.model,
        "weight_type": settings.weight_type,
        "num_threads": settings.threads,
        "seq_len": context_tokens,
    }
    pairs = [program.tell(flag, value) for flag, value in given.items() if value is not None]
    told = [argument for pair in pairs for argument in pair]
    return (program.path, *told, *program.tell_if_known("verbosity", 1))


def per_profile(program: Program, profile: SamplingProfile) -> tuple[str, ...]:
    """Return the arguments of a profile. Raises BackendError when the program lacks a flag that it needs.

    A program without `top_k` takes the best token always.
    """
    limit = program.tell("max_generated_tokens", profile.max_tokens)
    if is_greedy(profile):
        return (*limit, *program.tell_if_known("top_k", 1))
    temperature = program.tell("temperature", profile.temperature)
    return (*limit, *temperature, *program.tell("top_k", profile.top_k))


def one_turn(messages: Sequence[Message]) -> str:
    """Return a conversation as the one turn of a user that the program puts its markup around.

    That markup begins a turn of the user and ends it, so earlier turns are divided by the markup that Gemma's
    chat template would put there; what a system says stands before the first. Raises BackendError.
    """
    turns = list(messages)
    system = f"{turns.pop(0).content.strip()}\n\n" if turns and turns[0].role == "system" else ""
    if not turns or turns[0].role != "user" or turns[-1].role != "user":
        raise BackendError("gemma.cpp puts the markup of one user around a prompt: begin and end with a user")
    first, *others = turns
    roles = {"assistant": "model"}
    text = system + first.content.strip()
    for turn in others:
        role = roles.get(turn.role, turn.role)
        text += f"<end_of_turn>\n<start_of_turn>{role}\n{turn.content.strip()}"
    if not text:
        raise BackendError("the prompt is empty; at least one token is needed")
    return text


@contextmanager
def told(program: Program, text: str) -> Iterator[tuple[str, ...]]:
    """Give the arguments that hand over a prompt: a file that only we can read, or for old builds itself.

    Raises BackendError for a prompt that cannot be handed over.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        wrong = error.object[error.start]
        raise BackendError(f"the prompt has a character that UTF-8 has not: {wrong!r}") from error
    if "prompt_file" not in program.flags:
        yield _as_argument(program, text)
        return
    with tempfile.TemporaryDirectory(prefix="gemma_eval-") as folder:
        file = Path(folder) / "prompt.txt"
        file.touch(mode=0o600)
        file.write_bytes(data)
        yield program.tell("prompt_file", str(file))


def _as_argument(program: Program, text: str) -> tuple[str, str]:
    """Return the prompt as an argument; one that reads like a flag would be taken for it."""
    if text in {f"--{flag}" for flag in (*program.flags, "help")} or "\0" in text:
        raise BackendError(f"{program.path}: this build cannot be given the prompt {text!r}; a newer one can")
    return program.tell("prompt", text)


def _path(binary: str, environment: Mapping[str, str]) -> str:
    if os.sep not in binary and not binary.startswith("~"):
        found = shutil.which(binary, path=environment.get("PATH", os.defpath))
        if found is None:
            raise BackendError(f'no program "{binary}" on the PATH; {BUILD}')
        return os.path.abspath(found)  # noqa: PTH100 - a link stays: its name may be all that tells builds apart
    path = expanded(binary).absolute()
    if not path.is_file():
        raise BackendError(f"{path}: no such program; {BUILD}")
    if not os.access(path, os.X_OK):
        raise BackendError(f"{path}: is not executable; {BUILD}")
    return str(path)


@lru_cache(maxsize=8)
def _flags(
    path: str, identity: tuple[int, int, int], environment: tuple[tuple[str, str], ...]
) -> frozenset[str]:
    """Return the flags that a program says it has; the same file is not asked twice."""
    del identity
    output = b""
    limit_s = time.monotonic() + HELP_WITHIN_S
    with Child((path, "--help"), clock=time.monotonic_ns, environment=dict(environment)) as child:
        while reads := child.read(within_s=limit_s - time.monotonic()):
            output += b"".join(read.data for read in reads)
    text = output.decode(errors="replace")
    flags = frozenset(re.findall(r"^\s*--(\w+) :", text, flags=re.MULTILINE))
    if "weights" not in flags or not flags & {"prompt", "prompt_file"}:
        first = next((line.strip() for line in text.splitlines() if line.strip()), "nothing")
        raise BackendError(
            f"{path}: its --help names no --weights and --prompt, but says {first[:200]!r}; "
            f"it is not gemma of gemma.cpp, or one from before 2025-04; {BUILD}"
        )
    return flags
