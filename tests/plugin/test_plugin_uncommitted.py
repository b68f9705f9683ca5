"""What no commit tells of makes a run a dirty one, and what the run itself wrote does not."""

from __future__ import annotations

from pathlib import Path

from tests.plugin.gating import SUITE, gating_of, runs_of, session, verdicts_of, write_gated
from tests.plugin.test_plugin_gates import ASKED
from tests.plugin.test_plugin_git import git

RUN = (*SUITE, "-q", "--gemma-baseline", "auto")
WRITTEN = ("--gemma-gate-report", "json:gates.json", "--gemma-gate-report", "github:out/gates.md")


def test_a_second_run_is_clean_and_one_with_a_new_template_is_not(tmp_path: Path) -> None:
    """Though git ignores neither the reports nor the database nor the files of gates."""
    write_gated(tmp_path, cases=ASKED, model="quick")
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "base")
    head = git(tmp_path, "rev-parse", "HEAD").strip()
    for _ in range(2):
        assert session(tmp_path, *RUN, *WRITTEN).code == 0
    second, first = runs_of(tmp_path).values()
    assert (first.commit, second.commit) == (head, head)
    assert gating_of(tmp_path).base == first.id
    assert verdicts_of(tmp_path)["score"] == "PASS"
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "new.jinja").write_text("{{ prompt }}")
    assert session(tmp_path, *RUN, *WRITTEN).code == 0
    assert next(iter(runs_of(tmp_path).values())).commit == f"{head}-dirty"
