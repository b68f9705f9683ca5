"""`gemma-eval chat` in a real terminal, that of tmux: what a person types, sees, stops and completes."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import pytest

from tests import required
from tests.plugin.gating import session

PATIENCE_S = 60.0
"""How long something may take to be seen, on a machine that is busy."""

PROFILES = """\
{"version": 1, "profiles": {"endless": {"temperature": 0, "max_tokens": 1900, "ignore_eos": true}}}
"""


@dataclass(frozen=True)
class Terminal:
    """A terminal of 100 columns in which one command runs; its server is nobody else's."""

    tmux: str
    server: str
    folder: Path

    def type(self, *keys: str) -> None:
        """Press keys: texts as they are, and names as tmux has them, as `Enter` and `C-c`."""
        self._run("send-keys", "-t", "chat", *keys)

    def say(self, line: str) -> None:
        """Type a line, and wait until it is there before it is sent, as a person does."""
        self._run("send-keys", "-t", "chat", "-l", line)
        self.see(lambda shown: line.replace(" ", "") in shown.replace(" ", "").replace("\n", ""))
        self.type("Enter")

    def paste(self, text: str) -> None:
        """Paste a text as a terminal does that is asked to say where one begins and ends."""
        self._run("set-buffer", text)
        self._run("paste-buffer", "-p", "-t", "chat")

    def shown(self, *, colours: bool = False) -> str:
        """Return what stands there; a line that the terminal has folded is one."""
        flags = ["-e"] if colours else []
        found = self._run("capture-pane", "-p", "-J", "-t", "chat", "-S", "-", *flags)
        return "\n".join(line.rstrip() for line in found.splitlines()).rstrip()

    def see(self, wanted: str | Callable[[str], bool]) -> str:
        """Wait for a text, or until what is shown is as wanted, and return all of it."""
        seen: list[str] = []

        def is_seen() -> bool:
            seen.append(self.shown())
            return wanted in seen[-1] if isinstance(wanted, str) else wanted(seen[-1])

        self._wait(is_seen, wanted)
        return seen[-1]

    def prompt(self, names: str = "pocket/greedy", *, end: str = ">") -> None:
        """Wait until a line can be typed."""
        self.see(lambda shown: shown.splitlines()[-1:] == [f"{names}{end}"])

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the command."""
        os.kill(int((self.folder / f"{self.server}.process").read_text()), number)

    def ended(self) -> int:
        """Wait for the end of the command, and return its exit code."""
        code = self.folder / f"{self.server}.code"
        self._wait(lambda: code.exists() and code.read_text() != "", "an end")
        return int(code.read_text())

    def _wait(self, happens: Callable[[], bool], what: object) -> None:
        until = time.monotonic() + PATIENCE_S
        while not happens():
            assert time.monotonic() < until, f"not seen: {what}\n{self.shown()}"
            time.sleep(0.02)

    def _run(self, *arguments: str) -> str:
        command = [self.tmux, "-L", self.server, "-f", os.devnull, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_S).stdout


Begin = Callable[..., Terminal]
CHAT = (sys.executable, "-m", "gemma_eval", "chat")


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Starts a chat in a terminal of its own, which is gone at the end."""
    tmux = shutil.which("tmux")
    if tmux is None:
        required.missing("tmux", "needs tmux: apt-get install tmux")
    (tmp_path / "profiles.json").write_text(PROFILES)
    servers: list[str] = []

    def start(*arguments: str, **environment: str) -> Terminal:
        servers.append(f"gemma-eval-{token_hex(6)}")
        terminal = Terminal(tmux=tmux, server=servers[-1], folder=tmp_path)
        given = {"XDG_STATE_HOME": str(tmp_path / "state"), "TERM": "screen-256color", **environment}
        own = f"echo $$ >{servers[-1]}.process; exec {shlex.join([*CHAT, *arguments])}"
        variables = [part for name, value in given.items() for part in ("-e", f"{name}={value}")]
        terminal._run(
            *("new-session", "-d", "-s", "chat", "-x", "100", "-y", "200", "-c", str(tmp_path), *variables),
            # tmux 3.3 may miss the end of a process; the shell hears Ctrl-C as well, and goes on.
            f"trap : INT; sh -c {shlex.quote(own)}; echo $? >{servers[-1]}.code",
            *(";", "set-option", "-g", "remain-on-exit", "on"),
        )
        return terminal

    yield start
    for server in servers:
        subprocess.run([tmux, "-L", server, "kill-server"], check=False, capture_output=True, timeout=60)


