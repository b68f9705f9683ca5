"""`gemma-eval models list | show | add | set | remove | test`, used as a person would."""

from __future__ import annotations

import json
import signal
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gemma_eval.__main__ import main
from gemma_eval.backends.model_files import locate
from gemma_eval.cli import command
from gemma_eval.cli.model_test import tried
from gemma_eval.config import models, shipped
from gemma_eval.errors import ConfigError, GemmaEvalError, ModelNotFound, UnknownName, UsageError
from gemma_eval.plugins import load
from gemma_eval.records import ModelSpec, Outcome
from gemma_eval.store.write import open_store
from tests import required
from tests.verdict.test_over_runs import a_named_run, answered


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in the empty folder of a project, as a user who has chosen nothing."""
    here = tmp_path / "here"
    (here / ".gemma-eval").mkdir(parents=True)
    monkeypatch.chdir(here)
    monkeypatch.setenv("GEMMA_EVAL_CONFIG", str(tmp_path / "user"))
    return tmp_path / "user" / "models.toml"


PROJECT = Path(".gemma-eval/models.toml")
OWN = """version = 1

# The one that is served; keep the port.
[model.served]
backend = "openai_http"   # llama.cpp
location = "http://127.0.0.1:8080/v1"

# notes at the end
"""


def run(*arguments: str, exit_code: int = 0) -> Result:
    """Run the command with these arguments."""
    result = CliRunner().invoke(command(load()), ["models", *arguments], catch_exceptions=False)
    assert result.exit_code == exit_code, result.output
    return result


def at_rate(case: str, output_tokens_per_s: float | None) -> Outcome:
    """Return an outcome with that rate."""
    outcome = answered(case)
    assert outcome.measurement is not None
    measurement = replace(outcome.measurement, output_tokens_per_s=output_tokens_per_s)
    return replace(outcome, measurement=measurement)


def weights(path: Path) -> Path:
    """Write a GGUF file of the model that ships."""
    required.module("gguf", extra="gguf")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(locate("@pocket.Q8_0.gguf").read_bytes())
    return path


def test_a_file_of_the_project_is_added_by_a_relative_path() -> None:
    """What it is stands in its header, and is said; no comment of the file is lost."""
    weights(Path("weights/small.gguf"))
    PROJECT.write_text(OWN)
    printed = run("add", "small", "weights/small.gguf", "--option", "threads=1", "--context-tokens", "256")
    assert PROJECT.read_text() == (
        f'{OWN}\n[model.small]\nbackend = "llama_cpp"\nlocation = "../weights/small.gguf"\n'
        "context_tokens = 256\noptions = { threads = 1 }\n"
    )
    assert "small: gemma3, 1.42M parameters, Q8_0, context 2 048, 1.58 MB" in printed.stdout
    assert Path(models.load(PROJECT)["small"].location).samefile("weights/small.gguf")
    run("remove", "small")
    assert PROJECT.read_text() == OWN


def test_a_file_elsewhere_is_added_by_its_absolute_path(tmp_path: Path, user: Path) -> None:
    """And so is every file in the user's own folder."""
    outside = weights(tmp_path / "small.gguf")
    run("add", "small", str(outside))
    run("add", "again", "../small.gguf", "--user")
    assert f'location = "{outside}"' in PROJECT.read_text()
    assert f'location = "{outside}"' in user.read_text()
    beside = weights(tmp_path / "user" / "beside.gguf")
    run("add", "third", str(beside), "--user")
    assert f'location = "{beside}"' in user.read_text()


