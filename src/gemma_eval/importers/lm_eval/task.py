"""What a task file of lm-evaluation-harness may say: a row for each of its tables, and what is refused.

Source: EleutherAI/lm-evaluation-harness:lm_eval/config/task.py and docs/task_guide.md, version 0.4.13.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, FiniteFloat

from gemma_eval.files import rows
from gemma_eval.files.rows import Row, show
from gemma_eval.importers.sheet import Sheet

OutputType = Literal["multiple_choice", "generate_until", "loglikelihood", "loglikelihood_rolling"]
ROLLING = "loglikelihood_rolling"
"""The output type of texts that are read after nothing, whatever else a task says of its prompt."""

_CODE = "is Python code of the task, and an import runs none"
REFUSED = {
    "class": f"a class {_CODE}",
    "process_docs": f"process_docs {_CODE}",
    "process_results": f"process_results {_CODE}",
    "custom_dataset": f"custom_dataset {_CODE}",
    "unsafe_code": "unsafe_code runs what the model writes, and nothing here does",
    "doc_to_image": "doc_to_image is not carried over: prompts are texts",
    "doc_to_audio": "doc_to_audio is not carried over: prompts are texts",
    "use_prompt": 'use_prompt names a prompt of another package; write it out as doc_to_text: "…"',
    "group": "a group has no prompts of its own; import the files of its tasks one by one",
    "task_list": "task_list holds several tasks; write a file for each",
}
"""Keys that cannot be carried over, with the reason."""


def _template(value: object) -> object:
    if isinstance(value, str | int) and not isinstance(value, bool):
        return value
    raise ValueError(f"is {show(value)}; it should be a column or a Jinja template")


def _target(value: object) -> object:
    return value if isinstance(value, list) else _template(value)


def _choices(value: object) -> object:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list) and not all(isinstance(each, str) for each in value):
        raise ValueError("should be a list of texts; put each in quotes")
    if not isinstance(value, str | list):
        raise ValueError(f"is {show(value)}; it should be a column, a Jinja template or a list of texts")
    return value


def _texts(value: object) -> object:
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) for item in items):
        raise ValueError(f"is {show(value)}; it should be a text or a list of texts")
    return items


def _files(value: object) -> object:
    if isinstance(value, str | list):
        value = {"train": value}
    if not isinstance(value, dict) or not all(isinstance(_one(each), str) for each in value.values()):
        raise ValueError(f"is {show(value)}; it should be a file, or one for each split")
    return {split: _one(each) for split, each in value.items()}


def _one(value: object) -> object:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _nothing(value: object) -> object:
    if value:
        raise ValueError(f"is {show(value)}, and is not carried over")
    return value


Template = Annotated[object, AfterValidator(_template)]
Texts = Annotated[object, AfterValidator(_texts)]
Choices = Annotated[object, AfterValidator(_choices)]
Target = Annotated[object, AfterValidator(_target)]
Nothing = Annotated[object, AfterValidator(_nothing)]


class MetricRow(Row):
    """An entry of `metric_list`."""

    metric: str | None = None
    aggregation: str | None = None
    higher_is_better: bool | None = None
    weight_by_size: object = None
    hf_evaluate: Nothing = None
    ignore_case: bool = False
    ignore_punctuation: bool = False
    ignore_numbers: bool = False
    regexes_to_ignore: list[str] | None = None


class StepRow(Row):
    """A function of a pipeline of `filter_list`."""

    function: str | None = None
    regex_pattern: str = r"#### (\-?[0-9\.\,]+)"
    group_select: int = 0
    fallback: str = "[invalid]"
    ignore_case: bool = False
    ignore_punctuation: bool = False
    regexes_to_ignore: list[str] | None = None
    k: Annotated[int, Field(ge=1)] | None = None
    mapping_dict: dict[str, str] | None = None
    default_value: str | None = None


class PipelineRow(Row):
    """An entry of `filter_list`."""

    name: str | None = None
    filter: list[StepRow] | None = None


class GenerationRow(Row):
    """`generation_kwargs`; the four names of the longest answer come in the order in which they win."""

    until: Texts | None = None
    do_sample: bool | None = None
    temperature: Annotated[FiniteFloat, Field(ge=0)] | None = None
    top_p: rows.Share | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    min_p: rows.Share | None = None
    max_gen_toks: Annotated[int, Field(ge=1)] | None = None
    max_new_tokens: Annotated[int, Field(ge=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None


class FewShotRow(Row):
    """`fewshot_config`."""

    sampler: Literal["default", "first_n"] = "default"
    split: str | None = None
    samples: list[dict[str, object]] | None = None
    doc_to_text: Template | None = None
    doc_to_target: Target | None = None
    doc_to_choice: Choices | None = None
    gen_prefix: str | None = None
    fewshot_delimiter: str | None = None
    target_delimiter: str | None = None


class DataRow(Row):
    """`dataset_kwargs`, for files beside the task; what says how to fetch others has no part in an import."""

    data_files: Annotated[object, AfterValidator(_files)] | None = None
    data_dir: object = None
    revision: object = None
    trust_remote_code: object = None


class TaskRow(Row):
    """A whole task file."""

    task: str | None = None
    task_alias: object = None
    tag: Texts | None = None
    dataset_path: str | None = None
    dataset_name: object = None
    dataset_kwargs: DataRow | None = None
    training_split: str | None = None
    validation_split: str | None = None
    test_split: str | None = None
    fewshot_split: str | None = None
    output_type: OutputType = "generate_until"
    description: str = ""
    doc_to_text: Template | None = None
    doc_to_target: Target | None = None
    doc_to_choice: Choices | None = None
    target_delimiter: str = " "
    fewshot_delimiter: str = "\n\n"
    gen_prefix: str | None = None
    num_fewshot: Annotated[int, Field(ge=0, le=1000)] | None = None
    fewshot_config: FewShotRow | None = None
    generation_kwargs: GenerationRow | None = None
    metric_list: list[MetricRow] | None = None
    filter_list: list[PipelineRow] | None = None
    repeats: Annotated[int, Field(ge=1, le=10_000)] = 1
    should_decontaminate: object = None
    doc_to_decontamination_query: object = None
    metadata: object = None


def read(sheet: Sheet) -> TaskRow:
    """Return the task of a sheet, and note there what cannot be carried over."""
    table = {key: value for key, value in sheet.table.items() if value is not None}
    for key in REFUSED.keys() & table.keys():
        if table.pop(key) is not False:
            sheet.say((key,), REFUSED[key])
    if isinstance(table.get("task"), list):
        sheet.say(("task",), REFUSED["group"])
        table.pop("task")
    row, flaws = rows.check(TaskRow, table)
    for flaw in flaws:
        sheet.say(flaw.path, flaw.text())
    if "task" not in table and not sheet.found:
        sheet.say((), "has no task; a task file names it, as task: arc_easy")
    for key in ("doc_to_text", "doc_to_target"):
        if key not in table and not sheet.found and not _spared(key, row):
            sheet.say((), f"needs {key}")
    return row


def _spared(key: str, row: TaskRow) -> bool:
    return key == "doc_to_text" and row.output_type == ROLLING
