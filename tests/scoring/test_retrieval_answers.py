"""What an answer makes of the passages in its prompt: grounded in them, citing them, silent without them."""

from __future__ import annotations

import pytest

from gemma_eval.errors import UsageError
from gemma_eval.records import Given, Judgement
from gemma_eval.scoring.retrieval_abstention import says_it_does_not_know
from gemma_eval.scoring.retrieval_words import in_a_row, occurs, said
from tests.examples import a_case, a_generation
from tests.scoring.found import judge_case, of_answer, passages, relevant

TOWN = passages("p1: Finn lives in Oslo.", "p2: Ada owns 1,000 goats.", "p3: Bo is a farmer.")


def test_the_context_is_as_precise_and_as_whole_as_what_stands_in_the_prompt() -> None:
    """By judgement; what was found and did not fit is not in it."""
    known = relevant(p1=1, p9=2)
    precision = of_answer("context_precision", "Oslo", TOWN, known)
    assert (precision.value, precision.explanation) == (1 / 3, "2 of 3 are not relevant")
    recall = of_answer("context_recall", "Oslo", TOWN, known)
    assert (recall.value, recall.explanation) == (1 / 2, 'not in the prompt: "p9"')
    for name in ("context_precision", "context_recall"):
        assert of_answer(name, "Oslo", (), known).value == 0


@pytest.mark.parametrize(
    ("answer", "value", "span", "missing"),
    [
        ("Finn lives in Oslo.", 1, 1, ""),
        ("finn LIVED in Oslo", 1, 0, ""),
        ("In Oslo [1].", 1, 1, ""),
        ("Finn lives in Rome.", 2 / 3, 0, 'in no passage: "Rome"'),
        ("Ada owns 1000 goats and 2 sheep.", 4 / 6, 0, 'in no passage: "2", "sheep"'),
        ("One thousand goats", 1 / 2, 0, 'in no passage: "thousand"'),
        ("Oslo's farmers own goats.", 1, 0, ""),
    ],
)
def test_an_answer_is_grounded_where_its_words_stand_in_the_passages(
    answer: str, value: float, span: float, missing: str
) -> None:
    """Those of the question count as found, and what is missing is told."""
    found = of_answer("groundedness", answer, TOWN)
    assert found.value == pytest.approx(value)
    assert (found.figures["span"], found.explanation) == (span, missing)


def test_what_the_passages_do_not_say_is_never_grounded() -> None:
    """The planted error: an answer that is right, from passages of another town."""
    assert of_answer("groundedness", "Prague", TOWN).value == 0
    assert of_answer("groundedness", "Oslo", ()).value == 0
    assert of_answer("groundedness", "Oslo", TOWN[1:]).value == 0


def test_silence_is_grounded_and_a_bare_yes_cannot_be_judged() -> None:
    """The one claims nothing, the other no word that could be looked for."""
    assert of_answer("groundedness", "I don\u2019t know.", TOWN).value == 1
    for answer in ("Yes.", "", "[1]"):
        found = of_answer("groundedness", answer, TOWN)
        assert (found.value, found.unscored) == (
            None,
            "the answer has no number and no word with a meaning of its own",
        )


@pytest.mark.parametrize(
    ("answer", "precision", "recall", "why"),
    [
        ("In Oslo [1].", 1, 1, ""),
        ("In Oslo. [1]", 1, 1, ""),
        ("In Oslo [1][3].", 1 / 2, 1, "does not support it: [3]"),
        ("In Oslo [1, 3].", 1 / 2, 1, "does not support it: [3]"),
        ("In Oslo [1-3].", 1 / 3, 1, "does not support it: [2], [3]"),
        ("In Oslo [4].", 0, 0, "no such passage: [4]; not cited: [1]"),
        ("In Oslo [0].", 0, 0, "no such passage: [0]; not cited: [1]"),
        ("In Oslo.", 0, 0, "nothing is cited, as: [1]"),
        ("In 1998 [1998] in Oslo \u30101\u3011", 1, 1, ""),
    ],
)
def test_citations_are_held_to_what_is_relevant(
    answer: str, precision: float, recall: float, why: str
) -> None:
    """Those that exist and hold it are right, and what is relevant should be cited."""
    found = of_answer("citation", answer, TOWN, (Judgement(text="lives in Oslo"),))
    assert found.figures["precision"] == pytest.approx(precision)
    assert found.figures["recall"] == recall
    both = precision + recall
    assert found.value == pytest.approx(2 * precision * recall / both if both else 0)
    assert found.explanation == why


def test_each_relevant_passage_should_be_cited() -> None:
    """One of them where several hold the same text."""
    known = relevant(p1=1, p3=1, p9=1)
    found = of_answer("citation", "Finn is in Oslo [1].", TOWN, known)
    assert (found.figures["precision"], found.figures["recall"]) == (1, 1 / 2)
    twice = passages("a: Finn lives in Oslo.", "b: Finn lives in Oslo.")
    assert of_answer("citation", "Oslo [2]", twice, (Judgement(text="Oslo"),)).value == 1


