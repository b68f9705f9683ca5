"""What version 4 of a results database adds: scores of a later scoring beside those of the run itself."""

from __future__ import annotations

from collections.abc import Sequence

_TABLES = (
    "ALTER TABLE score ADD COLUMN weight REAL NOT NULL DEFAULT 1.0",
    "ALTER TABLE score ADD COLUMN vetoes INTEGER NOT NULL DEFAULT 0 CHECK(vetoes IN (0, 1))",
    "ALTER TABLE asked ADD COLUMN reduce TEXT NOT NULL DEFAULT 'mean'",
    """
CREATE TABLE scoring(
  run_id TEXT NOT NULL REFERENCES run(id),
  number INTEGER NOT NULL CHECK(number > 0),
  at_utc TEXT NOT NULL,
  answers INTEGER NOT NULL,
  changed INTEGER NOT NULL,
  record ANY NOT NULL CHECK(typeof(record) IN ('text', 'blob')),
  PRIMARY KEY(run_id, number)
) STRICT, WITHOUT ROWID
""",
    """
CREATE TABLE rescored(
  outcome_id INTEGER NOT NULL REFERENCES outcome(id),
  scoring INTEGER NOT NULL,
  run_id TEXT NOT NULL,
  score REAL,
  passed INTEGER NOT NULL CHECK(passed IN (0, 1)),
  asked TEXT NOT NULL REFERENCES asked(sha256),
  record ANY NOT NULL CHECK(typeof(record) IN ('text', 'blob')),
  sha256 TEXT NOT NULL,
  PRIMARY KEY(outcome_id, scoring),
  FOREIGN KEY(run_id, scoring) REFERENCES scoring(run_id, number)
) STRICT, WITHOUT ROWID
""",
    """
CREATE TABLE rescored_score(
  outcome_id INTEGER NOT NULL,
  scoring INTEGER NOT NULL,
  number INTEGER NOT NULL,
  scorer TEXT NOT NULL,
  value REAL,
  passed INTEGER CHECK(passed IN (0, 1)),
  answer TEXT NOT NULL,
  explanation TEXT NOT NULL,
  unscored TEXT,
  weight REAL NOT NULL,
  vetoes INTEGER NOT NULL CHECK(vetoes IN (0, 1)),
  PRIMARY KEY(outcome_id, scoring, number),
  FOREIGN KEY(outcome_id, scoring) REFERENCES rescored(outcome_id, scoring)
) STRICT, WITHOUT ROWID
""",
    "CREATE INDEX rescored_of_run ON rescored(run_id, scoring)",
)

_OF_A_CHECK = "number, scorer, value, passed, answer, explanation, unscored, outcome_id, weight, vetoes"

_VIEWS = (
    "DROP VIEW v_cell",
    """
CREATE VIEW v_cell AS
SELECT run_id, suite, case_id, kind, model, profile, template, count(*) AS n,
  sum(passed) AS passed, count(failure_kind) AS failed, count(score) AS scored,
  CASE WHEN count(score) = count(*) THEN avg(score) END AS score,
  avg(ttft_s) AS ttft_s, avg(tpot_s) AS tpot_s, avg(e2e_s) AS e2e_s,
  avg(output_tokens_per_s) AS output_tokens_per_s, max(peak_memory_bytes) AS peak_memory_bytes,
  max(reduce) AS reduce
FROM v_outcome GROUP BY run_id, suite, case_id, kind, model, profile, template
""",
    "DROP VIEW v_score",
    f"""
CREATE VIEW v_score AS
SELECT o.run_id, suite, case_id, model, profile, template, repeat, s.number, s.scorer,
  s.value, s.passed, s.answer, s.explanation, s.unscored, s.outcome_id, s.weight, s.vetoes,
  s.scoring, s.scoring = o.scoring AS is_latest
FROM (
  SELECT {_OF_A_CHECK}, 0 AS scoring FROM score
  UNION ALL SELECT {_OF_A_CHECK}, scoring FROM rescored_score
) AS s JOIN v_outcome AS o USING(outcome_id)
""",  # noqa: S608 - names from above
    """
CREATE VIEW v_scoring AS
SELECT run_id, number AS scoring, at_utc, answers, changed, record FROM scoring
""",
)


def scores(added: Sequence[str]) -> tuple[str, ...]:
    """Return the statements; `added` are the columns that version 2 added to `outcome`."""
    return (
        *_TABLES,
        "DROP VIEW v_outcome",
        f"""
CREATE VIEW v_outcome AS
SELECT plan.run_id, position, suite, plan.case_id, kind, model, profile, template, repeat, seed,
  CASE WHEN again.scoring IS NULL THEN outcome.score ELSE again.score END AS score,
  coalesce(again.passed, outcome.passed) AS passed,
  ttft_s, tpot_s, e2e_s, output_tokens_per_s, prompt_tokens_per_s, max_stall_s,
  prompt_tokens, output_tokens, peak_memory_bytes, mean_memory_bytes, finish_reason,
  failure_kind, failure_message, plan.trial_key, outcome.id AS outcome_id, {", ".join(added)}, block,
  coalesce(again.scoring, 0) AS scoring, outcome.score AS original_score, asked.reduce
FROM plan JOIN outcome USING(run_id, trial_key)
LEFT JOIN rescored AS again ON again.outcome_id = outcome.id
  AND again.scoring = (SELECT max(scoring) FROM rescored WHERE rescored.outcome_id = outcome.id)
LEFT JOIN asked ON asked.sha256 = coalesce(again.asked, plan.asked)
""",  # noqa: S608 - names from above
        *_VIEWS,
    )
