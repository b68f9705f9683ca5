"""How a task becomes a suite: what is carried over as a template, and what is rendered into columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Literal, cast

import pytest

from gemma_eval import plugins
from gemma_eval.importers.data import Columns
from gemma_eval.importers.lm_eval import checks
from gemma_eval.importers.lm_eval.convert import Wanted
from gemma_eval.importers.lm_eval.fields import UnfitTask
from gemma_eval.importers.lm_eval.shots import Draw
from gemma_eval.importers.written import write
from gemma_eval.records import Case
from gemma_eval.scoring.filters import filter_names
from gemma_eval.suite import load_suite
from tests.importers.imported import CHOOSING, READING, ROWS, WRITING, imported, task, write_rows

REGISTRY = plugins.load()


def case(path: Path, wanted: Wanted | None = None) -> Mapping[str, Any]:
    """Return the first case of the suite of a task."""
    cases: Any = imported(path, wanted).suite["case"]
    return dict(cases[0])


def rows_of(path: Path, wanted: Wanted | None = None) -> Sequence[Mapping[str, object]]:
    """Return the rows of the suite of a task."""
    (rows,) = imported(path, wanted).rows.values()
    return rows


def cases(path: Path, wanted: Wanted | None = None) -> list[Case]:
    """Return the cases that the suite of a task has when it is loaded."""
    made, *_ = write(imported(path, wanted), path.parent / "out", replaces=True)
    _, cells = load_suite(made, REGISTRY)
    return [cell.case for cell in cells]


def test_templates_are_carried_over_and_only_their_columns_are_kept(tmp_path: Path) -> None:
    """A reader of the suite sees what is asked; a column that nothing reads is left out."""
    made = case(task(tmp_path, CHOOSING))
    assert made["prompt"] == "Where does {{name}} live?"
    assert (made["choices"], made["target"], made["delimiter"]) == (["Oslo", "Rome"], "{{ label }}", " ")
    assert rows_of(task(tmp_path, CHOOSING)) == [{"name": "Finn", "label": 0}, {"name": "Ada", "label": 1}]


def test_with_a_chat_template_nothing_stands_before_a_choice(tmp_path: Path) -> None:
    """As there: the markup of the chat stands between question and choice."""
    assert "delimiter" not in case(task(tmp_path, CHOOSING), Wanted(chat=True))


def test_a_column_that_no_template_can_name_is_rendered(tmp_path: Path) -> None:
    """As is one that is called like a word of the language."""
    text = CHOOSING.replace('"Where does {{name}} live?"', "the question").replace("label", "the label")
    rows = [{"the question": "Where?", "the label": 1}]
    made = case(task(tmp_path, text, rows=rows))
    assert (made["prompt"], made["target"]) == ("{{ prompt }}", "{{ target }}")
    assert rows_of(task(tmp_path, text, rows=rows)) == [{"prompt": "Where?", "target": 1}]


def test_a_made_column_has_a_name_of_its_own(tmp_path: Path) -> None:
    """Also where a column of the rows has that name."""
    text = WRITING.replace("{{name}}", "{{reference}}").replace("{{city}}", "{{name}}")
    found = rows_of(task(tmp_path, text, rows=[{"reference": "Finn", "name": "Oslo"}]))
    assert found == [{"reference": "Finn", "reference_": "Oslo"}]


def test_an_index_that_could_be_another_choice_is_said_by_the_choice(tmp_path: Path) -> None:
    """Choices that are numbers or letters: the suite means by a text the choice of that text."""
    text = CHOOSING.replace('["Oslo", "Rome"]', '["2", "1", "0"]')
    path = task(tmp_path, text, rows=[{"name": "Finn", "label": 0}, {"name": "Ada", "label": 1}])
    assert [each.target for each in cases(path)] == [0, 1]
    assert [row["target"] for row in rows_of(path)] == ["2", 1]


def test_choices_that_differ_in_number_are_loaded(tmp_path: Path) -> None:
    """Each row has its own, and two of them may be alike."""
    text = CHOOSING.replace('["Oslo", "Rome"]', '"{{cities}}"')
    rows = [
        {"name": "Finn", "cities": ["a", "b", "a"], "label": 1},
        {"name": "Al", "cities": ["c", "d"], "label": 0},
    ]
    found = cases(task(tmp_path, text, rows=rows))
    assert [(each.choices, each.target) for each in found] == [(("a", "b", "a"), 1), (("c", "d"), 0)]


def test_a_text_that_python_would_read_as_a_list_is_one(tmp_path: Path) -> None:
    """Templates there make texts, which are read as Python's literals; here without running any."""
    text = CHOOSING.replace('["Oslo", "Rome"]', "\"['{{name}}', 'Rome']\"")
    found = cases(task(tmp_path, text))
    assert [each.choices for each in found] == [("Finn", "Rome"), ("Ada", "Rome")]
    text = WRITING.replace('"{{city}}"', "\"['{{city}}', 'x']\"")
    assert rows_of(task(tmp_path, text))[0]["reference"] == ["Oslo", "x"]
    text = WRITING.replace('"{{city}}"', '"[{{city}}]"')
    assert rows_of(task(tmp_path, text))[0]["reference"] == "[Oslo]"


