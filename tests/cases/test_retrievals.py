"""Retrieval in a suite file: what a named one begins with, what is used of it, what is told of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemma_eval.cases.case import Names
from gemma_eval.cases.expand import expand
from gemma_eval.cases.load import load
from gemma_eval.errors import SuiteError
from gemma_eval.records import Cell, ModelSpec, SamplingProfile, Suite, Template
from tests.cases.suites import CASE, DEFAULTS, look

NAMES = Names(
    models=("pocket", "minilm"),
    profiles=("greedy",),
    templates=("plain",),
    retrievers=("bm25", "theirs"),
    embedders=("minilm",),
    rerankers=("maxsim", "engine", "onnx"),
)
ALL = 'retrievals = ["none", "bm25", "oracle", "both", "late"]\n'


def read(folder: Path, text: str) -> Suite:
    """Write a suite file and load it."""
    path = folder / "s.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, names=NAMES, look=look)


def said(folder: Path, text: str) -> list[str]:
    """Return what is wrong with the retrievals of a suite."""
    try:
        read(folder, DEFAULTS + text + CASE)
    except SuiteError as error:
        return [problem.what for problem in error.problems]
    return []


def cells(suite: Suite) -> dict[str, Cell]:
    """Return the cells of a suite by their retrieval."""
    made = expand(
        suite,
        models={name: ModelSpec(name=name, backend="scripted", location="") for name in NAMES.models},
        profiles={"greedy": SamplingProfile(name="greedy")},
        templates={"plain": Template(name="plain", text="{{ rag_context }}{{ query }}")},
    )
    return {cell.retrieval.name: cell for cell in made}


def test_a_named_retrieval_begins_with_what_all_have(tmp_path: Path) -> None:
    """Its own keys go first; those that need no table have nothing else."""
    given = "[retrieval]\ntop_k = 9\nbudget_tokens = 50\n[retrievals.few]\ntop_k = 1\n"
    suite = read(tmp_path, DEFAULTS + given + CASE)
    few, oracle = suite.retrievals["few"], suite.retrievals["oracle"]
    assert (few.top_k, few.budget_tokens, few.retriever) == (1, 50, "bm25")
    assert (oracle.top_k, oracle.budget_tokens, oracle.retriever) == (9, 50, "oracle")


@pytest.mark.parametrize("base", ["", 'retriever = "bm25"\n', 'retriever = "hybrid"\nembedder = "minilm"\n'])
@pytest.mark.parametrize("name", ["none", "bm25", "vector", "hybrid", "oracle", "theirs"])
def test_what_has_the_name_of_a_retriever_is_that_one(tmp_path: Path, base: str, name: str) -> None:
    """Whatever the others begin with: a report that says `vector` means it."""
    embedder = 'embedder = "minilm"\n' if name in ("vector", "hybrid") else "top_k = 2\n"
    suite = read(tmp_path, f"{DEFAULTS}[retrieval]\n{base}[retrievals.{name}]\n{embedder}{CASE}")
    assert suite.retrievals[name].retriever == name


def test_a_model_is_needed_only_where_it_is_asked(tmp_path: Path) -> None:
    """What all begin with may be for some: words alone need no embedder, and what is known no reranker."""
    given = '[retrieval]\nembedder = "minilm"\nreranker = "onnx"\nreranker_model = "pocket"\n'
    named = '[retrievals.both]\nretriever = "hybrid"\n[retrievals.late]\nretriever = "bm25"\n'
    suite = read(tmp_path, DEFAULTS + ALL + given + named + CASE)
    asked = {name: (len(each.embedders), len(each.rerankers)) for name, each in cells(suite).items()}
    assert asked == {"none": (0, 0), "oracle": (0, 0), "bm25": (1, 1), "both": (1, 1), "late": (1, 1)}
    plain = given.partition("reranker")[0] + named + "near_duplicate = 0.9\n"
    asked = {
        name: (len(each.embedders), len(each.rerankers))
        for name, each in cells(read(tmp_path, DEFAULTS + ALL + plain + CASE)).items()
    }
    assert asked == {"none": (0, 0), "oracle": (0, 0), "bm25": (0, 0), "both": (1, 0), "late": (1, 0)}


def test_what_is_read_after_nothing_is_read_once(tmp_path: Path) -> None:
    """No template shows it passages, so that other retrievals would be the same."""
    reading = '[[case]]\nid = "r"\ncontinuation = "x"\nchecks = [{scorer = "likelihood"}]\n'
    named = '[retrievals.both]\nretriever = "bm25"\n[retrievals.late]\nretriever = "bm25"\n'
    assert list(cells(read(tmp_path, DEFAULTS + ALL + named + reading))) == ["none"]


def test_a_case_that_asks_for_passages_alone_takes_no_models_from_defaults_and_names_none(
    tmp_path: Path,
) -> None:
    """What it names itself would be asked of nobody."""
    alone = (
        '[[case]]\nid = "a"\nkind = "retrieval"\nprompt = "Q?"\nrelevant = ["d"]\n'
        'documents = [{ text = "x" }]\nchecks = [{ scorer = "contains", text = "x" }]\n'
    )
    problems = []
    for named in ("", 'models = ["pocket"]\n', 'templates = ["plain"]\n'):
        try:
            read(tmp_path, DEFAULTS + alone + named)
        except SuiteError as error:
            problems.append([problem.what for problem in error.problems])
    others, of_models, of_templates = problems
    assert of_models == [
        *others,
        'case "a": a case that asks for passages alone has no models; leave them out',
    ]
    assert of_templates == [*others, of_models[-1].replace("models", "templates")]


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ('[retrieval]\nretriever = "vector"\n', "needs an embedder"),
        ('[retrieval]\nembedder = "pocket"\n', 'the model "pocket" makes no vectors; minilm do'),
        ('[retrieval]\nembedder = "minilmm"\n', 'did you mean "minilm"?'),
        ('[retrievals.none]\nretriever = "bm25"\n', '"none" is the name of a retriever'),
        ('[retrievals.x]\nalpha = 0.5\n', 'alpha is for retriever = "hybrid", and this one is "bm25"'),
        ('[retrievals.x]\ngold_at = 0.5\n', 'gold_at is for retriever = "oracle", and this one is "bm25"'),
        ('[retrievals.oracle]\nnear_duplicate = 0.9\n', 'near_duplicate is for retriever = "bm25" or'),
        ('[retrievals.theirs]\nreranker = "engine"\n', 'and this one is "theirs"'),
        ('[retrievals.theirs]\nmemory = "m.db"\n', "memory is for retriever ="),
        ('[retrievals.x]\nmin_cosine = 0.5\n', "min_cosine needs an embedder"),
        ('[retrievals.x]\nreranker = "maxism"\n', 'did you mean "maxsim"?'),
        ('[retrievals.x]\nreranker = "maxsim"\n', "and needs an embedder"),
        ('[retrievals.x]\nreranker = "onnx"\n', "needs a reranker_model"),
        ('[retrievals.x]\nreranker = "engine"\nreranker_model = "poket"\n', 'did you mean "pocket"?'),
        ('[retrievals."a/b"]\ntop_k = 1\n', "cannot be a name"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_once_and_with_the_way_out(tmp_path: Path, given: str, what: str) -> None:
    """At the key, before anything runs."""
    (problem,) = said(tmp_path, given)
    assert what in problem
