"""What is wrong with what is asked of gates is said before anything runs, in a line for each mistake."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.plugin.gating import SUITE, session, write_gated
from tests.plugin.test_plugin_gates import AB, ASKED, SOONER

OTHER = '[model.{0}]\nbackend = "scripted"\nlocation = "-"\n'


def refused(folder: Path, *arguments: str) -> list[str]:
    """Run, assert exit code 4 and that nothing was measured, and return the lines of the errors."""
    ended = session(folder, *arguments)
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert not (folder / "reports").exists()
    assert not ended.has("*Traceback*")
    assert not ended.has("*INTERNALERROR*")
    return [line.removeprefix("ERROR: ") for line in ended.lines if line.startswith("ERROR: ")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--gemma-ab=quick", "--gemma-baseline=latest"), "--gemma-ab measures its own base; leave out *"),
        (("--gemma-ab=quick", "-n2"), "--gemma-ab needs the machine for one engine at a time; leave out -n"),
        (("--gemma-ab=quick", "--tx=2*popen", "--dist=load"), "--gemma-ab needs the machine for one *"),
        (("--gemma-blocks=3", "-n2"), "--gemma-blocks needs the machine for one engine at a time; *"),
        (("--gemma-blocks=0",), "--gemma-blocks 0: must be at least 1"),
        (("--gemma-ab=quik",), '--gemma-ab quik: no model, *named "quik"; did you mean "quick"?'),
        (("--gemma-ab=model:plain",), '--gemma-ab model:plain: no model named "plain"*'),
        (("--gemma-ab=template:rag",), '--gemma-ab template:rag: no template named "rag"; *'),
        (("--gemma-ab=both", "--gemma-model=both"), "--gemma-ab both is of two kinds; write model:both"),
        (
            ("--gemma-ab=quick", "--gemma-model=late", "--gemma-model=twin"),
            "--gemma-ab quick: the candidate has 2 models (late, twin); choose one with --gemma-model",
        ),
        (("--gemma-ab=stretched",), "--gemma-ab stretched: *has no rope_scaling"),
        (
            ("--gemma-gate-report=sarf:x",),
            '--gemma-gate-report sarf:x: no format named "sarf"; did you mean*',
        ),
        (("--gemma-gate-report=json",), "--gemma-gate-report json: say where to, as json:verdicts.json"),
        (("--gemma-gate-report=json:models.toml/x",), "*: cannot be written there: */models.toml is a file"),
        (("--gemma-gate-report=json:templates",), "*: cannot be written there: */templates is a folder"),
        (("--gemma-gate-report=json:",), "--gemma-gate-report json:: say where to, as json:verdicts.json"),
        (("--gemma-ab=quick", "--gemma-gates=none.toml"), "none.toml*"),
    ],
)
def test_what_cannot_be_asked_for_is_said_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    """Before anything is measured."""
    stretched = OTHER.format("stretched") + 'rope_scaling = { rope_type = "yarn", factor = 2.0 }\n'
    path = write_gated(tmp_path, cases=ASKED, more=OTHER.format("both") + stretched)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "both.jinja").write_text("{{ query }}")
    path.write_text(path.read_text().replace('templates = ["plain"]', 'templates = ["plain", "both"]'))
    (line,) = refused(tmp_path, *SUITE, *arguments)
    assert fnmatch(line, said), line


def test_a_run_with_blocks_cannot_be_gone_on_with(tmp_path: Path) -> None:
    """Its blocks belong together."""
    write_gated(tmp_path, cases=ASKED)
    session(tmp_path, *SUITE, "-q")
    ended = session(tmp_path, *AB, "--gemma-resume", "latest")
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert ended.has("ERROR: --gemma-ab cannot go on with a run: its blocks belong together; begin a new one")


def test_all_that_is_wrong_in_a_file_of_gates_is_said_with_its_lines(tmp_path: Path) -> None:
    """As `docs/gate_files.md` shows it."""
    write_gated(tmp_path, cases=ASKED)
    (tmp_path / "gemma-gates.toml").write_text(
        '[[gate]]\nid = "quality"\nmetric = "score"\ntolerance = "5%"\n'
        '[[gate]]\nid = "first-token"\nmetric = "ttft"\n'
        '[[gate]]\nid = "tail"\nmetric = "e2e_s"\ntolerance = 5\n'
    )
    assert refused(tmp_path, *AB) == [
        'gemma-gates.toml:4: gate "quality": tolerance is of costs; of a score give margin = 0.02',
        'gemma-gates.toml:7: gate "first-token": no metric named "ttft"; did you mean "ttft_s"?',
        'gemma-gates.toml:11: gate "tail": tolerance is 5, a growth by 500%; write "5%" or 0.05',
    ]


def test_two_gates_of_one_id_are_refused(tmp_path: Path) -> None:
    """One in the suite and one in the file of the project would be taken for each other."""
    write_gated(tmp_path, cases=ASKED + SOONER)
    (tmp_path / "gemma-gates.toml").write_text(SOONER.lstrip())
    (line,) = refused(tmp_path, *AB)
    assert fnmatch(line, 'towns.gemma.toml:*: gate "first-token" has the id of that in gemma-gates.toml:1; *')


def test_a_damaged_file_of_acceptances_is_refused(tmp_path: Path) -> None:
    """With its line, before anything is measured."""
    write_gated(tmp_path, cases=ASKED)
    (tmp_path / "gemma-accepted.toml").write_text('[[accepted]]\ngate = "score"\nexpires = "soon"\n')
    lines = refused(tmp_path, *AB)
    assert all(line.startswith("gemma-accepted.toml:") for line in lines)
    assert any("2026-12-24" in line for line in lines)
