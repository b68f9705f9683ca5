"""Values that others have published for their scorers and statistics, as files of this package.

Each file is of one source and names where it is, at which commit and under which licence. A value is carried
over as it stands there; only those that a second implementation agrees with are.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from gemma_eval.errors import UsageError, suggestion
from gemma_eval.records import Options
from gemma_eval.wire import load

FOLDER = Path(__file__).parent / "published"


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """What a quantity is computed from; each takes what it needs of it."""

    values: tuple[float, ...] = ()
    rows: tuple[tuple[float, ...], ...] = ()
    labels: tuple[tuple[str, ...], ...] = ()
    references: tuple[tuple[str, ...], ...] = ()
    texts: tuple[str, ...] = ()
    options: Options = field(default_factory=dict)
    n: int = 0
    k: int = 0
    level: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Vector:
    """One published value: of a `scorer` for an `answer`, or of a `quantity` for what is `given`.

    With `answers` the scorer judges repeats; with `choices` the model has read them with these natural
    log-probabilities, `unconditional` after an empty prompt. With `n_found` passages it judges those: at
    the ranks `relevant_at`, from 1, they are relevant, and so are others up to `n_relevant`. `figure`
    names one of the score's figures in place of its value, and `scale` is what ours is multiplied by to
    be theirs (100 for percent). `expected` is `None` where there is no value. Where ours is another one
    by decision, it is `ours`, and `differs` says why.
    """

    name: str
    scorer: str = ""
    options: Options = field(default_factory=dict)
    answer: str = ""
    answers: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    target: int | None = None
    log_probabilities: tuple[tuple[float, ...], ...] = ()
    unconditional: tuple[float, ...] = ()
    relevant_at: tuple[int, ...] = ()
    n_found: int = 0
    n_relevant: int = 0
    figure: str = ""
    scale: float = 1.0
    quantity: str = ""
    given: Given = Given()
    expected: float | None = None
    tolerance: float = 1e-9
    ours: float | None = None
    differs: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """The values of one source; `where` is `owner/repository:path`."""

    name: str
    about: str
    where: str
    commit: str
    licence: str
    vectors: tuple[Vector, ...]


def published(paths: Iterable[Path] | None = None) -> tuple[Published, ...]:
    """Return the sources in the order of their names. Raises UsageError, StoreError: no such list."""
    return tuple(_read(path) for path in sorted(FOLDER.glob("*.toml") if paths is None else paths))


def _read(path: Path) -> Published:
    plain = tomllib.loads(path.read_text(encoding="utf-8"))
    defaults = plain.pop("defaults", {})
    vectors = [defaults | vector for vector in plain.pop("vector")]
    for vector in vectors:
        _refuse_unknown(path, Vector, vector)
        _refuse_unknown(path, Given, vector.get("given", {}))
    return load(Published, {"name": path.stem, **plain, "vectors": vectors})


def _refuse_unknown(path: Path, kind: type, plain: Mapping[str, object]) -> None:
    """Raises UsageError: a key that nobody reads would be a value that nobody compares."""
    known = {field.name for field in fields(kind)}
    if unknown := sorted(set(plain) - known):
        raise UsageError(f'{path.name}: unknown key "{unknown[0]}"{suggestion(unknown[0], known)}')
