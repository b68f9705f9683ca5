"""What a template includes, extends or imports is bounded and plain like the template itself."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from gemma_eval.errors import TemplateError
from gemma_eval.prompts import sandbox
from gemma_eval.prompts.sandbox import Plain

VARIABLES: dict[str, Plain] = {"query": "hello", "passages": [{"number": 1, "text": "a"}], "n": 3}
PARTS = {
    "head.md": "You are brief.\n",
    "line.md": "* {{ p.text }}\n",
    "base.jinja": "HEAD\n{% block body %}base{% endblock %}\n{{ self.body() }}",
    "middle.jinja": "{% extends 'base.jinja' %}{% block body %}<{{ super() }}>{% endblock %}",
    "macros.md": (
        "{% set ns = namespace(x=0) %}{% macro bump() %}{% set ns.x = ns.x + 1 %}{{ ns.x }}{% endmacro %}"
        "{% macro line(p, mark='-') %}{{ mark }} {{ p.text }}{% endmacro %}"
        "{% macro shout() %}{{ caller()|upper }}{% endmacro %}"
    ),
    "escape.md": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "rec.md": "{% include 'rec.md' %}",
    "ping.md": "{% include 'pong.md' %}",
    "pong.md": "{% extends 'ping.md' %}",
    "empty.md": "",
    "fan.md": "{% include 'empty.md' %}" * 1000,
    "fans.md": "{% include 'fan.md' %}" * 1000,
    "loops.md": "{% for i in range(9999) %}{{ i }}{% endfor %}",
    "silent.md": "{% set e = '' %}{% for i in range(9999) %}" + "{{ e }}" * 2000 + "{% endfor %}",
    "big.md": "x" * 30_000,
    "many.md": "".join(f"{{% set v{n} = n %}}" for n in range(1000))
    + "{% for i in range(9999) %}{% include 'empty.md' %}{% endfor %}",
    "doubling.md": "{% macro m(d) %}{% if d %}{{ m(d - 1) }}{{ m(d - 1) }}{% endif %}x{% endmacro %}",
    "torn.md": "{% if ",
    "raising.md": "\n\n{{ qery }}",
}


def needed(text: str) -> dict[str, str]:
    """Return the parts whose names stand in a text, and those whose names stand in these."""
    found = {name for name in PARTS if f"'{name}'" in text}
    while more := {name for name in PARTS for known in found if f"'{name}'" in PARTS[known]} - found:
        found |= more
    return {name: PARTS[name] for name in sorted(found)}


def rendered(text: str) -> str:
    """Return what a template makes of harmless variables, with the parts that it names."""
    return sandbox.render("t", text, VARIABLES, others=needed(text))


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("{% include 'head.md' %}\n{{ query }}", "You are brief.\nhello"),
        ("{{ query }}{% include 'head.md' %}", "helloYou are brief.\n"),
        ("{% for p in passages %}\n{% include 'line.md' %}\n{% endfor %}", "* a\n"),
        ("{% include 'absent.md' ignore missing %}x", "x"),
        ("{% extends 'base.jinja' %}{% block body %}{{ query }}{% endblock %}", "HEAD\nhellohello"),
        ("{% extends 'base.jinja' %}{% block body %}[{{ super() }}]{% endblock %}", "HEAD\n[base][base]"),
        ("{% extends 'middle.jinja' %}{% block body %}{{ super() }}!{% endblock %}", "HEAD\n<base>!<base>!"),
        (
            "{% extends 'middle.jinja' %}{% block body %}{{ super.super() }}{% endblock %}",
            "HEAD\nbasebase",
        ),
        ("{% import 'macros.md' as m %}{% for p in passages %}{{ m.line(p, mark='*') }}{% endfor %}", "* a"),
        ("{% from 'macros.md' import line as l %}{{ l(passages[0]) }}", "- a"),
        ("{% from 'macros.md' import shout %}{% call shout() %}a{{ query }}{% endcall %}", "AHELLO"),
    ],
)
def test_templates_share_parts_blocks_and_macros(text: str, made: str) -> None:
    """An included file stands as it is, its last line end too; the others as in Jinja2."""
    assert rendered(text) == made


def test_no_rendering_leaves_anything_to_the_next() -> None:
    """A macro that counts begins at one each time, though the part is compiled once."""
    text = "{% import 'macros.md' as m %}{{ m.bump() }}{{ m.bump() }}{% set n = m.ns %}{{ n.x }}"
    assert [rendered(text) for _ in range(3)] == ["122"] * 3


ESCAPES = """
{% include 'escape.md' %}
{% include query %}
{% include 'he' ~ 'ad.md' %}
{% include ['head.md', 'line.md'] %}
{% include ('head.md',) %}
{% include passages[0] %}
{% include none %}
{% extends query %}
{% extends passages %}
{% import query as m %}
{% from query import line %}
{% include '/etc/passwd' %}
{% include '../../etc/passwd' %}
{% include 'head.md/../../../etc/passwd' %}
{% include 'HEAD.md' %}
{% extends '/etc/passwd' %}
{% import '/etc/passwd' as m %}
{% import 'macros.md' as m %}{{ m }}
{% import 'macros.md' as m %}{{ m|string }}
{% import 'macros.md' as m %}{{ [m]|join }}
{% import 'macros.md' as m %}{{ [m]|tojson }}
{% import 'macros.md' as m %}{{ m ~ 'x' }}
{% import 'macros.md' as m %}{{ m.__class__ }}
{% import 'macros.md' as m %}{{ m.__name__ }}
{% import 'macros.md' as m %}{{ m.__dict__ }}
{% import 'macros.md' as m %}{{ m._body_stream }}
{% import 'macros.md' as m %}{{ m['_body_stream'] }}
{% import 'macros.md' as m %}{{ m['__init__'].__globals__ }}
{% import 'macros.md' as m %}{{ m.absent }}
{% import 'macros.md' as m %}{{ m() }}
{% import 'macros.md' as m %}{{ m.line }}
{% import 'macros.md' as m %}{{ m.line._func }}
{% import 'macros.md' as m %}{{ m.line.__globals__ }}
{% import 'macros.md' as m %}{{ m.line._environment }}
{% import 'macros.md' as m %}{{ m.ns }}
{% import 'macros.md' as m %}{{ m.ns.__class__ }}
{% import 'macros.md' as m %}{{ m|attr('line') }}
{% import 'macros.md' as m %}{{ [m]|map(attribute='__class__')|list }}
{% import 'macros.md' as m %}{% for x in m %}{% endfor %}
{% from 'macros.md' import __name__ %}
{% from 'macros.md' import _body_stream %}
{% from 'macros.md' import line as __x %}{{ __x.__class__ }}
{% from 'macros.md' import absent %}{{ absent }}
{% extends 'base.jinja' %}{% block body %}{{ super }}{% endblock %}
{% extends 'base.jinja' %}{% block body %}{{ super.name }}{% endblock %}
{% extends 'base.jinja' %}{% block body %}{{ super._context }}{% endblock %}
{% extends 'base.jinja' %}{% block body %}{{ super._stack[0].__globals__ }}{% endblock %}
{% extends 'base.jinja' %}{% block body %}{{ super.__call__.__func__.__globals__ }}{% endblock %}
{% extends 'base.jinja' %}{% block body %}{{ super.super.super() }}{% endblock %}
{% extends 'base.jinja' %}{% block body %}{{ super()|attr('__class__') }}{% endblock %}
{% extends 'base.jinja' %}{% block body %}{{ super().__class__ }}{% endblock %}
{% extends 'base.jinja' %}{% extends 'middle.jinja' %}
{% block a %}x{% endblock %}{{ self }}
{% block a %}x{% endblock %}{{ self.a }}
{% block a %}x{% endblock %}{{ self.a.__class__ }}
{% block a %}x{% endblock %}{{ self.a._context.environment }}
{% block a %}x{% endblock %}{{ self['a']['_stack'] }}
{% block a %}x{% endblock %}{{ self._TemplateReference__context }}
{% block a %}x{% endblock %}{{ self['_TemplateReference__context'] }}
{% block a %}x{% endblock %}{{ self.b() }}
{% block a %}x{% endblock %}{{ self() }}
{% block a required %}{% endblock %}
{% block a %}{{ caller }}{% endblock %}
{% macro f() %}{{ self.x }}{{ super() }}{% endmacro %}{{ f() }}
{% include 'torn.md' %}
{% include 'raising.md' %}
""".strip().splitlines()

FLOODS = [
    "{% include 'rec.md' %}",
    "{% include 'ping.md' %}",
    "{% include 'fans.md' %}",
    "{% for i in range(9999) %}{% include 'fan.md' %}{% endfor %}",
    "{% for i in range(9999) %}{% include 'loops.md' %}{% endfor %}",
    "{% for i in range(9999) %}{% include 'loops.md' without context %}{% endfor %}",
    "{% for i in range(9999) %}{% import 'loops.md' as m %}{% endfor %}",
    "{% for i in range(9999) %}{% from 'loops.md' import x with context %}{% endfor %}",
    "{% include 'silent.md' %}",
    "{% import 'silent.md' as m %}",
    "{% for i in range(9999) %}{% include 'big.md' %}{% endfor %}",
    "{% for i in range(9999) %}{% import 'big.md' as m %}{% endfor %}",
    "{% include 'many.md' %}",
    "{% from 'doubling.md' import m %}{{ m(40) }}",
    "{% from 'doubling.md' import m %}{% set ns = namespace(x=0) %}{{ m(9999) }}",
    "{% block a %}{{ self.a() }}{% endblock %}",
    "{% block a %}{{ self.a() }}{{ self.a() }}{% endblock %}",
    "{% block a %}{{ self.b() }}{{ self.b() }}{% endblock %}{% block b %}{{ self.a() }}{% endblock %}",
    "{% block a %}" + "x" * 30_000 + "{% endblock %}" + "{{ self.a() }}" * 500,
    "{% block a %}{% for i in range(9999) %}{{ i }}{% endfor %}{% endblock %}" + "{{ self.a() }}" * 500,
    "{% extends 'base.jinja' %}{% block body %}" + "{{ super() }}" * 3 + "{{ self.body() }}{% endblock %}",
    "{% for i in range(9999) %}{% block a scoped %}{% include 'fan.md' %}{% endblock %}{% endfor %}",
    "{% include 'fan.md' %}" * 200,
    "{% set ns = namespace(x=0) %}{% from 'macros.md' import shout %}" + "{% call shout() %}" * 99,
    "{% include 'head.md' %}" + "x" * (1 << 16),
]


@pytest.mark.parametrize("text", ESCAPES)
def test_nothing_leads_out_through_a_part(text: str) -> None:
    """A name that rendering would decide, a module, a block and a macro are all dead ends."""
    with pytest.raises(TemplateError) as caught:
        rendered(text)
    message = str(caught.value)
    assert message.startswith('template "t": ')
    assert message.isprintable()
    assert "<class" not in message
    assert "object at 0x" not in message
    assert "root:" not in message


def test_these_do_escape_where_there_is_no_sandbox() -> None:
    """A planted error: Jinja2's own environment gives away what a block holds."""
    jinja2 = pytest.importorskip("jinja2")
    environment = jinja2.Environment(loader=jinja2.DictLoader(PARTS))
    text = "{% block a %}x{% endblock %}{{ self.a._context.environment }}"
    assert "Environment object at 0x" in environment.from_string(text).render()
    assert "/etc" in environment.from_string("{% set n = '/etc' %}{{ n }}").render()


