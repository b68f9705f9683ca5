"""What of a task cannot be carried over is named with its line, all of it at once, and nothing is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gemma_eval.errors import UsageError
from gemma_eval.importers.lm_eval.convert import Wanted
from tests.importers.imported import CHOOSING, READING, ROWS, WRITING, imported, refused, task, write_rows

NEXT_OF_CHOOSING = CHOOSING.count("\n") + 1
NEXT_OF_WRITING = WRITING.count("\n") + 1
"""The line on which a test adds its own."""


def added(folder: Path, base: str, more: str) -> list[str]:
    """Return what is said of a task with more lines, without the name of the file."""
    return [line.removeprefix("task.yaml:") for line in refused(task(folder, base + more))]


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ("class: !function utils.Task\n", '"!function utils.Task" is Python code of the task'),
        ("class: utils.Task\n", "a class is Python code of the task, and an import runs none"),
        ("process_docs: utils.f\n", "process_docs is Python code of the task"),
        ("process_results: utils.f\n", "process_results is Python code of the task"),
        ("custom_dataset: utils.f\n", "custom_dataset is Python code of the task"),
        ("unsafe_code: true\n", "unsafe_code runs what the model writes"),
        ("doc_to_image: image\n", "doc_to_image is not carried over: prompts are texts"),
        ("use_prompt: promptsource:x\n", "use_prompt names a prompt of another package"),
        ("group: homes\n", "a group has no prompts of its own; import the files of its tasks"),
        ("task_list: [{task: a}]\n", "task_list holds several tasks"),
        ("num_few_shot: 3\n", 'unknown key "num_few_shot"; did you mean "num_fewshot"?'),
        ("num_fewshot: many\n", 'num_fewshot is "many"; it should be a whole number'),
        (
            "fewshot_config: {sampler: balanced}\n",
            'fewshot_config.sampler is "balanced"; it should be "default"',
        ),
        ("fewshot_config: {fewshot_indices: [1]}\n", 'unknown key "fewshot_indices"'),
        ("metric_list: [{metric: acc, hf_evaluate: true}]\n", "hf_evaluate is true, and is not carried over"),
        ("metric_list: [{metric: rouge1}]\n", 'metric "rouge1" of multiple_choice is not carried over'),
        ("metric_list: [{aggregation: mean}]\n", "an entry of metric_list needs a metric"),
        (
            "metric_list: [{metric: acc, aggregation: nanmean}]\n",
            'aggregation "nanmean" of acc is not carried',
        ),
        ("metric_list: [{metric: acc, aggregation: f1}]\n", 'aggregation "f1" of acc is not carried over'),
        ("repeats: 0\n", "repeats is 0; it should be at least 1"),
        (
            "filter_list: [{name: x, filter: [{function: lowercase}, {function: take_first}]}]\n",
            "filter_list has filters of a text, and multiple_choice writes none",
        ),
    ],
)
def test_what_a_task_of_choices_cannot_carry_over(tmp_path: Path, more: str, what: str) -> None:
    """Each with its own reason."""
    (found,) = added(tmp_path, CHOOSING, more)
    assert found.startswith(f"{NEXT_OF_CHOOSING}: ")
    assert what in found


TAKE_FIRST = "filter: [{function: take_first}]"


def step(**options: object) -> str:
    """Return a pipeline of one function and take_first."""
    inner = ", ".join(f"{key}: {value}" for key, value in options.items())
    return f"filter_list: [{{name: x, filter: [{{{inner}}}, {{function: take_first}}]}}]\n"


@pytest.mark.parametrize(
    ("more", "what"),
    [
        (step(function="custom", k=1), "the filter custom runs Python code of the task"),
        (step(function="regex_pos"), "makes a list of tags, which no metric that is carried over compares"),
        (step(function="format_span"), "makes a list of entities for a metric in Python of the task"),
        (step(function="multi_choice_regex"), "reads a column choices, and the rows have none"),
        (step(function="multi_choice_regex", group_select=1), "group_select is 1; 0, the first match, or -1"),
        (step(function="multi_choice_regex", regex_pattern="'(?!x)y'"), "RE2 has no lookaround"),
        (
            step(function="multi_choice_regex", regexes_to_ignore="['(?=x)']"),
            'regexes_to_ignore: "(?=x)" is no RE2 expression',
        ),
        (step(function="lower_case"), 'no filter named "lower_case"; did you mean "lowercase"?'),
        (step(function="regex", group_select=2), "group_select is 2; 0, the first match, or -1, the last"),
        (step(function="regex", regex_pattern="'(a'"), 'regex_pattern "(a" is no RE2 expression: missing )'),
        (step(function="regex", regex_pattern="'(?!x)y'"), "RE2 has no lookaround"),
        (step(function="regex", regex_pattern="'" + "[" * 20_000 + "'"), "is longer than 10,000 characters"),
        (step(function="map", mapping_dict="{a: b}"), "map needs a mapping_dict of texts"),
        ("filter_list: []\n", "filter_list is empty"),
        ("filter_list: [{name: x}]\n", "a pipeline needs a name and a list of functions"),
        ("filter_list: [{name: x, filter: [{function: lowercase}]}]\n", "keeps several answers; end it with"),
        (
            "filter_list: [{name: x, filter: [{function: take_first}, {function: lowercase}]}]\n",
            "lowercase comes after take_first",
        ),
        (
            "filter_list: [{name: x, filter: [{function: take_first_k, k: 9}, {function: majority_vote}]}]\n",
            "take_first_k takes 9 answers, and repeats is 1",
        ),
        (
            f"filter_list: [{{name: a b, {TAKE_FIRST}}}, {{name: a-b, {TAKE_FIRST}}}]\n",
            "two pipelines of one name",
        ),
        (
            "metric_list: [{metric: exact_match, regexes_to_ignore: ['(?=x)']}]\n",
            'regexes_to_ignore: "(?=x)" is no RE2 expression',
        ),
        ("metric_list: [{metric: acc}]\n", 'metric "acc" of generate_until is not carried over'),
    ],
)
def test_what_a_task_that_generates_cannot_carry_over(tmp_path: Path, more: str, what: str) -> None:
    """Filters and metrics."""
    (found,) = added(tmp_path, WRITING, more)
    assert found.startswith(f"{NEXT_OF_WRITING}: ")
    assert what in found


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ("{until: ['']}", "until has an empty text, which would stop every answer at once"),
        ("{until: 3}", "until is 3; it should be a text or a list of texts"),
        ("{do_sample: true}", "do_sample is true, and needs a temperature above 0"),
        ("{do_sample: true, temperature: 0}", "temperature 0 leaves nothing to draw"),
        ("{temperature: -1}", "temperature is -1; it should be at least 0"),
        ("{num_beams: 4}", 'unknown key "num_beams"'),
    ],
)
def test_what_of_the_sampling_cannot_be_carried_over(tmp_path: Path, given: str, what: str) -> None:
    """Nothing is left out in silence."""
    text = WRITING.replace('{until: ["\\n"]}', given)
    (found,) = refused(task(tmp_path, text))
    assert found.startswith(f"task.yaml:{NEXT_OF_WRITING - 1}: ")
    assert what in found


def test_everything_is_told_at_once(tmp_path: Path) -> None:
    """In the order of the lines."""
    found = added(tmp_path, CHOOSING, "unsafe_code: true\nmetric_list: [{metric: x}]\nnum_fewshot: -1\n")
    assert [line.partition(":")[0] for line in found] == [
        "9",
        "11",
    ]  # a wrong key stops before metrics are read
    more = "metric_list: [{metric: x}]\nfilter_list: []\nfewshot_split: train\nnum_fewshot: 9\n"
    assert [line.partition(":")[0] for line in added(tmp_path, CHOOSING, more)] == ["9", "10", "12"]


def test_what_a_task_of_texts_that_are_read_alone_cannot_carry_over(tmp_path: Path) -> None:
    """Another metric, a text that is none, and examples that would stand before it."""
    rolling = READING + "metric_list: [{metric: bits_per_byte, aggregation: weighted_perplexity}]\n"
    (found,) = refused(task(tmp_path, rolling))
    assert 'aggregation "weighted_perplexity" of bits_per_byte is not carried over' in found
    (found,) = refused(task(tmp_path, READING + "metric_list: [{metric: acc}]\n"))
    assert 'metric "acc" of loglikelihood_rolling is not carried over' in found
    rows: list[dict[str, object]] = [{"text": "Ada"}, {"text": " "}, {"text": 7}]
    blank, number = refused(task(tmp_path, READING, rows=rows))
    assert blank == 'rows.jsonl:2: doc_to_target makes " "; it should make a text that is not empty'
    assert number == "rows.jsonl:3: doc_to_target makes 7; it should make a text that is not empty"
    with pytest.raises(UsageError, match=r"reads each text after nothing.*leave --num-fewshot out"):
        imported(task(tmp_path, READING), Wanted(n_shots=2))


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("task: home", "tag: x", "has no task; a task file names it"),
        ("test_split: test", "tag: x", "names neither test_split nor validation_split"),
        ('doc_to_text: "Where does {{name}} live?"', "tag: x", "needs doc_to_text"),
        ("doc_to_target: label", "tag: x", "needs doc_to_target"),
        ("output_type: multiple_choice", "output_type: choose", 'output_type is "choose"; it should be'),
        ("task: home", "task: [a, b]", "a group has no prompts of its own"),
    ],
)
def test_what_is_missing_is_told(tmp_path: Path, old: str, new: str, what: str) -> None:
    """A task without it cannot be asked."""
    assert what in "\n".join(refused(task(tmp_path, CHOOSING.replace(old, new))))


HOSTILE = {
    "attribute": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals": "{{ cycler.__init__.__globals__.os.popen('touch hacked').read() }}",
    "request": "{{ request.application.__globals__ }}",
    "format": "{{ '{0.__class__}'.format(name) }}",
    "attr": "{{ name|attr('__class__') }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}{{ os }}",
    "loop": "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    "memory": "{{ 'x' * 10**10 }}",
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
}


@pytest.mark.parametrize("template", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("key", ["doc_to_text", "doc_to_target", "doc_to_choice", "description"])
def test_a_hostile_template_is_one_problem_with_its_line(
    tmp_path: Path, key: str, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is rendered in the sandbox alone, and does nothing there."""
    monkeypatch.chdir(tmp_path)
    kept = "".join(line + "\n" for line in CHOOSING.splitlines() if not line.startswith(f"{key}:"))
    (found,) = refused(task(tmp_path, f"{kept}{key}: {_quoted(template)}\n"))
    line = kept.count("\n") + 1
    assert found.startswith(
        (f"task.yaml:{line}: {key} cannot be rendered", f"task.yaml:{line}: {key} is not a")
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl", "task.yaml"]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


TEXT, CHOICES, TARGET = '"Where does {{name}} live?"', '["Oslo", "Rome"]', "label\n"


@pytest.mark.parametrize(
    ("old", "new", "rows", "what"),
    [
        (
            "",
            "",
            [{"name": "Finn", "label": 2}],
            "rows.jsonl:1: doc_to_target makes 2, and there are 2 choices",
        ),
        ("", "", [*ROWS, {"name": "Al", "label": -1}], "rows.jsonl:3: doc_to_target makes -1"),
        ("", "", [{"name": "Finn", "label": [0, 1]}], "several right choices are not carried over"),
        ("", "", [{"name": "Finn", "label": None}], "doc_to_target makes null, and there are 2 choices"),
        (TARGET, '"{{labels}}"\n', ROWS, 'unknown variable "labels"; did you mean "label"?'),
        (
            TARGET,
            '"{{label"\n',
            ROWS,
            "task.yaml:8: doc_to_target cannot be rendered: line 1: unexpected end",
        ),
        (TARGET, '"{{label}"\n', ROWS, "task.yaml:8: doc_to_target is not a Jinja template"),
        (TARGET, f'"{"x" * 70_000}"\n', ROWS, "is not a Jinja template: it is longer than 65,536 characters"),
        (TARGET, '"{{name}}"\n', [{"name": "²"}], 'doc_to_target makes "²", which is no index'),
        (TARGET, '"{{name}}"\n', [{"name": "9" * 5000}], "which is no index"),
        (TEXT, "label", ROWS, "rows.jsonl:1: doc_to_text is 0, and not a text"),
        (TEXT, '"{{label}}"', ROWS, "stands for one of several inputs"),
        (TEXT, "3", ROWS, "doc_to_text is a number, which stands for several inputs"),
        (TEXT, '" "', ROWS, "doc_to_text makes an empty prompt"),
        (CHOICES, '"{{[name]}}"', ROWS, "it should make at least two choices"),
        (CHOICES, '"{{name}}"', ROWS, "it should make a list of texts, none of them empty"),
        (CHOICES, "name", ROWS, 'doc_to_choice makes "Finn"; it should make a list of texts'),
        (CHOICES, "[1, 2]", ROWS, "should be a list of texts; put each in quotes"),
        (CHOICES, "\"{{[name, '']}}\"", ROWS, "none of them empty"),
        (
            CHOICES,
            '["3", "x", "y", "x"]',
            [{"name": "Finn", "label": 1}, {"name": "Finn", "label": 3}],
            "rows.jsonl:2: doc_to_target means choice 3",
        ),
    ],
)
def test_a_row_that_cannot_be_asked_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, rows: Sequence[Mapping[str, object]], what: str
) -> None:
    """Of the data file, or of the task file where every row would have it."""
    found = refused(task(tmp_path, CHOOSING.replace(old, new), rows=rows))
    assert what in found[0]


