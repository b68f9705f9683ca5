"""The SARIF log has what the standard requires, a result for each gate that is not passed, at its line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gemma_eval.records import Gating, Source
from gemma_eval.report.gates.sarif import MOST_RESULTS, sarif
from gemma_eval.report.gates.words import WORDS, level
from tests.report.gates.example_gating import ACCEPTANCE, every, gating, many, tainted

Json = dict[str, Any]

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
# Of each object of sarif-schema-2.1.0.json that is written: what it may have, and what it must have.
# Property bags are left out, for they may have anything.
SHAPES: dict[str, tuple[set[str], set[str]]] = {
    "log": ({"$schema", "version", "runs"}, {"version", "runs"}),
    "run": ({"tool", "automationDetails", "results"}, {"tool"}),
    "tool": ({"driver"}, {"driver"}),
    "toolComponent": ({"name", "version", "rules"}, {"name"}),
    "reportingDescriptor": (
        {"id", "shortDescription", "fullDescription", "help", "defaultConfiguration"},
        {"id"},
    ),
    "multiformatMessageString": ({"text"}, {"text"}),
    "reportingConfiguration": ({"level"}, set()),
    "runAutomationDetails": ({"id", "guid"}, set()),
    "result": (
        {"ruleId", "ruleIndex", "level", "message", "locations", "partialFingerprints", "suppressions"},
        {"message"},
    ),
    "message": ({"text"}, {"text"}),
    "location": ({"physicalLocation"}, set()),
    "physicalLocation": ({"artifactLocation", "region"}, {"artifactLocation"}),
    "artifactLocation": ({"uri", "uriBaseId"}, set()),
    "region": ({"startLine"}, {"startLine"}),
    "suppression": ({"kind", "status", "justification"}, {"kind"}),
}
LEVELS = {"none", "note", "warning", "error"}


def faults(log: Json) -> Iterator[str]:
    """Yield where a log is not as the schema has it."""
    yield from _shape("log", log)
    if log["version"] != "2.1.0":
        yield "version"
    for run in log["runs"]:
        yield from _shape("run", run)
        yield from _shape("tool", run["tool"])
        yield from _rules(run["tool"]["driver"])
        yield from _shape("runAutomationDetails", run["automationDetails"])
        if not GUID.fullmatch(run["automationDetails"]["guid"]):
            yield "guid"
        for result in run["results"]:
            yield from _result(result, run["tool"]["driver"]["rules"])
        if len({"suppressions" in result for result in run["results"]}) > 1:
            yield "suppressions of some results only"


def _rules(driver: Json) -> Iterator[str]:
    yield from _shape("toolComponent", driver)
    for rule in driver["rules"]:
        yield from _shape("reportingDescriptor", rule)
        yield from _shape("reportingConfiguration", rule["defaultConfiguration"])
        for name in ("shortDescription", "fullDescription", "help"):
            yield from _shape("multiformatMessageString", rule[name])
        if rule["defaultConfiguration"]["level"] not in LEVELS:
            yield "level of a rule"
    if len({rule["id"] for rule in driver["rules"]}) < len(driver["rules"]):
        yield "a rule twice"


def _result(result: Json, rules: list[Json]) -> Iterator[str]:
    yield from _shape("result", result)
    yield from _shape("message", result["message"])
    if result["level"] not in LEVELS or rules[result["ruleIndex"]]["id"] != result["ruleId"]:
        yield "level or rule of a result"
    if not all(isinstance(value, str) for value in result["partialFingerprints"].values()):
        yield "fingerprints"
    for location in result["locations"]:
        yield from _shape("location", location)
        place = location["physicalLocation"]
        yield from _shape("physicalLocation", place)
        yield from _shape("artifactLocation", place["artifactLocation"])
        yield from _shape("region", place["region"])
        if place["region"]["startLine"] < 1 or not re.fullmatch(
            r"[\w./~%-]+", place["artifactLocation"]["uri"]
        ):
            yield "place"
    for suppression in result["suppressions"]:
        yield from _shape("suppression", suppression)
        if suppression["kind"] not in {"inSource", "external"}:
            yield "kind of a suppression"


def _shape(name: str, found: Json) -> Iterator[str]:
    allowed, required = SHAPES[name]
    keys = set(found) - {"properties"}
    if not required <= keys <= allowed:
        yield f"{name}: {sorted(required - keys)} are missing, {sorted(keys - allowed)} too much"


def run_of(found: Gating) -> Json:
    """Return the run of a log."""
    run: Json = json.loads(sarif(found))["runs"][0]
    return run


@pytest.mark.parametrize(
    "found",
    [gating(), tainted(), many(9_000), replace(gating(), gated=()), tainted("\udc80\ud800 ✗ \x00")],
    ids=["every", "hostile", "many", "none", "surrogates"],
)
def test_a_log_is_as_the_schema_has_it(found: Gating) -> None:
    """Every object has what it must have and nothing that it may not have."""
    assert list(faults(json.loads(sarif(found)))) == []


@pytest.mark.parametrize(
    ("planted", "fault"),
    [
        ('"version": "2.1.0",\n "runs"', "version"),
        ('"startLine": 14', "place"),
        ('"ruleIndex": 0', "level or rule of a result"),
        ('"suppressions": [],', "suppressions of some results only"),
        ('"name": "gemma_eval",', "toolComponent"),
    ],
)
def test_a_planted_error_is_found(planted: str, fault: str) -> None:
    """The check above fails."""
    wrong = {
        "version": '"version": "2.0.0",\n "runs"',
        "place": '"startLine": 0',
        "level or rule of a result": '"ruleIndex": 1',
    }.get(fault, "")
    text = sarif(gating())
    assert planted in text
    found = list(faults_or_missing(text.replace(planted, wrong, 1)))
    assert any(fault in each for each in found), found


def faults_or_missing(text: str) -> Iterator[str]:
    """Yield the faults of a log that may lack what is looked at."""
    log = json.loads(text)
    for result in log["runs"][0]["results"]:
        if "suppressions" not in result:
            yield "suppressions of some results only"
            return
    yield from faults(log)


def test_there_is_a_rule_for_each_gate_and_a_result_for_each_that_is_not_passed() -> None:
    """The worst first."""
    run = run_of(gating())
    told = [each for each in every() if level(each) is not None]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(
        dict.fromkeys(each.gate.id for each in every())
    )
    assert len(run["results"]) == len(told)
    verdicts = [result["properties"]["verdict"] for result in run["results"]]
    assert list(dict.fromkeys(verdicts)) == [verdict for verdict in WORDS if verdict != "PASS"]
    assert [result["level"] for result in run["results"] if result["properties"]["verdict"] == "NEW"] == [
        "note"
    ]


def test_a_result_stands_at_the_line_of_its_gate() -> None:
    """Relative to the root of the sources; one without a line stands nowhere."""
    ttft = every()[-1]
    place = run_of(gating(ttft))["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "suites/standard.toml", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 19}
    assert (
        run_of(gating(replace(ttft, gate=replace(ttft.gate, source=None))))["results"][0]["locations"] == []
    )
    odd = replace(ttft, gate=replace(ttft.gate, source=Source(path="my suites\\é #1.toml", line=3)))
    (location,) = run_of(gating(odd))["results"][0]["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "my%20suites/%C3%A9%20%231.toml"


def test_what_a_person_accepted_is_suppressed() -> None:
    """With the reason; an acceptance that did not help suppresses nothing."""
    results = run_of(gating())["results"]
    suppressed = {each["properties"]["verdict"]: each["suppressions"] for each in results}
    (one,) = suppressed["ACCEPTED"]
    assert (one["kind"], one["status"]) == ("external", "accepted")
    assert ACCEPTANCE.reason in one["justification"]
    assert ACCEPTANCE.expires in one["justification"]
    assert suppressed["REGRESSED"] == []


def test_the_same_gate_has_the_same_fingerprint_in_every_run() -> None:
    """And no other gate has it: a code host follows it by that."""
    first, second = run_of(gating()), run_of(replace(gating(), candidate="another"))
    prints = [each["partialFingerprints"]["gemmaEvalGate/v1"] for each in first["results"]]
    assert prints == [each["partialFingerprints"]["gemmaEvalGate/v1"] for each in second["results"]]
    assert len(set(prints)) == len({each.id for each in every() if level(each) is not None})
    assert first["automationDetails"] != second["automationDetails"]


def test_no_more_results_than_code_hosts_take() -> None:
    """The best are left out and counted."""
    run = run_of(many(9_000))
    assert len(run["results"]) == MOST_RESULTS
    assert run["properties"] == {"leftOut": 6_750 - MOST_RESULTS}


def test_no_text_is_a_link_or_a_place_for_an_argument() -> None:
    """Brackets and braces of a message are round, and controls are visible."""
    for result in run_of(tainted("[x](http://e) {0} \x1b[2J \n|"))["results"]:
        text = result["message"]["text"]
        assert not set(text) & set("[]{}\x1b\n")
        assert "(x)(http://e) (0) ␛(2J" in text


def test_no_result_claims_how_it_stands_to_an_earlier_run() -> None:
    """Nobody knows what became of the gates then."""
    assert "baselineState" not in sarif(gating())
    assert "baselineGuid" not in sarif(gating())
