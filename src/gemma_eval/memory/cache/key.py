"""What must be the same for an answer to serve again: all that decides it but the words of the question."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gemma_eval.records import (
    Case,
    Cell,
    EngineInfo,
    ModelSpec,
    Prompt,
    Retrieval,
    SamplingProfile,
    Trial,
)
from gemma_eval.wire import Plain, dump

SCHEMA = 1
"""Goes up when an entry or its key means something else; entries of another one are never looked at."""

_UNNAMED = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Partition:
    """All that decides an answer, apart from the question itself.

    `seed` is `None` where nothing is drawn. `shown` are the passages that the prompt shows, where the same
    retrieval may find others tomorrow: in a store, or by their age.
    """

    schema: int = SCHEMA
    namespace: str = ""
    embedder: str | None = None
    engine: Mapping[str, Plain] = field(default_factory=dict)
    model: Mapping[str, Plain] = field(default_factory=dict)
    profile: Mapping[str, Plain] = field(default_factory=dict)
    seed: int | None = None
    template: Mapping[str, Plain] = field(default_factory=dict)
    retrieval: Mapping[str, Plain] = field(default_factory=dict)
    documents: tuple[tuple[str, str], ...] = ()
    corpus: str | None = None
    relevant: tuple[Mapping[str, Plain], ...] = ()
    shown: tuple[tuple[str, str], ...] = ()
    earlier: tuple[tuple[str, str], ...] = ()

    @property
    def digest(self) -> str:
        """The key: SHA-256 of canonical JSON, in which no two values can run into each other."""
        text = json.dumps(dump(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()


def partition(
    trial: Trial, prompt: Prompt, engine: EngineInfo, *, embedder: str | None = None, namespace: str = ""
) -> Partition:
    """Return what decides the answer to a trial; `embedder` is the id of what makes the vectors."""
    cell, case = trial.cell, trial.cell.case
    return Partition(
        namespace=namespace,
        embedder=embedder,
        engine=_engine(engine),
        model=_model(cell.model, engine),
        profile=dump(replace(cell.profile, name=_UNNAMED, seed=None)),
        seed=trial.seed if draws(cell.profile) else None,
        template=_template(cell),
        retrieval=dump(replace(cell.retrieval, name=_UNNAMED)),
        documents=tuple((each.name, _hash(each.text)) for each in case.documents),
        corpus=None if case.corpus is None else case.corpus.sha256,
        relevant=tuple(dump(each) for each in case.relevant),
        shown=_shown(prompt) if changes(cell.retrieval) else (),
        earlier=_earlier(case),
    )


def entry_id(partition: str, query: str) -> str:
    """Return the id of the entry of a question in a partition; `query` is normalised first."""
    return hashlib.sha256(json.dumps([partition, normalised(query)]).encode()).hexdigest()


def normalised(query: str) -> str:
    """Return a question as it is compared for an exact hit: in NFC, with single spaces."""
    return " ".join(unicodedata.normalize("NFC", query).split())


def draws(profile: SamplingProfile) -> bool:
    """Whether an answer depends on the seed; at temperature 0 XTC alone throws dice."""
    return profile.temperature > 0 or profile.xtc_probability > 0


def changes(retrieval: Retrieval) -> bool:
    """Whether the same question may find other passages another time, in the same documents."""
    return retrieval.memory is not None or retrieval.max_age_h is not None or retrieval.recency_weight > 0


def _engine(engine: EngineInfo) -> dict[str, Plain]:
    """Leave out what loading took; threads stay, for they change the order of sums."""
    return {name: value for name, value in dump(engine).items() if name not in ("load_s", "cold_ttft_s")}


def _model(spec: ModelSpec, engine: EngineInfo) -> dict[str, Plain]:
    """Leave out the name, and where weights are that the engine has hashed."""
    gone = {"name"} if engine.model_sha256 is None else {"name", "location"}
    return {name: value for name, value in dump(spec).items() if name not in gone}


def _template(cell: Cell) -> dict[str, Plain]:
    """Return the template with those values that it may name: its text is looked through for the names."""
    template, case = cell.template, cell.case
    values = {**case.variables, **case.texts, "model": cell.model.name, "now": case.now}
    texts = (template.text, *template.parts.values())
    named = {name: value for name, value in values.items() if any(name in text for text in texts)}
    plain: dict[str, Plain] = {"name": template.name, "sha256": template.sha256}
    return {**plain, "values": named} if named else plain


def _shown(prompt: Prompt) -> tuple[tuple[str, str], ...]:
    return tuple((passage.document, _hash(passage.text)) for passage in prompt.passages)


def _earlier(case: Case) -> tuple[tuple[str, str], ...]:
    return tuple((message.role, message.content) for message in case.messages[:-1])


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
