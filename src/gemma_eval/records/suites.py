"""What a suite file holds: the cases that are asked, and the gates on what comes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gemma_eval.records.cases import Case, RowCase
from gemma_eval.records.gates import Gate
from gemma_eval.records.retrieval import Retrieval


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """A suite file, read and checked. `sha256` is of its bytes and of the documents it names.

    Its `gates` are about its own cases alone: `where.suite` of each is its name. `rows` has what the rows of
    a dataset make of a case that has one, by the id of that case; each is read from the file when it is
    asked for. `retrievals` are the named ones, `retrieval` that of cases which name none.
    """

    name: str
    path: str
    sha256: str
    description: str
    seed: int
    retrieval: Retrieval
    cases: tuple[Case, ...]
    gates: tuple[Gate, ...] = ()
    rows: Mapping[str, Sequence[RowCase]] = field(default_factory=dict)
    retrievals: Mapping[str, Retrieval] = field(default_factory=dict)