def test_a_question_is_answered_and_its_cost_told(begin: Begin) -> None:
    """With a greeting that says how to get help, and an end by Ctrl-D."""
    terminal = begin()
    terminal.prompt()
    assert "model pocket, profile greedy, template plain. /help for commands" in terminal.shown()
    terminal.say("What is the capital of Norway?")
    terminal.see("\nOslo\n")
    terminal.prompt()
    terminal.say("/stats")
    terminal.see("finish reason stop, 17 of 2 048")
    terminal.prompt()
    terminal.type("C-d")
    assert terminal.ended() == 0


def test_ctrl_c_stops_a_long_answer_while_it_is_written_and_keeps_the_chat(begin: Begin) -> None:
    """What had been written stands; at the prompt it says how to end."""
    terminal = begin("--profile", "endless")
    terminal.prompt("pocket/endless")
    terminal.say("Tell a story about a fox.")
    terminal.see("Once there was a small fox.")
    assert "(stopped)" not in terminal.shown()
    terminal.type("C-c")
    terminal.see("(stopped)")
    terminal.prompt("pocket/endless")
    terminal.say("/stats")
    terminal.see("and was stopped")
    terminal.prompt("pocket/endless")
    terminal.type("half a li")
    terminal.see("> half a li")
    terminal.type("C-c")
    terminal.see("/quit or Ctrl-D ends")
    terminal.prompt("pocket/endless")
    terminal.say("/profile greedy")
    terminal.prompt()
    terminal.say("What is 12 + 13?")
    terminal.see("\n25\n")
    terminal.say("/quit")
    assert terminal.ended() == 0


def test_a_line_that_is_begun_is_there_again_after_ctrl_z(begin: Begin, tmp_path: Path) -> None:
    """And can be edited; the shell had the terminal to itself in between."""
    bash = shutil.which("bash")
    if bash is None:
        required.missing("bash", "needs bash, for its jobs")
    terminal = begin("--help")
    assert terminal.ended() == 0
    (tmp_path / "rc").write_text("PS1='$ '\n")
    terminal._run("respawn-pane", "-k", "-t", "chat", "-c", str(tmp_path), f"{bash} --rcfile rc -i")
    terminal.prompt("$", end="")
    terminal.type(shlex.join(CHAT), "Enter")
    terminal.prompt()
    terminal.type("What is 12 + 1?")
    terminal.see("> What is 12 + 1?")
    terminal.type("C-z")
    terminal.see("Stopped")
    terminal.type("echo between", "Enter")
    terminal.see("\nbetween\n")
    terminal.type("fg", "Enter")
    terminal.see(lambda shown: shown.endswith("\npocket/greedy> What is 12 + 1?"))
    terminal.type("Left", "3", "Enter")
    terminal.see("> What is 12 + 13?\n25\n")
    terminal.prompt()
    terminal.type("C-d")
    terminal.prompt("$", end="")


def test_the_prompt_shows_what_was_switched(begin: Begin) -> None:
    """The profile, a change of it, and the template on request."""
    terminal = begin()
    terminal.prompt()
    terminal.say("/profile endless max_tokens=3")
    terminal.prompt("pocket/endless*")
    terminal.say("/template rag")
    terminal.see("template rag")
    terminal.say("/template")
    terminal.see("template rag, of plain, rag")
    terminal.say("/model pocket-f32")
    terminal.prompt("pocket-f32/endless*")


def test_an_answer_is_saved_and_its_test_run(begin: Begin, tmp_path: Path) -> None:
    """From the terminal to pytest."""
    terminal = begin()
    terminal.prompt()
    terminal.say("What is the capital of Japan?")
    terminal.see("\nTokyo\n")
    terminal.prompt()
    terminal.say("/save geo.gemma.toml")
    terminal.see("pytest --gemma-suite geo.gemma.toml::chat-1")
    terminal.prompt()
    terminal.say("/exit")
    assert terminal.ended() == 0
    ran = session(tmp_path, "--gemma-suite", "geo.gemma.toml::chat-1")
    assert (ran.code, ran.has("*1 passed*")) == (0, True), ran.text


def test_the_arrow_brings_back_what_an_earlier_chat_was_told(begin: Begin, tmp_path: Path) -> None:
    """Several lines are one entry; nobody else can read the file."""
    terminal = begin()
    terminal.prompt()
    terminal.say("What is 12 + 13?")
    terminal.see("\n25\n")
    terminal.prompt()
    terminal.type("Up")
    terminal.see(lambda shown: shown.endswith("> What is 12 + 13?"))
    terminal.type("C-c")
    terminal.prompt()
    terminal.paste("What is\n34 + 25?")
    terminal.see(lambda shown: shown.endswith("> What is\n34 + 25?"))
    terminal.type("Enter")
    terminal.see("\n59\n")
    terminal.prompt()
    terminal.type("C-d")
    assert terminal.ended() == 0
    kept = tmp_path / "state" / "gemma_eval" / "chat_history"
    assert kept.read_text() == "What is 12 + 13?\nWhat is\\n34 + 25?\n"
    later = begin()
    later.prompt()
    later.type("Up")
    later.see(lambda shown: shown.endswith("> What is\n34 + 25?"))
    later.type("Up")
    later.see(lambda shown: shown.endswith("> What is 12 + 13?"))


