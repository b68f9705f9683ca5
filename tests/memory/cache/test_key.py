"""Whatever decides an answer is in its key: a change of any one field is another partition."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval import wire
from gemma_eval.memory.cache import key
from gemma_eval.memory.cache.key import Partition, changes, draws, entry_id, normalised, partition
from gemma_eval.records import (
    Case,
    Corpus,
    Document,
    EngineInfo,
    Judgement,
    Message,
    ModelSpec,
    Passage,
    Prompt,
    Retrieval,
    RopeScaling,
    SamplingProfile,
    Template,
    Trial,
)
from tests.memory.cache.made import ENGINE, PROMPT, a_trial, with_field


def digest(
    trial: Trial | None = None,
    prompt: Prompt = PROMPT,
    engine: EngineInfo = ENGINE,
    *,
    embedder: str | None = None,
    namespace: str = "",
) -> str:
    """Return the key of a trial."""
    trial = a_trial() if trial is None else trial
    return partition(trial, prompt, engine, embedder=embedder, namespace=namespace).digest


def another(value: object, name: str) -> object:
    """Return a value of the same kind that is another one."""
    special: dict[str, object] = {
        "documents": (Document(name="people", text="- Finn lives in Rome.\n"),),
        "corpus": Corpus(path="docs", sha256="cd"),
        "relevant": (Judgement(text="Oslo"),),
        "rope_scaling": RopeScaling(factor=2.0),
        "logit_bias": {"15": 1.0},
        "options": {"reply": "Rome"},
        "details": {"flash": True},
        "order": ("temperature",),
        "variables": {"tone": "formal"},
        "parts": {"parts/head.md": "Be brief.\n"},
    }
    if name in special:
        return special[name]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, tuple):
        return (*value, "more")
    return 7 if value is None else f"{value}, another"


def with_profile(trial: Trial, profile: SamplingProfile) -> Trial:
    """Return a trial with another profile."""
    return replace(trial, cell=replace(trial.cell, profile=profile))


CELL: tuple[tuple[str, type, set[str]], ...] = (
    ("profile", SamplingProfile, {"name", "seed"}),
    ("model", ModelSpec, {"name", "location"}),
    ("template", Template, {"version", "description", "models", "first_lines"}),
    ("retrieval", Retrieval, {"name"}),
)
"""The records of a cell, and which of their fields decide nothing.

