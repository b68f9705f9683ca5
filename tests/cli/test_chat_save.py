"""`/save` makes a case of the last exchange that asks the same again, or says why not and writes nothing."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval import plugins
from gemma_eval.cli import command
from gemma_eval.cli.chat_case import Wanted, with_case
from gemma_eval.cli.chat_save import Request, requested
from gemma_eval.errors import UsageError
from gemma_eval.records import Message, Passage, Prompt
from tests.examples import a_cell
from tests.plugin.gating import session

Chat = Callable[..., Result]

SUITE = """\
# What we ask every morning.
[defaults]
models = ["pocket"]   # the small one
profiles = ["greedy"]
templates = ["plain"]
max_tokens = 8
repeats = 3

[[case]]
id = "first"
prompt = "Pick a name."
checks = [{ scorer = "contains", text = "Ada" }]
"""


@pytest.fixture
def chat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chat:
    """A chat with the pocket model in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*lines: str, arguments: tuple[str, ...] = ()) -> Result:
        typed = "".join(f"{line}\n" for line in lines)
        result = CliRunner().invoke(command(plugins.load()), ["chat", *arguments], input=typed)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result

    return run


def case_of(path: Path, index: int = -1) -> dict[str, Any]:
    """Return a case of a suite as its file has it."""
    case: dict[str, Any] = tomllib.loads(path.read_text())["case"][index]
    return case


def test_an_exchange_becomes_a_suite_that_passes(chat: Chat, tmp_path: Path) -> None:
    """With the line that runs it; greedy, so that the answer is the same."""
    result = chat("What is the capital of Norway?", "What is the capital of Japan?", "/save geo.gemma.toml")
    assert result.stdout.splitlines()[-1] == "pytest --gemma-suite geo.gemma.toml::chat-1"
    assert 'an answer contains this one: "Tokyo"' in result.stderr
    assert result.exit_code == 0
    assert tomllib.loads((tmp_path / "geo.gemma.toml").read_text()) == {
        "defaults": {"models": ["pocket"], "profiles": ["greedy"], "templates": ["plain"]},
        "case": [
            {
                "id": "chat-1",
                "messages": [
                    {"role": "user", "content": "What is the capital of Norway?"},
                    {"role": "assistant", "content": "Oslo"},
                    {"role": "user", "content": "What is the capital of Japan?"},
                ],
                "checks": [{"scorer": "contains", "text": "Tokyo", "pass_at": 1.0}],
            }
        ],
    }
    ran = session(tmp_path, "--gemma-suite", "geo.gemma.toml::chat-1")
    assert (ran.code, ran.has("*1 passed*")) == (0, True), ran.text


def test_the_saved_test_fails_when_the_answer_is_another(chat: Chat, tmp_path: Path) -> None:
    """The same case, held against what the model does not say."""
    result = chat("What is the capital of Japan?", "/save geo.gemma.toml kyoto contains Kyoto")
    assert "the answer of this chat does not pass the check" in result.stderr
    ran = session(tmp_path, "--gemma-suite", "geo.gemma.toml::kyoto")
    assert (ran.code, ran.has("*1 failed*")) == (1, True), ran.text


def test_what_a_memory_gave_stands_in_the_case(chat: Chat, tmp_path: Path) -> None:
    """So that the test needs no memory, which tomorrow says something else."""
    memory = ("--memory", str(tmp_path / "memory.db"), "--top-k", "1")
    chat("Finn lives in Oslo. Mia owns a cat.", arguments=memory)
    (tmp_path / "memory.db").replace(tmp_path / "moved.db")
    chat("/clear", "Where does Finn live?", "/save mem.gemma.toml", arguments=("--memory", "moved.db"))
    (tmp_path / "moved.db").unlink()
    case = case_of(tmp_path / "mem.gemma.toml")
    assert case["prompt"] == "Where does Finn live?"
    assert case["documents"] == [{"name": "passage-1", "text": "Finn lives in Oslo."}]
    assert case["retrievals"] == ["oracle"]
    ran = session(tmp_path, "--gemma-suite", "mem.gemma.toml")
    assert (ran.code, ran.has("*1 passed*")) == (0, True), ran.text


