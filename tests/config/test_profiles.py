"""Profiles are read strictly: a setting that is wrong or could have no effect is refused."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.config import profiles, shipped
from gemma_eval.config.contradictions import REPLACED_BY_MIROSTAT, STEPS
from gemma_eval.config.profiles import ProfileRow
from gemma_eval.errors import ConfigError
from gemma_eval.records import SamplingProfile

NO_NAME = "which cannot be a name; use letters, digits and _ . + - (at most 100)"


def read(folder: Path, text: str) -> dict[str, SamplingProfile]:
    """Write a profiles file and load it."""
    path = folder / "profiles.json"
    path.write_text(text)
    return profiles.load(path)


def said(folder: Path, text: str) -> list[str]:
    """Return the problems as `line: what`."""
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    return [f"{problem.line}: {problem.what}" for problem in caught.value.problems]


def one(folder: Path, profile: dict[str, object]) -> list[str]:
    """Return what is wrong with a profile called `p`."""
    return said(folder, json.dumps({"version": 1, "profiles": {"p": profile}}, indent=1))


def test_a_profile_file_has_a_key_for_every_field_of_the_record() -> None:
    """One name per thing, in the file and in the record."""
    assert set(ProfileRow.model_fields) == {field.name for field in fields(SamplingProfile)} - {"name"}


def test_what_a_profile_does_not_say_is_off(tmp_path: Path) -> None:
    """Only what is written differs from the record's defaults."""
    text = '{"version": 1, "profiles": {"p": {"top_k": 3, "stop": ["\\n"], "order": ["top_k"], "seed": 0}}}'
    assert read(tmp_path, text) == {
        "p": SamplingProfile(name="p", top_k=3, stop=("\n",), order=("top_k",), seed=0)
    }


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("temperature", -0.1, "at least 0"),
        ("temperature", float("nan"), "a finite number"),
        ("temperature", float("inf"), "a finite number"),
        ("temperature", "hot", "a number"),
        ("temperature", True, "a number"),
        ("top_k", -1, "at least 0"),
        ("top_k", 1.5, "a whole number"),
        ("top_p", 1.1, "at most 1"),
        ("min_p", -0.1, "at least 0"),
        ("typical_p", 2, "at most 1"),
        ("repeat_penalty", 0, "more than 0"),
        ("presence_penalty", 3, "at most 2"),
        ("penalty_last_n", -2, "at least -1"),
        ("dynatemp_range", -1, "at least 0"),
        ("dynatemp_exponent", 0, "more than 0"),
        ("base_p", 1.1, "at most 1"),
        ("top_n_sigma", -1, "at least 0"),
        ("xtc_probability", 1.1, "at most 1"),
        ("xtc_threshold", 0.6, "at most 0.5"),
        ("epsilon_cutoff", 1, "less than 1"),
        ("eta_cutoff", -0.1, "at least 0"),
        ("dry_multiplier", -1, "at least 0"),
        ("dry_base", 0.9, "at least 1"),
        ("dry_allowed_length", 0, "at least 1"),
        ("dry_penalty_last_n", -2, "at least -1"),
        ("dry_sequence_breakers", "x", "a list, as [ … ]"),
        ("dynatemp_mode", "llama2", '"llama", "edt" or "threshold"'),
        ("dynatemp_theta", -1, "at least 0"),
        ("dynatemp_base", 1, "less than 1"),
        ("dynatemp_base", 0, "more than 0"),
        ("dynatemp_threshold", -1, "at least 0"),
        ("mirostat", 3, "0, 1 or 2"),
        ("mirostat", True, "0, 1 or 2"),
        ("mirostat_surprise", "new", '"renormalized" or "original"'),
        ("adaptive_target", 1.5, "at most 1"),
        ("adaptive_decay", 1, "at most 0.99"),
        ("logit_bias", [1], "a table"),
        ("order", "llamacpp", '"llama.cpp" or "transformers"'),
        ("order", 5, '"llama.cpp", "transformers" or a list of steps'),
        ("mirostat_tau", 0, "more than 0"),
        ("mirostat_eta", -1, "more than 0"),
        ("max_tokens", 0, "at least 1"),
        ("seed", 2**31, "at most 2,147,483,647"),
        ("stop", "x", "a list, as [ … ]"),
    ],
)
def test_a_number_out_of_range_is_named_with_its_range(
    tmp_path: Path, key: str, value: object, wanted: str
) -> None:
    """On the line where it stands."""
    problems = one(tmp_path, {key: value})
    assert problems[0].startswith(f'5: profile "p": {key} is ')
    assert problems[0].endswith(f"it should be {wanted}")


