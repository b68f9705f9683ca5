"""A key that a server tells again stands in nothing that a run leaves: database, reports, log, terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.logs.leaking import KEY, OTHER, SHAPED, leaking_server, leaks

ASKED = ("body", "encoded", "redirect", "header", "answer", "break")
PLUGIN = """
import os, logging
import gemma_eval

def tell(*given):
    print("printed", os.environ["SERVED_WITH"], os.environ["SOME_API_KEY"])
    logging.getLogger("gemma_eval.telling").warning("logged %s", os.environ["SERVED_WITH"])
    raise RuntimeError("raised " + os.environ["SOME_API_KEY"])

@gemma_eval.hookimpl
def register_scorers(register):
    register("telling", lambda options: tell)

@gemma_eval.hookimpl
def outcome_recorded(outcome):
    raise RuntimeError("observed " + os.environ["SOME_API_KEY"])
"""
MODELS = """\
version = 1
[model.served]
backend = "openai_http"
location = "{url}"
options = {{ api_key_env = "SERVED_WITH", retries = 0, model = "tiny"{more} }}
"""
SUITE = """\
[defaults]
models = ["served"]
profiles = ["greedy"]
templates = ["plain"]
max_tokens = 16
"""


def run(
    folder: Path, url: str, *arguments: str, more: str = "", plugin: str = PLUGIN
) -> subprocess.CompletedProcess[str]:
    """Run a suite whose every case makes the server tell the key in another way."""
    (folder / "models.toml").write_text(MODELS.format(url=url, more=more))
    cases = "".join(
        f'[[case]]\nid = "{each}"\nprompt = "Tell it: {each}"\n'
        'checks = [{ scorer = "contains", text = "Oslo", pass_at = 1 }, { scorer = "telling" }]\n'
        for each in ASKED
    )
    (folder / "telling.gemma.toml").write_text(SUITE + cases)
    (folder / "conftest.py").write_text(plugin)
    command = [sys.executable, "-m", "pytest", "-rA", "--gemma-report=out", "--gemma-db=out/results.db"]
    command += ["--junitxml=out/junit.xml", "--gemma-log-json=out/log.jsonl", f"--ignore={SHAPED}"]
    said = subprocess.run(
        [*command, "-p", "no:benchmark", *arguments],
        cwd=folder,
        env={**os.environ, "SERVED_WITH": KEY, "SOME_API_KEY": OTHER},
        capture_output=True,
        text=True,
        check=False,
    )
    (folder / "out" / "stdout").write_text(said.stdout)
    (folder / "out" / "stderr").write_text(said.stderr)
    return said


@pytest.mark.parametrize(
    ("arguments", "more"),
    [((), ""), (("-n", "2"), ""), ((), ", stream = false"), ((), ", cross_check = true")],
)
def test_no_key_is_left_in_anything_that_a_run_writes(
    tmp_path: Path, arguments: tuple[str, ...], more: str
) -> None:
    """In error bodies, headers and URLs, encoded, in an answer in pieces, in a plugin's faults and prints."""
    with leaking_server() as url:
        said = run(tmp_path, url, *arguments, more=more)
    assert f"{len(ASKED)} failed" in said.stdout, said.stdout
    assert leaks(tmp_path / "out", KEY, OTHER) == []
    for told in ("printed <hidden> <hidden>", "raised <hidden>", "observed <hidden>", "400: no <hidden>"):
        assert told in said.stdout
    assert "logged <hidden>" in (tmp_path / "out" / "log.jsonl").read_text()


def test_a_key_that_is_of_nobody_stays_in_an_answer_and_goes_from_messages(tmp_path: Path) -> None:
    """What a model said is data; what a server says about an error is none."""
    with leaking_server() as url:
        run(tmp_path, url)
    found = leaks(tmp_path / "out", SHAPED)
    assert any("transcript.text" in each for each in found)
    assert not any("failure" in each or each.startswith(("log.jsonl", "stdout", "junit")) for each in found)


@pytest.mark.parametrize(
    ("plant", "place"),
    [
        ("cleared.answer = lambda generation: generation", "transcript.text"),
        ("Redactor.__call__ = lambda self, text: text", "outcome.failure_message"),
        ("Redactor.__call__ = lambda self, text: text", "stdout"),
        ("Redactor.__call__ = lambda self, text: text", "junit.xml"),
        ("Redactor.__call__ = lambda self, text: text", "log.jsonl"),
        ("Redactor.__call__ = lambda self, text: text", "report.html"),
    ],
)
def test_a_miss_is_found(tmp_path: Path, plant: str, place: str) -> None:
    """The same search finds the key when one of the places forgets to take it out."""
    planted = f"from gemma_eval.logs import cleared\nfrom gemma_eval.logs.redact import Redactor\n{plant}\n"
    with leaking_server() as url:
        run(tmp_path, url, plugin=planted + PLUGIN)
    assert any(place in each for each in leaks(tmp_path / "out", KEY, OTHER))
