-- A results database of version 1 as it was written before cases had variables and profiles had logit_bias.
PRAGMA application_id = 1195724118;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE asked(
  sha256 TEXT PRIMARY KEY,
  case_id TEXT NOT NULL,
  "case" ANY NOT NULL CHECK(typeof("case") IN ('text', 'blob'))
) STRICT
;
INSERT INTO "asked" VALUES('86d769e4716a3fec52e25476bf7000c6a8be18091b6fda78cd5f85925a5d0482','home','{"checks":[{"options":{"text":"Oslo"},"pass_at":null,"scorer":"contains"}],"cluster":null,"documents":[{"name":"people","text":"- Finn lives in Oslo.\n- Ada lives in Rome.\n"}],"id":"home","kind":"quality","max_tokens":null,"messages":[{"content":"Where does Finn live?","role":"user"}],"models":["scripted"],"profiles":["greedy"],"repeats":1,"source":{"line":7,"path":"suite.toml"},"tags":["context"],"templates":["rag"],"warmup":0}');
INSERT INTO "asked" VALUES('8d248aee51371bd7d354b3ff57d4f80d38d9efa5884ee1fa6269596cddfa8a6b','visit','{"checks":[{"options":{"text":"Oslo"},"pass_at":null,"scorer":"contains"}],"cluster":null,"documents":[{"name":"people","text":"- Finn lives in Oslo.\n- Ada lives in Rome.\n"}],"id":"visit","kind":"quality","max_tokens":null,"messages":[{"content":"Where does Finn live?","role":"user"}],"models":["scripted"],"profiles":["greedy"],"repeats":1,"source":{"line":7,"path":"suite.toml"},"tags":["context"],"templates":["rag"],"warmup":0}');
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
;
INSERT INTO "engine" VALUES('20260101-000000-abcd','scripted','scripted','1','abababababababababababababababababababababababababababababababab',NULL,1,'{"context_tokens":1024,"details":{},"engine":"scripted","model_sha256":"abababababababababababababababababababababababababababababababab","parameters":null,"threads":1,"version":"1"}');
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
;
INSERT INTO "outcome" VALUES(1,'20260101-000000-abcd','678d9766fffdb5b0771c1953785dab39e7313f3ac2fc44b850715ba001027a61',1.0,1,0.01,0.02,0.03,50.0,1200.0,0.02,12,2,200000000,190000000,'stop',NULL,NULL,'{"failure":null,"generation":{"cached_tokens":null,"count_source":"engine","effective":{"order":["temperature"],"temperature":0.0},"ended_ns":31000000,"engine_timings":{"prompt_ms":9.5},"finish_reason":"stop","output_tokens":2,"prompt_tokens":12,"requested_ns":0},"measurement":{"e2e_s":0.03,"max_stall_s":0.02,"mean_memory_bytes":190000000,"missing":{},"output_tokens":2,"output_tokens_per_s":50.0,"peak_memory_bytes":200000000,"prompt_tokens_per_s":1200.0,"tpot_s":0.02,"ttft_s":0.01},"prompt":{"dropped":[],"messages":[{"content":"Finn lives in Oslo.\nWhere does Finn live?","role":"user"}],"n_tokens":12,"passages":[{"document":"people","id":"p1","rank":1,"score":1.5,"text":"Finn lives in Oslo."}]},"scores":[{"answer":"Oslo","explanation":"","passed":null,"scorer":"contains","unscored":null,"value":1.0}]}','b268982b261951e8b1bdfaee23ea99e2a3671b3c195944810b793c7d64337863');
INSERT INTO "outcome" VALUES(2,'20260101-000000-abcd','f53aac7cf0a378ae09ade5acea5d1cd750e5a425d88b7fc490535832bfdb97af',NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'backend','the engine died','{"failure":{"kind":"backend","message":"the engine died"},"generation":null,"measurement":null,"prompt":{"dropped":[],"messages":[{"content":"Finn lives in Oslo.\nWhere does Finn live?","role":"user"}],"n_tokens":12,"passages":[{"document":"people","id":"p1","rank":1,"score":1.5,"text":"Finn lives in Oslo."}]},"scores":[]}','9408fb633968764e52fae51754183e9c80de8bb0f94f0610068e433c04e0d69a');
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
;
INSERT INTO "plan" VALUES(1,'20260101-000000-abcd',0,'678d9766fffdb5b0771c1953785dab39e7313f3ac2fc44b850715ba001027a61','example','home','quality','scripted','greedy','rag',0,41,'86d769e4716a3fec52e25476bf7000c6a8be18091b6fda78cd5f85925a5d0482','{"model":{"backend":"scripted","chat_template":null,"context_tokens":null,"location":"","name":"scripted","options":{"reply":"Oslo"}},"profile":{"dynatemp_exponent":1.0,"dynatemp_range":0.0,"frequency_penalty":0.0,"max_tokens":64,"min_p":0.0,"mirostat":0,"mirostat_eta":0.1,"mirostat_tau":5.0,"name":"greedy","order":["penalties","top_k","typical_p","top_p","min_p","temperature"],"penalty_last_n":64,"presence_penalty":0.0,"repeat_penalty":1.0,"seed":null,"stop":[],"temperature":0.0,"top_k":0,"top_p":1.0,"typical_p":1.0},"retrieval":{"budget_tokens":256,"retriever":"bm25","top_k":4},"seed":1,"suite":"example","template":{"name":"rag","text":"{{ rag_context }}\n{{ query }}"}}');
INSERT INTO "plan" VALUES(2,'20260101-000000-abcd',1,'f53aac7cf0a378ae09ade5acea5d1cd750e5a425d88b7fc490535832bfdb97af','example','visit','quality','scripted','greedy','rag',0,41,'8d248aee51371bd7d354b3ff57d4f80d38d9efa5884ee1fa6269596cddfa8a6b','{"model":{"backend":"scripted","chat_template":null,"context_tokens":null,"location":"","name":"scripted","options":{"reply":"Oslo"}},"profile":{"dynatemp_exponent":1.0,"dynatemp_range":0.0,"frequency_penalty":0.0,"max_tokens":64,"min_p":0.0,"mirostat":0,"mirostat_eta":0.1,"mirostat_tau":5.0,"name":"greedy","order":["penalties","top_k","typical_p","top_p","min_p","temperature"],"penalty_last_n":64,"presence_penalty":0.0,"repeat_penalty":1.0,"seed":null,"stop":[],"temperature":0.0,"top_k":0,"top_p":1.0,"typical_p":1.0},"retrieval":{"budget_tokens":256,"retriever":"bm25","top_k":4},"seed":1,"suite":"example","template":{"name":"rag","text":"{{ rag_context }}\n{{ query }}"}}');
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
;
INSERT INTO "run" VALUES(1,'20260101-000000-abcd','2026-01-01T00:00:00+00:00','done','["example"]',2,'{"cpu":"a processor","logical_cores":2,"memory_bytes":8589934592,"os":"an os","python":"3.11.7","versions":{}}','["--gemma-suite","example"]',NULL,1);
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
;
INSERT INTO "score" VALUES(1,0,'contains',1.0,NULL,'Oslo','',NULL);
CREATE TABLE transcript(
  outcome_id INTEGER PRIMARY KEY REFERENCES outcome(id),
  prompt ANY,
  text ANY,
  stamps BLOB
) STRICT
;
INSERT INTO "transcript" VALUES(1,'<bos>Finn lives in Oslo.
Where does Finn live?','Oslo',X'0200000000000000809698000000000080C3C901000000000100000000000000010000000000000002000000000000000200000000000000');
INSERT INTO "transcript" VALUES(2,'<bos>Finn lives in Oslo.
Where does Finn live?',NULL,NULL);
CREATE VIEW v_run AS
SELECT run.id AS run_id, started_utc, state, suites, planned,
  (SELECT count(*) FROM outcome WHERE outcome.run_id = run.id) AS recorded,
  "commit", host, arguments, definitions_version
FROM run ORDER BY run.number;
CREATE VIEW v_outcome AS
SELECT plan.run_id, position, suite, case_id, kind, model, profile, template, repeat, seed,
  score, passed, ttft_s, tpot_s, e2e_s, output_tokens_per_s, prompt_tokens_per_s, max_stall_s,
  prompt_tokens, output_tokens, peak_memory_bytes, mean_memory_bytes, finish_reason,
  failure_kind, failure_message, plan.trial_key, outcome.id AS outcome_id
FROM plan JOIN outcome USING(run_id, trial_key);
CREATE VIEW v_cell AS
SELECT run_id, suite, case_id, kind, model, profile, template, count(*) AS n,
  sum(passed) AS passed, count(failure_kind) AS failed, count(score) AS scored,
  CASE WHEN count(score) = count(*) THEN avg(score) END AS score,
  avg(ttft_s) AS ttft_s, avg(tpot_s) AS tpot_s, avg(e2e_s) AS e2e_s,
  avg(output_tokens_per_s) AS output_tokens_per_s, max(peak_memory_bytes) AS peak_memory_bytes
FROM v_outcome GROUP BY run_id, suite, case_id, kind, model, profile, template;
CREATE VIEW v_score AS
SELECT run_id, suite, case_id, model, profile, template, repeat, s.number, s.scorer,
  s.value, s.passed, s.answer, s.explanation, s.unscored, s.outcome_id
FROM score AS s JOIN v_outcome USING(outcome_id);
CREATE VIEW v_transcript AS
SELECT run_id, suite, case_id, model, profile, template, repeat, t.prompt, t.text, finish_reason, t.outcome_id
FROM transcript AS t JOIN v_outcome USING(outcome_id);
COMMIT;
