"""The tables of a results database as numbered migrations, and the views that anyone may read.

The views are the public read API; they keep their columns from version to version, tables may change:

    v_run         one row per run: when, what, its state, planned and recorded trials
    v_outcome     one row per recorded trial: names, repeat, seed, score, timings, memory, failure; the score
                  is that of its newest `scoring`; `cached` is how a cache answered, `degraded` why something
                  of its retrieval was left out
    v_cell        one row per case, model, profile, template and retrieval of a run: means over its repeats;
                  no score, as in reports, where a repeat failed or could not be judged; `reduce` says what
                  reports make of the repeats instead of their mean
    v_score       one row per check of a trial and scoring: scorer, value, passed, answer, explanation; of
                  those scorings one `is_latest`, and that with number 0 was made with the run
    v_scoring     one row per time that a run was scored again: when, and how many answers have another score
    v_transcript  one row per recorded trial: the prompt as the model read it and the text it wrote
    v_attempt     one row per request that failed before another was made for the same trial
    v_step        one row per step of a trial that looked for passages, from the first search to the answer
    v_verdict     one row per gate and group of a run that was held against a base or a limit

A `retrieval` without a name is ''. NULL means *not measured*. Times are seconds, sizes bytes. Columns with
JSON can be read with SQLite's `json_extract`. Text that SQL text cannot hold (NUL, lone surrogates) is the
BLOB of its bytes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from gemma_eval.files import database
from gemma_eval.store.schema_gates import gates
from gemma_eval.store.schema_retrieval import retrievals
from gemma_eval.store.schema_scores import scores

APPLICATION_ID = 0x47454D56
"""`GEMV`: marks a file as ours."""

_RUNS = (
    """
CREATE TABLE run(
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  started_utc TEXT NOT NULL,
  state TEXT NOT NULL CHECK(state IN ('running', 'interrupted', 'done')),
  suites ANY NOT NULL CHECK(typeof(suites) IN ('text', 'blob')),
  planned INTEGER NOT NULL,
  host ANY NOT NULL CHECK(typeof(host) IN ('text', 'blob')),
  arguments ANY NOT NULL CHECK(typeof(arguments) IN ('text', 'blob')),
  "commit" ANY,
  definitions_version INTEGER NOT NULL
) STRICT
""",
    """
CREATE TABLE engine(
  run_id TEXT NOT NULL REFERENCES run(id),
  model ANY NOT NULL,
  engine TEXT NOT NULL,
  version TEXT NOT NULL,
  model_sha256 TEXT,
  parameters INTEGER,
  threads INTEGER,
  info ANY NOT NULL CHECK(typeof(info) IN ('text', 'blob')),
  PRIMARY KEY(run_id, model)
) STRICT, WITHOUT ROWID
""",
)

_TRIALS = (
    """
CREATE TABLE asked(
  sha256 TEXT PRIMARY KEY,
  case_id TEXT NOT NULL,
  "case" ANY NOT NULL CHECK(typeof("case") IN ('text', 'blob'))
) STRICT
""",
    """
CREATE TABLE plan(
  id INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES run(id),
  position INTEGER NOT NULL,
  trial_key TEXT NOT NULL,
  suite TEXT NOT NULL,
  case_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  model TEXT NOT NULL,
  profile TEXT NOT NULL,
  template TEXT NOT NULL,
  repeat INTEGER NOT NULL,
  seed INTEGER NOT NULL,
  asked TEXT NOT NULL REFERENCES asked(sha256),
  chosen ANY NOT NULL CHECK(typeof(chosen) IN ('text', 'blob')),
  UNIQUE(run_id, position),
  UNIQUE(run_id, trial_key)
) STRICT
""",
    """
CREATE TABLE outcome(
  id INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL,
  trial_key TEXT NOT NULL,
  score REAL,
  passed INTEGER NOT NULL CHECK(passed IN (0, 1)),
  ttft_s REAL,
  tpot_s REAL,
  e2e_s REAL,
  output_tokens_per_s REAL,
  prompt_tokens_per_s REAL,
  max_stall_s REAL,
  prompt_tokens INTEGER,
  output_tokens INTEGER,
  peak_memory_bytes INTEGER,
  mean_memory_bytes INTEGER,
  finish_reason TEXT,
  failure_kind TEXT,
  failure_message TEXT,
  record ANY NOT NULL CHECK(typeof(record) IN ('text', 'blob')),
  sha256 TEXT NOT NULL,
  UNIQUE(run_id, trial_key),
  FOREIGN KEY(run_id, trial_key) REFERENCES plan(run_id, trial_key)
) STRICT
""",
    """
CREATE TABLE transcript(
  outcome_id INTEGER PRIMARY KEY REFERENCES outcome(id),
  prompt ANY,
  text ANY,
  stamps BLOB
) STRICT
""",
    """
CREATE TABLE score(
  outcome_id INTEGER NOT NULL REFERENCES outcome(id),
  number INTEGER NOT NULL,
  scorer TEXT NOT NULL,
  value REAL,
  passed INTEGER CHECK(passed IN (0, 1)),
  answer TEXT NOT NULL,
  explanation TEXT NOT NULL,
  unscored TEXT,
  PRIMARY KEY(outcome_id, number)
) STRICT, WITHOUT ROWID
""",
)

_VIEWS = (
    """
CREATE VIEW v_run AS
SELECT run.id AS run_id, started_utc, state, suites, planned,
  (SELECT count(*) FROM outcome WHERE outcome.run_id = run.id) AS recorded,
  "commit", host, arguments, definitions_version
