"""`gemma-eval chat` as a person uses it: it answers, obeys, and remembers what an earlier chat was told."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gemma_eval import plugins
from gemma_eval.cli import command
from gemma_eval.cli.chat_commands import COMMANDS
from gemma_eval.errors import StoreError, UnknownName, UsageError
from gemma_eval.report.numbers import MISSING

FACTS = "Finn lives in Oslo. Mia owns a cat.\n"


def chat(typed: str, *arguments: str) -> Result:
    """Pipe lines into a chat of its own."""
    return CliRunner().invoke(command(plugins.load()), ["chat", *arguments], input=typed)


def said(typed: str, *arguments: str) -> list[str]:
    """Return the lines that a chat answers."""
    result = chat(typed, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_a_chat_remembers_what_an_earlier_one_was_told(tmp_path: Path) -> None:
    """The pocket model answers from the passage; without a memory it does not know."""
    memory = ("--memory", str(tmp_path / "memory.db"))
    said(FACTS, *memory)
    assert said("Where does Finn live?\nWhat pet does Mia own?\n", *memory) == ["Oslo", "cat"]
    assert said("Where does Finn live?\n") == ["I do not know."]
    assert said("Where does Finn live?\n", "--memory", str(tmp_path / "other.db")) == ["I do not know."]


def test_a_chat_remembers_within_itself(tmp_path: Path) -> None:
    """What was said a line ago is found, and not only what an earlier chat was told."""
    memory = ("--memory", str(tmp_path / "memory.db"))
    assert said(FACTS + "Where does Finn live?\n", *memory)[-1] == "Oslo"


def test_without_retrieval_nothing_is_found_but_all_is_kept(tmp_path: Path) -> None:
    """The memory grows, and the next chat may search it."""
    memory = ("--memory", str(tmp_path / "memory.db"))
    assert said(FACTS + "Where does Finn live?\n", *memory, "--retrieval", "none")[-1] == "I do not know."
    assert said("Where does Finn live?\n", *memory)[-1] == "Oslo"


def test_a_memory_is_searched_by_vectors_too(tmp_path: Path) -> None:
    """What is said gets vectors when it is kept; hashed words are enough to see it."""
    vectors = ("--memory", str(tmp_path / "m.db"), "--retrieval", "vector", "--embedder", "hashing")
    said(FACTS, *vectors)
    assert said("Where does Finn live?\n", *vectors) == ["Oslo"]


def test_the_commands_of_a_chat_are_no_questions(tmp_path: Path) -> None:
    """/stats tells what the last answer took, /quit ends, and a slip is told what was meant."""
    memory = ("--memory", str(tmp_path / "memory.db"))
    typed = "/stats\nPick a name.\n/stats\n\n/help\n/stat\n/quit\nPick a city.\n"
    result = chat(typed, *memory)
    assert result.exit_code == 1, result.output
    lines = result.stdout.splitlines()
    assert lines[:2] == ["nothing was answered yet", "Ada"]
    assert lines[2].startswith("read 13 tokens with 0 passages, wrote 1 at")
    assert [line.split()[0].rstrip(",") for line in lines[3:-1]] == [*COMMANDS, "/quit"]
    assert result.stderr.startswith('gemma-eval: no command "/stat"; did you mean "/stats"?')


def test_what_goes_wrong_with_a_turn_ends_no_chat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that the context cannot hold is refused, and the next one answered."""
    (tmp_path / "models.toml").write_text(
        'version = 1\n[model.short]\nbackend = "numpy_gemma"\nlocation = "@pocket"\ncontext_tokens = 300\n'
    )
    monkeypatch.chdir(tmp_path)
    result = chat("a b c d " * 100 + "\nPick a name.\n", "short")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == ["Ada"]
    assert "context" in result.stderr


def test_a_memory_says_what_it_keeps_and_finds(tmp_path: Path) -> None:
    """And what /undo and /clear leave of it."""
    path = str(tmp_path / "memory.db")
    typed = "/memory\n" + FACTS + "/memory\n/memory What pet does Mia own?\n/memory zebra\n/undo\n/memory\n"
    result = chat(typed + FACTS + "/clear\n/memory\n", "--memory", path)
    assert [line for line in result.stdout.splitlines() if line != "I do not know."] == [
        f"{path}: no passages yet",
        f"{path}: 1 working, 2 episodic",
        "- Mia owns a cat.",
        "nothing is found",
        f"{path}: no passages yet",
        f"{path}: 2 episodic",
    ]
    assert result.stderr.splitlines() == [
        "gemma-eval: taken back out of conversation and memory: Finn lives in Oslo. Mia owns a cat.",
        "gemma-eval: 1 exchange is forgotten; the memory keeps 2 sentences (gemma-eval memory forget)",
    ]


