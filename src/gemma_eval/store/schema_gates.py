"""What version 3 of a results database adds: blocks, gates and their verdicts, and names of baselines."""

from __future__ import annotations

from collections.abc import Sequence

_BASELINES = """
CREATE TABLE baseline(
  name TEXT PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES run(id)
) STRICT, WITHOUT ROWID
"""
_RUNS = """
CREATE VIEW v_run AS
SELECT run.id AS run_id, started_utc, state, suites, planned,
  (SELECT count(*) FROM outcome WHERE outcome.run_id = run.id) AS recorded,
  "commit", host, arguments, definitions_version, skipped, noise, harness, noisy,
  ended_utc, clock_offset_ns, base, selection, microbenchmarks
FROM run ORDER BY run.number
"""


_TABLES = (
    "ALTER TABLE plan ADD COLUMN block INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE run ADD COLUMN base TEXT REFERENCES run(id)",
    "ALTER TABLE run ADD COLUMN selection TEXT NOT NULL DEFAULT 'all'",
    "ALTER TABLE run ADD COLUMN microbenchmarks ANY",
    """
CREATE TABLE gating(
  run_id TEXT PRIMARY KEY REFERENCES run(id),
  record ANY NOT NULL CHECK(typeof(record) IN ('text', 'blob'))
) STRICT
""",
    """
CREATE TABLE verdict(
  run_id TEXT NOT NULL REFERENCES gating(run_id),
  number INTEGER NOT NULL,
  base_id TEXT,
  gate ANY NOT NULL,
  tier TEXT NOT NULL,
  model ANY NOT NULL,
  profile ANY NOT NULL,
  template ANY NOT NULL,
  metric TEXT NOT NULL,
  verdict TEXT NOT NULL,
  lean TEXT,
  unit TEXT NOT NULL,
  n INTEGER NOT NULL,
  base REAL,
  candidate REAL,
  difference REAL,
  low REAL,
  high REAL,
  margin REAL NOT NULL,
  detectable REAL,
  needed INTEGER,
  p REAL,
  p_adjusted REAL,
  reason ANY NOT NULL,
  PRIMARY KEY(run_id, number)
) STRICT, WITHOUT ROWID
""",
    _BASELINES,
)


def gates(added: Sequence[str]) -> tuple[str, ...]:
    """Return the statements; `added` are the columns that version 2 added to `outcome`."""
    return (
        *_TABLES,
        "DROP VIEW v_outcome",
        f"""
CREATE VIEW v_outcome AS
SELECT plan.run_id, position, suite, case_id, kind, model, profile, template, repeat, seed,
  score, passed, ttft_s, tpot_s, e2e_s, output_tokens_per_s, prompt_tokens_per_s, max_stall_s,
  prompt_tokens, output_tokens, peak_memory_bytes, mean_memory_bytes, finish_reason,
  failure_kind, failure_message, plan.trial_key, outcome.id AS outcome_id, {", ".join(added)}, block
FROM plan JOIN outcome USING(run_id, trial_key)
""",  # noqa: S608 - names from above
        "DROP VIEW v_run",
        _RUNS,
        "CREATE VIEW v_verdict AS SELECT * FROM verdict",
    )
