"""A template from anywhere can make text of plain data, within limits, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.errors import TemplateError
from gemma_eval.prompts import chat, sandbox
from gemma_eval.prompts.sandbox import Plain
from gemma_eval.records import Message

VARIABLES: dict[str, Plain] = {"query": "hello", "passages": [{"number": 1, "text": "a"}], "n": 3}

ESCAPES = """
{{ ''.__class__.__mro__[1].__subclasses__() }}
{{ ''['__class__'] }}
{{ query['__class__']['__mro__'] }}
{{ query|attr('__class__') }}
{{ query|attr('\\x5f\\x5fclass\\x5f\\x5f') }}
{{ (query|attr)('x') }}
{{ passages.__init__.__globals__ }}
{{ passages[0].__class__ }}
{{ lipsum.__globals__['os'].popen('id').read() }}
{{ cycler.__init__.__globals__.os.system('id') }}
{{ joiner.__init__.__globals__ }}
{{ namespace.__init__.__globals__ }}
{{ namespace.mro() }}
{{ range.__class__ }}
{{ range(3).__class__ }}
{{ raise_exception.__globals__ }}
{{ raise_exception.__code__.co_consts }}
{{ dict.__class__ }}
{{ self.__init__.__globals__ }}
{{ self._TemplateReference__context }}
{{ self }}
{{ self.x }}
{{ '{0.__class__}'.format(query) }}
{{ '{0.__class__}'.format_map({'0': query}) }}
{% set f = '{0.__class__}'.format %}{{ f(query) }}
{{ ['{0.__class__}'.format]|first }}
{{ passages|map('attr', '__class__')|list }}
{{ passages|map(attribute='__class__')|list|join }}
{{ passages|groupby('__class__') }}
{{ passages|selectattr('__class__')|list|join }}
{{ passages|rejectattr('__class__.__mro__')|list|join }}
{{ passages|sum(attribute='__class__') }}
{{ passages|sort(attribute='__class__')|join }}
{{ passages|xmlattr }}
{{ (passages|select).gi_frame.f_globals }}
{{ (passages|select).gi_code }}
{% macro m() %}{% endmacro %}{{ m.__globals__ }}
{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}
{% macro m() %}{{ caller.__class__ }}{% endmacro %}{% call m() %}{% endcall %}
{% for x in passages %}{{ loop.__class__ }}{% endfor %}
{% for x in passages %}{{ loop._iterator }}{% endfor %}
{% for x in passages %}{{ loop.index.__class__ }}{% endfor %}
{% set ns = namespace() %}{{ ns.__class__ }}
{% set ns = namespace() %}{{ ns['_Namespace__attrs'] }}
{% set ns = namespace(f=range) %}{{ ns.f }}
{{ query.encode('idna') }}
{{ query.translate({}) }}
{{ query.join(['a', 'b']) }}
{{ query.upper.__self__.__class__ }}
{{ query.upper.__func__ }}
{{ query.upper }}
{{ passages.append(1) }}
{{ passages.clear() }}
{{ passages[0].update({'a': 1}) }}
{{ passages[0].pop('text') }}
{{ passages[0].items }}
{{ 1 .__class__ }}
{{ (1).real.__class__ }}
{{ n.to_bytes(1, 'big') }}
{{ none.__class__ }}
{{ true.__class__ }}
{{ undefined_name.__class__ }}
{{ undefined_name() }}
{{ config }}{{ request }}{{ g }}
{{ ''|safe|escape }}
{{ _ }}
{{ varargs }}
{{ (query|string).__html__ }}
{{ caller() }}
{% include '/etc/passwd' %}
{% include 'templates/x.jinja' ignore missing %}{{ nothing }}
{% import '/etc/passwd' as p %}
{% from '/etc/passwd' import p %}
{% extends '/etc/passwd' %}
{% set x = range %}{{ x }}
{{ [range, namespace] }}
{{ [range]|join }}
{{ [range]|tojson }}
{{ {'a': raise_exception}|string }}
{{ range|upper }}
{{ namespace|trim }}
{{ [range]|title }}
{{ raise_exception|replace('a', 'b') }}
{{ query|pprint }}
{{ query|urlize }}
{{ query|forceescape }}
{% debug %}
{% do passages.append(1) %}
{% trans %}x{% endtrans %}
{% autoescape true %}{{ query.__class__ }}{% endautoescape %}
""".strip().splitlines()


def growing(start: str, step: str, shown: str, *, turns: int = 40) -> str:
    """Return a template that takes a step from `start` again and again, and shows something of it."""
    loop = f"{{% for i in range({turns}) %}}{{% set ns.x = {step} %}}{{% endfor %}}"
    return f"{{% set ns = namespace(x={start}, l=[]) %}}{loop}{{{{ {shown} }}}}"


FLOODS = [
    "{{ range(10 ** 9)|list|join }}",
    "{{ range(1000000000)|list|join }}",
    "{{ 'x' * 1000000000 }}",
    "{{ [1] * 1000000000 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ 'x'.center(1000000000) }}",
    "{{ 'x'.ljust(1000000000) }}",
    "{{ 'x'.zfill(1000000000) }}",
    "{{ 'x'|center(1000000000) }}",
    "{{ 'x'|indent(1000000000) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ 'x'|format(1) }}",
    "{{ [1]|slice(1000000000)|list }}",
    "{{ [1]|batch(1000000000, 1)|list }}",
    "{{ lipsum(1000000) }}",
    "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "{{ " + "[" * 3000 + "]" * 3000 + " }}",
    "{{ " + "-" * 5000 + "1 }}",
    "{{ " + "not " * 5000 + "1 }}",
    "{{ 1" + " + 1" * 9000 + " }}",
    "{% if 1 %}" * 500 + "{% endif %}" * 500,
    "{% for a in 'x' %}" * 25 + "{% endfor %}" * 25,
    "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    "{% for a in range(9999) %}{% for b in range(9999) %}{{ query }}{% endfor %}{% endfor %}",
    "{% for a in [[1]] recursive %}{{ loop([a]) }}{% endfor %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(30) }}",
    growing("'ab'", "ns.x ~ ns.x", "ns.x"),
    growing("'ab'", "ns.x + ns.x", "ns.x"),
    growing("[1]", "ns.x + ns.x", "ns.x|length"),
    growing("[1]", "[ns.x, ns.x]", "ns.x|tojson"),
    growing("9", "ns.x * ns.x", "ns.x"),
    "{% set a = 'xx' %}" + "{% set a %}{{ a }}{{ a }}{% endset %}" * 40 + "{{ a }}",
    "{% set a = 'xx' %}" + "{% set a = [a, a]|join %}" * 40 + "{{ a }}",
    "{% set a = 'xx' %}" + "{% set a = a.replace('x', 'xxxx') %}" * 40 + "{{ a }}",
    "{% set a = 'xx' %}" + "{% set a = a|replace('x', 'xxxx') %}" * 40 + "{{ a }}",
    "{% set a = 'xx' %}" + "{% set a = a.replace('', a) %}" * 40 + "{{ a }}",
    "{% set a = 'x' %}" + "{% set a = a ~ a %}" * 20 + "{% set b = a|upper %}" * 2000,
    "{% set a = 'x' %}" + "{% set a = a ~ a %}" * 20 + "{% set b = a.split('x') %}" * 2000,
    growing("'x'", "ns.x ~ ns.x", "''", turns=18)
    + "{% for i in range(9999) %}{% set ns.l = ns.l + [ns.x ~ i] %}{% endfor %}",
    "{{ {'a': 1}|tojson(indent=1000000000) }}{{ 1 ** 1 }}",
    "{% macro f(x) %}{{ x }}{{ x }}{% endmacro %}" + "{% set query = f(query) %}" * 40,
    "x" * (1 << 17),
    "{{ 'a" + "a" * (1 << 17) + "' }}",
    "{{ 1" + "0" * 5000 + " }}",
]

PIECES = """
    {{ }} {% %} query passages . | endfor set x = ( ) if endif join [0] ~ + 'a' loop.index macro m() endmacro