def test_without_judgements_each_sentence_is_held_to_what_it_cites() -> None:
    """By the words that are not the question's."""
    right = of_answer("citation", "Finn lives in Oslo [1]. Ada owns goats [2].", TOWN)
    assert right.value == 1
    wrong = of_answer("citation", "Finn lives in Oslo [2]. Ada owns goats.", TOWN)
    assert (wrong.value, wrong.figures["precision"]) == (0, 0)
    assert wrong.explanation == 'does not support it: [2]; not cited: "Finn lives in Oslo", "Ada owns goats"'
    half = of_answer("citation", "Ada owns many horned goats [2].", TOWN)
    assert half.figures["precision"] == 1
    strict = of_answer("citation", "Ada owns many horned goats [2].", TOWN, least=1.0)
    assert strict.figures["precision"] == 0


def test_who_neither_cites_nor_should_is_right() -> None:
    """With nothing relevant in the prompt; without a passage there is nothing to judge by."""
    known = relevant(p9=1)
    assert of_answer("citation", "I do not know.", TOWN, known).value == 1
    assert of_answer("citation", "In Oslo [1].", TOWN, known).value == 0
    found = of_answer("citation", "In Oslo.", (), known)
    assert (found.value, found.unscored) == (
        None,
        "no passage is in the prompt, so that there is nothing to cite",
    )
    assert of_answer("citation", "In Oslo [1].", (), known).value == 0


SILENT = (
    "I don't know.",
    "I don\u2019t know where Finn lives",
    "I'm not sure.",
    "We cannot tell from this.",
    "I am unable to answer the question.",
    "The answer is not in the context.",
    "It is not mentioned.",
    "The passages do not say.",
    "The context above does not contain the answer.",
    "There is no information about Finn.",
    "This cannot be determined.",
    "Unknown",
    "unanswerable",
)
SPEAKING = (
    "In Oslo.",
    "He does not know Ada, but lives in Oslo.",
    "Finn is not in Oslo, he lives in Rome.",
    "I know: Oslo.",
    "Finn says that he lives in Oslo, not in Rome.",
    "He can't find his goose.",
    "No.",
)


def test_the_usual_ways_to_say_that_one_does_not_know_are_known() -> None:
    """And what only sounds like one is an answer."""
    assert [text for text in SILENT if not says_it_does_not_know(text)] == []
    assert [text for text in SPEAKING if says_it_does_not_know(text)] == []


@pytest.mark.parametrize(
    ("answer", "judged", "value", "why"),
    [
        ("I don't know.", {}, 1, ""),
        ("I don't know.", {"p9": 1}, 1, ""),
        ("I don't know.", {"p1": 1}, 0, "says that it does not know, with 1 relevant passage"),
        ("Oslo", {"p1": 1}, 1, ""),
        ("Oslo", {"p9": 1}, 0, "answers without a relevant passage"),
        ("Oslo", {}, 0, "answers without a relevant passage"),
    ],
)
def test_an_answer_is_due_exactly_where_a_relevant_passage_is_read(
    answer: str, judged: dict[str, int], value: float, why: str
) -> None:
    """Of a case without one, and where retrieval did not find it."""
    found = of_answer("abstention", answer, TOWN, relevant(**judged))
    assert (found.value, found.explanation) == (value, why)


def test_a_suite_may_say_how_an_answer_abstains() -> None:
    """By texts or by an expression, not both."""
    assert of_answer("abstention", "KEINE AHNUNG!", TOWN, text="keine Ahnung").value == 1
    assert of_answer("abstention", "I don't know", TOWN, text=["keine Ahnung"]).value == 0
    assert of_answer("abstention", "Weiss ich nicht", TOWN, pattern="wei(ss|ß) ich nicht").value == 1
    with pytest.raises(UsageError, match='give "text" or "pattern", not both'):
        of_answer("abstention", "", TOWN, text="a", pattern="b")


@pytest.mark.parametrize("scorer", ["groundedness", "citation", "abstention"])
def test_where_nobody_answers_there_is_nothing_to_judge(scorer: str) -> None:
    """Which is no 0."""
    found = judge_case(scorer, a_case(), Given(passages=TOWN))
    assert (found.value, found.unscored) == (None, "there is no answer")


def test_filters_and_the_prompt_decide_what_is_judged() -> None:
    """An answer alone, without a prompt, is held to what was found."""
    given = Given(passages=TOWN, generation=a_generation("Oslo"))
    assert judge_case("groundedness", a_case(), given).value == 1


def test_words_are_compared_without_what_does_not_change_their_sense() -> None:
    """Case, accents, endings and the way a number is written; joining words say nothing."""
    assert said("The cities, planned in Zürich") == {"citi": "cities", "plan": "planned", "zurich": "Zürich"}
    assert said("city plans of ZURICH").keys() == said("The cities, planned in Zürich").keys()
    assert said("three goats, 1,000 euros").keys() == said("1000 euro; 3 goat").keys()
    assert said("It isn't, I can't, you won't; one's own") == {}
    assert said("Oslo").keys() != said("Rome").keys()


def test_a_span_has_no_gaps() -> None:
    """And of no words there is none."""
    assert occurs(in_a_row("LIVES, in"), in_a_row("Finn lives in Oslo"))
    assert not occurs(in_a_row("Finn Oslo"), in_a_row("Finn lives in Oslo"))
    assert not occurs((), in_a_row("Finn"))
