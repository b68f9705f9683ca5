"""`gemma-eval memory` as a person uses it."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from gemma_eval import plugins
from gemma_eval.cli.memory import memory
from gemma_eval.errors import StoreError, UnknownName, UsageError
from gemma_eval.hookspecs import hookimpl
from gemma_eval.memory.sqlite.store import SqliteStore
from gemma_eval.plugins import Registry
from gemma_eval.protocols import RegisterEmbedder
from gemma_eval.records import Piece
from tests.memory.letters import Letters
from tests.required import module

PEOPLE = "# People\n- Finn lives in Oslo.\n- Ada lives in Rome.\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a document, in which the commands are run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.md").write_text(PEOPLE)
    return tmp_path


@pytest.fixture(scope="module")
def registry() -> Registry:
    """Return what the built-in plugins register."""
    return plugins.load()


class WithLetters:
    """A plugin that brings an embedder."""

    @hookimpl
    def register_embedders(self, register: RegisterEmbedder) -> None:
        """Register it."""
        register("letters", lambda _: Letters())


class Invoke:
    """Runs the command; errors that `gemma-eval` would print are raised."""

    def __init__(self, registry: Registry) -> None:
        """Run it with a registry."""
        self.registry = registry

    def __call__(self, *arguments: str) -> str:
        """Return what was printed."""
        done = CliRunner().invoke(memory, arguments, obj=self.registry, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output


@pytest.fixture
def invoke(folder: Path, registry: Registry) -> Invoke:
    """Return what runs the command in the folder."""
    assert folder.is_dir()
    return Invoke(registry)


def test_what_was_added_is_found_listed_counted_and_forgotten(invoke: Invoke) -> None:
    """From a file to nothing."""
    assert invoke("add", "people.md") == "reports/memory.db: 2 passages kept, 2 new\n"
    assert invoke("add", "people.md") == "reports/memory.db: 2 passages kept, 0 new\n"
    found = invoke("search", "where does Finn live?").splitlines()
    assert "people.md" in found[0]
    assert found[1].strip() == "Finn lives in Oslo."
    listed = invoke("list").splitlines()
    assert listed[0].split() == ["id", "tier", "said", "(UTC)", "ends", "in", "given", "text"]
    assert len(listed) == 3
    assert "semantic    2         50,000    ever" in invoke("stats")
    assert invoke("forget", "--document", "people.md") == "reports/memory.db: 2 passages forgotten\n"
    assert invoke("list") == "reports/memory.db: no passage\n"
    assert invoke("search", "Finn") == "reports/memory.db: nothing is found\n"


def test_a_text_is_kept_as_it_is_told(invoke: Invoke) -> None:
    """With its tier, importance and tags."""
    invoke("add", "--text", "Finn likes plums", "--tier", "episodic", "--importance", "0.9", "--tag", "food")
    (row,) = map(json.loads, invoke("list", "--json").splitlines())
    assert (row["text"], row["tier"], row["importance"], row["tags"]) == (
        "Finn likes plums",
        "episodic",
        0.9,
        ["food"],
    )
    assert row["expires_s"] - row["at_s"] == pytest.approx(7 * 86_400)


def test_filters_choose_what_is_searched_and_listed(invoke: Invoke) -> None:
    """By tier, tag and document."""
    invoke("add", "people.md")
    invoke("add", "--text", "Finn likes plums", "--tag", "food", "--tier", "episodic")
    for chosen in (("--tag", "food"), ("--tier", "episodic"), ("--document", "note")):
        (row,) = map(json.loads, invoke("search", "Finn", "--json", *chosen).splitlines())
        assert row["text"] == "Finn likes plums"
        assert row["score"] > 0
        assert len(invoke("list", *chosen).splitlines()) == 2


def test_a_document_that_changed_is_written_anew(invoke: Invoke, folder: Path) -> None:
    """What it had before goes only when that is asked for, and of other documents nothing."""
    invoke("add", "people.md", "--text", "a note")
    (folder / "people.md").write_text("- Finn lives in Bergen.\n- Ada lives in Rome.\n")
    invoke("add", "people.md")
    assert len(invoke("list", "--json").splitlines()) == 4
    assert "1 that their documents had before" in invoke("add", "people.md", "--replace")
    texts = {json.loads(line)["text"] for line in invoke("list", "--json").splitlines()}
    assert texts == {"a note", "Finn lives in Bergen.", "Ada lives in Rome."}


def test_passages_can_be_cut_to_the_tokens_of_a_model(invoke: Invoke) -> None:
    """The model that ships counts them."""
    assert "4 passages kept" in invoke("add", "people.md", "--max-tokens", "4")


def test_nothing_is_kept_where_one_file_is_wrong(invoke: Invoke, folder: Path) -> None:
    """The line is told."""
    (folder / "rows.jsonl").write_text('{"text": "a"}\n{"text": 5}\n')
    with pytest.raises(UsageError, match=r"rows\.jsonl:2: text is a text"):
        invoke("add", "people.md", "rows.jsonl")
    assert not (folder / "reports").exists()


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("add",), "nothing to keep"),
        (("add", "--text", " "), "--text is empty"),
        (("add", "empty.md"), "holds no passage"),
        (("forget",), "name the ids"),
        (("forget", "a", "--tag", "b"), "name the ids"),
        (("forget", "83dc032ac6a32be8"), 'did you mean "83dc032ac6a32be9"?'),
        (("tiers", "semantik.capacity=1"), 'did you mean "semantic"'),
    ],
)
def test_a_mistake_is_told_with_what_would_be_right(
    invoke: Invoke, folder: Path, arguments: tuple[str, ...], what: str
) -> None:
    """And nothing is changed."""
    (folder / "empty.md").touch()
    invoke("add", "people.md")
    with pytest.raises(UsageError) as refused:
        invoke(*arguments)
    assert what in str(refused.value)
    assert len(invoke("list", "--json").splitlines()) == 2


@pytest.mark.parametrize("command", [("search", "x"), ("list",), ("stats",), ("tiers",), ("backup", "b")])
def test_what_only_reads_makes_no_memory(invoke: Invoke, folder: Path, command: tuple[str, ...]) -> None:
    """It says that there is none."""
    with pytest.raises(StoreError, match="gemma-eval memory add makes one"):
        invoke(*command)
    assert {path.name for path in folder.iterdir()} == {"people.md"}
    with pytest.raises(UnknownName, match='did you mean "redis"'):
        invoke(*command, "--memory", "reddis://localhost")
    with pytest.raises(UsageError, match='did you mean "semantic"'):
        invoke("tiers", "semantik.capacity=1")
    assert {path.name for path in folder.iterdir()} == {"people.md"}


def test_a_full_tier_is_told(invoke: Invoke) -> None:
    """With the command that gives it more room."""
    invoke("tiers", "semantic.capacity=1")
    assert "1 went: past their time, or least worth in a full tier" in invoke("add", "people.md")


def test_the_rules_of_tiers_are_shown_and_kept(invoke: Invoke) -> None:
    """Until they are changed again."""
    assert "working     30" in invoke("tiers", "working.capacity=30", "long_term.ttl_s=none")
    shown = invoke("tiers")
    assert "working     30" in shown
    assert "2592000" not in shown


def test_a_memory_is_put_in_order_after_it_was_shown_how(invoke: Invoke) -> None:
    """The dry run changes nothing."""
    for text in ("Finn lives in Oslo.", "finn lives in OSLO"):
        invoke("add", "--text", text, "--tier", "episodic")
    said = "0 past their time {} removed, 1 merged into 1, 0 moved on"
    assert said.format("would be") in invoke("consolidate", "--dry-run")
    assert said.format("were") in invoke("consolidate")
    assert said.format("were").replace("1", "0") in invoke("consolidate")


def test_a_backup_is_put_back_and_writes_over_nothing_unasked(invoke: Invoke) -> None:
    """Neither over a file nor over a memory."""
    invoke("add", "people.md")
    assert invoke("backup", "copy.db") == "copy.db: 2 passages of reports/memory.db\n"
    with pytest.raises(UsageError, match="--replace"):
        invoke("backup", "copy.db")
    invoke("add", "--text", "later")
    with pytest.raises(UsageError, match="--replace"):
        invoke("restore", "copy.db")
    assert invoke("restore", "copy.db", "--replace") == "reports/memory.db: 2 passages of copy.db\n"
    assert len(invoke("list", "--json").splitlines()) == 2
    assert invoke("restore", "copy.db", "--memory", "new.db") == "new.db: 2 passages of copy.db\n"


def test_an_export_is_imported_beside_and_restored_instead(invoke: Invoke) -> None:
    """Into any store."""
    invoke("add", "people.md")
    assert invoke("export", "m.jsonl") == "m.jsonl: 2 passages of reports/memory.db\n"
    with pytest.raises(UsageError, match="--replace"):
        invoke("export", "m.jsonl")
    invoke("add", "--text", "more", "--memory", "other.db")
    assert invoke("import", "m.jsonl", "--memory", "other.db") == "other.db: 2 passages of m.jsonl, 2 new\n"
    assert len(invoke("list", "--json", "--memory", "other.db").splitlines()) == 3
    with pytest.raises(UsageError, match="--replace"):
        invoke("restore", "m.jsonl", "--memory", "other.db")
    invoke("restore", "m.jsonl", "--memory", "other.db", "--replace")
    assert invoke("list", "--json", "--memory", "other.db") == invoke("list", "--json")


def test_a_file_that_is_no_backup_is_not_put_back(invoke: Invoke, folder: Path) -> None:
    """Nor is a copy of SQLite put into another store."""
    invoke("add", "people.md")
    invoke("backup", "copy.db")
    (folder / "rows.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(UsageError, match="is no memory that was exported"):
        invoke("restore", "rows.jsonl", "--replace")
    with pytest.raises(UsageError, match="makes one that import reads"):
        invoke("restore", "copy.db", "--memory", "redis://localhost:1")
    with pytest.raises(StoreError, match="cannot be read"):
        invoke("restore", "none.db")
    assert len(invoke("list", "--json").splitlines()) == 2


def test_hostile_text_is_shown_on_one_line(invoke: Invoke) -> None:
    """No sequence for the terminal leaves it."""
    invoke("add", "--text", "red \x1b[31m\nalert \u202e{{ query }}")
    assert "\x1b" not in invoke("list")
    assert "\u202e" not in invoke("search", "alert")
    assert json.loads(invoke("search", "alert", "--json"))["text"].startswith("red \x1b[31m\n")


def test_hostile_names_are_shown_as_harmless(invoke: Invoke, folder: Path) -> None:
    """An id and a document are as little trusted as a text, in a table, in JSON and in an error."""
    row = {"id": "a\x1b]0;pwn\x07", "text": "Finn\x9b2J lives in Oslo.", "source": "s\u202e"}
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    invoke("add", "rows.jsonl")
    printed = [invoke("list"), invoke("list", "--json"), invoke("search", "finn")]
    assert all(letter.isprintable() or letter == "\n" for text in printed for letter in text)
    kept = json.loads(printed[1])
    assert (kept["id"], kept["text"], kept["document"]) == (row["id"], row["text"], row["source"])


def test_a_text_that_is_none_and_a_name_that_is_too_long_are_refused(invoke: Invoke) -> None:
    """A byte of no character comes from a terminal as half of a pair."""
    with pytest.raises(StoreError, match="half of a surrogate pair"):
        invoke("add", "--text", "\udcff hello")
    for arguments in (("list",), ("add", "--text", "a"), ("backup", "copy.db")):
        with pytest.raises(StoreError, match="File name too long"):
            invoke(*arguments, "--memory", "a" * 5_000)
    invoke("add", "people.md")
    for command in ("backup", "export"):
        with pytest.raises(StoreError, match="File name too long"):
            invoke(command, "a" * 5_000)


def test_any_number_may_be_asked_for(invoke: Invoke) -> None:
    """More than a machine can count to, too."""
    invoke("add", "people.md")
    assert "Finn" in invoke("list", "-n", str(10**30))
    assert "Finn" in invoke("search", "finn", "-k", str(10**30))
    with pytest.raises(UsageError, match="is a number or none"):
        invoke("tiers", f"semantic.capacity={10**400}")


def test_a_passage_that_no_store_keeps_is_known_before_any_is_kept(invoke: Invoke, folder: Path) -> None:
    """However many come before it."""
    rows = [{"id": f"p{n}", "text": f"number {n}"} for n in range(1_001)] + [
        {"id": "p", "text": "x" * (1 << 21)}
    ]
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with pytest.raises(StoreError, match=r"passage 'p': it is longer .* nothing was kept"):
        invoke("add", "rows.jsonl")
    assert {path.name for path in folder.iterdir()} == {"people.md", "rows.jsonl"}


def test_a_memory_that_was_exported_is_put_back_with_its_room(invoke: Invoke, folder: Path) -> None:
    """What is there crowds out nothing of it, and goes."""
    with closing(SqliteStore(folder / "a.db")) as store:
        store.add([Piece(id=f"a{n}", text=f"a {n}", document="d") for n in range(1_500)], now_s=1.0)
    invoke("tiers", "semantic.capacity=1500", "--memory", "a.db")
    invoke("export", "a.jsonl", "--memory", "a.db")
    with closing(SqliteStore(folder / "b.db")) as store:
        some = [Piece(id=f"b{n}", text=f"b {n}", document="d", importance=1.0) for n in range(1_000)]
        store.add(some, now_s=1.0)
    invoke("tiers", "semantic.capacity=1000", "--memory", "b.db")
    assert (
        invoke("restore", "a.jsonl", "--replace", "--memory", "b.db") == "b.db: 1,500 passages of a.jsonl\n"
    )
    assert invoke("list", "--json", "--memory", "b.db") == invoke("list", "--json", "--memory", "a.db")
    assert invoke("tiers", "--memory", "b.db") == invoke("tiers", "--memory", "a.db")


def test_what_an_import_crowds_out_is_told(invoke: Invoke) -> None:
    """It is not there, though it was kept."""
    invoke("add", "people.md")
    invoke("export", "m.jsonl")
    invoke("tiers", "semantic.capacity=1", "--memory", "b.db")
    invoke("add", "--text", "more", "--memory", "b.db")
    assert "  2 went: past their time, or least worth" in invoke("import", "m.jsonl", "--memory", "b.db")


def test_a_pipe_is_no_backup(invoke: Invoke, folder: Path) -> None:
    """Nobody waits for it."""
    os.mkfifo(folder / "pipe")
    with pytest.raises(StoreError, match="not a regular file"):
        invoke("restore", "pipe")


def test_many_passages_are_listed_up_to_a_number(invoke: Invoke, folder: Path) -> None:
    """The newest first, with how many there are."""
    with closing(SqliteStore(folder / "m.db")) as store:
        made = [Piece(id=f"p{n}", text=f"text {n}", document="d", at_s=float(n)) for n in range(30)]
        store.add(made, now_s=100.0)
    lines = invoke("list", "--memory", "m.db", "-n", "2").splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["p29", "p28"]
    assert lines[3] == "2 of 30 passages; -n shows more"


def test_every_help_fits_a_screen(invoke: Invoke) -> None:
    """Of 24 lines, and says what a command does."""
    for command in memory.commands:
        shown = invoke(command, "--help")
        assert len(shown.splitlines()) <= 24, command
        assert "Usage:" in shown


def test_passages_are_given_vectors_of_an_embedder(folder: Path) -> None:
    """Those that have none yet."""
    (folder / "models.toml").write_text(
        'version = 1\n[model.letters]\nbackend = "letters"\nlocation = "@none"\n'
    )
    run = Invoke(plugins.load([WithLetters()]))
    run("add", "people.md")
    assert "letters: some passages have no vector" in run("search", "Finn", "--embedder", "letters")
    assert run("embed", "--embedder", "letters") == "reports/memory.db: 2 passages embedded by letters\n"
    assert "no vector" not in run("search", "Finn", "--embedder", "letters")
    assert run("embed", "--embedder", "letters") == "reports/memory.db: 0 passages embedded by letters\n"
    assert f"vectors of {Letters.id}: 2" in run("stats")
    assert run("search", "Fnin livs ni Osol").endswith("nothing is found\n")
    first = run("search", "Fnin livs ni Osol", "--embedder", "letters", "-k", "1").splitlines()
    assert first[1].strip() == "Finn lives in Oslo."
    with pytest.raises(UnknownName, match='did you mean "letters"'):
        run("embed", "--embedder", "leters")


def test_the_vectors_of_a_memory_are_indexed_where_they_are_enough(invoke: Invoke, folder: Path) -> None:
    """Which is said; the file stands beside the memory."""
    module("usearch.index", extra="ann")
    invoke("add", "people.md")
    with closing(SqliteStore(folder / "reports/memory.db")) as store:
        ids = [piece.id for piece in store.each()]
        store.add_vectors(ids, Letters().embed(["finn", "ada"]), embedder="letters\x1b")
    with pytest.raises(
        UsageError, match=r"no embedder has made 100,000 vectors of it; fewer are searched exactly"
    ):
        invoke("index")
    said = "reports/memory.db: vectors of letters\ufffd are indexed; 1.000 of the nearest ten are found\n"
    assert invoke("index", "--fewest", "2") == said
    assert len(list((folder / "reports").glob("memory.db.ann-*"))) == 1
    with pytest.raises(UsageError, match="is no SQLite file"):
        invoke("index", "--memory", "redis://localhost")