"""


def rendered(text: str) -> str:
    """Return what a template makes of harmless variables."""
    return sandbox.render("t", text, VARIABLES)


@pytest.mark.parametrize("text", ESCAPES)
def test_nothing_leads_out_of_the_sandbox(text: str) -> None:
    """Each known way ends in one typed error, and no inner name shows."""
    with pytest.raises(TemplateError) as caught:
        rendered(text)
    message = str(caught.value)
    assert message.startswith('template "t": ')
    assert message.isprintable()
    assert "<class" not in message
    assert "object at 0x" not in message


@pytest.mark.parametrize("text", ESCAPES)
def test_a_chat_template_is_in_the_same_sandbox(text: str) -> None:
    """It comes with weights that somebody else uploaded."""
    with pytest.raises(TemplateError):
        chat.render(
            "{% set query = messages[0].content %}{% set passages = messages %}{% set n = 1 %}" + text,
            [Message(role="user", content="x")],
        )


def test_escapes_do_escape_where_there_is_no_sandbox() -> None:
    """The list is a real one: Jinja2's own environment gives away classes."""
    jinja2 = pytest.importorskip("jinja2")
    assert "class" in jinja2.Environment().from_string(ESCAPES[0]).render(query="x")


_DOUBLED = (
    "{% set ns = namespace(a=[1], b=[1], t=(1,)) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}"
    "{% set ns.b = [ns.b, ns.b] %}{% set ns.t = (ns.t, ns.t) %}{% endfor %}"
)
"""Lists of lists and pairs of pairs: small, and endless to whoever looks at all that is in them."""
_LONG = (
    "{% set ns = namespace(a='a', l=[1]) %}{% for i in range(18) %}{% set ns.a = ns.a ~ ns.a %}"
    "{% set ns.l = ns.l + ns.l %}{% endfor %}{% set a = ns.a %}{% set l = ns.l %}"
    "{% set b = a.replace('a', 'b') %}"
)
COMPARISONS = [
    *(
        _DOUBLED + text
        for text in (
            "{{ ns.a == ns.b }}",
            "{{ ns.a < ns.b }}",
            "{{ ns.a in [ns.b] }}",
            "{{ ns.a is eq(ns.b) }}",
            "{{ [ns.b].count(ns.a) }}",
            "{{ [ns.a]|select('in', [ns.b])|list|length }}",
            "{% for each in (ns.a, ns.b) %}{{ loop.changed(each) }}{% endfor %}",
            "{{ {ns.t: 1}|length }}",
            "{{ {'a': 1}[ns.t] }}",
            "{{ {'a': 1}.get(ns.t) }}",
            "{{ ns.t in {'a': 1} }}",
        )
    ),
    *(
        _LONG + text
        for text in (
            "{{ range(2, 10002)|list|select('in', l)|list|length }}",
            "{{ range(2, 10002)|list|select('eq', l)|list|length }}",
            "{{ a.rfind('ab' ~ a[:100000]) }}",
            "{{ a.rsplit('ab' ~ a[:100000], 1)|length }}",
            "{{ a.strip(b ~ 'a')|length }}",
            "{{ a|trim(b ~ 'a')|length }}",
        )
    ),
    "{{ 1.5|round(100000000, 'ceil') }}",
]
"""What makes nothing, and would look at what there is without end."""
FLOODS += COMPARISONS