def test_a_target_that_is_a_choice_of_a_generating_task(tmp_path: Path) -> None:
    """With doc_to_choice the target is an index there."""
    text = WRITING.replace('"{{city}}"', "label") + 'doc_to_choice: ["Oslo", "Rome"]\n'
    assert [row["reference"] for row in rows_of(task(tmp_path, text))] == ["Oslo", "Rome"]


def test_a_prefix_of_the_answer_stands_at_the_end_of_the_prompt(tmp_path: Path) -> None:
    """With the delimiter before it where neither has space, and in the examples as well."""
    text = WRITING + 'gen_prefix: "{{name}} lives in"\nfewshot_split: train\nnum_fewshot: 1\n'
    path = task(tmp_path, text)
    wanted = Wanted(data={"train": write_rows(tmp_path / "train.jsonl", ROWS[:1])})
    assert case(path, wanted)["prompt"] == "{{ prompt }}"
    shot = "Where does Finn live? Finn lives in Oslo\n\n"
    assert [row["prompt"] for row in rows_of(path, wanted)] == [
        f"{shot}Where does Finn live? Finn lives in",
        f"{shot}Where does Ada live? Ada lives in",
    ]


def test_examples_that_are_the_same_for_all_stand_in_the_template(tmp_path: Path) -> None:
    """Braces of theirs are no templates."""
    samples = "samples: [{name: '{{ x }}', city: '{% y'}]"
    text = WRITING + f"num_fewshot: 1\nfewshot_config: {{sampler: first_n, {samples}}}\n"
    path = task(tmp_path, text)
    assert 'Where does {{ "{{" }} x }} live?' in case(path)["prompt"]
    assert cases(path)[0].messages[-1].content == ("Where does {{ x }} live? {% y\n\nWhere does Finn live?")


def test_a_vote_is_a_case_of_its_own(tmp_path: Path) -> None:
    """What is scored answer by answer is asked once, and each number of voters with so many repeats."""
    pipelines = """\
filter_list:
  - name: first
    filter: [{function: lowercase}, {function: take_first}]
  - name: vote-3
    filter:
      - {function: take_first_k, k: 3}
      - {function: lowercase}
      - {function: majority_vote}
      - {function: take_first}
repeats: 5
"""
    text = WRITING.replace('{until: ["\\n"]}', "{do_sample: true, temperature: 0.7, top_p: 0.9}") + pipelines
    made: Any = imported(task(tmp_path, text)).suite["case"]
    first, vote = made
    assert (first["id"], "repeats" in first) == ("home", False)
    assert (vote["id"], vote["repeats"], vote["reduce"]) == ("home-3", 3, "majority")
    assert imported(task(tmp_path, text)).profiles["home"] == {
        "temperature": 0.7,
        "top_p": 0.9,
        "max_tokens": 256,
        "stop": ["\n\n"],
    }
    found = cases(task(tmp_path, text))
    assert {each.reduce: each.repeats for each in found} == {"mean": 1, "majority": 3}


def test_a_pipeline_cannot_take_the_name_of_a_filter(tmp_path: Path) -> None:
    """A suite would mean the filter by it; the names here are those that there are."""
    assert frozenset(filter_names()) == checks.FILTERS
    text = WRITING + "filter_list: [{name: lower, filter: [{function: uppercase}, {function: take_first}]}]\n"
    made = imported(task(tmp_path, text)).suite
    assert made["filters"] == {"lower-pipeline": ["upper"]}


def test_a_pipeline_that_reads_a_row_is_written_into_its_check(tmp_path: Path) -> None:
    """One of [filters] is the same for all rows; what looks like a template in it stays what it is."""
    pipelines = """\
filter_list:
  - name: chosen
    filter:
      - {function: map, mapping_dict: {"{{ name }}": "{# no"}, default_value: "{% if"}
      - {function: multi_choice_regex, regex_pattern: "[{#]x|{{ choices }}", regexes_to_ignore: ["{{", ""]}
      - {function: take_first}
"""
    rows: list[dict[str, object]] = [{**row, "choices": [row["city"], "{{ name }}", ""]} for row in ROWS]
    path = task(tmp_path, WRITING + pipelines, rows=rows)
    assert "filters" not in imported(path).suite
    assert [row["choices"] for row in rows_of(path)] == [row["choices"] for row in rows]
    for row, found in zip(rows, cases(path), strict=True):
        ((mapped, chosen),) = [check.filters for check in found.checks]
        assert mapped.options == {"from": ("{{ name }}",), "to": ("{# no",), "fallback": "{% if"}
        assert chosen.options == {
            "pattern": "[{#]x|{{ choices }}",
            "choices": tuple(cast("list[str]", row["choices"])),
            "regexes_to_ignore": ("{{",),
            "fallback": "[invalid]",
        }


