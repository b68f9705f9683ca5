"""Look for what is wrong with a template before anything is asked: in its text, and in a trial rendering."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from jinja2 import nodes

from gemma_eval.errors import TemplateError
from gemma_eval.prompts import parts, sandbox, templates
from gemma_eval.prompts.check import flaws
from gemma_eval.prompts.named import trees
from gemma_eval.records import Case, Message, Passage, Source, Template

BOS = "<bos>"
_MARKUP = re.compile(r"<(?:start|end)_of_turn>|<\|?(?:turn|im_start|im_end)\|?>|<eos>")
SAMPLE = "Where does Finn live?"
"""The question of a trial rendering, and what was found for it."""
SAMPLE_PASSAGES = ("Finn lives in Oslo.", "Ada lives in Rome.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing to mend: where it is (`part` "" is the template itself), and whether it may stay."""

    what: str
    part: str = ""
    line: int = 0
    is_warning: bool = False


def lint(template: Template, *, models: Collection[str] = ()) -> list[Finding]:
    """Return what is wrong with a template, and what may be; `models` are the names that there are."""
    found = [Finding(what=flaw.what, part=flaw.part, line=flaw.line) for flaw in flaws(template)]
    try:
        with templates.placed(template):
            texts = trees(template.name, template.text, tuple(sorted(template.parts.items())))
    except TemplateError:
        return found
    for finding in (*_forbidden(texts), *_unseen(texts), *_markup(texts)):
        line = templates.line_of_file(template, finding.part, finding.line)
        found.append(Finding(what=finding.what, part=finding.part, line=line, is_warning=finding.is_warning))
    found += _unused(template)
    found += _unmatched(template, models)
    if all(finding.is_warning for finding in found):
        found += _tried(template)
    order = sorted(found, key=lambda each: (each.part, each.line, each.what))
    return list(dict.fromkeys(order))


def sample_case(template: Template) -> Case:
    """Return a case with a question, an earlier exchange and a text for each variable without a default."""
    needed = (name for name, default in template.variables.items() if default is None)
    turns = (("user", "Hello"), ("assistant", "Hello."), ("user", SAMPLE))
    return Case(
        id="sample",
        kind="quality",
        messages=tuple(Message(role=role, content=content) for role, content in turns),  # type: ignore[arg-type]
        texts={name: name for name in needed},
        now="2026-11-29T12:00",
        models=(),
        profiles=(),
        templates=(template.name,),
        source=Source(path="sample", line=0),
    )


def sample_passages() -> tuple[Passage, ...]:
    """Return what is found for the question of the sample."""
    return tuple(
        Passage(id=f"sample-{rank}", text=text, document="sample", score=1 / rank, rank=rank)
        for rank, text in enumerate(SAMPLE_PASSAGES, start=1)
    )


def _tried(template: Template) -> Iterator[Finding]:
    """Render once; one that a case has to give a variable may be right to refuse what stands for it."""
    if any(default is None for default in template.variables.values()):
        return
    try:
        templates.fill(template, sample_case(template), sample_passages(), model="sample")
    except TemplateError as error:
        yield Finding(what=f"a trial rendering fails: {error.what}", part=error.part, line=error.line)


def _forbidden(texts: Mapping[str, nodes.Template]) -> Iterator[Finding]:
    """Find what the sandbox refuses only when it is reached: inner names, methods that are not listed."""
    for part, tree in texts.items():
        modules = {node.target for node in tree.find_all(nodes.Import)}
        for named in tree.find_all((nodes.Getattr, nodes.Getitem)):
            name = _attribute(named)
            if name is not None and name.startswith("_"):
                what = f'"{name}" cannot be reached: names that begin with _ are no data'
                yield Finding(what=what, part=part, line=named.lineno)
        for call in tree.find_all(nodes.Call):
            method = call.node
            if not isinstance(method, nodes.Getattr) or method.attr.startswith("_"):
                continue
            of_module = isinstance(method.node, nodes.Name) and method.node.name in {*modules, "self"}
            if not of_module and method.attr not in sandbox.METHODS:
                what = f'the method "{method.attr}" is not allowed'
                yield Finding(what=what, part=part, line=call.lineno)


def _attribute(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return node.arg.value if isinstance(node.arg.value, str) else None
    return None


def _unseen(texts: Mapping[str, nodes.Template]) -> Iterator[Finding]:
    """Find what a text that extends another one says in vain: outside of blocks, or in unknown ones."""
    blocks = {part: {block.name for block in tree.find_all(nodes.Block)} for part, tree in texts.items()}
    bases = {
        part: [parts.name_of(node) for node in tree.body if isinstance(node, nodes.Extends)]
        for part, tree in texts.items()
    }
    called = {node.attr for tree in texts.values() for node in tree.find_all(nodes.Getattr) if _is_self(node)}
    for part, tree in texts.items():
        if not bases[part]:
            continue
        base = bases[part][0]
        inherited = set().union(*(blocks[each] for each in _above(part, bases)))
        for node in tree.body:
            if isinstance(node, nodes.Block) and node.name not in inherited | called:
                what = f'the block "{node.name}" is never shown: {base} has none of that name'
                yield Finding(what=what, part=part, line=node.lineno)
            if isinstance(node, nodes.Output) and (line := _first_text(node)):
                what = f"this text is never shown: of a template that extends {base}, its blocks are"
                yield Finding(what=what, part=part, line=line)


def _is_self(node: nodes.Getattr) -> bool:
    return isinstance(node.node, nodes.Name) and node.node.name == "self"


def _above(part: str, bases: Mapping[str, list[str]]) -> list[str]:
    """Return the texts that one extends, and those that these extend."""
    found: list[str] = []
    waiting = list(bases[part])
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.append(each)
            waiting += bases[each]
    return found


def _first_text(node: nodes.Output) -> int:
    """Return the line of the first thing in what is printed that is not blank, 0 for none."""
    for each in node.nodes:
        if not isinstance(each, nodes.TemplateData):
            return each.lineno
        if each.data.strip():
            blank = each.data[: len(each.data) - len(each.data.lstrip())]
            return each.lineno + blank.count("\n")
    return 0


def _markup(texts: Mapping[str, nodes.Template]) -> Iterator[Finding]:
    """Find tokens that the chat template of a model writes around every turn."""
    for part, tree in texts.items():
        for node in tree.find_all((nodes.TemplateData, nodes.Const)):
            text = node.data if isinstance(node, nodes.TemplateData) else getattr(node, "value", "")
            if not isinstance(text, str):
                continue
            if (at := text.find(BOS)) >= 0:
                what = f"writes {BOS}, and so does the chat template of the model: it would be read twice"
                yield Finding(what=what, part=part, line=node.lineno + text.count("\n", 0, at))
            if marked := _MARKUP.search(text):
                what = f"writes {marked[0]}, which the chat template of the model writes around each turn"
                line = node.lineno + text.count("\n", 0, marked.start())
                yield Finding(what=what, part=part, line=line, is_warning=True)


def _unused(template: Template) -> Iterator[Finding]:
    """Find variables that are declared and named nowhere."""
    named = templates.names(template).of
    for name in template.variables:
        if name not in named:
            what = f'the variable "{name}" is declared and never used'
            yield Finding(what=what, line=1 if template.first_lines else 0, is_warning=True)


def _unmatched(template: Template, models: Collection[str]) -> Iterator[Finding]:
    for glob in template.models if models else ():
        if not any(fnmatchcase(model, glob) for model in models):
            what = f'is for models that are called "{glob}", and none is'
            yield Finding(what=what, line=1, is_warning=True)
