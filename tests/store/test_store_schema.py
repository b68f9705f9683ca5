"""The tables, the way from one version to the next, and the views that others build on."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gemma_eval.store import schema

PUBLIC = {
    "v_run": "run_id started_utc state suites planned recorded commit host arguments definitions_version "
    "skipped noise harness noisy ended_utc clock_offset_ns base selection microbenchmarks",
    "v_outcome": (
        "run_id position suite case_id kind model profile template repeat seed score passed "
        "ttft_s tpot_s e2e_s output_tokens_per_s prompt_tokens_per_s max_stall_s prompt_tokens "
        "output_tokens peak_memory_bytes mean_memory_bytes finish_reason "
        "failure_kind failure_message trial_key outcome_id ttft_sched_s ttfo_s time_to_first_chunk_s "
        "queue_delay_s ntpot_s e2e_sched_s operation_duration_s engine_output_tokens_per_s tokens_per_chunk "
        "accept_length cpu_s cpu_s_per_output_token energy_j cached_tokens reasoning_tokens "
        "token_count_mismatch peak_pss_bytes peak_anonymous_bytes peak_file_bytes gpu_peak_memory_bytes "
        "involuntary_switches prompt_basis itl_basis energy_source phase block scoring original_score reduce "
        "retrieval cached degraded"
    ),
    "v_cell": (
        "run_id suite case_id kind model profile template n passed failed scored score ttft_s tpot_s e2e_s "
        "output_tokens_per_s peak_memory_bytes reduce retrieval"
    ),
    "v_score": (
        "run_id suite case_id model profile template repeat number scorer value passed answer explanation "
        "unscored outcome_id weight vetoes scoring is_latest retrieval"
    ),
    "v_scoring": "run_id scoring at_utc answers changed record",
    "v_attempt": (
        "run_id suite case_id model profile template repeat number kind message requested_ns ended_ns "
        "outcome_id retrieval"
    ),
    "v_step": (
        "run_id suite case_id kind model profile template retrieval repeat number name began_ns ended_ns "
        "outcome_id"
    ),
    "v_verdict": (
        "run_id number base_id gate tier model profile template metric verdict lean unit n base candidate "
        "difference low high margin detectable needed p p_adjusted reason retrieval"
    ),
    "v_transcript": (
        "run_id suite case_id model profile template repeat prompt text finish_reason outcome_id retrieval"
    ),
}
"""Columns that people's queries rely on: add to them, never take one away."""


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """An empty database."""
    with closing(sqlite3.connect(tmp_path / "results.db", isolation_level=None)) as opened:
        yield opened


def test_the_public_views_keep_their_columns(connection: sqlite3.Connection) -> None:
    """The promise to datasette, pandas and everybody's scripts."""
    schema.migrate(connection)
    for view, columns in PUBLIC.items():
        cursor = connection.execute(f"SELECT * FROM {view}")  # noqa: S608 - names from above
        assert [column[0] for column in cursor.description] == columns.split()


def test_every_view_is_told_of_in_the_docstring(connection: sqlite3.Connection) -> None:
    """And no other."""
    schema.migrate(connection)
    views = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'view'")}
    assert schema.__doc__ is not None
    assert set(re.findall(r"^    (v_\w+) ", schema.__doc__, re.MULTILINE)) == views == PUBLIC.keys()


def test_every_table_is_strict(connection: sqlite3.Connection) -> None:
    """A number column holds numbers, whoever writes."""
    schema.migrate(connection)
    tables = connection.execute(
        "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
    )
    assert {name for name, strict in tables if not strict} == {"sqlite_schema"}


def test_a_migration_leads_from_version_to_version(connection: sqlite3.Connection) -> None:
    """A database of version 1 gets what came later, once, and keeps its rows."""
    first = ("CREATE TABLE a(x INTEGER) STRICT",)
    second = ("ALTER TABLE a ADD COLUMN y TEXT", "UPDATE a SET y = 'old'")
    schema.migrate(connection, (first,))
    connection.execute("INSERT INTO a VALUES(1)")
    for _ in range(2):
        schema.migrate(connection, (first, second))
    assert connection.execute("SELECT x, y FROM a").fetchall() == [(1, "old")]
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)


def test_a_migration_that_fails_changes_nothing(connection: sqlite3.Connection) -> None:
    """All statements of all versions are one transaction."""
    first = ("CREATE TABLE a(x INTEGER) STRICT",)
    broken = ("ALTER TABLE a ADD COLUMN y TEXT", "UPDATE no_such_table SET y = 1")
    schema.migrate(connection, (first,))
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        schema.migrate(connection, (first, broken))
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert [column[1] for column in connection.execute("PRAGMA table_info(a)")] == ["x"]