def test_no_history_is_kept_where_the_settings_say_so(begin: Begin, tmp_path: Path) -> None:
    """Not even a folder for it."""
    terminal = begin(GEMMA_EVAL_CHAT_HISTORY="false")
    terminal.prompt()
    terminal.say("What is 12 + 13?")
    terminal.see("\n25\n")
    terminal.prompt()
    terminal.type("C-d")
    assert terminal.ended() == 0
    assert not (tmp_path / "state").exists()


def test_tab_completes_commands_and_names(begin: Begin) -> None:
    """A profile of the folder, after the command."""
    terminal = begin()
    terminal.prompt()
    terminal.type("/prof", "Tab", "endl", "Tab")
    terminal.see("> /profile endless")
    terminal.type("Enter")
    terminal.prompt("pocket/endless")


def test_a_block_between_quotes_is_one_message(begin: Begin) -> None:
    """Each further line is asked for with dots; Ctrl-C gives up all of it."""
    terminal = begin()
    terminal.prompt()
    terminal.say('"""')
    terminal.see("\n...")
    terminal.say("/quit")
    terminal.type("C-c")
    terminal.prompt()
    terminal.say('"""What is')
    terminal.see(lambda shown: shown.endswith("\n..."))
    terminal.say('12 + 13?"""')
    terminal.see("\n25\n")


def test_what_a_model_writes_is_shown_and_not_obeyed(begin: Begin, tmp_path: Path) -> None:
    """An escape sequence would clear the screen, and a mark of direction turn what follows around."""
    (tmp_path / "models.toml").write_text(
        'version = 1\n[model.rude]\nbackend = "scripted"\nlocation = "-"\n'
        'options = { reply = "before \\u001b[2J\\u001b[31mafter \\u202eback" }\n'
    )
    terminal = begin("rude")
    terminal.prompt("rude/greedy")
    terminal.say("Hello.")
    terminal.see("before ␛[2J␛[31mafter \\u202eback")


def test_no_colour_is_asked_for_where_none_is_wanted(begin: Begin) -> None:
    """NO_COLOR is kept to; without it the prompt is bold, which any background shows."""
    plain, coloured = begin(NO_COLOR="1"), begin()
    plain.prompt()
    coloured.prompt()
    assert "\x1b[" not in plain.shown(colours=True)
    assert re.search(r"\x1b\[0;1m\S*pocket/greedy>", coloured.shown(colours=True))


@pytest.mark.parametrize("ends", [signal.SIGTERM, signal.SIGHUP])
def test_a_chat_that_is_asked_to_end_lets_go_of_its_memory(
    begin: Begin, tmp_path: Path, ends: signal.Signals
) -> None:
    """What it was told is there, and nothing lies beside the file."""
    terminal = begin("--memory", "memory.db")
    terminal.prompt()
    terminal.say("Finn lives in Oslo.")
    terminal.see("I do not know.")
    terminal.prompt()
    terminal.kill(ends)
    assert terminal.ended() == 128 + ends
    assert {path.name for path in tmp_path.glob("memory.db*")} == {"memory.db"}
    with closing(sqlite3.connect(tmp_path / "memory.db")) as memory:
        assert memory.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_chat_that_is_asked_to_end_while_it_answers_ends(begin: Begin, tmp_path: Path) -> None:
    """What was being written is no exchange, and the memory is whole."""
    terminal = begin("--profile", "endless", "--memory", "memory.db")
    terminal.prompt("pocket/endless")
    terminal.say("Tell a story about a fox.")
    terminal.see("Once there was a small fox.")
    terminal.kill(signal.SIGTERM)
    assert terminal.ended() == 128 + signal.SIGTERM
    assert {path.name for path in tmp_path.glob("memory.db*")} == {"memory.db"}


def test_a_profile_that_is_saved_meanwhile_answers_the_next_question(begin: Begin, tmp_path: Path) -> None:
    """The chat says what has changed."""
    terminal = begin("--profile", "endless")
    terminal.prompt("pocket/endless")
    (tmp_path / "profiles.json").write_text(PROFILES.replace("1900", "2"))
    terminal.say("Tell a story about a fox.")
    terminal.see("changed on disk and in use from now on: profile endless")
    terminal.see("\nOnce there\n")
