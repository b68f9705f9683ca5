"""What is typed after a slash: each command does what it says, and what it refuses it gives a reason for."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gemma_eval import plugins
from gemma_eval.cli import command
from gemma_eval.cli.chat_chosen import changed, table_of, values
from gemma_eval.cli.chat_commands import COMMANDS, ENDS, completions
from gemma_eval.cli.chat_talk import Talk
from gemma_eval.cli.chat_typing import piped
from gemma_eval.errors import UsageError
from gemma_eval.records import SamplingProfile
from gemma_eval.report.numbers import MISSING

MODELS = """
version = 1
[model.words]
backend = "scripted"
location = "-"
options = { replies = ["One two three.", "Four five."], ttft_ms = 40, tpot_ms = 5 }
[model.other]
backend = "scripted"
location = "-"
options = { reply = "Other." }
[model.broken]
backend = "numpy_gemma"
location = "nowhere"
[model.failing]
backend = "scripted"
location = "-"
options = { fail = "the engine is gone" }
"""

PROFILES = '{"version": 1, "profiles": {"two": {"temperature": 0, "max_tokens": 2}, "fixed": {"seed": 7}}}'

Chat = Callable[..., Result]


@pytest.fixture
def chat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chat:
    """A chat in a folder of its own, with models that reply by their script."""
    (tmp_path / "models.toml").write_text(MODELS)
    (tmp_path / "profiles.json").write_text(PROFILES)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "tone.md").write_text(
        "---\nvariables:\n  tone: null\n---\nBe {{ tone }}. {{ query }}\n"
    )
    monkeypatch.chdir(tmp_path)

    def run(*lines: str, model: str = "words", arguments: tuple[str, ...] = ()) -> Result:
        typed = "".join(f"{line}\n" for line in lines)
        result = CliRunner().invoke(command(plugins.load()), ["chat", model, *arguments], input=typed)
        assert result.exit_code in (0, 1), result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result

    return run


def test_help_names_every_command(chat: Chat) -> None:
    """And what ends a chat."""
    lines = chat("/help").stdout.splitlines()
    assert [line.split()[0].rstrip(",") for line in lines[:-1]] == [*COMMANDS, "/quit"]


@pytest.mark.parametrize("end", ENDS)
def test_what_ends_a_chat_ends_it(chat: Chat, end: str) -> None:
    """What is typed after it is not read."""
    assert chat("Hello.", end, "Hello again.").stdout == "One two three.\n"


def test_a_slip_is_told_what_was_meant(chat: Chat) -> None:
    """And what to do where it was no command."""
    said = chat("/stat").stderr
    assert said.startswith('gemma-eval: no command "/stat"; did you mean "/stats"? (a space before the slash')


def test_a_slash_behind_a_space_is_said(chat: Chat) -> None:
    """A path is something that one may ask about."""
    result = chat(" /etc/hosts is a file", "/history")
    assert result.stdout.splitlines() == [
        "One two three.",
        "user: /etc/hosts is a file",
        "assistant: One two three.",
    ]


def test_stats_tell_what_the_last_answer_took(chat: Chat) -> None:
    """The scripted times: 40 ms to the first token, 5 ms between the others."""
    lines = chat("/stats", "Hello there.", "/stats").stdout.splitlines()
    assert lines[0] == "nothing was answered yet"
    assert lines[2] == (
        "read 2 tokens with 0 passages, wrote 3 at 200 tokens/s, TTFT 40.0 ms, finish reason stop, "
        f"5 of {MISSING} tokens of the context used"
    )


def test_stats_of_all_add_up_the_answers(chat: Chat) -> None:
    """Two answers of three and two words; the second reads the first as well."""
    lines = chat("/stats all", "Hello.", "Hello.", "/stats all").stdout.splitlines()
    assert lines[0] == "nothing was answered yet"
    assert lines[-1] == "2 answers: read 6 tokens, wrote 5, medians: 200 tokens/s, TTFT 40.0 ms"
    assert '"al"' in chat("/stats al").stderr


def test_a_profile_is_shown_switched_and_changed(chat: Chat) -> None:
    """A change lasts until it is taken back, or another profile is chosen."""
    changed_and_back = ("/profile max_tokens=1", "/profile", "/profile max_tokens=", "/profile")
    result = chat("/profile", "Hi.", "/profile two", "Hi.", *changed_and_back)
    lines = result.stdout.splitlines()
    assert lines[0].startswith("profile greedy, of ")
    assert lines[1] == '{"temperature": 0}'
    assert lines[2:4] == ["One two three.", "Four five."]
    assert lines[5] == '{"temperature": 0, "max_tokens": 1}; changed in this chat: max_tokens=1'
    assert lines[7] == '{"temperature": 0, "max_tokens": 2}'
    assert result.stderr.splitlines() == [
        "gemma-eval: profile two",
        "gemma-eval: profile two max_tokens=1",
        "gemma-eval: profile two max_tokens=",
    ]


def test_a_changed_profile_is_what_answers(chat: Chat) -> None:
    """One word is written, and the reason says why no more."""
    lines = chat("/profile two max_tokens=1", "Hi.", "/stats").stdout.splitlines()
    assert lines[0] == "One"
    assert "finish reason length" in lines[1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/profile twoo", 'no profile named "twoo"; did you mean "two"?'),
        ("/profile temprature=0.7", 'unknown key "temprature"; did you mean "temperature"?'),
        ("/profile top_p=2", "top_p is 2; it should be at most 1"),
        ("/profile top_k=many", 'top_k is "many"; it should be a whole number'),
        ("/profile two hot", '"hot" is no key=value, as temperature=0.7'),
        ("/template nope", 'no template named "nope"'),
        ("/template tone", 'template "tone" needs the variable "tone"; give it: /template tone=…'),
        ("/template plain query=x", 'is "query", which every template has already'),
        ("/model wordss", 'no model named "wordss"; did you mean "words"?'),
        ("/model broken", "nowhere"),
        ("/undo", "nothing was said yet"),
        ("/retry", "nothing was said yet"),
        ("/memory", "this chat has no memory; --memory names one"),
        ("/clear all", '/clear takes nothing, not "all"'),
    ],
)
def test_what_cannot_be_is_refused_in_a_line_and_nothing_changes(chat: Chat, line: str, message: str) -> None:
    """The chat goes on with what it had."""
    result = chat(line, "Hi.")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == "One two three.\n"
    assert result.exit_code == 1


def test_a_model_is_loaded_in_the_place_of_another(chat: Chat) -> None:
    """The conversation goes on with it."""
    result = chat("Hi.", "/model other", "Hi.", "/history")
    assert result.stdout.splitlines()[:2] == ["One two three.", "Other."]
    assert result.stdout.splitlines()[-1] == "assistant: Other."


def test_a_combination_that_is_refused_says_why(chat: Chat) -> None:
    """As it is when a suite is collected, and before anything is loaded."""
    result = chat("/profile epsilon", "/model pocket-llama-cpp", "Hi.")
    assert 'model "pocket-llama-cpp" with profile "epsilon": the backend "llama_cpp" has no' in result.stderr
    assert result.stdout == "One two three.\n"


def test_a_template_is_given_its_variables(chat: Chat) -> None:
    """They are shown with it."""
    result = chat('/template tone tone="very kind"', "/template", "Hi.", "/stats", "/template tone=")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("template tone, of ")
    assert lines[1] == 'tone="very kind"'
    assert lines[3].startswith("read 4 tokens")  # Be very kind. Hi.
    assert 'needs the variable "tone"' in result.stderr


def test_a_system_turn_stands_first_and_is_kept(chat: Chat) -> None:
    """Through /clear, too, until it is removed."""
    result = chat("/system", "/system Be kind.", "Hi.", "/clear", "/history", '/system ""', "/history")
    assert result.stdout.splitlines() == [
        "there is no system turn; /system TEXT sets one",
        "One two three.",
        "system: Be kind.",
        "nothing was said yet",
    ]


def test_a_retry_takes_the_next_seed(chat: Chat) -> None:
    """Seed 0 has the first reply and seed 1 the second; one exchange is left."""
    result = chat("Hi.", "/retry", "/history", arguments=("--profile", "untouched"))
    assert result.stdout.splitlines() == [
        "One two three.",
        "Four five.",
        "user: Hi.",
        "assistant: Four five.",
    ]
    assert result.stderr == ""


def test_a_retry_of_what_is_greedy_says_that_nothing_else_will_come(chat: Chat) -> None:
    """And does it all the same."""
    assert "gives the same answer again" in chat("Hi.", "/retry").stderr


def test_a_profile_with_a_seed_has_that_for_every_turn(chat: Chat) -> None:
    """Seed 7 has the second reply, as does each turn; a retry asks with 8."""
    result = chat("Hi.", "Hi.", "/retry", arguments=("--profile", "fixed"))
    assert result.stdout.splitlines() == ["Four five.", "Four five.", "One two three."]


def test_an_exchange_is_taken_back(chat: Chat) -> None:
    """The model does not read it any more."""
    result = chat("One.", "Two.", "/undo", "/history", "/undo", "/undo")
    assert result.stdout.splitlines()[2:] == ["user: One.", "assistant: One two three."]
    assert result.stderr.splitlines() == [
        "gemma-eval: taken back out of the conversation: Two.",
        "gemma-eval: taken back out of the conversation: One.",
        "gemma-eval: nothing was said yet",
    ]


def test_an_engine_that_fails_costs_the_turn_and_not_the_chat(chat: Chat) -> None:
    """One line says why, and a pipe is told at the end."""
    result = chat("Hi.", "/history", "/model other", "Hi.", model="failing")
    assert result.stdout.splitlines() == ["nothing was said yet", "Other."]
    assert result.stderr.splitlines()[0].startswith("gemma-eval: ")
    assert "the engine is gone" in result.stderr
    assert result.exit_code == 1


def test_a_retry_that_fails_leaves_the_exchange(chat: Chat) -> None:
    """It was said."""
    result = chat("Hi.", "/model failing", "/retry", "/history")
    assert result.stdout.splitlines() == ["One two three.", "user: Hi.", "assistant: One two three."]


def test_json_has_an_object_for_every_turn(chat: Chat) -> None:
    """Also for one that failed; what commands say goes elsewhere."""
    result = chat("Hi there.", "/history", "/model failing", "Hi.", arguments=("--json",))
    first, second = map(json.loads, result.stdout.splitlines())
    assert first == {
        "text": "One two three.",
        "prompt_tokens": 2,
        "output_tokens": 3,
        "context_tokens": None,
        "ttft_s": 0.04,
        "output_tokens_per_s": 200.0,
        "finish_reason": "stop",
        "model": "words",
        "profile": "greedy",
        "template": "plain",
        "seed": 0,
        "retrieval": None,
        "passages": [],
    }
    assert set(second) == {"error", "kind"}
    assert "user: Hi there." in result.stderr


def test_one_question_can_be_asked(chat: Chat) -> None:
    """What begins with a slash is a question, too; one that fails is known by the exit code."""
    assert chat(arguments=("--ask", "Hi.")).stdout == "One two three.\n"
    assert chat(arguments=("--ask", "/help")).stdout == "One two three.\n"
    assert chat(model="failing", arguments=("--ask", "Hi.")).exit_code == 1


def test_several_lines_are_one_message(chat: Chat) -> None:
    """Between quotes, or with a backslash at the end of each but the last."""
    result = chat('"""', "one", "/two", '"""', "three\\", "four", "/history")
    assert [line for line in result.stdout.splitlines() if line != "assistant: One two three."][2:] == [
        "user: one",
        "/two",
        "user: three",
        "four",
        "assistant: Four five.",
    ]


def test_bytes_that_are_no_text_are_refused() -> None:
    """Instead of a traceback."""
    result = CliRunner().invoke(command(plugins.load()), ["chat"], input=b"Hi.\n\xff\xfe\n")
    assert isinstance(result.exception, UsageError)
    assert str(result.exception) == "standard input is not UTF-8 text"
    with pytest.raises(UsageError, match="not UTF-8"):
        piped(StringIO("a locale without letters: \udcff\n"))("")


def test_a_question_of_other_bytes_is_an_error_in_a_line(chat: Chat) -> None:
    """As a shell hands on the name of a file."""
    result = chat(arguments=("--ask", "\udcff"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "gemma-eval: what was typed is not UTF-8 text\n"


def test_values_are_json_or_words() -> None:
    """A list may hold spaces, a word may be anything."""
    given = 'temperature=0.7 stop=["a b", "c=d"] order=llama.cpp ignore_eos=true top_k= x=a=b'
    assert dict(values(given)) == {
        "temperature": 0.7,
        "stop": ["a b", "c=d"],
        "order": "llama.cpp",
        "ignore_eos": True,
        "top_k": "",
        "x": "a=b",
    }


def test_a_profile_and_its_table_are_the_same() -> None:
    """What a table leaves out is the default."""
    plain = SamplingProfile(name="p")
    assert table_of(plain) == {}
    for name, profile in plugins_profiles().items():
        assert changed(SamplingProfile(name=name), table_of(profile)) == profile


def plugins_profiles() -> dict[str, SamplingProfile]:
    """Return the profiles that ship."""
    from gemma_eval.config.catalog import load
    from gemma_eval.config.shipped import suites_directory

    return dict(load([suites_directory()]).profiles)


class Names:
    """What completion asks of a chat: the names that there are."""

    def names(self, kind: str) -> tuple[str, ...]:
        """Return some."""
        return (f"{kind}-one", f"{kind}-two")


class Half:
    """A chat of which only the names are there."""

    chosen = Names()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("", []),
        ("/pro", ["/profile "]),
        ("/qu", ["/quit "]),
        ("/model ", ["model-one", "model-two"]),
        ("/template template-t", ["template-two"]),
        ("/profile profile-o", ["profile-one"]),
        ("/profile temp", ["temperature="]),
        ("/profile two top_", ["top_k=", "top_p=", "top_n_sigma="]),
        ("/stats ", ["all"]),
        ("What is", []),
    ],
)
def test_a_line_is_completed(line: str, found: list[str]) -> None:
    """Commands, then what the command takes."""
    talk: Talk = Half()  # type: ignore[assignment]  # the one attribute that is asked
    assert list(completions(talk, line)) == found
