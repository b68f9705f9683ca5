"""A chat takes what its files say when a line is typed, and keeps what it has where they are broken."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from gemma_eval import plugins
from gemma_eval.cli import command

PROFILES = '{"version": 1, "profiles": {"mine": {"temperature": 0, "max_tokens": 1}}}'
MODELS = 'version = 1\n[model.told]\nbackend = "scripted"\nlocation = "-"\noptions = { reply = "One two." }\n'

Line = str | Callable[[], object]
Talked = Callable[..., tuple[str, str]]


class Typist(io.TextIOBase):
    """A standard input whose lines come with things that are done before them."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        """Do what comes before the next line, and return it."""
        for line in self._lines:
            if isinstance(line, str):
                return f"{line}\n"
            line()
        return ""

    def isatty(self) -> bool:
        """Be no terminal."""
        return False


@pytest.fixture
def talked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Talked:
    """Runs a chat in a folder with a model and a profile, and returns what it printed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "profiles.json").write_text(PROFILES)
    (tmp_path / "models.toml").write_text(MODELS)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "mine.jinja").write_text("{{ query }}")

    def run(
        *lines: Line, arguments: tuple[str, ...] = ("--profile", "mine", "--template", "mine")
    ) -> tuple[str, str]:
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr("sys.stdin", Typist(iter(lines)))
        with redirect_stdout(out), redirect_stderr(err):
            command(plugins.load()).main(["chat", "told", *arguments], standalone_mode=False)
        return out.getvalue(), err.getvalue()

    return run


def saved(name: str, text: str) -> Callable[[], object]:
    """Return what saves a file as editors do: beside it, then renamed over it."""

    def save() -> None:
        new = Path(f"{name}.new")
        new.write_text(text)
        new.replace(name)

    return save


def test_a_profile_that_is_edited_answers_the_next_question(talked: Talked) -> None:
    """And the chat says so once."""
    edit = saved("profiles.json", PROFILES.replace('"max_tokens": 1', '"max_tokens": 2'))
    out, err = talked("Hi.", edit, "Hi.", "Hi.")
    assert out.splitlines() == ["One", "One two.", "One two."]
    assert err.splitlines() == ["gemma-eval: changed on disk and in use from now on: profile mine"]


def test_an_edit_is_waited_for_however_seldom_files_must_rest(
    talked: Talked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they are looked at more often than that: the next question has the edit."""
    monkeypatch.setenv("GEMMA_EVAL_RELOAD_POLL_S", "0.02")
    monkeypatch.setenv("GEMMA_EVAL_RELOAD_QUIET_S", "0.2")
    edit = saved("profiles.json", PROFILES.replace('"max_tokens": 1', '"max_tokens": 2'))
    _, err = talked("Hi.", edit, "Hi.")
    assert "changed on disk and in use from now on: profile mine" in err


def test_a_template_that_is_edited_makes_the_next_prompt(talked: Talked) -> None:
    """The scripted model counts words."""
    edit = saved("templates/mine.jinja", "Please say: {{ query }}")
    out, _ = talked("Hi.", "/stats", "/undo", edit, "Hi.", "/stats")
    assert [line.split(" tokens")[0] for line in out.splitlines() if "read" in line] == ["read 1", "read 3"]


def test_a_model_that_is_edited_is_loaded_again(talked: Talked) -> None:
    """What it was before is closed."""
    out, err = talked("Hi.", saved("models.toml", MODELS.replace("One two.", "Three four.")), "Hi.")
    assert out.splitlines() == ["One", "Three"]
    assert "model told" in err


def test_a_change_of_this_chat_lies_over_what_the_file_says(talked: Talked) -> None:
    """What was typed counts more than what was saved."""
    edit = saved("profiles.json", PROFILES.replace('"temperature": 0', '"temperature": 0, "top_k": 3'))
    out, _ = talked("/profile max_tokens=2", edit, "Hi.", "/profile")
    assert out.splitlines()[0] == "One two."
    assert '{"temperature": 0, "top_k": 3, "max_tokens": 2}' in out


def test_a_setting_counts_where_nothing_was_asked_for(talked: Talked) -> None:
    """A profile that is named in the command line stays; one that the settings chose is another then."""
    Path(".gemma-eval").mkdir()
    setting = Path(".gemma-eval/settings.yaml")
    setting.write_text("version: 1\nchat:\n  profile: mine\n")
    edit = saved(str(setting), "version: 1\nchat:\n  profile: greedy\n")
    assert talked("Hi.", edit, "Hi.", arguments=())[0].splitlines() == ["One", "One two."]
    setting.write_text("version: 1\nchat:\n  profile: mine\n")
    assert talked("Hi.", edit, "Hi.")[0].splitlines() == ["One", "One"]


@pytest.mark.parametrize("broken", ["", '{"version": 1, "profiles": {"mine": {"temprature": 0}}}', "{"])
def test_what_is_broken_is_said_once_and_changes_nothing(talked: Talked, broken: str) -> None:
    """Nor does it end the chat; mended it counts."""
    mend = saved("profiles.json", PROFILES.replace('"max_tokens": 1', '"max_tokens": 2'))
    out, err = talked("Hi.", saved("profiles.json", broken), "Hi.", "Hi.", mend, "Hi.")
    assert out.splitlines() == ["One", "One", "One", "One two."]
    assert sum("profiles.json" in line for line in err.splitlines()) == 1, err


def test_a_name_that_goes_stays_in_use(talked: Talked) -> None:
    """One line says that it is gone."""
    gone = saved("profiles.json", PROFILES.replace("mine", "yours"))
    out, err = talked("Hi.", gone, "Hi.", "Hi.")
    assert out.splitlines() == ["One", "One", "One"]
    assert err.splitlines() == [
        'gemma-eval: no profile named "mine"; did you mean "min-p"?; the chat goes on with what it has'
    ]


def test_a_model_that_does_not_load_any_more_stays_in_use(talked: Talked) -> None:
    """What was loaded answers on."""
    edit = saved(
        "models.toml", MODELS.replace('"scripted"', '"numpy_gemma"').replace('reply = "One two."', "")
    )
    out, err = talked("Hi.", edit, "Hi.")
    assert out.splitlines() == ["One", "One"]
    assert "the chat goes on with what it has" in err


def test_a_plugin_hears_of_it(talked: Talked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what has changed, by its kind and name."""
    from gemma_eval.hookspecs import hookimpl
    from gemma_eval.records import Reloaded

    heard: list[Reloaded] = []

    class Plugin:
        @hookimpl
        def config_reloaded(self, reloaded: Reloaded) -> None:
            heard.append(reloaded)

    registry = plugins.load([Plugin()])
    monkeypatch.setattr(plugins, "load", lambda: registry)
    talked("Hi.", saved("profiles.json", PROFILES.replace('"max_tokens": 1', '"max_tokens": 2')), "Hi.")
    assert [each.changed for each in heard] == [(("profile", "mine"),)]