@pytest.mark.parametrize("text", FLOODS, ids=range(len(FLOODS)))
def test_every_flood_through_parts_ends_in_a_template_error(text: str) -> None:
    """Parts, blocks and macros are counted as loops are, and what they make before it is made."""
    with pytest.raises(TemplateError):
        rendered(text)


PROGRAM = """
import json, sys, time
from gemma_eval.errors import TemplateError
from gemma_eval.measure.resources import watch
from gemma_eval.prompts import sandbox
floods = json.load(sys.stdin)
def took(text, parts):
    started = time.process_time()
    try:
        sandbox.render("t", text, {"query": "hello", "passages": [], "n": 3}, others=parts)
    except TemplateError:
        pass
    return time.process_time() - started
allowed = "{% for i in range(9000) %}{% for j in range(10) %}{{ i }}{% endfor %}{% endfor %}"
took(allowed, {})
usual = max(took(allowed, {}) for _ in range(3))
with watch() as memory:
    slowest = max(took(text, parts) for text, parts in floods)
print(slowest / usual, memory.reading().peak_memory_bytes)
"""


def test_no_flood_through_parts_takes_the_machine() -> None:
    """Each takes little more than a template that just may, and all of them less than 256 MiB."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([(text, needed(text)) for text in FLOODS]),
        capture_output=True,
        text=True,
        check=True,
    )
    ratio, peak_bytes = (float(word) for word in done.stdout.split())
    assert ratio < 40.0, "of what 90,000 turns of a loop take, which is allowed"
    assert peak_bytes < 256 * 2**20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "\n{% include 'raising.md' %}",
            'template "t": raising.md: line 3: unknown variable "qery"; did you mean "query"?',
        ),
        (
            "{% include 'torn.md' %}",
            "template \"t\": torn.md: line 1: unexpected 'end of template'",
        ),
        ("\n{% include 'haed.md' %}", 'template "t": line 2: there is no part "haed.md"'),
        (
            "{% include query %}",
            'template "t": line 1: include should name one file in quotes, as {% include "parts/head.md" %}',
        ),
        ("{% extends 'a' ~ 'b' %}", None),
    ],
)
def test_a_mistake_in_a_part_is_named_with_the_part_and_its_line(text: str, message: str | None) -> None:
    """One line that says where, what, and what would be right."""
    with pytest.raises(TemplateError) as caught:
        rendered(text)
    if message is not None:
        assert str(caught.value) == message


def test_parts_and_template_have_one_length_together() -> None:
    """So that a folder of parts takes no longer to compile than one text that just may."""
    with pytest.raises(TemplateError, match="it and its parts are longer than 65,536 characters"):
        sandbox.render("t", "{{ query }}", VARIABLES, others={"a.md": "x" * (1 << 16)})
