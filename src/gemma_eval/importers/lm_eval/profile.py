"""The sampling profile that stands for the `generation_kwargs` of a task.

Source: EleutherAI/lm-evaluation-harness:lm_eval/models/utils.py (`normalize_gen_kwargs`), version 0.4.13.
"""

from __future__ import annotations

from typing import cast

from gemma_eval.importers.data import Plain
from gemma_eval.importers.lm_eval.task import GenerationRow, TaskRow
from gemma_eval.importers.sheet import Sheet

MAX_TOKENS = 256
"""The longest answer where a task does not say."""
MOST_STOPS = 64


def profile(task: TaskRow, sheet: Sheet) -> dict[str, Plain]:
    """Return the profile of a task that generates; greedy unless the task says otherwise."""
    given = task.generation_kwargs or GenerationRow()
    longest = (given.max_gen_toks, given.max_new_tokens, given.max_tokens, given.max_completion_tokens)
    stop = cast("list[str]", given.until) if given.until is not None else [task.fewshot_delimiter]
    if "" in stop:
        sheet.say(
            ("generation_kwargs", "until"), "until has an empty text, which would stop every answer at once"
        )
    if len(stop) > MOST_STOPS:
        sheet.say(
            ("generation_kwargs", "until"), f"until has {len(stop)} texts; a profile has at most {MOST_STOPS}"
        )
    made: dict[str, Plain] = {**_sampling(given, sheet)}
    made["max_tokens"] = next((n for n in longest if n is not None), MAX_TOKENS)
    if stop:
        made["stop"] = list(dict.fromkeys(stop))
    return made


def _sampling(given: GenerationRow, sheet: Sheet) -> dict[str, Plain]:
    temperature = given.temperature or 0.0
    if given.do_sample is False or not temperature:
        if given.do_sample and given.temperature is not None:
            what = "do_sample is true, and temperature 0 leaves nothing to draw; change one of the two"
            sheet.say(("generation_kwargs", "do_sample"), what)
        elif given.do_sample:
            sheet.say(
                ("generation_kwargs", "do_sample"), "do_sample is true, and needs a temperature above 0"
            )
        return {"temperature": 0}
    cutoffs = {"top_k": given.top_k, "top_p": given.top_p, "min_p": given.min_p}
    kept = {key: value for key, value in cutoffs.items() if value is not None}
    return {"temperature": temperature, **kept}