@pytest.mark.parametrize(
    "defaults",
    [
        "",
        "[retrieval]\ntop_k = 1\n",
        "[retrieval]\ntop_k = 1\n[retrievals.few]\ntop_k = 2\n",
        '[retrievals.few]\nretriever = "bm25"\ntop_k = 1\n',
    ],
)
def test_several_passages_come_in_their_order(chat: Chat, tmp_path: Path, defaults: str) -> None:
    """Also where the suite gives fewer than the chat did, and has ways of its own."""
    memory = ("--memory", "memory.db", "--top-k", "6")
    chat(
        "Finn lives in Oslo. Mia lives in Oslo with Finn. Finn lives in Oslo now.", "/clear", arguments=memory
    )
    (tmp_path / "a.gemma.toml").write_text(SUITE + defaults)
    lines = ("Where does Finn live?", "/save a.gemma.toml", "/retry", "/save a.gemma.toml")
    assert "nothing is written" not in chat(*lines, arguments=memory).stderr
    first, second = (case_of(tmp_path / "a.gemma.toml", index) for index in (-2, -1))
    assert len(first["documents"]) == 3
    assert first["retrievals"] == (["chat-3-256"] if "retrieval]" in defaults else ["oracle"])
    assert second | {"id": first["id"]} == first
    ran = session(tmp_path, "--gemma-suite", "a.gemma.toml::chat-2")
    assert (ran.code, ran.has("*1 passed*")) == (0, True), ran.text


def test_a_system_turn_comes_along(chat: Chat, tmp_path: Path) -> None:
    """As the first of the messages."""
    chat("/system Be brief.", "What is the capital of Japan?", "/save a.gemma.toml")
    assert case_of(tmp_path / "a.gemma.toml")["messages"][0] == {"role": "system", "content": "Be brief."}
    ran = session(tmp_path, "--gemma-suite", "a.gemma.toml")
    assert (ran.code, ran.has("*1 passed*")) == (0, True), ran.text


def test_a_suite_keeps_its_bytes_and_gets_a_case(chat: Chat, tmp_path: Path) -> None:
    """Defaults that would change the answer are said against; what is the same is not said again."""
    path = tmp_path / "morning.gemma.toml"
    path.write_text(SUITE)
    result = chat("What is the capital of Japan?", "/save morning.gemma.toml capital equals Tokyo")
    assert result.stdout.splitlines()[-1] == "pytest --gemma-suite morning.gemma.toml::capital"
    assert path.read_text().startswith(SUITE)
    assert case_of(path) == {
        "id": "capital",
        "prompt": "What is the capital of Japan?",
        "repeats": 1,
        "max_tokens": 64,
        "checks": [{"scorer": "equals", "text": "Tokyo", "pass_at": 1.0}],
    }
    ran = session(tmp_path, "--gemma-suite", "morning.gemma.toml::capital")
    assert (ran.code, ran.has("*1 passed*")) == (0, True), ran.text


def test_windows_line_ends_stay(chat: Chat, tmp_path: Path) -> None:
    """All of the file has the ends that it had."""
    path = tmp_path / "morning.gemma.toml"
    path.write_bytes(SUITE.replace("\n", "\r\n").encode())
    chat("What is the capital of Japan?", "/save morning.gemma.toml")
    data = path.read_bytes()
    assert data.count(b"\n") == data.count(b"\r\n")
    assert case_of(path)["id"] == "chat-1"


def test_a_changed_profile_is_kept_beside_the_suite(chat: Chat, tmp_path: Path) -> None:
    """Under a name that says what was changed; asked for again it is the same one."""
    lines = ("/profile max_tokens=3", "Pick a name.")
    result = chat(*lines, "/save a.gemma.toml", "/save a.gemma.toml")
    assert result.stderr.count("the profile is kept in") == 1
    assert json.loads((tmp_path / "profiles.json").read_text()) == {
        "version": 1,
        "profiles": {"greedy-max_tokens-3": {"temperature": 0, "max_tokens": 3}},
    }
    assert case_of(tmp_path / "a.gemma.toml", 1)["id"] == "chat-2"
    ran = session(tmp_path, "--gemma-suite", "a.gemma.toml")
    assert (ran.code, ran.has("*2 passed*")) == (0, True), ran.text


def test_a_file_of_profiles_keeps_its_bytes(chat: Chat, tmp_path: Path) -> None:
    """What is new comes behind the others."""
    before = '{\n  "version": 1,\n  "profiles": {\n    "mine":   {"top_k": 3}\n  }\n}\n'
    (tmp_path / "profiles.json").write_text(before)
    chat("/profile mine top_k=4", "Pick a name.", "/save a.gemma.toml")
    after = (tmp_path / "profiles.json").read_text()
    assert after.startswith(before[: before.index("}")])
    assert json.loads(after)["profiles"]["mine-top_k-4"] == {"top_k": 4}


def test_chance_is_said(chat: Chat) -> None:
    """A suite has seeds of its own, so a profile that draws gives other answers there."""
    drawn = chat("Pick a name.", "/save a.gemma.toml", arguments=("--profile", "hot"))
    assert "draws at random" in drawn.stderr
    assert "draws at random" not in chat("Pick a name.", "/save a.gemma.toml").stderr


