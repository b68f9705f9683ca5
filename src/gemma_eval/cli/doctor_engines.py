"""Which engines work here: each is tried in a process of its own, and servers are asked for an answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from gemma_eval.cli import chosen
from gemma_eval.cli.doctor_findings import Finding, State
from gemma_eval.cli.doctor_try import MARK
from gemma_eval.records import ModelSpec

TRIED: Mapping[str, tuple[str, tuple[str, ...], str]] = {
    "numpy_gemma": ("@pocket", (), ""),
    "llama_cpp": ("@pocket.Q8_0.gguf", ("xllamacpp", "gguf"), "llama-cpp"),
    "hf_transformers": ("@pocket", ("torch", "transformers"), "transformers"),
}
"""The engines that run here by themselves: with which model, what they need, and the extra that has it."""
NEEDED = "numpy_gemma"
WITHIN_S = 30.0
_SERVER_S = 2.0


@dataclass(slots=True)
class Trial:
    """An engine that is being tried."""

    backend: str
    process: subprocess.Popen[str]

    def finding(self) -> Finding:
        """Wait for the end of it, and return what came of it."""
        state: State = "FAIL" if self.backend == NEEDED else "note"
        try:
            printed, said = self.process.communicate(timeout=WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return Finding(what=self.backend, told=f"no token within {WITHIN_S:g} s", state=state)
        told = next((line for line in printed.splitlines() if line.startswith(MARK)), None)
        if told is None:
            return Finding(what=self.backend, told=_ended(self.process.returncode, said), state=state)
        found: dict[str, str] = json.loads(told.removeprefix(MARK))
        if "problem" in found:
            return Finding(what=self.backend, told=found["problem"], state=state)
        took = f"loaded in {found['load']}, a token after {found['token']}"
        return Finding(what=self.backend, told=f"{found['engine']}: {took}")


def begin() -> tuple[list[Trial], list[Finding]]:
    """Start to try the engines that are installed, and return what is known of the others."""
    trials, others = [], []
    for backend, (location, packages, extra) in TRIED.items():
        missing = [package for package in packages if find_spec(package) is None]
        if missing:
            advice = f'pip install "gemma_eval[{extra}]"'
            told = f"is not installed: {', '.join(missing)}"
            others.append(Finding(what=backend, told=told, state="note", advice=advice))
        else:
            trials.append(Trial(backend, _begun(backend, location)))
    return trials, others


def gemma_cpp() -> Iterator[Finding]:
    """Say whether the program of gemma.cpp is found; which weights it has is not looked for."""
    from gemma_eval.backends.gemma_cpp.command import find
    from gemma_eval.errors import BackendError

    try:
        program = find("gemma", environment=os.environ)
    except BackendError as error:
        told, _, advice = str(error).partition("; ")
        yield Finding(what="gemma_cpp", told=told, state="note", advice=advice)
    else:
        yield Finding(what="gemma_cpp", told=f"the program is {program.path}")


def servers() -> Iterator[Finding]:
    """Say of each server that a file of this user or project names whether it answers.

    Those that only the shipped file names are nobody's choice.
    """
    found = chosen.catalog()
    shipped = chosen.places()[0].folder
    for name, spec in found.models.items():
        if spec.backend == "openai_http" and found.origins[("model", name)][-1] != shipped:
            yield _server(spec)


def redis() -> Iterator[Finding]:
    """Say whether a Redis answers: the one that `REDIS_URL` names, or the usual one of this machine."""
    if find_spec("redis") is None:
        advice = 'pip install "gemma_eval[redis]"'
        yield Finding(what="redis", told="its client is not installed", state="note", advice=advice)
        return
    import redis as library

    url = os.environ.get("REDIS_URL", "redis://localhost:6379")
    shown = url.rpartition("@")[2].removeprefix("redis://")
    client = library.Redis.from_url(url, socket_connect_timeout=_SERVER_S, socket_timeout=_SERVER_S)
    try:
        told = client.info("server")
        yield Finding(what="redis", told=f"{told['redis_version']} at {shown}")
    except library.RedisError:
        advice = "needed only by a memory in Redis; REDIS_URL names another one"
        yield Finding(what="redis", told=f"none answers at {shown}", state="note", advice=advice)
    finally:
        client.close()


def _server(spec: ModelSpec) -> Finding:
    import urllib3

    from gemma_eval.backends.openai_http.address import parse

    address = parse(spec.location, model=spec.name)
    url = f"{address.origin}{address.path}/models"
    what = f"model {spec.name}"
    try:
        answer = urllib3.request("GET", url, timeout=_SERVER_S, retries=False, redirect=False)
    except urllib3.exceptions.HTTPError:
        advice = "start the server, or mend the location of the model"
        return Finding(what=what, told=f"no server answers at {address.origin}", state="note", advice=advice)
    return Finding(what=what, told=f"a server answers at {address.origin} (status {answer.status})")


def _begun(backend: str, location: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "gemma_eval.cli.doctor_try", backend, location]
    return subprocess.Popen(  # noqa: S603 - no shell, fixed words
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def _ended(code: int, said: str) -> str:
    """Return how a process ended that told nothing."""
    last = (said.strip().splitlines() or ["it said nothing"])[-1]
    if code < 0:
        return f"the engine ended by {signal.Signals(-code).name}: {last}"
    return f"the engine ended with exit code {code}: {last}"