ODD_VALUES: dict[str, object] = {
    "order": "transformers",
    "dynatemp_mode": "edt",
    "dynatemp_base": 0.9,
    "dry_sequence_breakers": ["x"],
    "xtc_threshold": 0.3,
    "epsilon_cutoff": 0.1,
    "eta_cutoff": 0.1,
    "adaptive_decay": 0.5,
}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("key", REPLACED_BY_MIROSTAT)
def test_mirostat_beside_what_it_replaces_is_refused(tmp_path: Path, key: str, version: int) -> None:
    """Such a profile would claim a setting that has no effect."""
    problems = one(tmp_path, {"mirostat": version, key: ODD_VALUES.get(key, 1)})
    why = f"mirostat {version} chooses the candidates by itself and replaces"
    assert problems == [f'6: profile "p": {why} {key}; remove one of the two']


def test_every_key_is_a_step_s_or_known_to_be_none() -> None:
    """A new key cannot be forgotten where contradictions are looked for."""
    no_step = {"mirostat", "mirostat_tau", "mirostat_eta", "mirostat_surprise"}
    no_step |= {"adaptive_target", "adaptive_decay", "order", "max_tokens", "stop", "ignore_eos", "seed"}
    assert set(ProfileRow.model_fields) == set(STEPS) | no_step


@pytest.mark.parametrize("name", ["llama.cpp", "transformers"])
def test_an_order_has_a_name_or_is_a_list(tmp_path: Path, name: str) -> None:
    """The record always holds the steps."""
    text = json.dumps({"version": 1, "profiles": {"p": {"order": name}}})
    by_name = read(tmp_path, text)["p"]
    text = json.dumps({"version": 1, "profiles": {"p": {"order": list(profiles.ORDERS[name])}}})
    assert read(tmp_path, text)["p"] == by_name
    assert (by_name == SamplingProfile(name="p")) == (name == "llama.cpp")


def test_a_logit_bias_is_a_table_of_numbers_by_token(tmp_path: Path) -> None:
    """By id or by text; what is no number, and an empty text, is refused."""
    text = '{"version": 1, "profiles": {"p": {"logit_bias": {"15": -1, " Ada": 2.5}}}}'
    assert read(tmp_path, text)["p"].logit_bias == {"15": -1.0, " Ada": 2.5}
    assert "logit_bias.Ada is" in one(tmp_path, {"logit_bias": {"Ada": "much"}})[0]
    assert "logit_bias" in one(tmp_path, {"logit_bias": {"": 1}})[0]


@pytest.mark.parametrize(
    ("profile", "what"),
    [
        ({"mirostat": 2, "temperature": 0}, "mirostat 2 draws at random, temperature 0 does not"),
        ({"mirostat_tau": 3}, "mirostat_tau has no effect without mirostat"),
        ({"mirostat": 0, "mirostat_eta": 0.2}, "mirostat_eta has no effect without mirostat"),
        ({"dynatemp_exponent": 2}, "dynatemp_exponent has no effect unless dynatemp_range is above 0"),
        (
            {"dynatemp_range": 0.5, "temperature": 0},
            "temperature 0 is greedy and leaves no room for dynatemp",
        ),
        ({"dynatemp_theta": 0.5}, 'dynatemp_theta has no effect without "dynatemp_mode": "edt"; set that'),
        ({"dynatemp_base": 0.5}, 'dynatemp_base has no effect without "dynatemp_mode": "edt"; set that'),
        ({"dynatemp_threshold": 1}, 'dynatemp_threshold has no effect without "dynatemp_mode": "threshold"'),
        ({"dynatemp_mode": "edt"}, 'dynatemp_mode "edt" has no effect unless dynatemp_theta is above 0'),
        ({"dynatemp_mode": "threshold"}, "has no effect unless dynatemp_threshold is above 0"),
        (
            {"dynatemp_mode": "edt", "dynatemp_theta": 1, "dynatemp_range": 0.5},
            'dynatemp_range has no effect without "dynatemp_mode": "llama"',
        ),
        (
            {"dynatemp_mode": "edt", "dynatemp_theta": 1, "temperature": 0},
            "temperature 0 is greedy and leaves no room for dynatemp_theta",
        ),
        ({"mirostat_surprise": "original"}, "mirostat_surprise has no effect without mirostat"),
        ({"mirostat": 1, "temperature": 0}, "mirostat 1 draws at random, temperature 0 does not"),
        ({"xtc_threshold": 0.2}, "xtc_threshold has no effect unless xtc_probability is above 0"),
        ({"dry_base": 2}, "dry_base has no effect unless dry_multiplier is above 0"),
        (
            {"dry_multiplier": 0, "dry_allowed_length": 3},
            "dry_allowed_length has no effect unless dry_mult",
        ),
        ({"dry_multiplier": 1, "dry_sequence_breakers": [""]}, "has an empty text, which would break every"),
        ({"penalty_last_n": 8}, "penalty_last_n has no effect without a repeat_penalty, presence_penalty or"),
        ({"adaptive_decay": 0.5}, "adaptive_decay has no effect without an adaptive_target of at least 0"),
        ({"adaptive_target": 0.5, "temperature": 0}, "temperature 0 is greedy and leaves nothing for adapti"),
        ({"epsilon_cutoff": 0.1}, "because order does not name epsilon_cutoff; add that"),
        ({"eta_cutoff": 0.1, "order": "llama.cpp"}, "because order does not name eta_cutoff; add that"),
        ({"order": "transformers", "top_n_sigma": 1}, "because order does not name top_n_sigma; add that"),
        ({"order": ["top_k"], "min_p": 0.1}, "min_p has no effect, because order does not name min_p; add"),
        ({"order": ["top_k"], "temperature": 0.5}, "because order does not name temperature"),
        ({"order": ["top_k"], "penalty_last_n": 8}, "because order does not name penalties"),
        ({"stop": [""]}, "stop has an empty text"),
        ({"order": ["top_k", "top_k"]}, 'order names "top_k" more than once'),
        ({"temprature": 1}, 'unknown key "temprature"; did you mean "temperature"?'),
    ],
)
def test_a_contradiction_is_refused(tmp_path: Path, profile: dict[str, object], what: str) -> None:
    """What cannot be meant is said."""
    problems = one(tmp_path, profile)
    assert len(problems) == 1
    assert what in problems[0]