def test_the_time_that_a_template_told_stands_in_the_case(chat: Chat, tmp_path: Path) -> None:
    """And what else it was given, so that the test reads the same prompt tomorrow."""
    (tmp_path / "templates").mkdir()
    text = "---\nvariables:\n  tone: null\n---\n{{ tone }} {{ now }} {{ query }}\n"
    (tmp_path / "templates" / "dated.md").write_text(text)
    chat("/template dated tone=Kind", "Pick a name.", "/save a.gemma.toml")
    case = case_of(tmp_path / "a.gemma.toml")
    assert case["variables"] == {"tone": "Kind"}
    assert str(case["now"])[:2] == "20"
    ran = session(tmp_path, "--gemma-suite", "a.gemma.toml")
    assert (ran.code, ran.has("*1 passed*")) == (0, True), ran.text


def test_what_the_context_could_not_hold_is_not_in_the_case(chat: Chat, tmp_path: Path) -> None:
    """The case has what the model has read."""
    (tmp_path / "models.toml").write_text(
        'version = 1\n[model.short]\nbackend = "numpy_gemma"\nlocation = "@pocket"\ncontext_tokens = 160\n'
    )
    questions = [
        f"What is the capital of {country}?" for country in ("Norway", "Japan", "Italy", "Spain", "Peru")
    ]
    result = chat(*questions, *questions, "/save a.gemma.toml", arguments=("short",))
    assert result.stderr.count("the context of 160 tokens is full") == 1
    assert 1 < len(case_of(tmp_path / "a.gemma.toml")["messages"]) < 19
    ran = session(tmp_path, "--gemma-suite", "a.gemma.toml")
    assert (ran.code, ran.has("*1 passed*")) == (0, True), ran.text


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("/save",), "/save SUITE.toml [ID] [contains TEXT] needs a file to write to"),
        (("/save a.gemma.toml",), "nothing was said yet; ask something, then /save"),
        (("Pick a name.", "/save models.toml"), "a suite is a TOML file of its own, as models.gemma.toml"),
        (("Pick a name.", "/save a.json"), "a suite is a TOML file of its own, as a.gemma.toml"),
        (("Pick a name.", "/save a.gemma.toml x/y"), 'the id of the case is "x/y", which cannot be a name'),
        (("Pick a name.", "/save a.gemma.toml x rouge 1"), 'no check named "rouge" here; known: contains,'),
        (("Pick a name.", "/save a.gemma.toml contains"), "contains needs what it looks for"),
        (("Pick a name.", "/save a.gemma.toml numeric many"), 'numeric needs a number, not "many"'),
        (("Pick a name.", "/save a.gemma.toml regex ("), "regex"),
        (("Pick a name.", "/save ."), "a suite is a TOML file of its own, as mine.gemma.toml"),
        (("Pick a name.", "/save ~nobody-is-called-so/a.json"), "a suite is a TOML file of its own"),
        (("Pick a name.", "/save no suite.toml"), "a suite is a TOML file of its own"),
    ],
)
def test_what_cannot_be_saved_is_refused_in_a_line(chat: Chat, lines: tuple[str, ...], message: str) -> None:
    """And there is no file."""
    result = chat(*lines)
    assert message in result.stderr
    assert result.exit_code == 1
    assert not [path.name for path in Path().iterdir() if path.suffix == ".toml"]


def test_an_id_that_is_taken_is_refused(chat: Chat, tmp_path: Path) -> None:
    """The case that is there stays."""
    path = tmp_path / "morning.gemma.toml"
    path.write_text(SUITE)
    lines = ("/profile max_tokens=3", "Pick a name.", "/save morning.gemma.toml first")
    assert 'has a case "first" already' in chat(*lines).stderr
    assert path.read_text() == SUITE
    assert not (tmp_path / "profiles.json").exists()