A location is a hash of weights here, and a template may say of itself and of its models what it likes.
"""


@pytest.mark.parametrize(
    ("part", "name"),
    [(part, each.name) for part, kind, without in CELL for each in fields(kind) if each.name not in without],
)
def test_a_change_of_any_choice_is_another_key(part: str, name: str) -> None:
    """Every field of profile, model, template and retrieval, those to come among them."""
    trial = a_trial()
    record = getattr(trial.cell, part)
    changed = with_field(record, name, another(getattr(record, name), name))
    assert digest(replace(trial, cell=with_field(trial.cell, part, changed))) != digest(trial)


@pytest.mark.parametrize("part", ["profile", "model", "retrieval"])
def test_a_name_decides_nothing(part: str) -> None:
    """The same profile under another name gives the same answer; that of a template may stand in it."""
    trial = a_trial()
    renamed = replace(getattr(trial.cell, part), name="other")
    assert digest(replace(trial, cell=with_field(trial.cell, part, renamed))) == digest(trial)


@pytest.mark.parametrize(
    "name", [each.name for each in fields(EngineInfo) if each.name not in ("load_s", "cold_ttft_s")]
)
def test_another_engine_is_another_key(name: str) -> None:
    """Version, weights, quantisation, chat template, threads, settings."""
    assert digest(engine=with_field(ENGINE, name, another(getattr(ENGINE, name), name))) != digest()


def test_what_loading_took_is_in_no_key() -> None:
    """It is another number every time."""
    assert digest(engine=replace(ENGINE, load_s=1.0, cold_ttft_s=2.0)) == digest()


@pytest.mark.parametrize("name", ["documents", "corpus", "relevant"])
def test_another_text_to_search_is_another_key(name: str) -> None:
    """Documents, the corpus by its hash, and what an oracle is told."""
    trial = a_trial()
    changed = with_field(trial.cell.case, name, another(getattr(trial.cell.case, name), name))
    assert digest(replace(trial, cell=replace(trial.cell, case=changed))) != digest(trial)


def test_what_a_template_says_of_a_case_is_in_the_key() -> None:
    """Its variables, the time and the name of the model, where the template or a part of it names them."""
    trial = a_trial()

    def asked(text: str, *, model: str = "scripted", **parts: str) -> Trial:
        case = replace(trial.cell.case, variables={"depth": 0.5}, texts={"tone": "formal"}, now="2026-11-29")
        template = Template(name="t", text=text, parts=parts)
        spec = replace(trial.cell.model, name=model)
        return replace(trial, cell=replace(trial.cell, case=case, template=template, model=spec))

    def with_case(known: Trial, name: str, value: object) -> Trial:
        return replace(known, cell=replace(known.cell, case=with_field(known.cell.case, name, value)))

    others = {"variables": {"depth": 0.6}, "texts": {"tone": "short"}, "now": "2026-11-30"}
    for name, text in (("variables", "{{ depth }}"), ("texts", "{{ tone }}"), ("now", "{{ now }}")):
        for named in (asked(text), asked("{% include 'p' %}", p=text)):
            assert digest(with_case(named, name, others[name])) != digest(named)
        unnamed = asked("{{ query }}")
        assert digest(with_case(unnamed, name, others[name])) == digest(unnamed)
    assert digest(asked("{{ model }}", model="other")) != digest(asked("{{ model }}"))
    assert digest(asked("{{ query }}", model="other")) == digest(asked("{{ query }}"))


def test_earlier_turns_are_in_the_key_and_the_question_is_not() -> None:
    """The question alone is what may be put in another way."""

    def asked(*turns: Message) -> Trial:
        trial = a_trial()
        case: Case = replace(trial.cell.case, messages=turns)
        return replace(trial, cell=replace(trial.cell, case=case))

    system, user = Message(role="system", content="Be brief."), Message(role="user", content="Where?")
    assert digest(asked(user)) == digest(asked(replace(user, content="Who?")))
    assert digest(asked(system, user)) != digest(asked(user))
    assert digest(asked(replace(system, role="user"), user)) != digest(asked(system, user))


def test_a_seed_is_in_the_key_where_something_is_drawn() -> None:
    """So no two repeats of a question share an answer that was drawn; a greedy one is the same for all."""
    trial = a_trial()
    hot = with_profile(trial, replace(trial.cell.profile, temperature=0.7))
    assert digest(trial) == digest(replace(trial, seed=2))
    assert digest(hot) != digest(replace(hot, seed=2))
    dice = replace(trial.cell.profile, xtc_probability=0.5)
    assert (draws(dice), draws(trial.cell.profile)) == (True, False)


def test_weights_that_were_hashed_may_lie_anywhere() -> None:
    """Those that nobody hashed are known by their place alone."""
    trial = a_trial()
    moved = replace(trial, cell=replace(trial.cell, model=replace(trial.cell.model, location="/elsewhere")))
    unknown = replace(ENGINE, model_sha256=None)
    assert digest(moved) == digest(trial)
    assert digest(moved, engine=unknown) != digest(trial, engine=unknown)


@pytest.mark.parametrize(
    ("way", "is_changing"),
    [
        (Retrieval(), False),
        (Retrieval(memory="memory.db"), True),
        (Retrieval(max_age_h=1.0), True),
        (Retrieval(recency_weight=0.5), True),
    ],
)
def test_passages_that_change_with_time_are_in_the_key(way: Retrieval, *, is_changing: bool) -> None:
    """A store holds others tomorrow; of documents, what is found follows from the question."""
    trial = a_trial()
    trial = replace(trial, cell=replace(trial.cell, retrieval=way))
    passage = Passage(id="1", text="Finn lives in Oslo.", document="d", score=1.0, rank=1)
    shown = replace(PROMPT, passages=(passage,))
    moved = replace(PROMPT, passages=(replace(passage, text="Finn lives in Rome."),))
    assert changes(way) == is_changing
    assert (digest(trial, shown) != digest(trial, moved)) == is_changing


@pytest.mark.parametrize("name", [each.name for each in fields(Partition)])
def test_every_field_of_a_partition_is_hashed(name: str) -> None:
    """One that is left out would share answers that differ in it."""
    whole = partition(a_trial(), PROMPT, ENGINE, embedder="e", namespace="n")
    value = getattr(whole, name)
    changed = {**value, "more": 1} if isinstance(value, dict) else another(value, "")
    if isinstance(value, tuple):
        changed = (*value, ("a", "b"))
    assert with_field(whole, name, changed).digest != whole.digest


def test_a_field_that_is_left_out_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can fail: without the profile its temperature changes nothing."""
    monkeypatch.setattr(
        key, "dump", lambda record: {} if isinstance(record, SamplingProfile) else wire.dump(record)
    )
    trial = a_trial()
    assert digest(with_profile(trial, replace(trial.cell.profile, top_k=40))) == digest(trial)


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_values_never_run_into_each_other(a: str, b: str, c: str, d: str) -> None:
    """As they do where keys are glued from strings: ("ab", "c") and ("a", "bc")."""
    same = (a, normalised(b)) == (c, normalised(d))
    assert (entry_id(a, b) == entry_id(c, d)) == same


def test_an_exact_hit_wants_the_same_text_but_for_its_spaces_and_its_form_of_unicode() -> None:
    """Capitals count: a name may differ in them."""
    assert normalised("  Who\n is it? ") == "Who is it?"
    assert normalised("cafe\u0301") == normalised("caf\u00e9")
    assert entry_id("p", "Who?") != entry_id("p", "who?")


def test_vectors_of_two_embedders_and_two_tenants_never_meet() -> None:
    """Each has partitions of its own."""
    assert len({digest(), digest(embedder="other"), digest(namespace="other")}) == 3