@pytest.mark.parametrize(
    "profile", [{"order": ["top_k"], "temperature": 0}, {"order": ["my_step"], "min_p": 0.1}]
)
def test_what_may_have_an_effect_without_its_step_is_accepted(
    tmp_path: Path, profile: dict[str, object]
) -> None:
    """Greedy needs no step, and a plugin's step may read any key."""
    assert "p" in read(tmp_path, json.dumps({"version": 1, "profiles": {"p": profile}}))


def test_mirostat_beside_penalties_is_refused(tmp_path: Path) -> None:
    """llama.cpp leaves only the temperature before mirostat."""
    assert "replaces repeat_penalty" in one(tmp_path, {"mirostat": 2, "repeat_penalty": 1.3})[0]


def test_all_problems_of_a_file_are_said(tmp_path: Path) -> None:
    """In the order of their lines."""
    text = (
        '{"version": 0,\n "profiles": {\n  "a": {"top_p": 2},\n  "b c": {},\n  "d": 5,\n'
        '  "e": {"top_k": 1, "top_k": 2}},\n "more": 1}'
    )
    assert said(tmp_path, text) == [
        "1: version is 0; it should be 1",
        '3: profile "a": top_p is 2; it should be at most 1',
        f'4: the name of a profile is "b c", {NO_NAME}',
        '5: profile "d" is 5; it should be an object, as {"temperature": 0}',
        '6: key "top_k" is given twice; keep one',
        '7: unknown key "more"; known: profiles, version',
    ]
    assert said(tmp_path, "{}") == [
        '1: needs "version": 1; gemma-eval config migrate adds it',
        '1: needs "profiles", an object of profiles by name',
    ]
    assert said(tmp_path, '{"version": 1,}')[0].startswith("1: is not JSON")


def test_the_shipped_profiles_are_good_and_greedy_is_greedy() -> None:
    """The names that the shipped suites and the manual use."""
    found = profiles.load(shipped.suites_directory() / "profiles.json")
    assert {
        "greedy",
        "temperature",
        "top-k",
        "top-p",
        "min-p",
        "dynatemp",
        "mirostat-v2",
        "penalties",
    } <= set(found)
    assert found["greedy"] == SamplingProfile(name="greedy", temperature=0.0)
    assert found["llama-cpp"] == SamplingProfile(
        name="llama-cpp", temperature=0.8, top_k=40, top_p=0.95, min_p=0.05
    )


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*ProfileRow.model_fields, "nonsense"]),
        st.one_of(
            st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.lists(st.text())
        ),
        max_size=4,
    )
)
def test_any_object_is_a_profile_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, profile: dict[str, object]
) -> None:
    """Nothing else is raised."""
    text = json.dumps({"version": 1, "profiles": {"p": profile}})
    try:
        found = set(read(tmp_path_factory.mktemp("profiles"), text))
    except ConfigError as error:
        found = {problem.what for problem in error.problems}
    assert found == {"p"} or all(what.isprintable() for what in found)
