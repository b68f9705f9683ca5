"""`gemma-eval models serve` is a server that openai_http measures, and ends when it is told to."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from gemma_eval.backends.llama_cpp.file import read
from gemma_eval.backends.llama_cpp.serve import served
from gemma_eval.backends.llama_cpp.settings import settings
from gemma_eval.backends.openai_http.backend import load
from gemma_eval.errors import BackendError
from gemma_eval.records import Message, ModelSpec, Prompt, SamplingProfile
from tests import required

COMMAND = [sys.executable, "-m", "gemma_eval", "models", "serve"]
HEARS_CTRL_C = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)
"""Starts Python anew with an ear for Ctrl-C, which what a shell started in the background has not."""
QUESTION = Prompt(messages=(Message(role="user", content="Where does Finn live?"),), text=None, n_tokens=None)
GREEDY = SamplingProfile(name="greedy", temperature=0.0, max_tokens=16)

required.module("xllamacpp", extra="llama-cpp")


@pytest.fixture
def server() -> Iterator[subprocess.Popen[str]]:
    """Serve the shipped model on a free port."""
    command = [sys.executable, "-c", HEARS_CTRL_C, *COMMAND[1:]]
    with subprocess.Popen(
        [*command, "@pocket", "--port", "0", "--parallel", "2"], stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def address_of(process: subprocess.Popen[str]) -> str:
    """Return where it says that it listens."""
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"@pocket is served at (http://127\.0\.0\.1:\d+/v1); Ctrl-C ends it\n", line)
    assert found is not None, line
    return found[1]


def test_the_served_model_is_measured_over_http_and_ends_with_ctrl_c(server: subprocess.Popen[str]) -> None:
    """With nothing but the printed address."""
    address = address_of(server)
    spec = ModelSpec(name="served", backend="openai_http", location=address)
    with closing(load(spec, clock=time.perf_counter_ns, transforms={})) as backend:
        answer = backend.generate(QUESTION, profile=GREEDY, seed=0)
    assert answer.text == "I do not know."
    assert (answer.prompt_tokens, answer.cached_tokens) == (14, 0)
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=30) == 0


def test_a_port_that_is_taken_is_one_sentence() -> None:
    """Before the model is loaded; the exit code is that of a usage error."""
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert re.fullmatch(
        rf"gemma-eval: port {port} cannot be listened on: .*; give another --port\n", done.stderr
    )


def test_a_file_that_is_no_model_is_one_sentence() -> None:
    """As when it is measured."""
    done = subprocess.run([*COMMAND, "nothing.gguf"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("gemma-eval: nothing.gguf: no such folder or file")
    assert done.stderr.count("\n") == 1


def test_the_port_is_free_again_when_the_block_ends() -> None:
    """Twice one after the other."""
    spec = ModelSpec(name="pocket", backend="llama_cpp", location="@pocket", context_tokens=256)
    started = settings(spec, read(spec.location))
    with served(started, port=0) as address:
        port = int(address.split(":")[2].split("/")[0])
        with pytest.raises(BackendError, match="cannot be listened on"), served(started, port=port):
            pass
    with served(started, port=port) as again:
        assert again == address
