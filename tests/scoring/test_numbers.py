"""Numbers are read as people write them, one of them counts, and it is compared in decimals."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.errors import UsageError
from gemma_eval.scoring.numbers import numbers, numeric
from tests.scoring.answers import right, score


def test_a_score_says_which_number_was_judged_and_why() -> None:
    """As it is written, and what was expected."""
    assert score("numeric", "It is 1,234.", value=1235).answer == "1,234"
    assert score("numeric", "4", value=5, tolerance=0.5).explanation == "expected 5, within 0.5"
    assert score("numeric", "4", value="1/3").explanation == "expected 1/3"
    assert score("numeric", "none", value=5).explanation == "no number in the answer"


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("The answer is 42.", "42"),
        ("42", "42"),
        ("-7", "-7"),
        ("\u22127 °C", "-7"),
        ("12 - 5 = 7", "7"),
        ("3-5", "5"),
        ("f(2)-3", "3"),
        ("(-5)", "-5"),
        ("1,234,567.5 people", "1234567.5"),
        ("1\u202f234", "1234"),
        ("1, 2, 3", "3"),
        ("1,2,3", "3"),
        ("0.10", "0.1"),
        (".5", "0.5"),
        ("-.5", "-0.5"),
        ("2e3", "2000"),
        ("6.02E-2", "0.0602"),
        ("50 %", "50"),
        ("50%", "50"),
        ("$1,200.", "1200"),
        ("5km", "5"),
        ("+4", "4"),
        ("007", "7"),
        ("x=5", "5"),
    ],
)
def test_the_last_number_of_the_answer_is_read(answer: str, number: str) -> None:
    """Signs, groups of three, exponents and units."""
    assert right("numeric", answer, value=float(number))
    assert not right("numeric", answer, value=float(number) + 1)


@pytest.mark.parametrize("answer", ["", "none", "H2O", "forty-two", "\u0664\u0662", "NaN", "inf", "."])
def test_an_answer_without_a_number_is_wrong(answer: str) -> None:
    """Words, formulas, other scripts and what floats call a number are none."""
    assert not right("numeric", answer, value=2)


@given(
    st.decimals(-(10**9), 10**9, places=3),
    st.sampled_from(("", ",")),
    st.sampled_from(("-", "\u2212")),
    st.sampled_from(("{}", "It is {}.", "1 + 1 is not {}", "{} units", "a: {}\n")),
)
def test_a_number_is_read_back_however_it_is_written(
    number: Decimal, split: str, minus: str, sentence: str
) -> None:
    """With or without thousands, with either minus, in a sentence."""
    written = format(number, f"{split}.3f").replace("-", minus)
    assert right("numeric", sentence.format(written), value=float(number))


@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.integers(0, 50), st.integers(0, 50))
def test_tolerances_are_decimal_and_the_wider_one_counts(
    answer: int, value: int, tolerance: int, relative: int
) -> None:
    """Compared with exact fractions of tenths and percents."""
    expected = abs(Fraction(answer - value, 10)) <= max(
        Fraction(tolerance, 10), abs(Fraction(value, 10)) * Fraction(relative, 100)
    )
    found = right(
        "numeric", str(answer / 10), value=value / 10, tolerance=tolerance / 10, relative=relative / 100
    )
    assert found is expected


def test_a_comparison_of_floats_would_be_wrong_at_the_edge() -> None:
    """The planted error: in binary, 0.8 - 0.7 is more than 0.1."""
    assert right("numeric", "0.8", value=0.7, tolerance=0.1)
    assert not abs(0.8 - 0.7) <= 0.1


@pytest.mark.parametrize("answer", ["1e999999999999", "-1e9999999", "9" * 5000, "1e-999999999999"])
def test_a_hostile_number_is_only_wrong(answer: str) -> None:
    """No overflow, no gigabyte of digits."""
    assert not right("numeric", answer, value=5, tolerance=1, relative=0.1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("½", ["1/2"]),
        ("2½", ["5/2"]),
        ("-2½", ["-5/2"]),
        ("2 ½ cups", ["5/2"]),
        ("3/4", ["3/4"]),
        ("3\u20444", ["3/4"]),
        ("\u22123/4", ["-3/4"]),
        ("2 1/2 cups", ["5/2"]),
        ("7 5/2", ["7", "5/2"]),
        ("1/2/2024", ["1", "2", "2024"]),
        ("2024-11-29", ["2024", "11", "29"]),
        ("5/6.5", ["5", "6.5"]),
        ("1/2.", ["1/2"]),
        ("1,000/3", ["1000", "3"]),
        ("24 h/7", ["24", "7"]),
        ("10:30", ["10", "30"]),
        ("\\boxed{33} and 34", ["33", "34"]),
    ],
)
def test_fractions_are_numbers_and_dates_are_not(text: str, expected: list[str]) -> None:
    """Compared with exact fractions, to sixty digits."""
    found = [number.value for number in numbers(text)]
    wanted = [Fraction(each) for each in expected]
    assert len(found) == len(wanted)
    assert all(
        abs(Fraction(value) - want) < Fraction(1, 10**50) for value, want in zip(found, wanted, strict=True)
    )


@given(
    st.integers(0, 99),
    st.integers(1, 99),
    st.integers(1, 99),
    st.sampled_from(("{}", "It is {}.", "{} cups")),
)
def test_a_fraction_is_read_back(units: int, over: int, under: int, sentence: str) -> None:
    """Alone, and with whole units before it where it is a proper one."""
    assert right("numeric", sentence.format(f"{over}/{under}"), value=f"{over}/{under}")
    mixed = sentence.format(f"{units} {over}/{under}")
    expected = units * under + over if over < under else over
    assert right("numeric", mixed, value=f"{expected}/{under}")


@pytest.mark.parametrize(
    ("answer", "which", "expected"),
    [
        ("3 + 4 = 7", "last", True),
        ("7 = 3 + 4", "last", False),
        ("7 = 3 + 4", "first", True),
        ("7 apples", "only", True),
        ("7 = 3 + 4", "only", False),
        ("7 7", "only", False),
        ("1 7 8/4", "first", False),
        ("none", "first", False),
        ("none", "only", False),
    ],
)
def test_one_number_of_the_answer_counts(answer: str, which: str, expected: bool) -> None:
    """The last, the first, or the only one."""
    assert right("numeric", answer, value=7, which=which) is expected


@given(st.lists(st.integers(-999, 999), min_size=1, max_size=5))
def test_the_numbers_that_count_are_those_of_the_list(listed: list[int]) -> None:
    """Whatever stands between them."""
    text = " and ".join(map(str, listed))
    assert [number.value for number in numbers(text)] == listed
    assert right("numeric", text, value=listed[0], which="first")
    assert right("numeric", text, value=listed[-1], which="last")
    assert right("numeric", text, value=listed[-1], which="only") is (len(listed) == 1)


@pytest.mark.parametrize(
    ("answer", "value", "percent", "expected"),
    [
        ("60%", 60, False, True),
        ("60 %", "60%", False, True),
        ("0.6", "60%", False, False),
        ("0.6", "60%", True, True),
        ("60%", 0.6, True, True),
        ("60", "60%", True, False),
        ("1/2", "50 %", True, True),
    ],
)
def test_a_percentage_is_its_number_or_a_hundredth_of_it(
    answer: str, value: object, percent: bool, expected: bool
) -> None:
    """Both sides are read by the one rule."""
    assert right("numeric", answer, value=value, percent=percent) is expected


@pytest.mark.parametrize("value", ["", "x", "5 x", "3/0", "1 2", "1e9999999999999999999", "5 % x"])
def test_a_wanted_text_must_be_one_number(value: str) -> None:
    """As a column of a dataset gives it."""
    with pytest.raises(UsageError, match='numeric: "value" must be'):
        numeric({"value": value})


# Answer, target, whether right; UKGovernmentBEIS/inspect_ai:tests/scorer/test_match.py at 499e6152, MIT.
INSPECT = (
    ("The answer is 25", "5", False),
    ("28 + 32 = 60%", "60%", True),
    ("answer: \u22125", "-5", True),
    ("2½", "2.5", True),
    ("1000", "1e3", True),
)
# Reference, answer, whether right; stanford-crfm/helm:src/helm/benchmark/metrics/
# test_evaluate_reference_metrics.py at 63754d05, Apache-2.0: the final number.
HELM = (
    ("33", "33 eggs.", True),
    ("33", "-33", False),
    ("33", "\\boxed{33} and 34", False),
    ("3,420", "3420", True),
)


def test_what_inspect_and_helm_decide_is_decided_here() -> None:
    """Their numbers, and the planted error of a scorer that looks for the digits anywhere."""
    assert all(right("numeric", answer, value=target) is expected for answer, target, expected in INSPECT)
    assert all(right("numeric", answer, value=target) is expected for target, answer, expected in HELM)
    assert not all(right("contains", answer, text=target) is expected for answer, target, expected in INSPECT)
    assert not all(right("contains", answer, text=target) is expected for target, answer, expected in HELM)