@pytest.mark.parametrize(
    ("choices", "what"),
    [
        ("Oslo", 'which is "Oslo"; it should be a list of texts'),
        ({"text": ["Oslo"]}, "it should be a list of texts"),
        ([], "which is []; it should be a list of texts"),
        (["Oslo", 1], "it should be a list of texts"),
        (["x"] * 27, "which has 27 texts for 26 letters"),
    ],
)
def test_a_row_without_choices_for_the_filter_that_reads_them_is_named(
    tmp_path: Path, choices: object, what: str
) -> None:
    """With its line."""
    rows: list[dict[str, object]] = [{**ROWS[0], "choices": ["Oslo"]}, {**ROWS[1], "choices": choices}]
    (found,) = refused(task(tmp_path, WRITING + step(function="multi_choice_regex"), rows=rows))
    assert found.startswith("rows.jsonl:2: filter_list reads the column choices, ")
    assert what in found


def test_many_wrong_rows_are_not_all_told(tmp_path: Path) -> None:
    """Ten, each with its line; the same thing in many rows once."""
    rows = [{"name": "Finn", "label": n} for n in range(2, 40)]
    assert len(refused(task(tmp_path, CHOOSING, rows=rows))) == 10
    same = [{"name": "Finn", "label": 7}] * 40
    assert len(refused(task(tmp_path, CHOOSING, rows=same))) == 1


