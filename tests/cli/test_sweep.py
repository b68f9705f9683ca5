"""`gemma-eval sweep` finds a rate, says at once what it does, and refuses what pytest skips."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

import pytest
from click.testing import CliRunner, Result

import gemma_eval
from gemma_eval.backends.scripted import Scripted, load
from gemma_eval.cli import command
from gemma_eval.errors import BackendError, ConfigError, UnknownName, UsageError
from gemma_eval.plugins import load as load_plugins
from gemma_eval.protocols import Clock, RegisterBackend, TransformFactory
from gemma_eval.records import EngineInfo, Generation, ModelSpec, Prompt, SamplingProfile
from tests import required

MODELS = """\
version = 1
[model.three]
backend = "three_at_once"
location = "-"
[model.one]
backend = "scripted"
location = "-"
"""
SUITE = """\
[defaults]
kind = "benchmark"
models = ["three"]
profiles = ["greedy"]
templates = ["plain"]
repeats = 10

[[case]]
id = "steady"
prompt = "Who is there?"
load = { rate_per_s = 1.0, arrival = "constant" }
slo = { ttft_sched_s = 2.0 }

[[case]]
id = "promiseless"
prompt = "Who is there?"
"""
BUSY_S = 0.05


@dataclass(kw_only=True, eq=False)
class ThreeAtOnce:
    """An engine that takes a while for each answer and turns away a fourth request."""

    replies: Scripted
    lock: Lock
    at_work: int = 0
    chat_template: str | None = None
    max_in_flight: int | None = None

    def info(self) -> EngineInfo:
        """Say that no model is driven."""
        return self.replies.info()

    def count_tokens(self, text: str) -> int:
        """Count words."""
        return self.replies.count_tokens(text)

    def generate(self, prompt: Prompt, *, profile: SamplingProfile, seed: int) -> Generation:
        """Answer, unless three are being answered."""
        with self.lock:
            self.at_work += 1
        try:
            if self.at_work > 3:
                raise BackendError("too many")
            time.sleep(BUSY_S)
            return self.replies.generate(prompt, profile=profile, seed=seed)
        finally:
            with self.lock:
                self.at_work -= 1

    def close(self) -> None:
        """Do nothing."""


def three_at_once(
    spec: ModelSpec, *, clock: Clock, transforms: Mapping[str, TransformFactory]
) -> ThreeAtOnce:
    """Return the engine."""
    return ThreeAtOnce(
        replies=load(replace(spec, options={}), clock=clock, transforms=transforms), lock=Lock()
    )


class Plugin:
    """Brings the engine."""

    @gemma_eval.hookimpl
    def register_backends(self, register: RegisterBackend) -> None:
        """Register it."""
        register("three_at_once", three_at_once)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """Write a suite beside its models, and return its path."""
    (tmp_path / "models.toml").write_text(MODELS)
    path = tmp_path / "served.toml"
    path.write_text(SUITE)
    return path


def swept(suite: Path, *arguments: str, case: str = "steady", model: str = "three") -> Result:
    """Run the command in this process."""
    given = ("sweep", str(suite), "--case", case, "--model", model, *arguments)
    return CliRunner().invoke(command(load_plugins([Plugin()])), given, catch_exceptions=False)


def test_the_rate_is_found_between_what_passes_and_what_is_turned_away(suite: Path) -> None:
    """At 10 per s one is at work, at 160 eight would be; each rate is told when it has ended."""
    result = swept(suite, "--low", "10", "--high", "160", "--tolerance", "1")
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert (
        lines[0]
        == "steady[three/greedy/plain]: up to three times 10 requests at each rate, 95 % of them good"
    )
    assert lines[1].strip().startswith("10 per s, 100% good, TTFT p50")
    assert lines[1].endswith("10 of 10 answered: keeps it")
    assert lines[-2].endswith("failed (backend): does not")
    found = re.fullmatch(
        r"highest rate that keeps the SLO: (\d+) requests per s \((\d+) per s does not\)", lines[-1]
    )
    assert found is not None
    assert 10 <= float(found[1]) < float(found[2]) <= 160


def test_it_is_said_what_is_measured_before_it_is(suite: Path) -> None:
    """A rate of one per two seconds takes a while: its length is told when it begins, beside the results."""
    result = swept(suite, "--low", "20", "--high", "20")
    assert result.stderr.splitlines()[:2] == [
        "measuring: the model three is loaded",
        "measuring: 20 per s, for 500 ms and what the last answers take",
    ]
    assert result.stdout.splitlines()[-1].endswith("20 requests per s (the highest that was tried)")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--good", "nan"), "nan is not a number"),
        (("--good", "0"), "0.0 is not in the range 0<x<=1"),
        (("--good", "1.5"), "1.5 is not in the range 0<x<=1"),
        (("--low", "nan"), "nan is not a number"),
        (("--high", "inf"), "inf is not in the range"),
        (("--requests", "0"), "0 is not in the range"),
    ],
)
def test_a_figure_that_makes_no_sense_is_refused(
    suite: Path, arguments: tuple[str, ...], problem: str
) -> None:
    """With `nan` of them good every rate would fail."""
    result = swept(suite, *arguments)
    assert result.exit_code == 2
    assert problem in result.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--low", "9", "--high", "8"), "a sweep from 9 to 8 per s; give 0 < low <= high"),
        (("--tolerance", "nan"), "a sweep with tolerance nan; give at least 0.001"),
    ],
)
def test_a_search_that_could_not_end_is_refused_before_the_suite_is_read(
    tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    """Nothing is loaded."""
    with pytest.raises(UsageError, match=re.escape(problem)):
        swept(tmp_path / "nowhere.toml", *arguments)


def test_what_cannot_be_swept_is_refused_before_an_engine_is_loaded(suite: Path) -> None:
    """A case without a promise, one that is not there, and a model that is not."""
    with pytest.raises(UsageError, match='the case "promiseless" has no slo, as slo = '):
        swept(suite, case="promiseless")
    with pytest.raises(UnknownName, match='no case named "stead"; did you mean "steady"'):
        swept(suite, case="stead")
    with pytest.raises(UnknownName, match='no model named "four"'):
        swept(suite, model="four")
    with pytest.raises(UnknownName, match='no suite named "standart"; did you mean "standard"'):
        swept(Path("standart"))


def test_an_engine_of_one_request_at_once_is_refused_as_pytest_skips_it(suite: Path) -> None:
    """The words are those of the skip."""
    said = 'model "one" with profile "greedy": the backend "scripted" answers 1 request at once, and the load'
    with pytest.raises(UsageError, match=f"^{re.escape(said)} needs 2$"):
        swept(suite, model="one")


def test_a_slot_alone_is_refused_with_the_option_that_gives_more(suite: Path) -> None:
    """llama.cpp could serve several, if it were told so."""
    required.module("xllamacpp", extra="llama-cpp")
    models = suite.parent / "models.toml"
    models.write_text(f'{MODELS}[model.alone]\nbackend = "llama_cpp"\nlocation = "@pocket.F32.gguf"\n')
    with pytest.raises(UsageError, match=r"needs 2; give the model options = \{ parallel = 2 \} or more$"):
        swept(suite, model="alone")


def test_a_wrong_option_of_the_model_is_told_with_its_line(suite: Path) -> None:
    """As pytest tells it."""
    models = suite.parent / "models.toml"
    models.write_text(
        f'{MODELS}[model.slow]\nbackend = "scripted"\nlocation = "-"\noptions = {{ reply = 3 }}\n'
    )
    with pytest.raises(ConfigError, match=r"models\.toml:11: model slow: reply = 3; a text is needed$"):
        swept(suite, model="slow")


def test_the_shipped_model_is_swept_from_the_command_line() -> None:
    """A child process, the performance suite and llama.cpp: one rate that it keeps by far."""
    required.module("xllamacpp", extra="llama-cpp")
    given = ("performance", "--case", "open-5", "--model", "pocket-llama-cpp", "--requests", "20")
    done = subprocess.run(
        [sys.executable, "-m", "gemma_eval", "sweep", *given, "--low", "10", "--high", "10"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("open-5[pocket-llama-cpp/greedy/plain]: up to three times 20 requests")
    assert lines[-1] == "highest rate that keeps the SLO: 10 requests per s (the highest that was tried)"
