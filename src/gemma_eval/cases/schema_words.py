"""What each key of a suite and of a gate means, in the words that an editor shows."""

from __future__ import annotations

from collections.abc import Mapping

_EVERY_CASE: Mapping[str, str] = {
    "kind": "quality (the default), benchmark, or retrieval, which asks for passages alone",
    "tags": "words to select and group cases by",
    "repeats": "answers per cell; 1 if left out",
    "warmup": "answers made before those and never recorded; 3 for benchmarks, else 0",
    "max_tokens": "the longest answer; the profile's limit if left out",
    "ignore_eos": "true: answers go on, up to max_tokens, where the model would end them",
    "models": "names of models; a case runs with every combination of model, profile and template",
    "profiles": "names of sampling profiles",
    "templates": "names of prompt templates",
    "reduce": "how the repeats of a case become one score; their mean if left out",
    "k": "of how many answers reduce = pass_at_k or pass_hat_k tells",
    "corpus": "a file or folder of documents that cases share: .md, .txt or .jsonl",
    "retrievals": "names of [retrievals.NAME], or none, bm25, oracle; a case runs with each of them",
    "now": "the date or time that templates call now, in ISO 8601, as 2026-11-29",
    "cache": "answers to earlier questions may be given again, and are marked",
    "load": "how the requests of a benchmark arrive: concurrency, or rate_per_s",
    "slo": "which requests are good: the most that each latency may be, in seconds",
    "seed": "what the seeds of all answers are derived from",
}
_CASE: Mapping[str, str] = {
    "id": "letters, digits and _ . + -; unique in the suite",
    "prompt": "what the user asks",
    "messages": "instead of prompt: a conversation that ends with the user's turn",
    "role": "who says it",
    "content": "what is said",
    "documents": "what passages are taken from: paths beside the suite, or { name, text }",
    "text": "the document itself",
    "checks": "how the answer is judged; a quality case needs at least one",
    "check": "the same as checks, as tables [[case.check]]",
    "cluster": "what cases share that can make all of them right or wrong at once; they are one datum",
    "continuation": "a text that the model reads instead of answering",
    "choices": "answers of which the model says how probable each is; one of them is the target",
    "target": "the right choice: its index from 0, its letter from A, or its text",
    "delimiter": "what stands before each choice and is not counted in its length",
    "series": "the kind of a case of which variables are varied",
    "variables": "numbers that are varied in the series, and texts; templates can name both",
    "relevant": "the passages that bear on the question: ids, {passage, grade}, or {text}",
    "qrels": "a file of judgements as TREC or BEIR write it, of the query with the id of the case or row",
    "passage": "the id of a passage or of its document",
    "JudgementRow.text": "what the passage says",
    "grade": "how relevant it is; 1 if left out, 0 is not",
    "dataset": "a file with a row for each question; the texts of the case are templates over its columns",
    "few_shot": "examples that are shown before each question",
}
_CHECK: Mapping[str, str] = {
    "scorer": "what judges the answer; the other keys of the check are its options",
    "pass_at": "the value from which the check passes; without it the value is recorded and demands nothing",
    "weight": "how much the check counts in the score of the answer; 1 if left out, 0 is recorded only",
    "must_pass": "true: an answer that misses pass_at has the score 0",
    "not": "true: the value is 1 minus that of the scorer",
    "filter": "what is made of the answer before: a filter, a list of them, or a name of [filters]",
    "FilterRow.filter": "the name of a filter; the other keys are its options",
}
_DATASET: Mapping[str, str] = {
    "path": "the file, beside the suite: .jsonl, .csv, .tsv, or .parquet with the extra analysis",
    "columns": "names that templates use, with the columns of the file that they stand for",
    "DatasetRow.limit": "how many rows are asked at most",
    "shuffle": "true: the rows are put in an order that seed decides, before limit takes the first",
    "DatasetRow.seed": "what decides the order of shuffle",
    "id_column": "the column that names a row; its number if left out",
    "cluster_column": "the column of what rows share, as their document",
    "granularity": "row: an item of pytest for each row; dataset: one for all, as beyond 2,000 rows",
    "DatasetRow.concurrency": "how many rows are asked at once, of an engine that serves several",
    "n": "how many examples are shown",
    "FewShotRow.seed": "what decides which rows are examples",
    "FewShotRow.prompt": "the question of an example; that of the case if left out",
    "answer": "the answer of an example",
    "as": "turns of the conversation, or one text before the question",
    "separator": "what stands between examples in one text",
}
_HAYSTACK: Mapping[str, str] = {
    "HaystackRow.prompt": "what the user asks, with {haystack} where the hay goes",
    "needle": "the line that is to be found",
    "needles": "tables with what stands for the {names} in prompt, needle, checks and continuation",
    "hay": "a file beside the suite; each of its lines with text is a piece",
    "lengths": "how many pieces of hay there are around the needle",
    "depths": "where the needle lies, as the share of the hay before it: 0 at the beginning, 1 at the end",
}
_LOAD: Mapping[str, str] = {
    "concurrency": "closed loop: how many requests are in flight, exactly",
    "rate_per_s": "open loop: how many requests are due per second",
    "arrival": "of an open loop: poisson (if left out) or constant gaps",
    "max_in_flight": "of an open loop: how many requests are in flight at most; 64 if left out",
    "LoadRow.warmup": "how many of the first requests are not measured",
    "cooldown": "how many of the last requests are not measured",
    "may_miss": "names of latencies that an answer may lack and be good all the same",
}
_SLO: Mapping[str, str] = {
    name: f"the most that {what} may be, in seconds"
    for name, what in {
        "ttft_s": "the time to first token",
        "ttft_sched_s": "the time to first token from when the request was due",
        "ttfo_s": "the time to first token of the answer proper",
        "time_to_first_chunk_s": "the time to the first piece of whatever kind",
        "queue_delay_s": "the wait before the request was sent",
        "tpot_s": "the time per output token after the first",
        "ntpot_s": "the whole time divided by output tokens",
        "e2e_s": "the time to the last token",
        "e2e_sched_s": "the time to the last token from when the request was due",
        "operation_duration_s": "the time to the end of the reply",
        "max_stall_s": "the longest gap between two pieces",
    }.items()
}
_RETRIEVAL: Mapping[str, str] = {
    "memory": "a store of passages to search instead of documents: a file, or a redis:// URL",
    "embedder": "a model that makes vectors, as minilm",
    "candidates": "how many passages each search gives; 50 if left out",
    "fusion": "how two searches become one order: rrf (if left out) or convex",
    "rrf_k": "the constant of reciprocal rank fusion; 60 if left out",
    "alpha": "the weight of vectors in a convex fusion; 0.7 if left out",
    "min_bm25": "passages below this BM25 score are not relevant",
    "min_cosine": "passages below this cosine are not relevant",
    "relevance_weight": "how much relevance counts in the order; 1 if left out",
    "recency_weight": "how much it counts that a passage is recent; 0 if left out",
    "importance_weight": "how much the importance of a passage counts; 0 if left out",
    "half_life_h": "after how many hours recency is half; 138.3 if left out",
    "reranker": "what puts the best passages in a better order: maxsim, engine, onnx, llama_cpp",
    "reranker_model": "the model of that reranker, by its name in models.toml",
    "rerank_candidates": "how many passages are reranked; 20 if left out",
    "rerank_weight": "the share of the reranker in the score; 1 if left out",
    "diversity": "λ of maximal marginal relevance; without it like passages are not passed over",
    "near_duplicate": "a passage with a higher cosine to a better one is left out",
    "order": "how passages stand in the prompt: best_first (if left out), best_last, edges, chronological",
    "long_passage": "a passage that does not fit: drop (if left out), or cut at the end of a sentence",
    "tiers": "of a memory: which tiers are searched; all if left out",
    "RetrievalRow.tags": "only passages with one of these tags are searched",
    "max_age_h": "only passages that are not older are searched",
    "distractors": "of oracle: how many passages that are not relevant are added",
    "gold_at": "of oracle: where the relevant passages stand among them, 0 first, 1 last",
}
_CACHING: Mapping[str, str] = {
    "mode": "exact, strict, verified; cosine is there to be measured",
    "CachingRow.embedder": "the model that makes vectors of questions",
    "CachingRow.min_cosine": "questions below this cosine are not the same; 0.95 if left out",
    "ttl_s": "how long an answer is kept, in seconds; 3600 if left out",
    "max_entries": "how many answers are kept; 1000 if left out",
    "location": "a redis:// URL, to share answers",
}
_TABLES: Mapping[str, str] = {
    "suite": "what the suite is called",
    "SuiteRow.name": "what the suite is called in reports; the file's name if left out",
    "name": "what the document is called",
    "description": "one sentence for the report",
    "defaults": "what every case has that does not say otherwise",
    "retrieval": "how passages are found for templates that show some",
    "retrievals": "how passages are found, by name; each begins with what [retrieval] says",
    "retriever": "bm25 (if left out), vector, hybrid, oracle, none, or that of a plugin",
    "top_k": "how many passages a template is given at most; 4 if left out",
    "budget_tokens": "how many tokens they may take; 256 if left out",
    "overflow": "what happens to a prompt that the context cannot hold: error, if left out, or truncate",
    **_RETRIEVAL,
    "filters": "pipelines of filters by name, for the checks of all cases",
    "case": "the questions",
    "haystack": "a case for each needle at each depth of each length",
    "gate": "what the answers are held to",
}
_GATE: Mapping[str, str] = {
    "GateRow.id": "its name, unique among the gates in force",
    "metric": "score, or a cost: ttft_s, tpot_s, e2e_s, output_tokens_per_s, peak_memory_bytes …",
    "percentile": "90, 95 or 99 instead of the typical value; of costs only",
    "tolerance": 'by what share a cost may get worse: "5%" or 0.05',
    "margin": "how much of a score may be lost; 0.02 if left out",
    "limit": 'the worst that the metric itself may be: a number, or one with a unit, as "200 ms"',
    "tier": "critical: a proved breach fails the run; supporting: it warns; advisory: it is shown",
    "where": "which cells it is about; all if left out",
    "min_blocks": "after how many blocks a cost is looked at first; 5 if left out",
    "max_blocks": "after how many blocks a cost is looked at last; 20 if left out",
    **{
        f"WhereRow.{name}": f"the name of a {name}, in which * ? and [...] stand for others"
        for name in ("suite", "case", "tag", "model", "profile", "template")
    },
    "WhereRow.kind": "quality or benchmark",
}

WORDS: Mapping[str, str] = {
    **_EVERY_CASE,
    **_CASE,
    **_CHECK,
    **_DATASET,
    **_HAYSTACK,
    **_LOAD,
    **_SLO,
    **_TABLES,
    **_CACHING,
    **_GATE,
}
"""By key, or by `Row.key` where a key means something else in one row."""