def test_an_expression_that_looks_like_a_template_means_itself(tmp_path: Path) -> None:
    """In a check over rows a text is a template, and a name within would be filled."""
    metrics = 'metric_list: [{metric: exact_match, regexes_to_ignore: ["{{ name }}"]}]\n'
    for found in cases(task(tmp_path, WRITING + metrics)):
        (check,) = found.checks
        assert check.options["regexes_to_ignore"] == ("{{ name }}",)


def test_every_scorer_that_an_import_names_exists() -> None:
    """Under each output type."""
    named = {scorer for metrics in checks.SCORERS.values() for scorer, _ in metrics.values()}
    assert named <= set(REGISTRY.scorers)


def test_a_figure_of_all_rows_is_carried_over_with_a_note(tmp_path: Path) -> None:
    """What differs is said to who imports, and stands in the suite."""
    made = imported(task(tmp_path, CHOOSING + "metric_list: [{metric: mcc}]\n"))
    assert made.notes == (
        "mcc is a figure of all rows together; the suite has acc for each row, with the choice that was made",
    )
    brier = case(task(tmp_path, CHOOSING + "metric_list: [{metric: brier_score}, {metric: acc_bytes}]\n"))
    assert [check["scorer"] for check in brier["check"]] == ["brier", "acc_bytes"]


def test_rows_of_csv_and_a_limit(tmp_path: Path) -> None:
    """Columns of numbers are numbers; only the first rows are taken."""
    path = task(tmp_path, CHOOSING)
    (tmp_path / "rows.csv").write_text("name,label\nFinn,0\nAda,1\nAl,1\n")
    wanted = Wanted(data={"": tmp_path / "rows.csv"}, limit=2)
    assert rows_of(path, wanted) == [{"name": "Finn", "label": 0}, {"name": "Ada", "label": 1}]


def chance_of(seed: int) -> Random:
    """Return the generator that both begin with."""
    return Random(seed)  # noqa: S311 - the same draws as theirs, and no secret


POOL: list[Columns] = [{"n": n % 3} for n in range(8)]


@pytest.mark.parametrize("seed", range(20))
def test_no_row_is_its_own_example_and_the_draws_are_those_of_there(seed: int) -> None:
    """The independent implementation is the sampler of there, written anew from its description.

    It draws one more than is wanted, takes the row out, and draws again of the others when too few are left.
    """
    draw = Draw(pool=POOL, sampler="default", random=chance_of(seed), excludes_asked=True)
    chance = chance_of(seed)
    for asked in POOL:
        first = [doc for doc in chance.sample(POOL, 4) if doc != asked]
        others = [doc for doc in POOL if doc != asked]
        wanted = first[:3] if len(first) >= 3 else chance.sample(others, 3)
        assert draw.examples(3, asked) == wanted


def test_too_few_examples_are_the_task_s_fault() -> None:
    """Whichever way they are drawn."""
    samplers: tuple[Literal["default", "first_n"], ...] = ("default", "first_n")
    for sampler in samplers:
        draw = Draw(pool=POOL[:2], sampler=sampler, random=chance_of(0), excludes_asked=False)
        with pytest.raises(UnfitTask, match="is 3, and there are 2 examples"):
            draw.examples(3, {})
    draw = Draw(pool=[{"n": 0}] * 5, sampler="default", random=chance_of(0), excludes_asked=True)
    with pytest.raises(UnfitTask, match="is 3, and there are 0 other examples"):
        draw.examples(3, {"n": 0})


def test_a_text_that_is_read_alone_has_no_prompt(tmp_path: Path) -> None:
    """Whatever the task says of one; its three metrics are figures of one check, said once."""
    text = READING.replace(
        'doc_to_text: ""', 'doc_to_text: "Read: {{text}}"\ndescription: Texts.\nnum_fewshot: 3'
    )
    path = task(tmp_path, text, rows=[{"text": "{{ Ada }} \n", "meta": 1}, {"text": "Finn"}])
    made = imported(path)
    assert case(path) == {
        "id": "home",
        "continuation": "{{ text }}",
        "dataset": "data/home.jsonl",
        "check": [{"scorer": "bits_per_byte"}],
    }
    assert rows_of(path) == [{"text": "{{ Ada }} \n"}, {"text": "Finn"}]
    assert [len(made.notes), made.notes[0].partition(" there are ")[2]] == [
        1,
        "of all texts together; a report has them under Corpus, and the score is of each text",
    ]
    assert [(each.messages, each.continuation) for each in cases(path)] == [
        ((), "{{ Ada }} \n"),
        ((), "Finn"),
    ]