def test_a_data_set_of_the_hub_needs_a_file(tmp_path: Path) -> None:
    """Nothing is fetched; the message has the option that helps."""
    text = CHOOSING.replace("dataset_path: json", "dataset_path: owner/homes").replace(
        "dataset_kwargs: {data_files: {test: rows.jsonl}}\n", ""
    )
    path = task(tmp_path, text)
    (found,) = refused(path)
    assert found == (
        'task.yaml:2: the rows of "owner/homes" are elsewhere, and nothing is fetched; give the file of the '
        'split "test" for the questions: --data test=FILE'
    )
    assert imported(path, Wanted(data={"": tmp_path / "rows.jsonl"})).rows
    assert imported(path, Wanted(data={"test": tmp_path / "rows.jsonl"})).rows


@pytest.mark.parametrize("name", ["../rows.jsonl", "/etc/passwd", "link.jsonl", "https://host/rows.jsonl"])
def test_a_task_names_files_of_its_folder_alone(tmp_path: Path, name: str) -> None:
    """Neither a path nor a link leads out; what is no file of it is missing."""
    folder = tmp_path / "tasks"
    path = task_in(folder, CHOOSING.replace("rows.jsonl", name))
    write_rows(tmp_path / "rows.jsonl")
    (folder / "link.jsonl").symlink_to(tmp_path / "rows.jsonl")
    assert any("is no file inside of" in line or "is no file" in line for line in refused(path))


