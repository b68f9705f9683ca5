"""What version 5 of a results database adds: retrievals, what they left out, and how a cache answered."""

from __future__ import annotations

from collections.abc import Sequence

_TABLES = (
    "ALTER TABLE plan ADD COLUMN retrieval TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE verdict ADD COLUMN retrieval ANY NOT NULL DEFAULT ''",
    "ALTER TABLE outcome ADD COLUMN cached TEXT",
    "ALTER TABLE outcome ADD COLUMN degraded TEXT",
    """
CREATE TABLE step(
  outcome_id INTEGER NOT NULL REFERENCES outcome(id),
  number INTEGER NOT NULL,
  name TEXT NOT NULL,
  began_ns INTEGER NOT NULL,
  ended_ns INTEGER NOT NULL,
  PRIMARY KEY(outcome_id, number)
) STRICT, WITHOUT ROWID
""",
)

_VIEWS = (
    "DROP VIEW v_cell",
    """
CREATE VIEW v_cell AS
SELECT run_id, suite, case_id, kind, model, profile, template, count(*) AS n,
  sum(passed) AS passed, count(failure_kind) AS failed, count(score) AS scored,
  CASE WHEN count(score) = count(*) THEN avg(score) END AS score,
  avg(ttft_s) AS ttft_s, avg(tpot_s) AS tpot_s, avg(e2e_s) AS e2e_s,
  avg(output_tokens_per_s) AS output_tokens_per_s, max(peak_memory_bytes) AS peak_memory_bytes,
  max(reduce) AS reduce, retrieval
FROM v_outcome GROUP BY run_id, suite, case_id, kind, model, profile, template, retrieval
""",
    "DROP VIEW v_score",
    """
CREATE VIEW v_score AS
SELECT o.run_id, suite, case_id, model, profile, template, repeat, s.number, s.scorer,
  s.value, s.passed, s.answer, s.explanation, s.unscored, s.outcome_id, s.weight, s.vetoes,
  s.scoring, s.scoring = o.scoring AS is_latest, retrieval
FROM (
  SELECT number, scorer, value, passed, answer, explanation, unscored, outcome_id, weight, vetoes,
    0 AS scoring FROM score
  UNION ALL SELECT number, scorer, value, passed, answer, explanation, unscored, outcome_id, weight, vetoes,
    scoring FROM rescored_score
) AS s JOIN v_outcome AS o USING(outcome_id)
""",
    "DROP VIEW v_transcript",
    """
CREATE VIEW v_transcript AS
SELECT run_id, suite, case_id, model, profile, template, repeat, t.prompt, t.text, finish_reason,
  t.outcome_id, retrieval
FROM transcript AS t JOIN v_outcome USING(outcome_id)
""",
    "DROP VIEW v_attempt",
    """
CREATE VIEW v_attempt AS
SELECT run_id, suite, case_id, model, profile, template, repeat, a.number, a.kind, a.message,
  a.requested_ns, a.ended_ns, a.outcome_id, retrieval
FROM attempt AS a JOIN v_outcome USING(outcome_id)
""",
    """
CREATE VIEW v_step AS
SELECT run_id, suite, case_id, kind, model, profile, template, retrieval, repeat, s.number, s.name,
  s.began_ns, s.ended_ns, s.outcome_id
FROM step AS s JOIN v_outcome USING(outcome_id)
""",
    "DROP VIEW v_verdict",
    "CREATE VIEW v_verdict AS SELECT * FROM verdict",
)


def retrievals(added: Sequence[str]) -> tuple[str, ...]:
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
  coalesce(again.scoring, 0) AS scoring, outcome.score AS original_score, asked.reduce,
  retrieval, cached, degraded
FROM plan JOIN outcome USING(run_id, trial_key)
LEFT JOIN rescored AS again ON again.outcome_id = outcome.id
  AND again.scoring = (SELECT max(scoring) FROM rescored WHERE rescored.outcome_id = outcome.id)
LEFT JOIN asked ON asked.sha256 = coalesce(again.asked, plan.asked)
""",  # noqa: S608 - names from above
        *_VIEWS,
    )