def test_a_new_file_begins_with_what_it_is(user: Path) -> None:
    """Its version, and the commands that read it."""
    run("add", "served", "http://127.0.0.1:8080/v1", "--option", "api_key_env=MY_KEY", "--user")
    assert user.read_text() == (
        "# Models: gemma-eval models list shows them, gemma-eval models test tries one.\nversion = 1\n\n"
        '[model.served]\nbackend = "openai_http"\nlocation = "http://127.0.0.1:8080/v1"\n'
        'options = { api_key_env = "MY_KEY" }\n'
    )


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (["x", "nowhere.gguf"], "nowhere.gguf: there is no such file or folder"),
        (["x y", "@pocket"], 'the name of a model is "x y", which cannot be a name'),
        (["pocket", "@pocket"], 'there is a model "pocket" already; change it with gemma-eval models set'),
        (["x", "@pocket", "--backend", "numpy_gema"], 'no backend named "numpy_gema"; did you mean'),
        (["x", "@pocket", "--option", "threds=1"], 'named "threds"; did you mean "threads"'),
        (["x", "@pocket", "--option", "threads"], "--option threads: is no key=value, as threads=2"),
        (["x", "http://a:b@localhost/v1"], "has a user, a password or parameters in it"),
        (["x", "http://localhost/v1", "--option", "api_key=abc"], "a file must not hold it"),
        (["x", "http://localhost/v1", "--option", "api_key_env=sk-1"], "no name of an environment variable"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(given: list[str], what: str) -> None:
    """Names, places, options and secrets."""
    with pytest.raises(GemmaEvalError) as caught:
        run("add", *given)
    assert what in str(caught.value)
    assert not PROJECT.exists()


def test_a_program_of_gemma_cpp_is_added_with_its_weights(tmp_path: Path) -> None:
    """The weights are the location, the program an option."""
    program, sbs = tmp_path / "gemma", tmp_path / "here" / "gemma.sbs"
    for file in (program, sbs):
        file.write_bytes(b"\0" * 8)
    program.chmod(0o755)
    printed = run("add", "g", str(program), "--option", "weights=gemma.sbs", "--option", "threads=2")
    assert "g: gemma_cpp, for gemma.cpp runs files *.sbs" in printed.stdout
    added = models.load(PROJECT.absolute())["g"]
    assert Path(added.location).samefile(sbs)
    assert added.options == {"binary": str(program), "threads": 2}


def test_a_dry_run_writes_nothing() -> None:
    """It shows what would be added."""
    assert '+location = "@pocket"' in run("add", "x", "@pocket", "--dry-run").stdout
    assert not PROJECT.exists()


def test_keys_are_set_and_taken_out_and_notes_stay() -> None:
    """Options by their own names; a line that is not changed is not touched."""
    PROJECT.write_text(OWN)
    run("set", "served", "options.timeout_s=5", "options.model=m", "context_tokens=512")
    changed = '8080/v1"\noptions = { timeout_s = 5, model = "m" }\ncontext_tokens = 512\n'
    assert PROJECT.read_text() == OWN.replace('8080/v1"\n', changed)
    run("set", "served", "--unset", "options", "--unset", "context_tokens", "location=http://127.0.0.1:9/v1")
    assert PROJECT.read_text() == OWN.replace("8080", "9")
    with pytest.raises(UnknownName, match='no key of a model named "bakend"; did you mean "backend"'):
        run("set", "served", "bakend=x")
    with pytest.raises(UsageError, match="context_tokens is 0; it should be at least 1"):
        run("set", "served", "context_tokens=0")
    with pytest.raises(UnknownName, match='did you mean "served"'):
        run("set", "serve", "context_tokens=1")
    with pytest.raises(UnknownName, match="no option of the model served"):
        run("set", "served", "options.timout_s=5")
    assert PROJECT.read_text() == OWN.replace("8080", "9")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["location="], "location is empty"),
        (["--unset", "backend"], "needs a backend"),
        (["context_tokens=1", "--unset", "context_tokens"], "is given a value and taken out"),
        (['rope_scaling={"rope_type": "linear", "factor": null}'], "null is nothing that TOML can hold"),
        (["options.stop=[null]"], "null is nothing that TOML can hold"),
    ],
)
def test_what_a_file_cannot_hold_is_refused(given: list[str], said: str) -> None:
    """In a line, and the file stays."""
    PROJECT.write_text(OWN)
    with pytest.raises(UsageError, match=said):
        run("set", "served", *given)
    assert PROJECT.read_text() == OWN


@pytest.mark.parametrize("backend", ["gemma_cpp", "sentence_bert", "onnx_bert", "llama_cpp"])
def test_a_model_that_is_not_there_is_not_added(backend: str) -> None:
    """Nor is one whose backend a person names."""
    with pytest.raises(ModelNotFound, match="no such"):
        run("add", "gone", "nowhere/at.all", "--backend", backend)
    assert not PROJECT.exists()


def test_a_model_that_ships_is_overruled_and_stays() -> None:
    """Its place is the same; removing what overrules brings it back."""
    before = (shipped.suites_directory() / "models.toml").read_bytes()
    assert "the one that ships stays as it is" in run("set", "pocket", "context_tokens=128").stderr
    assert models.load(PROJECT.absolute())["pocket"].location == "@pocket"
    assert (shipped.suites_directory() / "models.toml").read_bytes() == before
    assert "pocket: the one that ships counts again" in run("remove", "pocket").stderr
    assert models.load(PROJECT.absolute()) == {}
    run("add", "first", "@pocket")
    assert list(models.load(PROJECT.absolute())) == ["first"]


def test_a_model_of_the_user_is_at_the_same_place_when_the_project_overrules_it(
    tmp_path: Path, user: Path
) -> None:
    """A relative path is made one of the other folder."""
    weights(tmp_path / "user" / "small.gguf")
    user.write_text('version = 1\n[model.small]\nbackend = "llama_cpp"\nlocation = "small.gguf"\n')
    run("set", "small", "context_tokens=128", "--project")
    assert models.load(PROJECT.absolute())["small"].location == str(tmp_path / "user" / "small.gguf")


def test_models_are_listed_with_whether_they_are_there() -> None:
    """A server is not asked, and hashed words need no file."""
    PROJECT.write_text(f'{OWN}\n[model.gone]\nbackend = "llama_cpp"\nlocation = "gone.gguf"\n')
    listed = {each["name"]: each for each in json.loads(run("list", "--json").stdout)}
    there = [listed[name]["there"] for name in ("pocket", "served", "gone", "hashing")]
    assert there == [True, None, False, None]
    assert listed["served"]["sets"]["backend"] == "openai_http"
    assert (listed["served"]["layer"], listed["served"]["line"]) == ("project", 4)
    assert listed["served"]["measured"] is None
    lines = run("list").stdout.splitlines()
    assert lines[0].split()[:4] == ["model", "backend", "location", "there"]
    gone = next(line for line in lines if line.startswith("gone"))
    assert gone.split()[1:4] == ["llama_cpp", "gone.gguf", "no"]