FROM run ORDER BY run.number
""",
    """
CREATE VIEW v_outcome AS
SELECT plan.run_id, position, suite, case_id, kind, model, profile, template, repeat, seed,
  score, passed, ttft_s, tpot_s, e2e_s, output_tokens_per_s, prompt_tokens_per_s, max_stall_s,
  prompt_tokens, output_tokens, peak_memory_bytes, mean_memory_bytes, finish_reason,
  failure_kind, failure_message, plan.trial_key, outcome.id AS outcome_id
FROM plan JOIN outcome USING(run_id, trial_key)
""",
    """
CREATE VIEW v_cell AS
SELECT run_id, suite, case_id, kind, model, profile, template, count(*) AS n,
  sum(passed) AS passed, count(failure_kind) AS failed, count(score) AS scored,
  CASE WHEN count(score) = count(*) THEN avg(score) END AS score,
  avg(ttft_s) AS ttft_s, avg(tpot_s) AS tpot_s, avg(e2e_s) AS e2e_s,
  avg(output_tokens_per_s) AS output_tokens_per_s, max(peak_memory_bytes) AS peak_memory_bytes
FROM v_outcome GROUP BY run_id, suite, case_id, kind, model, profile, template
""",
    """
CREATE VIEW v_score AS
SELECT run_id, suite, case_id, model, profile, template, repeat, s.number, s.scorer,
  s.value, s.passed, s.answer, s.explanation, s.unscored, s.outcome_id
FROM score AS s JOIN v_outcome USING(outcome_id)
""",
    """
CREATE VIEW v_transcript AS
SELECT run_id, suite, case_id, model, profile, template, repeat, t.prompt, t.text, finish_reason, t.outcome_id
FROM transcript AS t JOIN v_outcome USING(outcome_id)
""",
)

_MEASURED = (
    *("ttft_sched_s", "ttfo_s", "time_to_first_chunk_s", "queue_delay_s", "ntpot_s", "e2e_sched_s"),
    *("operation_duration_s", "engine_output_tokens_per_s", "tokens_per_chunk", "accept_length"),
    *("cpu_s", "cpu_s_per_output_token", "energy_j"),
)
_COUNTED = (
    *("cached_tokens", "reasoning_tokens", "token_count_mismatch", "peak_pss_bytes"),
    *("peak_anonymous_bytes", "peak_file_bytes", "gpu_peak_memory_bytes", "involuntary_switches"),
)
_TOLD = ("prompt_basis", "itl_basis", "energy_source", "phase")

ADDED = (*_MEASURED, *_COUNTED, *_TOLD)
"""The columns that version 2 added to `outcome`, by the names of their fields."""

_WHOLE_EVENT_ROW = (
    *(f"ALTER TABLE outcome ADD COLUMN {name} REAL" for name in _MEASURED),
    *(f"ALTER TABLE outcome ADD COLUMN {name} INTEGER" for name in _COUNTED),
    *(f"ALTER TABLE outcome ADD COLUMN {name} TEXT" for name in _TOLD),
    *(f"ALTER TABLE run ADD COLUMN {name} ANY" for name in ("skipped", "noise", "harness")),
    "ALTER TABLE run ADD COLUMN ended_utc TEXT",
    "ALTER TABLE run ADD COLUMN clock_offset_ns INTEGER",
    "ALTER TABLE run ADD COLUMN noisy INTEGER CHECK(noisy IN (0, 1))",
    """
CREATE TABLE attempt(
  outcome_id INTEGER NOT NULL REFERENCES outcome(id),
  number INTEGER NOT NULL,
  kind TEXT NOT NULL,
  message TEXT NOT NULL,
  requested_ns INTEGER,
  ended_ns INTEGER NOT NULL,
  PRIMARY KEY(outcome_id, number)
) STRICT, WITHOUT ROWID
""",
    "DROP VIEW v_outcome",
    f"""
CREATE VIEW v_outcome AS
SELECT plan.run_id, position, suite, case_id, kind, model, profile, template, repeat, seed,
  score, passed, ttft_s, tpot_s, e2e_s, output_tokens_per_s, prompt_tokens_per_s, max_stall_s,
  prompt_tokens, output_tokens, peak_memory_bytes, mean_memory_bytes, finish_reason,
  failure_kind, failure_message, plan.trial_key, outcome.id AS outcome_id, {", ".join(ADDED)}
FROM plan JOIN outcome USING(run_id, trial_key)
""",  # noqa: S608 - names from above
    "DROP VIEW v_run",
    """
CREATE VIEW v_run AS
SELECT run.id AS run_id, started_utc, state, suites, planned,
  (SELECT count(*) FROM outcome WHERE outcome.run_id = run.id) AS recorded,
  "commit", host, arguments, definitions_version, skipped, noise, harness, noisy,
  ended_utc, clock_offset_ns
FROM run ORDER BY run.number
""",
    """
CREATE VIEW v_attempt AS
SELECT run_id, suite, case_id, model, profile, template, repeat, a.number, a.kind, a.message,
  a.requested_ns, a.ended_ns, a.outcome_id
FROM attempt AS a JOIN v_outcome USING(outcome_id)
""",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (*_RUNS, *_TRIALS, *_VIEWS),
    _WHOLE_EVENT_ROW,
    gates(ADDED),
    scores(ADDED),
    retrievals(ADDED),
)
"""The statements that lead from version *i* to *i + 1*; one that has shipped is never edited."""

VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> None:
    """Bring a database to the newest version in one transaction; does nothing when it is there."""
    database.migrate(connection, migrations, application_id=APPLICATION_ID)
