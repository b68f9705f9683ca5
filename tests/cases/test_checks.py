"""What a suite says of its checks: weights, filters, negation, choices and reductions."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemma_eval.records import Case, Check, Filter
from tests.cases.suites import DEFAULTS, read, said

CHOICES = 'choices = ["Oslo", "Rome", "Lima"]\n'


def case(folder: Path, body: str, *, filters: str = "") -> Case:
    """Return the one case of a suite."""
    (only,) = read(folder, suite(body, filters=filters)).cases
    return only


def suite(body: str, *, filters: str = "") -> str:
    """Return a suite with one case."""
    return f'{DEFAULTS}{filters}[[case]]\nid = "a"\nprompt = "Hi?"\n{body}'


def test_a_check_may_be_a_table_of_its_own(tmp_path: Path) -> None:
    """Both forms say the same."""
    table = case(tmp_path, '[[case.check]]\nscorer = "contains"\ntext = "x"\n')
    line = case(tmp_path, 'checks = [{scorer = "contains", text = "x"}]\n')
    assert table.checks == line.checks == (Check(scorer="contains", options={"text": "x"}),)


def test_checks_are_given_in_one_way(tmp_path: Path) -> None:
    """Who gives them twice would be surprised by either."""
    body = 'checks = [{scorer = "contains", text = "x"}]\n[[case.check]]\nscorer = "contains"\ntext = "x"\n'
    (problem,) = said(tmp_path, suite(body))
    assert "both checks and [[case.check]]" in problem


def test_a_check_has_weight_negation_and_a_demand(tmp_path: Path) -> None:
    """`must_pass` alone demands the whole value."""
    body = '[[case.check]]\nscorer = "contains"\ntext = "x"\nweight = 2\nnot = true\nmust_pass = true\n'
    (check,) = case(tmp_path, body).checks
    assert (check.weight, check.negated, check.must_pass, check.pass_at) == (2.0, True, True, 1.0)


@pytest.mark.parametrize(
    ("given", "filters"),
    [
        ('"strip"', (Filter(name="strip"),)),
        ('"final"', (Filter(name="first_line"), Filter(name="regex", options={"pattern": "a"}))),
        (
            '["lower", "final"]',
            (Filter(name="lower"), Filter(name="first_line"), Filter(name="regex", options={"pattern": "a"})),
        ),
        ('{filter = "regex", pattern = "b"}', (Filter(name="regex", options={"pattern": "b"}),)),
    ],
)
def test_filters_are_named_pipelines_or_steps(
    tmp_path: Path, given: str, filters: tuple[Filter, ...]
) -> None:
    """A pipeline of the suite stands for its steps, also within a list."""
    pipelines = '[filters]\nfinal = ["first_line", {filter = "regex", pattern = "a"}]\n'
    body = f'checks = [{{scorer = "contains", text = "x", filter = {given}}}]\n'
    assert case(tmp_path, body, filters=pipelines).checks[0].filters == filters


@pytest.mark.parametrize("given", ["1", '"B"', '"Rome"'])
def test_the_right_choice_is_an_index_a_letter_or_the_choice(tmp_path: Path, given: str) -> None:
    """Data sets give it in each of the three ways."""
    body = f'{CHOICES}target = {given}\ndelimiter = " "\nchecks = [{{scorer = "acc"}}]\n'
    assert case(tmp_path, body).target == 1


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (f'{CHOICES}target = 3\nchecks = [{{scorer = "acc"}}]\n', "an index from 0 to 2, a letter A to C"),
        (f'{CHOICES}checks = [{{scorer = "acc"}}]\n', "needs to know the right choice"),
        ('checks = [{scorer = "acc"}]\n', "give them as choices"),
        (f'{CHOICES}target = 0\nchecks = [{{scorer = "contains", text = "x"}}]\n', 'the scorer is "acc"'),
        (f'{CHOICES}target = 0\ncontinuation = "x"\nchecks = [{{scorer = "acc"}}]\n', "give one of them"),
        ('target = 0\nchecks = [{scorer = "contains", text = "x"}]\n', "target needs choices"),
        ('choices = ["a"]\ntarget = 0\nchecks = [{scorer = "acc"}]\n', "at least 2"),
        ('reduce = "pass_at_k"\nchecks = [{scorer = "contains", text = "x"}]\n', "needs k"),
        (
            'reduce = "pass_at_k"\nk = 3\nrepeats = 2\nchecks = [{scorer = "contains", text = "x"}]\n',
            "more than",
        ),
        ('k = 3\nchecks = [{scorer = "contains", text = "x"}]\n', 'k is for reduce = "pass_at_k"'),
        ('checks = [{scorer = "contains", text = "x", weight = -1}]\n', "at least 0"),
        ('checks = [{scorer = "contains", text = "x", filter = []}]\n', "at least 1"),
        ('checks = [{scorer = "contains", text = "x", weight = 0}]\n', "every check has weight 0"),
        ('checks = [{scorer = "determinism"}]\n', "there is 1; give repeats = 2"),
        (f'{CHOICES}target = 0\nchecks = [{{scorer = "acc", filter = "strip"}}]\n', "leave out the filter"),
        ('continuation = "x"\nchecks = [{scorer = "likelihood", filter = "strip"}]\n', "out the filter"),
        ('choices = ["a", "b"]\ntarget = 2\nchecks = [{scorer = "acc"}]\n', "a letter A or B, or a choice"),
        ('checks = [{scorer = "contains", text = "x", filter = [{pattern = "a"}]}]\n', "needs a name"),
    ],
)
def test_what_does_not_go_together_is_said_at_its_line(tmp_path: Path, body: str, what: str) -> None:
    """One problem each."""
    (problem,) = said(tmp_path, suite(body))
    assert what in problem


def test_a_pipeline_does_not_stand_in_a_filters_place(tmp_path: Path) -> None:
    """Else `strip` would mean one thing in this suite and another in all others."""
    body = 'checks = [{scorer = "contains", text = "x", filter = "strip"}]\n'
    (problem,) = said(tmp_path, suite(body, filters='[filters]\nstrip = ["lower"]\n'))
    assert 'the pipeline "strip" has the name of a filter' in problem


def test_a_judge_is_one_of_the_models(tmp_path: Path) -> None:
    """The stand-in scorer asks the model `big`, which the suite knows."""
    assert case(tmp_path, 'checks = [{scorer = "judge"}]\n').checks[0].judges == ("big",)


def test_a_check_over_repeats_keeps_them_together(tmp_path: Path) -> None:
    """A part of them is worth nothing to it."""
    assert case(tmp_path, 'repeats = 4\nchecks = [{scorer = "distinct_n"}]\n').is_whole
    assert not case(tmp_path, 'repeats = 4\nchecks = [{scorer = "contains", text = "x"}]\n').is_whole
