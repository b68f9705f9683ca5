-- A results database of version 4 as it was written before retrievals had names.
BEGIN TRANSACTION;
PRAGMA application_id = 1195724118;
PRAGMA user_version = 4;
CREATE TABLE asked(
  sha256 TEXT PRIMARY KEY,
  case_id TEXT NOT NULL,
  "case" ANY NOT NULL CHECK(typeof("case") IN ('text', 'blob'))
, reduce TEXT NOT NULL DEFAULT 'mean') STRICT
;
INSERT INTO "asked" VALUES('e851e0c513fd16427493799cdbc64bcf3aa4d284ca328c8f859714d69055e6f9','home','{"checks":[{"filters":[],"judges":[],"must_pass":false,"negated":false,"options":{"text":"Oslo"},"over_repeats":false,"pass_at":null,"scorer":"contains","weight":1.0}],"choices":[],"cluster":null,"continuation":null,"dataset":null,"delimiter":"","documents":[{"name":"people","text":"- Finn lives in Oslo.\n- Ada lives in Rome.\n"}],"id":"home","ignore_eos":null,"k":null,"kind":"quality","load":null,"max_tokens":null,"messages":[{"content":"Where does Finn live?","role":"user"}],"models":["scripted"],"profiles":["greedy"],"reduce":"mean","repeats":1,"series":null,"slo":null,"source":{"line":7,"path":"suite.toml"},"tags":["context"],"target":null,"templates":["rag"],"variables":{},"warmup":0}','mean');
INSERT INTO "asked" VALUES('284e11ea179abb2f10837e8f27cc90e1c3a03f6286673aeb5990e647b909d22a','visit','{"checks":[{"filters":[],"judges":[],"must_pass":false,"negated":false,"options":{"text":"Oslo"},"over_repeats":false,"pass_at":null,"scorer":"contains","weight":1.0}],"choices":[],"cluster":null,"continuation":null,"dataset":null,"delimiter":"","documents":[{"name":"people","text":"- Finn lives in Oslo.\n- Ada lives in Rome.\n"}],"id":"visit","ignore_eos":null,"k":null,"kind":"quality","load":null,"max_tokens":null,"messages":[{"content":"Where does Finn live?","role":"user"}],"models":["scripted"],"profiles":["greedy"],"reduce":"mean","repeats":1,"series":null,"slo":null,"source":{"line":7,"path":"suite.toml"},"tags":["context"],"target":null,"templates":["rag"],"variables":{},"warmup":0}','mean');
CREATE TABLE attempt(
  outcome_id INTEGER NOT NULL REFERENCES outcome(id),
  number INTEGER NOT NULL,
  kind TEXT NOT NULL,
  message TEXT NOT NULL,
  requested_ns INTEGER,
  ended_ns INTEGER NOT NULL,
  PRIMARY KEY(outcome_id, number)
) STRICT, WITHOUT ROWID
;
CREATE TABLE baseline(
  name TEXT PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES run(id)
) STRICT, WITHOUT ROWID
;
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
INSERT INTO "engine" VALUES('20260101-000000-abcd','scripted','scripted','1','abababababababababababababababababababababababababababababababab',NULL,1,'{"chat_template_sha256":null,"cold_ttft_s":null,"context_tokens":1024,"details":{},"engine":"scripted","load_s":null,"model_sha256":"abababababababababababababababababababababababababababababababab","parameters":null,"quantisation":null,"threads":1,"tokenizer_sha256":null,"version":"1"}');
CREATE TABLE gating(
  run_id TEXT PRIMARY KEY REFERENCES run(id),
  record ANY NOT NULL CHECK(typeof(record) IN ('text', 'blob'))
) STRICT
;
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
  sha256 TEXT NOT NULL, ttft_sched_s REAL, ttfo_s REAL, time_to_first_chunk_s REAL, queue_delay_s REAL, ntpot_s REAL, e2e_sched_s REAL, operation_duration_s REAL, engine_output_tokens_per_s REAL, tokens_per_chunk REAL, accept_length REAL, cpu_s REAL, cpu_s_per_output_token REAL, energy_j REAL, cached_tokens INTEGER, reasoning_tokens INTEGER, token_count_mismatch INTEGER, peak_pss_bytes INTEGER, peak_anonymous_bytes INTEGER, peak_file_bytes INTEGER, gpu_peak_memory_bytes INTEGER, involuntary_switches INTEGER, prompt_basis TEXT, itl_basis TEXT, energy_source TEXT, phase TEXT,
  UNIQUE(run_id, trial_key),
  FOREIGN KEY(run_id, trial_key) REFERENCES plan(run_id, trial_key)
) STRICT
;
INSERT INTO "outcome" VALUES(1,'20260101-000000-abcd','e09a758c1d7b3fc939ba5f23db5bccdae595bcd9105f5280aa0debf5f9a40adf',1.0,1,0.01,0.02,0.03,50.0,1200.0,0.02,12,2,200000000,190000000,'stop',NULL,NULL,'{"failure":null,"generation":{"attempts":[],"batch_size":1,"cached_tokens":null,"choices":[],"client_tokens":null,"connected_ns":null,"count_source":"engine","dequeued_ns":null,"effective":{"order":["temperature"],"temperature":0.0},"ended_ns":31000000,"engine_timings":{"prompt_ms":9.5},"finish_reason":"stop","headers_ns":null,"log_probabilities":null,"output_tokens":2,"prompt_tokens":12,"reasoning":"","reasoning_tokens":null,"requested_ns":0,"scheduled_ns":null,"streamed":true,"tool_calls":"","usage_ns":null},"measurement":{"accept_length":null,"cpu_s":null,"cpu_s_per_output_token":null,"e2e_s":0.03,"e2e_sched_s":null,"energy_j":null,"energy_source":null,"engine_output_tokens_per_s":null,"gpu_peak_memory_bytes":null,"involuntary_switches":null,"itl_basis":null,"max_stall_s":0.02,"mean_memory_bytes":190000000,"missing":{},"ntpot_s":null,"operation_duration_s":null,"output_tokens":2,"output_tokens_per_s":50.0,"peak_anonymous_bytes":null,"peak_file_bytes":null,"peak_memory_bytes":200000000,"peak_pss_bytes":null,"prompt_basis":null,"prompt_tokens_per_s":1200.0,"queue_delay_s":null,"time_to_first_chunk_s":null,"token_count_mismatch":null,"tokens_per_chunk":null,"tpot_s":0.02,"ttfo_s":null,"ttft_s":0.01,"ttft_sched_s":null},"phase":"measured","prompt":{"dropped":[],"dropped_turns":0,"messages":[{"content":"Finn lives in Oslo.\nWhere does Finn live?","role":"user"}],"n_tokens":12,"passages":[{"document":"people","id":"p1","rank":1,"score":1.5,"text":"Finn lives in Oslo."}]},"scores":[{"answer":"Oslo","explanation":"","figures":{},"passed":null,"scorer":"contains","unscored":null,"value":1.0,"vetoes":false,"votes":[],"weight":1.0}]}','8adddea2450d2da6fa5d32c2485911431c06433a77cd8539f323a19c06f8639c',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'measured');
INSERT INTO "outcome" VALUES(2,'20260101-000000-abcd','22b3875be710103751480d1a5f1967e7f03c9051bcfdb74c249fd72c79ce334c',NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'backend','the engine died','{"failure":{"kind":"backend","message":"the engine died"},"generation":null,"measurement":null,"phase":"measured","prompt":{"dropped":[],"dropped_turns":0,"messages":[{"content":"Finn lives in Oslo.\nWhere does Finn live?","role":"user"}],"n_tokens":12,"passages":[{"document":"people","id":"p1","rank":1,"score":1.5,"text":"Finn lives in Oslo."}]},"scores":[]}','b66f62d56a8a41ed79020815786563d46db174f47ce8d414a024ada8fc258e3e',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'measured');
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
  chosen ANY NOT NULL CHECK(typeof(chosen) IN ('text', 'blob')), block INTEGER NOT NULL DEFAULT 0,
  UNIQUE(run_id, position),
  UNIQUE(run_id, trial_key)
) STRICT
;
INSERT INTO "plan" VALUES(1,'20260101-000000-abcd',0,'e09a758c1d7b3fc939ba5f23db5bccdae595bcd9105f5280aa0debf5f9a40adf','example','home','quality','scripted','greedy','rag',0,41,'e851e0c513fd16427493799cdbc64bcf3aa4d284ca328c8f859714d69055e6f9','{"judges":[],"model":{"backend":"scripted","chat_template":null,"context_tokens":null,"location":"","name":"scripted","options":{"reply":"Oslo"},"rope_scaling":null},"profile":{"adaptive_decay":0.9,"adaptive_target":-1.0,"base_p":1.0,"dry_allowed_length":2,"dry_base":1.75,"dry_multiplier":0.0,"dry_penalty_last_n":64,"dry_sequence_breakers":["\n",":","\"","*"],"dynatemp_base":0.8,"dynatemp_exponent":1.0,"dynatemp_mode":"llama","dynatemp_range":0.0,"dynatemp_theta":0.0,"dynatemp_threshold":0.0,"epsilon_cutoff":0.0,"eta_cutoff":0.0,"frequency_penalty":0.0,"ignore_eos":false,"logit_bias":{},"max_tokens":64,"min_p":0.0,"mirostat":0,"mirostat_eta":0.1,"mirostat_surprise":"renormalized","mirostat_tau":5.0,"name":"greedy","order":["logit_bias","penalties","dry","top_n_sigma","top_k","typical_p","top_p","min_p","xtc","temperature"],"penalty_last_n":64,"presence_penalty":0.0,"repeat_penalty":1.0,"seed":null,"stop":[],"temperature":0.0,"top_k":0,"top_n_sigma":0.0,"top_p":1.0,"typical_p":1.0,"xtc_probability":0.0,"xtc_threshold":0.1},"retrieval":{"budget_tokens":256,"overflow":"error","retriever":"bm25","top_k":4},"seed":1,"suite":"example","template":{"name":"rag","text":"{{ rag_context }}\n{{ query }}"}}',0);
INSERT INTO "plan" VALUES(2,'20260101-000000-abcd',1,'22b3875be710103751480d1a5f1967e7f03c9051bcfdb74c249fd72c79ce334c','example','visit','quality','scripted','greedy','rag',0,41,'284e11ea179abb2f10837e8f27cc90e1c3a03f6286673aeb5990e647b909d22a','{"judges":[],"model":{"backend":"scripted","chat_template":null,"context_tokens":null,"location":"","name":"scripted","options":{"reply":"Oslo"},"rope_scaling":null},"profile":{"adaptive_decay":0.9,"adaptive_target":-1.0,"base_p":1.0,"dry_allowed_length":2,"dry_base":1.75,"dry_multiplier":0.0,"dry_penalty_last_n":64,"dry_sequence_breakers":["\n",":","\"","*"],"dynatemp_base":0.8,"dynatemp_exponent":1.0,"dynatemp_mode":"llama","dynatemp_range":0.0,"dynatemp_theta":0.0,"dynatemp_threshold":0.0,"epsilon_cutoff":0.0,"eta_cutoff":0.0,"frequency_penalty":0.0,"ignore_eos":false,"logit_bias":{},"max_tokens":64,"min_p":0.0,"mirostat":0,"mirostat_eta":0.1,"mirostat_surprise":"renormalized","mirostat_tau":5.0,"name":"greedy","order":["logit_bias","penalties","dry","top_n_sigma","top_k","typical_p","top_p","min_p","xtc","temperature"],"penalty_last_n":64,"presence_penalty":0.0,"repeat_penalty":1.0,"seed":null,"stop":[],"temperature":0.0,"top_k":0,"top_n_sigma":0.0,"top_p":1.0,"typical_p":1.0,"xtc_probability":0.0,"xtc_threshold":0.1},"retrieval":{"budget_tokens":256,"overflow":"error","retriever":"bm25","top_k":4},"seed":1,"suite":"example","template":{"name":"rag","text":"{{ rag_context }}\n{{ query }}"}}',0);
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
;
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
;
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
, skipped ANY, noise ANY, harness ANY, ended_utc TEXT, clock_offset_ns INTEGER, noisy INTEGER CHECK(noisy IN (0, 1)), base TEXT REFERENCES run(id), selection TEXT NOT NULL DEFAULT 'all', microbenchmarks ANY) STRICT
;
INSERT INTO "run" VALUES(1,'20260101-000000-abcd','2026-01-01T00:00:00+00:00','done','["example"]',2,'{"cpu":"a processor","details":{},"logical_cores":2,"memory_bytes":8589934592,"os":"an os","python":"3.11.7","versions":{}}','["--gemma-suite","example"]',NULL,2,'[]',NULL,NULL,NULL,NULL,NULL,NULL,'all',NULL);
CREATE TABLE score(
  outcome_id INTEGER NOT NULL REFERENCES outcome(id),
  number INTEGER NOT NULL,
  scorer TEXT NOT NULL,
  value REAL,
  passed INTEGER CHECK(passed IN (0, 1)),
  answer TEXT NOT NULL,
  explanation TEXT NOT NULL,
  unscored TEXT, weight REAL NOT NULL DEFAULT 1.0, vetoes INTEGER NOT NULL DEFAULT 0 CHECK(vetoes IN (0, 1)),
  PRIMARY KEY(outcome_id, number)
) STRICT, WITHOUT ROWID
;
INSERT INTO "score" VALUES(1,0,'contains',1.0,NULL,'Oslo','',NULL,1.0,0);
CREATE TABLE scoring(
  run_id TEXT NOT NULL REFERENCES run(id),
  number INTEGER NOT NULL CHECK(number > 0),
  at_utc TEXT NOT NULL,
  answers INTEGER NOT NULL,
  changed INTEGER NOT NULL,
  record ANY NOT NULL CHECK(typeof(record) IN ('text', 'blob')),
  PRIMARY KEY(run_id, number)
) STRICT, WITHOUT ROWID
;
CREATE TABLE transcript(
  outcome_id INTEGER PRIMARY KEY REFERENCES outcome(id),
  prompt ANY,
  text ANY,
  stamps BLOB
) STRICT
;
INSERT INTO "transcript" VALUES(1,'<bos>Finn lives in Oslo.
Where does Finn live?','Oslo',X'789C636A606064646262606098A6CB0001330CA10C064606A201007E8F0216');
INSERT INTO "transcript" VALUES(2,'<bos>Finn lives in Oslo.
Where does Finn live?',NULL,NULL);
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
;
CREATE VIEW v_transcript AS
SELECT run_id, suite, case_id, model, profile, template, repeat, t.prompt, t.text, finish_reason, t.outcome_id
FROM transcript AS t JOIN v_outcome USING(outcome_id);
CREATE VIEW v_attempt AS
SELECT run_id, suite, case_id, model, profile, template, repeat, a.number, a.kind, a.message,
  a.requested_ns, a.ended_ns, a.outcome_id
FROM attempt AS a JOIN v_outcome USING(outcome_id);
CREATE VIEW v_run AS
SELECT run.id AS run_id, started_utc, state, suites, planned,
  (SELECT count(*) FROM outcome WHERE outcome.run_id = run.id) AS recorded,
  "commit", host, arguments, definitions_version, skipped, noise, harness, noisy,
  ended_utc, clock_offset_ns, base, selection, microbenchmarks
FROM run ORDER BY run.number;
CREATE VIEW v_verdict AS SELECT * FROM verdict;
CREATE INDEX rescored_of_run ON rescored(run_id, scoring);
CREATE VIEW v_outcome AS
SELECT plan.run_id, position, suite, plan.case_id, kind, model, profile, template, repeat, seed,
  CASE WHEN again.scoring IS NULL THEN outcome.score ELSE again.score END AS score,
  coalesce(again.passed, outcome.passed) AS passed,
  ttft_s, tpot_s, e2e_s, output_tokens_per_s, prompt_tokens_per_s, max_stall_s,
  prompt_tokens, output_tokens, peak_memory_bytes, mean_memory_bytes, finish_reason,
  failure_kind, failure_message, plan.trial_key, outcome.id AS outcome_id, ttft_sched_s, ttfo_s, time_to_first_chunk_s, queue_delay_s, ntpot_s, e2e_sched_s, operation_duration_s, engine_output_tokens_per_s, tokens_per_chunk, accept_length, cpu_s, cpu_s_per_output_token, energy_j, cached_tokens, reasoning_tokens, token_count_mismatch, peak_pss_bytes, peak_anonymous_bytes, peak_file_bytes, gpu_peak_memory_bytes, involuntary_switches, prompt_basis, itl_basis, energy_source, phase, block,
  coalesce(again.scoring, 0) AS scoring, outcome.score AS original_score, asked.reduce
FROM plan JOIN outcome USING(run_id, trial_key)
LEFT JOIN rescored AS again ON again.outcome_id = outcome.id
  AND again.scoring = (SELECT max(scoring) FROM rescored WHERE rescored.outcome_id = outcome.id)
LEFT JOIN asked ON asked.sha256 = coalesce(again.asked, plan.asked);
CREATE VIEW v_cell AS
SELECT run_id, suite, case_id, kind, model, profile, template, count(*) AS n,
  sum(passed) AS passed, count(failure_kind) AS failed, count(score) AS scored,
  CASE WHEN count(score) = count(*) THEN avg(score) END AS score,
  avg(ttft_s) AS ttft_s, avg(tpot_s) AS tpot_s, avg(e2e_s) AS e2e_s,
  avg(output_tokens_per_s) AS output_tokens_per_s, max(peak_memory_bytes) AS peak_memory_bytes,
  max(reduce) AS reduce
FROM v_outcome GROUP BY run_id, suite, case_id, kind, model, profile, template;
CREATE VIEW v_score AS
SELECT o.run_id, suite, case_id, model, profile, template, repeat, s.number, s.scorer,
  s.value, s.passed, s.answer, s.explanation, s.unscored, s.outcome_id, s.weight, s.vetoes,
  s.scoring, s.scoring = o.scoring AS is_latest
FROM (
  SELECT number, scorer, value, passed, answer, explanation, unscored, outcome_id, weight, vetoes, 0 AS scoring FROM score
  UNION ALL SELECT number, scorer, value, passed, answer, explanation, unscored, outcome_id, weight, vetoes, scoring FROM rescored_score
) AS s JOIN v_outcome AS o USING(outcome_id);
CREATE VIEW v_scoring AS
SELECT run_id, number AS scoring, at_utc, answers, changed, record FROM scoring;
COMMIT;