def test_a_file_of_profiles_that_is_broken_is_left_as_it_is(chat: Chat, tmp_path: Path) -> None:
    """Nothing is put into what nobody can read."""
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "profiles.json").write_text('{"version": 1, "profiles": {"x": {}')
    said = chat("/profile max_tokens=3", "Pick a name.", "/save other/a.gemma.toml").stderr
    assert "other/profiles.json:1" in said
    assert (folder / "profiles.json").read_text() == '{"version": 1, "profiles": {"x": {}'
    assert not (folder / "a.gemma.toml").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SUITE.replace('scorer = "contains"', 'scorer = "contain"'), 'morning.gemma.toml:12: case "first"'),
        (SUITE.replace('["pocket"]', '["pocket"'), "morning.gemma.toml:"),
        (SUITE.replace("repeats = 3", 'corpus = "nowhere"'), 'corpus "nowhere"'),
        (SUITE + '[retrieval]\ntop_k = "many"\n', "top_k"),
    ],
)
def test_a_suite_that_cannot_be_loaded_is_left_as_it_is(
    chat: Chat, tmp_path: Path, text: str, message: str
) -> None:
    """With what is wrong in it, at its line."""
    path = tmp_path / "morning.gemma.toml"
    path.write_text(text)
    said = chat("Pick a name.", "/save morning.gemma.toml").stderr
    assert message in said
    assert path.read_text() == text
    assert {each.name for each in tmp_path.iterdir()} <= {path.name, ".backups"}


def test_what_means_something_else_beside_the_suite_is_refused(chat: Chat, tmp_path: Path) -> None:
    """A model of the same name, and a template."""
    folder = tmp_path / "other"
    (folder / "templates").mkdir(parents=True)
    (folder / "templates" / "plain.jinja").write_text("Please: {{ query }}")
    said = chat("Pick a name.", "/save other/a.gemma.toml").stderr
    assert 'the template "plain" is another one for the suite than for this chat; nothing is written' in said
    (folder / "models.toml").write_text('version = 1\n[model.pocket]\nbackend = "scripted"\nlocation = "-"\n')
    said = chat("Pick a name.", "/save other/a.gemma.toml").stderr
    assert 'the model "pocket" is another one for the suite than for this chat; nothing is written' in said
    assert not (folder / "a.gemma.toml").exists()


def test_an_exchange_of_an_earlier_chat_is_asked_again_first(chat: Chat, tmp_path: Path) -> None:
    """How it was answered is not known any more."""
    memory = ("--memory", str(tmp_path / "memory.db"))
    chat("Pick a name.", arguments=memory)
    result = chat("/save a.gemma.toml", "/retry", "/save a.gemma.toml", arguments=memory)
    assert "the last exchange is of an earlier chat" in result.stderr
    assert result.stdout.splitlines()[-1] == "pytest --gemma-suite a.gemma.toml::chat-1"


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("a.toml", Request(path=Path("a.toml"))),
        ("a.toml home", Request(path=Path("a.toml"), id="home")),
        ("a.toml contains Oslo or so", Request(path=Path("a.toml"), scorer="contains", value="Oslo or so")),
        ("a.toml x regex ^O.*o$", Request(path=Path("a.toml"), id="x", scorer="regex", value="^O.*o$")),
        ('"my own/a.toml" x', Request(path=Path("my own/a.toml"), id="x")),
    ],
)
def test_what_stands_after_save_is_read(typed: str, read: Request) -> None:
    """The check takes the rest of the line."""
    assert requested(typed) == read


def test_a_suite_that_ships_is_not_changed() -> None:
    """Wherever it is installed."""
    from gemma_eval.config.shipped import suites_directory

    with pytest.raises(UsageError, match="comes with gemma_eval"):
        requested(f'"{suites_directory() / "smoke.toml"}"')


TEXT = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=30).filter(str.strip)


@given(TEXT, TEXT, st.lists(TEXT, max_size=2), st.sampled_from(["", SUITE, "# only a comment"]))
def test_whatever_was_said_is_read_back_as_it_was(
    asked: str, said: str, passages: list[str], text: str
) -> None:
    """In quotes of any kind, with lines, tabs and control characters, after whatever the suite was."""
    turns = (Message(role="user", content="Hello."), Message(role="assistant", content=said))
    for earlier in ((), turns):
        messages = (*earlier, Message(role="user", content=asked))
        found = tuple(
            Passage(id=str(rank), text=each, document="chat", score=1.0, rank=rank)
            for rank, each in enumerate(passages, start=1)
        )
        cell = a_cell()
        wanted = Wanted(
            cell=replace(cell, case=replace(cell.case, messages=messages, texts={"tone": asked})),
            prompt=Prompt(messages=messages, text=None, n_tokens=None, passages=found),
            id="x",
            scorer="contains",
            value=said,
            profile="greedy",
        )
        case = tomllib.loads(with_case(text, wanted))["case"][-1]
        given_turns = case.get("messages") or [{"role": "user", "content": case["prompt"]}]
        assert [Message(**turn) for turn in given_turns] == list(messages)
        assert case["checks"] == [{"scorer": "contains", "text": said, "pass_at": 1.0}]
        assert [each["text"] for each in case.get("documents", [])] == passages
        assert case["variables"] == {"tone": asked}
