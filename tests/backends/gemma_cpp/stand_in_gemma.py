"""A stand-in for `gemma` of google/gemma.cpp: its command line and its output, with no model in it.

It parses, complains and writes as three builds do, and no flag is known to it that is not known to them:

    2025-04   --model, --weight_type; no --prompt_file, --seq_len; dots on stderr; unknown flags are ignored
    2025-10   --prompt_file, --seq_len; dots on stdout; unknown flags are ignored
    2026      as 2025-10, takes --flag=value too, and aborts on flags it does not know

So that an adapter cannot pass what the real program would ignore, an ignored flag ends the stand-in, too,
unless it is told to be `lenient`. A `fault` makes it fail as real programs do. Every run is written down
beside the program, in `runs.jsonl`.
Source: google/gemma.cpp:gemma/run.cc, gemma/gemma_args.h, gemma/gemma.h, util/args.h,
util/threading_context.h (160a5824, 70184189, 3dd2961a); google/highway:hwy/abort.cc.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn, TypedDict, Unpack

TOKENS = (" Finn", " lives", " in", " Oslo", ",", " in", " a", " house", ".", "\n", " Caf\u00e9", " \u2713")
"""The greedy answer, token by token; an end of turn follows."""
RANDOM = (" a", " b", " c", " d")
MARKUP_TOKENS = 9
"""`<bos>`, the beginning of the user's turn, its end, and the beginning of the model's."""
MOST_TOKENS = 8192
"""What the model itself has room for, whatever --seq_len says."""

_COMMON = {
    "tokenizer": str,
    "weights": str,
    "verbosity": int,
    "max_generated_tokens": int,
    "prefill_tbatch": int,
    "decode_qbatch": int,
    "temperature": float,
    "top_k": int,
    "deterministic": bool,
    "multiturn": bool,
    "image_file": str,
    "prompt": str,
    "eot_line": str,
    "num_threads": int,
    "pin": int,
    "spin": int,
    "bind": int,
    "skip_packages": int,
    "skip_clusters": int,
    "max_clusters": int,
    "skip_lps": int,
    "max_lps": int,
}
_NEWER = {**_COMMON, "map": int, "to_bf16": int, "wrapping": int, "seq_len": int, "prompt_file": str}
FLAGS: dict[str, dict[str, type]] = {
    "2025-04": {**_COMMON, "compressed_weights": str, "model": str, "weight_type": str},
    "2025-10": _NEWER,
    "2026": {**_NEWER, "port": int, "model": str},
}


class Told(TypedDict, total=False):
    """What a stand-in is told to be: its build and its fault, the flags it lacks, its answer and pace."""

    build: str
    fault: str
    lenient: bool
    without: tuple[str, ...]
    tokens: tuple[str, ...]
    load_s: float
    token_s: float


def install(folder: Path, **told: Unpack[Told]) -> Path:
    """Write an executable that is so; return its path."""
    program = folder / "gemma"
    program.write_text(
        f"#!{sys.executable} -IS\n"
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from stand_in_gemma import Gemma\n"
        f"Gemma(sys.argv, log={str(folder / 'runs.jsonl')!r}, told={dict(told)!r}).main()\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def runs(program: Path) -> list[dict[str, object]]:
    """Return what the stand-in was told at each of its runs, those for help left out."""
    log = program.parent / "runs.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


class Gemma:
    """One run of the stand-in."""

    def __init__(self, argv: list[str], *, log: str, told: Told) -> None:
        self.argv = argv
        self.log = log
        self.build = told.get("build", "2026")
        self.fault = told.get("fault", "")
        self.lenient = told.get("lenient", False)
        self.tokens = told.get("tokens", TOKENS)
        self.load_s = told.get("load_s", 0.0)
        self.token_s = told.get("token_s", 0.0)
        without = told.get("without", ())
        self.flags = {name: kind for name, kind in FLAGS[self.build].items() if name not in without}
        self.values: dict[str, str] = {}
        self.prompt_mode: int | None = None
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def main(self) -> None:
        """Run as the program does: help, arguments, weights, prompt, answer."""
        if len(self.argv) == 1 or "--help" in self.argv:
            self._help()
            return
        self._parse(self.argv)
        self._load()
        prompt = self._prompt()
        self._log(prompt)
        self._answer(prompt)

    def _help(self) -> None:
        if self.fault == "no help":
            sys.stderr.write("usage: something else entirely\n")
            return
        if self.fault == "hanging help":
            time.sleep(600)
        sys.stderr.write("\n  __ _  ___ _ __ ___  _ __ ___   __ _   ___ _ __  _ __\n")
        for name in self.flags:
            sys.stderr.write(f"  --{name} : What this is for.\n    Default = something.\n")

    def _parse(self, argv: list[str]) -> None:
        """Look for each flag through all arguments, as the program does, whatever they are values of."""
        used = {0}
        for name, kind in self.flags.items():
            for index, argument in enumerate(argv[1:], start=1):
                if argument == f"--{name}":
                    if index + 1 >= len(argv):
                        self._abort("args.h:140", f"Missing value for {name}")
                    self._set(name, argv[index + 1], kind)
                    used |= {index, index + 1}
                    break
                if self.build == "2026" and argument.startswith(f"--{name}="):
                    self._set(name, argument.partition("=")[2], kind)
                    used.add(index)
                    break
        unused = [index for index in range(len(argv)) if index not in used]
        if unused and (self.build == "2026" or not self.lenient):
            self._abort("args.h:77", f"Unrecognized arg {unused[0]}: {argv[unused[0]]}\n")

    def _set(self, name: str, value: str, kind: type) -> None:
        """Take a value that `std::stoi` and its like would take."""
        try:
            if kind is not bool:
                kind(value)
        except ValueError:
            self._abort("args.h:143", f"Invalid value for {name}, got {value}")
        if kind is bool and value.lower() not in {"true", "false", "on", "off", "0", "1"}:
            self._abort("args.h:143", f"Invalid value for {name}, got {value}")
        self.values[name] = value

    def _load(self) -> None:
        weights = Path(self.values.get("weights", ""))
        if not weights.is_file():
            self._abort("gemma_args.h:40", "Can't open file specified with --weights flag.")
        if self.build == "2025-04" and ("model" in self.values) != ("tokenizer" in self.values):
            self._abort("gemma_args.h:45", "Missing or extra flags for model_type or tokenizer.")
        time.sleep(self.load_s)
        if self.fault == "damaged weights":
            self._abort("blob_store.cc:118", "Blob store: corrupt header")
        if self.fault == "hang while loading":
            self._hang()

    def _prompt(self) -> str:
        if self.values.get("prompt"):
            return self.values["prompt"]
        if "prompt_file" in self.values:
            file = Path(self.values["prompt_file"])
            self.prompt_mode = file.stat().st_mode & 0o777
            return file.read_text(encoding="utf-8")
        sys.stdout.write("\033[2J\033[1;1H\n  __ _  ___ _ __ ___\n\n*Usage*\n\n> ")
        sys.exit(0)

    def _log(self, prompt: str) -> None:
        run = {
            "argv": self.argv,
            "prompt": prompt,
            "prompt_mode": self.prompt_mode,
            "environment": sorted(os.environ),
            "pid": os.getpid(),
        }
        with Path(self.log).open("a", encoding="utf-8") as log:
            log.write(json.dumps(run) + "\n")

    def _answer(self, prompt: str) -> None:
        size = MARKUP_TOKENS + len(prompt.split())
        chatty = int(self.values.get("verbosity", "1")) >= 1
        if self.fault == "banner":
            self._out("Welcome to gemma!\n")
        if chatty and self.fault != "no notes":
            self._err("\n[ Reading prompt ] ")
        self._demand_room(size)
        began = time.perf_counter()
        for _ in range(size if chatty else 0):
            (self._err if self.build == "2025-04" else self._out)(".")
        if self.fault == "hang while reading":
            self._hang()
        tokens = [*self._drawn(), None][: self._most(size)]
        if self.fault == "endless":
            tokens = ["x" * 60_000] * 1000
        self._write(tokens, began, chatty=chatty, prompt_tokens=size)
        if self.fault != "no end":
            self._out("\n\n")
        if self.fault == "bad status":
            sys.exit(3)

    def _drawn(self) -> list[str]:
        if int(self.values.get("top_k", "1")) == 1:
            return list(self.tokens)
        draw = random.Random(0x12345678 if self.values.get("deterministic") in {"1", "true"} else None)  # noqa: S311
        return draw.choices(RANDOM, k=40)

    @property
    def _room(self) -> int:
        return min(int(self.values.get("seq_len", "8192")), MOST_TOKENS)

    def _demand_room(self, size: int) -> None:
        """Give up on a prompt that there is no room for."""
        if size >= self._room:
            named = f"seq_len = {self._room}, " if self.build == "2026" else ""
            what = f"max_prompt_size = {size}, {named}increase --seq_len to at least that."
            self._abort("gemma.cc:520", what)

    def _most(self, size: int) -> int:
        """Return how many tokens may be written; complain where there is no room for all."""
        most = int(self.values.get("max_generated_tokens", "2048"))
        if "seq_len" not in self.flags:
            if most > MOST_TOKENS:
                self._err(f"WARNING: max_generated_tokens {most} > kSeqLen {MOST_TOKENS}, truncating.\n")
            return min(most, MOST_TOKENS)
        if size + most > self._room:
            what = f"prefill {size} + max_gen_steps {most} > seq_len {self._room}, truncating."
            self._err(f"Warn at gemma.cc:548: {what}\n")
        return min(most, self._room - size)

    def _write(self, tokens: list[str | None], began: float, *, chatty: bool, prompt_tokens: int) -> None:
        """Write the tokens, `None` an end of turn, and the timings: whole milliseconds."""
        timed = chatty and self.fault not in {"no timings", "no notes"}
        prefilled = time.perf_counter()
        for index, token in enumerate(tokens):
            time.sleep(self.token_s)
            if index == 0 and timed:
                ms = int((prefilled - began) * 1000)
                first = int((time.perf_counter() - began) * 1000)
                self._err(
                    f"\n\n[ Timing info ] Prefill: {ms} ms for {prompt_tokens - 1} prompt tokens "
                    f"(100.00 tokens / sec); Time to first token: {first} ms\n"
                )
            if token is None:
                continue
            if index == 0:
                token = token.lstrip(" \t\n")  # noqa: PLW2901 - as the program erases it
                if chatty:
                    self._out("\n\n")
            self._token(index, token)
        if timed:
            ms = int((time.perf_counter() - prefilled) * 1000)
            self._err(f"\n[ Timing info ] Generate: {ms} ms for {len(tokens)} tokens (50.00 tokens / sec)\n")

    def _token(self, index: int, token: str) -> None:
        if index == 2:
            self._fail_midway()
        for byte in token.encode() if self.fault == "split" else ():
            sys.stdout.buffer.write(bytes((byte,)))
            sys.stdout.buffer.flush()
            time.sleep(0.001)
        if self.fault != "split":
            self._out(token)

    def _fail_midway(self) -> None:
        if self.fault == "crash":
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.fault == "abort":
            self._abort("matmul.cc:77", "A is not aligned")
        if self.fault == "not UTF-8":
            sys.stdout.buffer.write(b"\xff\xfe")
            sys.stdout.buffer.flush()
        if self.fault == "hang alone":
            time.sleep(600)
        if self.fault == "hang":
            self._hang()

    def _hang(self) -> None:
        """Hang with a process of its own, which holds the outputs open."""
        subprocess.Popen([sys.executable, "-ISc", "import time; time.sleep(600)", self.log])
        time.sleep(600)

    def _abort(self, where: str, what: str) -> NoReturn:
        """Write what highway's `HWY_ABORT` writes, and end as it does."""
        self._err(f"Abort at {where}: {what}\n")
        os.abort()

    def _out(self, text: str) -> None:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()

    def _err(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
