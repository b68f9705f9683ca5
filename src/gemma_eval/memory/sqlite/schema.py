"""The tables of a memory as numbered migrations.

    passage   one row per passage; `worth` is what `tiers.worth` says, `n_words` the length that BM25 goes by
    tag       the tags of passages, to search by
    said      the words of passages in FTS5, as `bm25.words` finds them; the text itself is in `passage`
    word      in how many passages each word is
    embedder  what has made vectors, and of which length
    vector    one row per passage and embedder: D float32 numbers, little-endian
    tier      the rules of tiers that are not the default, as JSON
    state     one row: which file this is, how often vectors have changed, how many passages and words it has

Numbers of passages and vectors are never given twice, so that who remembers the greatest knows what is new.
A backup that is put back is another file: `lineage` is made anew then.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from gemma_eval.files import database

APPLICATION_ID = 0x47454D4D
"""`GEMM`: marks a file as a memory of ours."""

_FIRST = (
    """
CREATE TABLE passage(
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  text TEXT NOT NULL,
  document TEXT NOT NULL,
  tier TEXT NOT NULL,
  at_s REAL NOT NULL,
  accessed_s REAL,
  expires_s REAL,
  importance REAL NOT NULL,
  accesses INTEGER NOT NULL,
  tags TEXT NOT NULL,
  worth REAL NOT NULL,
  n_words INTEGER NOT NULL
) STRICT
""",
    "CREATE INDEX passage_by_age ON passage(at_s, seq)",
    "CREATE INDEX passage_by_worth ON passage(tier, worth, id)",
    "CREATE INDEX passage_by_document ON passage(document)",
    "CREATE INDEX passage_by_end ON passage(expires_s, id) WHERE expires_s IS NOT NULL",
    """
CREATE TABLE tag(
  name TEXT NOT NULL,
  seq INTEGER NOT NULL REFERENCES passage(seq) ON DELETE CASCADE,
  PRIMARY KEY(name, seq)
) STRICT, WITHOUT ROWID
""",
    "CREATE INDEX tag_by_passage ON tag(seq)",
    "CREATE VIRTUAL TABLE said USING fts5(words, content='', tokenize=\"ascii tokenchars '_'\")",
    "CREATE TABLE word(word TEXT PRIMARY KEY, df INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE embedder(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, dim INTEGER NOT NULL) STRICT",
    """
CREATE TABLE vector(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  embedder INTEGER NOT NULL REFERENCES embedder(number),
  seq INTEGER NOT NULL REFERENCES passage(seq) ON DELETE CASCADE,
  value BLOB NOT NULL,
  UNIQUE(embedder, seq)
) STRICT
""",
    "CREATE INDEX vector_by_passage ON vector(seq)",
    "CREATE TABLE tier(name TEXT PRIMARY KEY, rule TEXT NOT NULL) STRICT, WITHOUT ROWID",
    """
CREATE TABLE state(
  only INTEGER PRIMARY KEY CHECK(only = 1),
  lineage BLOB NOT NULL,
  changes INTEGER NOT NULL,
  n_passages INTEGER NOT NULL,
  n_words INTEGER NOT NULL
) STRICT
""",
    "INSERT INTO state VALUES(1, randomblob(16), 0, 0, 0)",
)

MIGRATIONS: tuple[Sequence[str], ...] = (_FIRST,)
VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> None:
    """Bring a memory to the newest version in one transaction; does nothing when it is there."""
    database.migrate(connection, migrations, application_id=APPLICATION_ID)