def task_in(folder: Path, text: str) -> Path:
    """Write a task file into a folder of its own."""
    folder.mkdir()
    return task(folder, text)


def test_a_split_that_the_task_has_not_is_refused(tmp_path: Path) -> None:
    """A misspelt one would leave its file unread."""
    path = task(tmp_path, CHOOSING)
    with pytest.raises(UsageError, match='the task has no split "tset"; did you mean "test"'):
        imported(path, Wanted(data={"tset": tmp_path / "rows.jsonl"}))


def test_examples_need_rows_of_their_own(tmp_path: Path) -> None:
    """And enough of them."""
    text = CHOOSING + "fewshot_split: train\nnum_fewshot: 3\n"
    path = task(tmp_path, text)
    (found,) = refused(path)
    assert 'needs the file of the split "train" for its examples' in found
    few = write_rows(tmp_path / "train.jsonl")
    (found,) = refused(path, Wanted(data={"train": few}))
    assert found == "task.yaml:10: num_fewshot is 3, and there are 2 examples"


def test_a_task_that_means_no_examples_has_none(tmp_path: Path) -> None:
    """As there: an explicit 0 is not overridden."""
    path = task(tmp_path, CHOOSING + "num_fewshot: 0\n")
    with pytest.raises(UsageError, match="num_fewshot is 0, and the task means it"):
        imported(path, Wanted(n_shots=2))
    assert imported(path, Wanted(n_shots=0)).rows
