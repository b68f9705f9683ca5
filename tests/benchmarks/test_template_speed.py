"""What templates cost: to read, to look for mistakes in, and to fill; figures for docs/performance.md.

pytest tests/benchmarks/test_template_speed.py -m slow -s
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import pytest

from gemma_eval.config import templates
from gemma_eval.files import yaml12
from gemma_eval.prompts.lint import lint
from gemma_eval.prompts.templates import fill
from gemma_eval.records import Passage, Template
from tests.examples import a_case

pytestmark = pytest.mark.slow

N = 100
FRONT = (
    'version: "{n}"\ndescription: Template {n}.\nvariables:\n  tone: formal\n  n: {n}\nmodels: ["gemma*"]\n'
)
BODY = (
    "{% extends '_base.md' %}\n{% block context %}\n{% include 'parts/cited.md' %}\n{% endblock %}\n"
    "{% block ask %}Number {{ n }}, {{ tone }}: {{ query }}{% endblock %}\n"
)
PASSAGES = tuple(
    Passage(
        id=str(rank), text=f"Passage {rank} of ten, " + "with words " * 30, document="d", score=1.0, rank=rank
    )
    for rank in range(1, 11)
)


def took_s(what: Callable[[], object], *, times: int) -> float:
    """Return the median time of several."""
    taken = []
    for _ in range(times):
        began = perf_counter()
        what()
        taken.append(perf_counter() - began)
    return statistics.median(taken)


def test_reading_and_filling_templates(tmp_path: Path) -> None:
    """A hundred of them are read in little more than their YAML takes; one is filled in much less."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "_base.md").write_text("{% block context %}{% endblock %}\n{% block ask %}{% endblock %}\n")
    (tmp_path / "parts" / "cited.md").write_text(
        "{% for passage in passages %}\n[{{ passage.number }}] {{ passage.text }}\n{% endfor %}\n"
    )
    fronts = [FRONT.format(n=n) for n in range(N)]
    for n, front in enumerate(fronts):
        (tmp_path / f"t{n:03}.md").write_text(f"---\n{front}---\n{BODY}")
    found = templates.load(tmp_path)
    yaml_s = took_s(lambda: [yaml12.parse(front) for front in fronts], times=5)
    load_s = took_s(lambda: templates.load(tmp_path), times=5)
    own, plain = found["t050"], Template(name="plain", text="{{ query }}")
    case = a_case()
    first_s = took_s(lambda: fill(_new(own), case, PASSAGES), times=30)
    fill_s = took_s(lambda: fill(own, case, PASSAGES), times=200)
    plain_s = took_s(lambda: fill(plain, case, ()), times=200)
    lint_s = took_s(lambda: lint(_new(own)), times=30)
    print(
        f"\n{N} templates with front matter and two parts each: {load_s * 1e3:.1f} ms, "
        f"of which YAML {yaml_s * 1e3:.1f} ms; filled with ten passages: first {first_s * 1e3:.2f} ms, "
        f"then {fill_s * 1e3:.3f} ms, plain {plain_s * 1e3:.3f} ms; lint: {lint_s * 1e3:.1f} ms"
    )
    assert load_s < 10 * yaml_s
    assert fill_s < first_s / 3


def _new(template: Template) -> Template:
    """Return a template that was not compiled yet."""
    _COUNT.append(None)
    return Template(
        name=template.name,
        text=f"{template.text}{{# {len(_COUNT)} #}}",
        variables=template.variables,
        parts=template.parts,
        first_lines=template.first_lines,
    )


_COUNT: list[None] = []
