"""Search by words: FTS5 finds who is worth a look by the rarest words, and BM25 over all words decides.

FTS5 looks at every place of every word that it is asked for, and a common word has as many as there are
passages. So it is asked for the rarest words of a query, as many as have `most_places` together. Those that
it ranks best are scored anew with all words by the formula of `bm25`, from which that of FTS5 differs where a
word is in most passages.
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from gemma_eval.memory.bm25 import K1, B, words
from gemma_eval.memory.sqlite.rows import condition, groups, is_narrow
from gemma_eval.records import Among, Hit

LEAST = 60
MORE = 20
"""Beyond those that are asked for, so many are scored anew, and at least `LEAST`."""
FEW = 200
"""Where the words are in no more passages than that, all are scored."""
MOST_WORDS = 64


def search(connection: sqlite3.Connection, query: str, *, k: int, among: Among) -> tuple[Hit, ...]:
    """Return the best `k` passages of a filter that have a word of `query`; equals by when they came."""
    asked = Counter(words(query))
    dfs = _dfs(connection, list(asked))
    n, n_words = _sizes(connection)
    rare = rarest(dfs, most_places=most_places(n))
    if not rare or k < 1:
        return ()
    places = sum(dfs[word] for word in rare)
    few = max(LEAST, min(k, n) + MORE)
    rows = _candidates(connection, rare, n=places if places <= FEW else few, among=among)
    if len(rows) < k and len(rare) < len(dfs) and is_narrow(among):
        rows = _candidates(connection, rarest(dfs), n=few, among=among)
    weights = {word: times * _idf(dfs[word], n=n) for word, times in asked.items() if word in dfs}
    scored = [(-_score(text, weights, mean_length=n_words / n), seq, id_) for seq, id_, text in rows]
    return tuple(Hit(id=id_, score=-score) for score, _, id_ in sorted(scored)[:k])


def most_places(n: int) -> int:
    """Return in how many of `n` passages the words of one search may be together: 3,000 and a tenth."""
    return 3_000 + n // 10


def rarest(dfs: Mapping[str, int], *, most_places: float = math.inf) -> list[str]:
    """Return the rarest words that are in at most `most_places` passages together, and always one."""
    chosen: list[str] = []
    places = 0
    for word in sorted(dfs, key=lambda each: (dfs[each], each))[:MOST_WORDS]:
        places += dfs[word]
        if chosen and places > most_places:
            break
        chosen.append(word)
    return chosen


def add(connection: sqlite3.Connection, texts: Sequence[tuple[int, Sequence[str]]]) -> None:
    """Note the words of passages by their `seq`."""
    connection.executemany(
        "INSERT INTO said(rowid, words) VALUES(?, ?)", [(seq, " ".join(found)) for seq, found in texts]
    )
    _count(connection, texts, sign=1)


def remove(connection: sqlite3.Connection, texts: Iterable[tuple[int, str]]) -> None:
    """Forget the words of passages, given by their `seq` and text."""
    taken = [(seq, words(text)) for seq, text in texts]
    connection.executemany(
        "INSERT INTO said(said, rowid, words) VALUES('delete', ?, ?)",
        [(seq, " ".join(found)) for seq, found in taken],
    )
    _count(connection, taken, sign=-1)


def _count(connection: sqlite3.Connection, texts: Sequence[tuple[int, Sequence[str]]], *, sign: int) -> None:
    """Count passages by word, and all words."""
    counts = Counter(word for _, found in texts for word in set(found))
    connection.executemany(
        "INSERT INTO word VALUES(?, ?) ON CONFLICT(word) DO UPDATE SET df = df + excluded.df",
        [(word, sign * n) for word, n in counts.items()],
    )
    if sign < 0:
        connection.executemany("DELETE FROM word WHERE word = ? AND df <= 0", [(word,) for word in counts])
    sums = sign * len(texts), sign * sum(len(found) for _, found in texts)
    connection.execute("UPDATE state SET n_passages = n_passages + ?, n_words = n_words + ?", sums)


def _dfs(connection: sqlite3.Connection, asked: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in groups(asked):
        select = f"SELECT word, df FROM word WHERE word IN ({', '.join('?' * len(some))})"  # noqa: S608
        found.update(connection.execute(select, some).fetchall())
    return found


def _candidates(
    connection: sqlite3.Connection, chosen: Sequence[str], *, n: int, among: Among
) -> list[tuple[int, str, str]]:
    """Return `seq`, id and text of the `n` passages that FTS5 ranks best by any of the words."""
    where, values = condition(among)
    match = " OR ".join(f'"{word}"' for word in chosen)
    select = f"""
SELECT passage.seq, passage.id, passage.text
FROM said CROSS JOIN passage ON passage.seq = said.rowid
WHERE said MATCH ? AND {where} ORDER BY said.rank LIMIT ?
"""  # noqa: S608 - names and marks only
    return connection.execute(select, (match, *values, n)).fetchall()


def _sizes(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return how many passages there are, and their words."""
    n, n_words = connection.execute("SELECT n_passages, n_words FROM state").fetchone()
    return max(n, 1), max(n_words, 1)


def _score(text: str, weights: Mapping[str, float], *, mean_length: float) -> float:
    found = words(text)
    saturation = K1 * (1 - B + B * len(found) / mean_length)
    counts = Counter(filter(weights.__contains__, found))
    # In the order of the query, so that equal texts have equal sums.
    return sum(weight * counts[word] / (counts[word] + saturation) for word, weight in weights.items())


def _idf(df: int, *, n: int) -> float:
    return math.log(1 + (n - df + 0.5) / (df + 0.5))