@pytest.mark.parametrize("text", FLOODS, ids=range(len(FLOODS)))
def test_every_flood_ends_in_a_template_error(text: str) -> None:
    """It is stopped while it rises."""
    with pytest.raises(TemplateError):
        rendered(text)


def test_no_flood_takes_the_machine() -> None:
    """In a process of its own, each takes little time and all of them less than 256 MiB.

    The peak is that of the program's own memory: `ru_maxrss` begins with the size of the process it was
    started from, which is this one after all the tests before.
    """
    program = """
import json, sys, time
from gemma_eval.errors import TemplateError
from gemma_eval.measure.resources import watch
from gemma_eval.prompts import sandbox
slowest = 0.0
with watch() as memory:
    for text in json.load(sys.stdin):
        started = time.process_time()
        try:
            sandbox.render("t", text, {"query": "hello"})
        except TemplateError:
            slowest = max(slowest, time.process_time() - started)
print(slowest, memory.reading().peak_memory_bytes)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, input=json.dumps(FLOODS), capture_output=True, text=True, check=True)
    slowest_s, peak_bytes = (float(word) for word in done.stdout.split())
    assert slowest_s < 20.0, "ten times what the slowest may take on an idle machine"
    assert peak_bytes < 256 * 2**20


def test_only_plain_data_goes_in() -> None:
    """A path, an error, a function, a generator or a row cannot be seen by a template."""
    for value in (
        Path("/etc"),
        ValueError("x"),
        rendered,
        (x for x in "ab"),
        object(),
        {1, 2},
        b"x",
        float("nan"),
    ):
        with pytest.raises(TemplateError):
            sandbox.render("t", "{{ 1 }}", {"value": cast(Plain, value)})


def test_what_a_template_is_given_is_a_copy() -> None:
    """Nothing that it did could be seen outside."""
    given_list: list[Plain] = [1]
    assert sandbox.render("t", "{% set value = value + [2] %}{{ value|join }}", {"value": given_list}) == "12"
    assert given_list == [1]


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("{{ query|upper }} {{ query.title() }} {{ query[1:3] }}", "HELLO Hello el"),
        (
            "{% for p in passages %}{{ loop.index }}/{{ loop.length }}{{ p.text }}{{ p.number }}{% endfor %}",
            "1/1a1",
        ),
        ("{{ passages|tojson }}", '[{"number": 1, "text": "a"}]'),
        ("{{ 'é<'|tojson }}{{ [1]|tojson(indent=1) }}", '"é<"[\n 1\n]'),
        ("{{ n * 2 + 1 - 4 / 2 }} {{ n // 2 }} {{ n % 2 }}", "5.0 1 1"),
        ("{% if query.startswith('h') and n > 2 %}yes{% else %}no{% endif %}", "yes"),
        (
            "{% set s = namespace(x=0) %}{% for i in range(4) %}{% set s.x = s.x + i %}{% endfor %}{{ s.x }}",
            "6",
        ),
        ("{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, b=3) }}", "1213"),
        ("{{ missing is defined }} {{ missing|default('x') }}", "False x"),
        ("{{ query ~ n ~ '!' }} {{ ['a', 'b']|join(', ') }} {{ 'a-b'.split('-')|last }}", "hello3! a, b b"),
        ("{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "01"),
        ("{% for k, v in passages[0].items() %}{{ k }}={{ v }};{% endfor %}", "number=1;text=a;"),
        ("{{ passages|selectattr('number', 'equalto', 1)|list|length }}", "1"),
        ("{{ query.replace('l', 'L', 1) }}{{ query|replace('h', 'j') }}", "heLlojello"),
        ("{{ 1 < n <= 3 }}{{ 'ell' in query }}{{ 4 not in [1, 2] }}{{ 'a' in {'a': 1} }}", "True" * 4),
        ("{{ {'a': 1, n: 2}[3] }}{{ {(1, 2): 'x'}[(1, 2)] }}{{ [1, [2]] == [1, [2]] }}", "2xTrue"),
        ("{{ 2.345|round(2) }} {{ 2.1|round(method='ceil') }} {{ 'xaax'.strip('x') }}", "2.35 3.0 aa"),
        ("a\n{% if true %}\nb\n{% endif %}\nc\n", "a\nb\nc"),
    ],
)
def test_what_templates_are_for_works(text: str, made: str) -> None:
    """Loops, conditions, macros, namespaces, slices, the common filters; block lines leave no blank line."""
    assert rendered(text) == made


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ qery }}", 'template "t": line 1: unknown variable "qery"; did you mean "query"?'),
        ("a\n\n{{ qery + 'x' }}", 'template "t": line 3: unknown variable "qery"; did you mean "query"?'),
        ("a\n{% if %}", "template \"t\": line 2: Expected an expression, got 'end of statement block'"),
        ("a\n{{ query|uper }}", "template \"t\": line 2: No filter named 'uper'."),
        (
            "{{ raise_exception('no turn') }}",
            'template "t": line 1: the template says: no turn',
        ),
        ("\n{{ query * 2 }}", 'template "t": line 2: "*" of str and int is not allowed'),
        ("{{ passages }}", 'template "t": line 1: a list cannot be printed; use join or tojson'),
        ("{{ raise_exception('\\x1b[2J') }}", 'template "t": line 1: the template says: ?[2J'),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, message: str) -> None:
    """One line that says where, what, and what would be right."""
    with pytest.raises(TemplateError) as caught:
        rendered(text)
    assert str(caught.value) == message


def test_each_rendering_has_limits_of_its_own() -> None:
    """What one used up does not count for the next, also when it failed."""
    text = "{% for i in range(9000) %}{{ query }}{% endfor %}"
    for _ in range(30):
        assert len(rendered(text)) == 45_000
    with pytest.raises(TemplateError):
        rendered("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}")
    assert len(rendered(text)) == 45_000


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([*PIECES.split(), " ", "for x in"]),
        max_size=14,
    ).map(" ".join)
)
def test_any_template_makes_a_text_or_a_template_error(text: str) -> None:
    """Nothing else is raised."""
    try:
        assert isinstance(rendered(text), str)
    except TemplateError as error:
        assert str(error).isprintable()  # noqa: PT017 - either way is right, and this one has a claim too


def test_a_value_is_never_taken_for_a_template() -> None:
    """What a model wrote, or a document says, is text."""
    hostile = "{{ ''.__class__ }}{% include '/etc/passwd' %}"
    assert sandbox.render("t", "{{ x }}", {"x": hostile}) == hostile