def test_json_says_which_passages_were_given(tmp_path: Path) -> None:
    """And how they were found, without what is left at its default."""
    memory = ("--memory", str(tmp_path / "memory.db"), "--top-k", "2")
    said(FACTS, *memory)
    turn = json.loads(said("", *memory, "--json", "--ask", "Where does Finn live?")[0])
    assert (turn["text"], turn["template"], turn["profile"]) == ("Oslo", "rag", "greedy")
    assert [each["text"] for each in turn["passages"]] == ["Finn lives in Oslo."]
    assert turn["retrieval"] == {
        "retriever": "bm25",
        "top_k": 2,
        "budget_tokens": 256,
        "overflow": "truncate",
        "tiers": ["short_term", "long_term", "episodic", "semantic"],
    }


def test_settings_choose_what_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory as well, which an empty name leaves out; a name that is given wins."""
    (tmp_path / ".gemma-eval").mkdir()
    (tmp_path / ".gemma-eval" / "settings.yaml").write_text(
        "version: 1\nchat:\n  model: pocket-f32\n  profile: llama-cpp\n  memory: memory.db\n"
    )
    monkeypatch.chdir(tmp_path)
    first = json.loads(said("", "--json", "--ask", "Finn lives in Oslo.")[0])
    assert (first["model"], first["profile"], first["template"]) == ("pocket-f32", "llama-cpp", "rag")
    assert (tmp_path / "memory.db").exists()
    asked = ("pocket", "--profile", "greedy", "--json", "--ask", "Where does Finn live?")
    assert json.loads(said("", *asked)[0])["text"] == "Oslo"
    second = json.loads(said("", *asked, "--memory", "")[0])
    assert (second["model"], second["template"]) == ("pocket", "plain")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pockett",), 'no model named "pockett"; did you mean "pocket"?'),
        (("--profile", "gredy"), 'no profile named "gredy"; did you mean "greedy"?'),
        (("--template", "rags"), 'no template named "rags"; did you mean "rag"?'),
        (("--memory", "postgres://here"), 'no store named "postgres"'),
    ],
)
def test_a_name_that_there_is_not_is_said_before_anything_is_loaded(
    arguments: tuple[str, ...], message: str
) -> None:
    """With the name that was meant."""
    result = chat("Hello.\n", *arguments)
    assert isinstance(result.exception, UnknownName)
    assert message in str(result.exception)


def test_a_model_that_makes_vectors_is_refused() -> None:
    """By what it makes, and not as an engine that nobody knows."""
    result = chat("Hello.\n", "minilm")
    assert isinstance(result.exception, UsageError)
    assert str(result.exception) == 'model "minilm": sentence_bert makes vectors and writes no answers'


def test_a_profile_that_an_engine_cannot_follow_is_refused() -> None:
    """As it is when a suite is collected."""
    result = chat("Hello.\n", "pocket-llama-cpp", "--profile", "epsilon")
    assert isinstance(result.exception, UsageError)
    assert 'model "pocket-llama-cpp" with profile "epsilon"' in str(result.exception)


def test_a_memory_that_is_none_is_an_error_and_left_alone(tmp_path: Path) -> None:
    """A file of something else."""
    path = tmp_path / "notes.txt"
    path.write_text("Buy bread.\n" * 100)
    result = chat("Hello.\n", "--memory", str(path))
    assert isinstance(result.exception, StoreError)
    assert path.read_text() == "Buy bread.\n" * 100


HEARING = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from gemma_eval.__main__ import main; main()"
)
"""The command, where Ctrl-C is heard: a job in the background starts its programs deaf to it."""


def test_an_interrupt_stops_an_answer_and_not_the_chat(tmp_path: Path) -> None:
    """What is typed after it is obeyed, and the chat ends by itself."""
    (tmp_path / "models.toml").write_text(
        'version = 1\n[model.slow]\nbackend = "scripted"\nlocation = "-"\n'
        'options = { reply = "One.", pause_ms = 60000 }\n'
    )
    with subprocess.Popen(
        [sys.executable, "-c", HEARING, "chat", "slow"],
        cwd=tmp_path,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("/help\n")
        process.stdin.flush()
        while "Ctrl-C" not in process.stdout.readline():
            continue
        process.stdin.write("Count.\n")
        process.stdin.flush()
        time.sleep(1)  # long before the answer, and long enough to begin it
        process.send_signal(signal.SIGINT)
        answered, said = process.communicate("/stats\n")
    assert process.returncode == 0, said
    assert answered.splitlines() == [
        " (stopped)",
        f"read {MISSING} tokens with 0 passages, and was stopped",
    ]
