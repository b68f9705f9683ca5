"""What a suite is refused for once the scorers, filters and models that it names are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemma_eval import plugins
from gemma_eval.errors import SuiteError
from gemma_eval.suite import load_suite

HEAD = '[defaults]\nmodels = ["pocket"]\nprofiles = ["greedy"]\ntemplates = ["plain"]\n'
MODELS = 'version = 1\n[model.minilm]\nbackend = "sentence_bert"\nlocation = "minilm"\n'


def said(folder: Path, check: str, *, head: str = "") -> str:
    """Return what is wrong with a suite of one check, nothing when it is good."""
    path = folder / "s.toml"
    path.write_text(f'{HEAD}{head}[[case]]\nid = "a"\nprompt = "Hi?"\nchecks = [{{{check}}}]\n')
    (folder / "models.toml").write_text(MODELS)
    try:
        load_suite(path, plugins.load())
    except SuiteError as error:
        return str(error)
    return ""


def test_similarity_needs_a_model_that_makes_vectors(tmp_path: Path) -> None:
    """Else every answer would be made, and none scored."""
    check = 'scorer = "similarity", reference = "x", embedder = '
    assert '"numpy_gemma", which makes no vectors' in said(tmp_path, f'{check}"pocket"')
    assert said(tmp_path, f'{check}"minilm"') == ""


@pytest.mark.parametrize("name", ["self_bleu", "determinism"])
def test_a_scorer_of_several_answers_is_refused_where_there_is_one(tmp_path: Path, name: str) -> None:
    """By what the scorer itself says that it needs."""
    assert "give repeats = 2" in said(tmp_path, f'scorer = "{name}"')


def test_a_pipeline_may_not_have_the_name_of_a_filter(tmp_path: Path) -> None:
    """By the filters that there are."""
    head = '[filters]\nlower = ["strip"]\n'
    assert '"lower" has the name of a filter' in said(tmp_path, 'scorer = "equals", text = "x"', head=head)
