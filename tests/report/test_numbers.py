"""Numbers are written the same everywhere, and what was not measured is never written as a number."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_eval.records import Group, Summary
from gemma_eval.report import numbers

DASH = "–"  # noqa: RUF001 - the dash that reports print
POSITIVE = st.floats(min_value=1e-9, max_value=1e15)
SCALES = {"s": 1.0, "ms": 1e-3, "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}


def read_back(text: str) -> float:
    """Read a formatted number as a person would."""
    match = re.fullmatch(r"([\d. ]+?)(?: ?([a-zA-Z]+)|/s)?", text)
    assert match is not None, text
    return float(match[1].replace(" ", "")) * SCALES.get(match[2] or "s", 1.0)


def score_summary(mean: float | None, low: float | None, high: float | None) -> Summary:
    """Make the summary of a score."""
    group = Group(model="m", profile="p", template="t")
    return Summary(
        group=group, metric="score", n=20, missing=0, mean=mean, sd=None, p50=None,
        p90=None, p95=None, p99=None, ci_low=low, ci_high=high, interval="wilson",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (numbers.score(0.954), "0.95"),
        (numbers.score(1), "1.00"),
        (numbers.interval(0.88, 0.977), "[0.88, 0.98]"),
        (numbers.seconds(0.0123), "12.3 ms"),
        (numbers.seconds(0.000012345), "0.0123 ms"),
        (numbers.seconds(1.2345), "1.23 s"),
        (numbers.seconds(0.9999), "1.00 s"),
        (numbers.seconds(0.9994), "999 ms"),
        (numbers.seconds(4321.0), "4 321 s"),
        (numbers.seconds(0.0), "0 ms"),
        (numbers.rate(1234.4), "1 234/s"),
        (numbers.rate(12.345), "12.3/s"),
        (numbers.rate(99.96), "100/s"),
        (numbers.bytes_(184_300_000), "184 MB"),
        (numbers.bytes_(999_900), "1.00 MB"),
        (numbers.bytes_(512), "512 B"),
        (numbers.bytes_(0), "0 B"),
        (numbers.bytes_(1_234_000_000_000_000), "1 234 TB"),
        (numbers.count(1_234_567), "1 234 567"),
    ],
)
def test_a_number_is_written_as_in_the_table(written: str, expected: str) -> None:
    """Examples of every unit and of the roundings at their borders."""
    assert written == expected


def test_what_was_not_measured_is_a_dash() -> None:
    """None is never 0."""
    written = {
        numbers.score(None),
        numbers.interval(None, 0.9),
        numbers.interval(0.1, None),
        numbers.seconds(None),
        numbers.rate(None),
        numbers.bytes_(None),
        numbers.count(None),
        numbers.score_with_interval(score_summary(None, None, None)),
    }
    assert written == {"–"}  # noqa: RUF001


def test_a_score_without_interval_stands_alone() -> None:
    """One case gives a mean and no interval."""
    assert numbers.score_with_interval(score_summary(0.5, None, None)) == "0.50"
    assert numbers.score_with_interval(score_summary(0.95, 0.88, 0.98)) == "0.95 [0.88, 0.98]"


@given(POSITIVE)
def test_what_is_written_is_within_three_digits_of_the_value(value: float) -> None:
    """Reading a duration or a rate back errs by half a unit of the third digit at most."""
    for written in (numbers.seconds(value), numbers.rate(value)):
        assert read_back(written) == pytest.approx(value, rel=0.005)


@given(st.integers(min_value=1, max_value=10**15))
def test_a_size_is_written_within_three_digits_of_the_value(value: int) -> None:
    """Bytes are whole below 1 kB and have three digits above."""
    assert read_back(numbers.bytes_(value)) == pytest.approx(value, rel=0.005)


def test_the_three_digit_check_sees_a_wrong_unit() -> None:
    """The law above has teeth: a duration written in the wrong unit is caught."""
    wrong = numbers.seconds(0.0123).replace("ms", "s")
    assert read_back(wrong) != pytest.approx(0.0123, rel=0.005)


def timing(**fields: float | None) -> Summary:
    """Make the summary of a time over 30 data, of which some may be cut off."""
    bare = replace(score_summary(None, None, None), metric="ttft_s", n=30)
    return replace(bare, **fields)  # type: ignore[arg-type]


def test_a_percentile_is_written_as_it_was_measured() -> None:
    """And is a dash where there are too few data, or no summary."""
    assert numbers.percentile(timing(p95=0.0123), 95, numbers.seconds) == "12.3 ms"
    assert numbers.percentile(timing(), 99, numbers.seconds) == DASH
    assert numbers.percentile(None, 50, numbers.seconds) == DASH


def test_a_percentile_beyond_a_limit_is_more_than_it() -> None:
    """Where there are data enough for that percentile; for the 99th of 30 there are not."""
    cut = timing(p50=1.0, censored=3, limit=30.0)
    assert numbers.percentile(cut, 50, numbers.seconds) == "1.00 s"
    assert numbers.percentile(cut, 95, numbers.seconds) == "> 30.0 s"
    assert numbers.percentile(cut, 99, numbers.seconds) == DASH


def test_an_interval_of_times_has_one_unit() -> None:
    """That of its upper end, though the lower one alone would have another."""
    assert numbers.seconds_interval(0.98, 1.02) == "[0.980, 1.02] s"
    assert numbers.seconds_interval(0.0119, 0.0128) == "[11.9, 12.8] ms"
    assert numbers.seconds_interval(None, None) == ""


@given(low=POSITIVE, more=POSITIVE)
def test_the_ends_of_an_interval_read_back(low: float, more: float) -> None:
    """To within what its unit shows."""
    written = numbers.seconds_interval(low, low + more)
    first, second, unit = re.fullmatch(r"\[(.+), (.+)\] (m?s)", written).groups()  # type: ignore[union-attr]
    for end, text in ((low, first), (low + more, second)):
        assert read_back(f"{text} {unit}") == pytest.approx(end, rel=0.005, abs=SCALES[unit] * 0.5)


def test_shares_are_per_cent_and_unknown_numbers_dashes() -> None:
    """With three digits as everything else."""
    assert [numbers.share(value) for value in (0.0, 0.342, 1.0, None)] == ["0 %", "34.2 %", "100 %", DASH]
    assert [numbers.known(value) for value in (1234.5, None)] == ["1 234", DASH]