def test_models_are_listed_with_how_fast_they_were_last() -> None:
    """The median over the answers of the newest run that has any."""
    PROJECT.write_text('version = 1\n[model.scripted]\nbackend = "scripted"\nlocation = "-"\n')
    database = Path("reports/gemma_eval.db")
    database.parent.mkdir()
    rates: list[list[float | None]] = [[900.0], [1.0, 4.0, 2.0], [None]]
    with closing(open_store(database)) as store:
        for number, found in enumerate(rates):
            named = a_named_run(number)
            outcomes = [at_rate(f"c{i}", rate) for i, rate in enumerate(found)]
            store.begin(replace(named, planned=len(found)), [each.trial for each in outcomes])
            for outcome in outcomes:
                store.record(named.id, outcome)
            store.finish(named.id, "done")
    listed = {each["name"]: each for each in json.loads(run("list", "--json").stdout)}
    assert listed["scripted"]["measured"] == {
        "output_tokens_per_s": 2.0,
        "n": 3,
        "run": "run-1",
        "started_utc": a_named_run(1).started_utc,
    }
    assert "2.00" in next(line for line in run("list").stdout.splitlines() if line.startswith("scripted"))


def test_a_model_is_shown_with_what_its_files_say() -> None:
    """And with what is wrong with them."""
    printed = run("show", "pocket").stdout
    assert printed.startswith(f"pocket: {shipped.suites_directory() / 'models.toml'}:4\n")
    assert "gemma3_text, 1.42M parameters, F32, context 2 048, 5.69 MB" in printed
    shown = json.loads(run("show", "pocket", "--json").stdout)
    assert (shown["files"]["architecture"], shown["files"]["quantisation"]) == ("gemma3_text", "F32")
    Path("half.gguf").write_bytes(b"GGUF\3\0\0\0")
    PROJECT.write_text('version = 1\n[model.half]\nbackend = "llama_cpp"\nlocation = "../half.gguf"\n')
    assert "not a whole GGUF file" in run("show", "half").stdout
    with pytest.raises(UnknownName, match='no model named "poket"; did you mean "pocket"'):
        run("show", "poket")


def test_a_model_writes_tokens_with_its_timings() -> None:
    """What it wrote, how long it took, and with what."""
    told = json.loads(run("test", "pocket", "--tokens", "5", "--json").stdout)
    assert (told["engine"], told["output_tokens"], told["finish_reason"]) == ("numpy_gemma", 5, "length")
    assert told["text"]
    assert min(told[key] for key in ("load_s", "ttft_s", "output_tokens_per_s", "peak_memory_bytes")) > 0
    rows = [line.split("  ")[0] for line in run("test", "pocket").stdout.splitlines()]
    assert {"engine", "load", "TTFT", "output tokens/s", "finish", "peak memory", "text"} <= set(rows)


def test_an_embedder_embeds_a_text() -> None:
    """Its dimensions, and how long that took."""
    told = json.loads(run("test", "hashing", "--json").stdout)
    assert told["dimensions"] > 0
    assert told["embed_s"] > 0


def test_a_model_that_does_not_work_says_why_with_exit_code_1() -> None:
    """Before loading, while loading, and where there is no such backend."""
    PROJECT.write_text(
        'version = 1\n[model.gone]\nbackend = "llama_cpp"\nlocation = "gone.gguf"\n'
        '[model.odd]\nbackend = "nobody"\nlocation = "x"\n'
    )
    assert "no such folder or file" in run("test", "gone", exit_code=1).stderr
    assert 'no backend named "nobody"' in run("test", "odd", exit_code=1).stderr
    assert "no such" in json.loads(run("test", "gone", "--json", exit_code=1).stdout)["problem"]


def test_an_engine_that_ends_its_process_is_a_reason() -> None:
    """With the signal, and with its last line."""
    spec = ModelSpec(name="m", backend="numpy_gemma", location="@pocket")
    dies = f"import os; os.write(2, b'ggml: abort'); os.kill(os.getpid(), {signal.SIGABRT:d})"
    told = tried(spec, tokens=1, program=(sys.executable, "-c", dies))
    assert told["problem"] == "the engine ended its process (SIGABRT): ggml: abort"
    told = tried(spec, tokens=1, program=(sys.executable, "-c", "raise SystemExit(3)"))
    assert told["problem"] == "the engine ended its process (exit code 3): it said nothing"


def test_a_file_with_a_flaw_is_named_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """And is not written."""
    text = OWN.replace("backend =", "bakend =")
    PROJECT.write_text(text)
    with pytest.raises(ConfigError, match=r'models\.toml:4: model "served": needs a backend'):
        run("add", "x", "@pocket")
    with pytest.raises(SystemExit):
        main(["models", "list"])
    assert 'did you mean "backend"' in capsys.readouterr().err
    assert PROJECT.read_text() == text
