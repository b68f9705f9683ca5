"""The last exchange of a chat as a case: the text of a suite with it, and whether that asks the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gemma_eval.files import decode
from gemma_eval.prompts.templates import names, uses_retrieval
from gemma_eval.records import Cell, Message, Passage, Prompt, Retrieval, SamplingProfile

if TYPE_CHECKING:
    from tomlkit.items import Array

WAYS = {"contains": "text", "icontains": "text", "equals": "text", "regex": "pattern", "numeric": "value"}
"""The scorers that a check can be given by in one word, and the option that it takes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is to become a case: a turn that was answered, under an id, with the check on its answer."""

    cell: Cell
    prompt: Prompt
    id: str
    scorer: str
    value: str | float
    profile: str
    """The name that the profile has beside the suite."""

    @property
    def messages(self) -> tuple[Message, ...]:
        """The turns that the model has read, of which those are missing that its context could not hold."""
        first = [each for each in self.cell.case.messages if each.role == "system"]
        spoken = [each for each in self.cell.case.messages if each.role != "system"]
        return (*first, *spoken[self.prompt.dropped_turns :])


def with_case(text: str, wanted: Wanted) -> str:
    """Return the text of a suite with the case at its end; all that was there keeps its bytes.

    A suite without text begins with `[defaults]`. Raises ReadError where the text is no TOML.
    """
    import tomlkit

    table, _ = decode.toml(text)
    head = tomlkit.document()
    chosen = {"models": wanted.cell.model.name, "profiles": wanted.profile}
    chosen |= {"templates": wanted.cell.template.name}
    if not table:
        head["defaults"] = {key: [name] for key, name in chosen.items()}
    defaults = _table(table or head.unwrap(), "defaults")
    base = _table(table, "retrieval")
    way, retrieval = _way(wanted, base, _table(table, "retrievals"))
    if retrieval:
        head["retrievals"] = {way: retrieval}
    fields = {
        "id": wanted.id,
        **_asked(wanted.messages),
        **{key: [name] for key, name in chosen.items() if defaults.get(key) != [name]},
        **_unlike(defaults, wanted.cell.profile),
        **_given(wanted, way, may_find="memory" in base or not {"corpus", "retrievals"}.isdisjoint(defaults)),
    }
    case = tomlkit.table()
    for key, value in fields.items():
        case.add(key, value)
    option = WAYS[wanted.scorer]
    case.add("checks", _lines([{"scorer": wanted.scorer, option: wanted.value, "pass_at": 1.0}]))
    tail = tomlkit.document()
    tail["case"] = tomlkit.aot()
    tail["case"].append(case)
    parts = [text.rstrip("\n"), tomlkit.dumps(head).strip("\n"), tomlkit.dumps(tail).strip("\n")]
    return "\n\n".join(part for part in parts if part) + "\n"


def ids(text: str) -> tuple[str, ...]:
    """Return the ids of the cases of a suite. Raises ReadError where the text is no TOML."""
    table, _ = decode.toml(text)
    cases = table.get("case")
    found = [each.get("id") for each in cases if isinstance(each, dict)] if isinstance(cases, list) else []
    return tuple(str(id_) for id_ in found)


def difference(cell: Cell, wanted: Wanted, *, prompt: Prompt) -> str | None:
    """Say in what a cell of the suite would ask something else than the chat did, `None` where in nothing."""
    was = wanted.cell
    if cell.model != was.model:
        return f'the model "{was.model.name}" is another one for the suite than for this chat'
    if _unnamed(cell.profile) != _unnamed(was.profile):
        return f'the profile "{cell.profile.name}" is another one for the suite than for this chat'
    if cell.template.sha256 != was.template.sha256:
        return f'the template "{was.template.name}" is another one for the suite than for this chat'
    if prompt.messages != wanted.prompt.messages:
        return "the prompt would be another one than in this chat"
    return None


def _asked(messages: Sequence[Message]) -> dict[str, object]:
    """Return what is asked: a question, or a conversation that ends with one."""
    import tomlkit

    if len(messages) == 1:
        text = messages[0].content
        is_block = "\n" in text and all(line.isprintable() for line in text.split("\n"))
        return {"prompt": tomlkit.string(text, multiline=True) if is_block else text}
    return {"messages": _lines([{"role": each.role, "content": each.content} for each in messages])}


def _unlike(defaults: Mapping[str, object], profile: SamplingProfile) -> dict[str, object]:
    """Return what a case has to say against defaults that would make another one of it."""
    own: dict[str, object] = {
        "kind": "quality",
        "repeats": 1,
        "reduce": "mean",
        "max_tokens": profile.max_tokens,
        "ignore_eos": profile.ignore_eos,
    }
    return {key: value for key, value in own.items() if key in defaults and defaults[key] != value}


def _given(wanted: Wanted, way: str, *, may_find: bool) -> dict[str, object]:
    """Return the passages that the model was given, and what else the template has used."""
    passages = wanted.prompt.passages
    more: dict[str, object] = {}
    if "now" in names(wanted.cell.template).of and wanted.cell.case.now is not None:
        more["now"] = wanted.cell.case.now
    if wanted.cell.case.texts:
        more["variables"] = {**wanted.cell.case.texts}
    if passages:
        more |= {
            "documents": _lines([{"name": _name(n), "text": each.text} for n, each in _numbered(passages)]),
            "relevant": _lines(
                [{"passage": _name(n), "grade": len(passages) + 1 - n} for n, _ in _numbered(passages)]
            ),
            "retrievals": [way],
        }
    elif may_find and uses_retrieval(wanted.cell.template):
        more["retrievals"] = ["none"]
    return more


def _way(
    wanted: Wanted, base: Mapping[str, object], named: Mapping[str, object]
) -> tuple[str, Mapping[str, object]]:
    """Return the name of the retrieval that gives the passages as they were given, and its table if new."""
    asked = wanted.cell.retrieval
    if not wanted.prompt.passages:
        return "none", {}
    needed = {"top_k": len(wanted.prompt.passages), "budget_tokens": asked.budget_tokens}
    plain = Retrieval()
    given = [(n, base.get(key, getattr(plain, key))) for key, n in needed.items()]
    is_enough = all(isinstance(most, int) and most >= n for n, most in given)
    if is_enough and "order" not in base:
        return "oracle", {}
    name = f"chat-{needed['top_k']}-{needed['budget_tokens']}"
    table = {"retriever": "oracle", **needed, "order": asked.order}
    return name, {} if name in named else table


def _lines(tables: Sequence[Mapping[str, object]]) -> Array:
    """Return tables as an array, each on a line of its own where there are several."""
    import tomlkit

    array: Any = tomlkit.array().multiline(len(tables) > 1)
    for table in tables:
        inline = tomlkit.inline_table()
        inline.update(table)
        array.append(inline)
    return array  # type: ignore[no-any-return]


def _table(table: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = table.get(key)
    return found if isinstance(found, dict) else {}


def _unnamed(profile: SamplingProfile) -> SamplingProfile:
    return replace(profile, name="")


def _numbered(passages: Sequence[Passage]) -> list[tuple[int, Passage]]:
    return list(enumerate(passages, start=1))


def _name(n: int) -> str:
    return f"passage-{n}"
