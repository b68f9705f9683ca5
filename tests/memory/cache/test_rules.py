"""Two questions pass when they differ in form alone; each gate names what it saw of another difference."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_eval.memory.cache.rules import refusal
from tests.memory.cache.recorded import pairs

QUESTIONS = sorted({pair.first for pair in pairs()})


def passes(first: str, second: str) -> bool:
    """Whether they are the same question, in both directions."""
    forth, back = refusal(first, second), refusal(second, first)
    assert (forth is None) == (back is None)
    return forth is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("What's the capital of Norway?", "what is  the capital of norway"),
        ("How do I reset my phone?", "Hello, how can I reset my phone, please?"),
        ("How to reset a phone", "How does one reset a phone?"),
        ("Where can I buy tea?", "Could you please tell me where I can buy tea?"),
        ("How much does tea cost in Laos?", "I would like to know how much tea costs in Laos."),
        ("How many moons does Mars have?", "Do you know how many moons Mars has?"),
        ("What is France's capital?", "What is the capital of France?"),
        ("Who is New York's mayor?", "Who is the mayor of New York?"),
        ("In Python, how do I sort a list?", "How do I sort a list in Python?"),
        ("If it rains, what should we do?", "What should we do if it rains?"),
        ("Name three rivers.", "Name 3 rivers"),
        ("Is 5 km far?", "Is 5km far?"),
        ("Is 5 kilometres far?", "is 5 km far"),
        ("What is 1,000 plus 1?", "What is 1000 plus one?"),
        ("What is 20% of 50?", "What is 20 percent of 50?"),
        ("Who came in 3rd?", "Who came in third?"),
        ("Which colour is the theatre?", "Which color is the theater?"),
        ("How do I organise my files?", "How do I organize my files?"),
        ("Why can't I log in?", "Why cannot I log in?"),
        ("What does \u201cergo\u201d mean?", 'What does "ergo" mean?'),
        ("WHO IS THE MAYOR OF OSLO?", "Who is the mayor of Oslo?"),
    ],
)
def test_a_difference_in_form_passes(first: str, second: str) -> None:
    """Punctuation, capitals, contractions, courtesy, spelling, and a part that came first."""
    assert passes(first, second)


@pytest.mark.parametrize(
    ("first", "second", "gate"),
    [
        ("Is -5 degrees cold?", "Is 5 degrees cold?", "numbers"),
        ("When is 10:30?", "When is 1030?", "numbers"),
        ("What is 1.5 doubled?", "What is 15 doubled?", "numbers"),
        ("Can I go?", "Can I not go?", "polarity"),
        ("What is the law in US?", "What is the law in us?", "names"),
        ("Do you like Polish food in Rome?", "Do you like polish food in Rome?", "names"),
        ("How fast is 5 Mb/s?", "How fast is 5 MB/s?", "names"),
        ("Who is Will Smith?", "Who is Smith?", "names"),
        ("When did Ada leave?", "Why did Ada leave?", "asking"),
        ("Can I go?", "Must I go?", "modality"),
        ("Who is paid for the work?", "Who paid for the work?", "modality"),
        ("What did Anna do?", "What does Anna do?", "modality"),
        ("Who is not happy that is here?", "Who is happy that is not here?", "modality"),
        ("How do I look?", "How can I look?", "modality"),
        ("How do you feel?", "How do I feel?", "words"),
        ("Is it safe?", "Is it safe for children?", "words"),
        ("Do all birds fly?", "Do some birds fly?", "words"),
        ("Can a few people win?", "Can few people win?", "words"),
        ("What is the 5 - 3 rule?", "What is the 5 + 3 rule?", "words"),
        ("What is the value of 5!?", "What is the value of 5?", "words"),
        ("Why is the code a != b?", "Why is the code a = b?", "words"),
        ("Why do I feel \U0001f600?", "Why do I feel \U0001f622?", "words"),
        ("What is the C language?", "What is the C++ language?", "names"),
        ("Who does Tom like?", "Who likes Tom?", "order"),
        ("Is Anna Ben's mother?", "Is Ben Anna's mother?", "order"),
        ("Who is the mother of Ann's son?", "Who is the son of Ann's mother?", "order"),
        ("Is it (2+3)*4 or the sum?", "Is it 2+(3*4) or the sum?", "order"),
        ("Can I eat before I swim?", "Can I swim before I eat?", "order"),
        ("When Anna sings, does Ben leave?", "When Ben leaves, does Anna sing?", "words"),
        ("Who is the president?", "Who is a president?", "articles"),
        ("What is the second book?", "What is a second book?", "articles"),
        ("\u00bfQu\u00e9 quiere Juan?", "\u00bfQu\u00e9 quieres Juan?", "language"),
        ("\u0413\u0434\u0435 \u043e\u043d?", "\u0433\u0434\u0435 \u043e\u043d", "language"),
        ("Was kostet das Brot?", "was kostet das brot", "language"),
        ("", "", "language"),
    ],
)
def test_each_gate_names_what_it_refuses(first: str, second: str, gate: str) -> None:
    """In another language nothing passes: the rules would be wrong there."""
    found = refusal(first, second)
    assert found is not None
    assert found.gate == gate, found
    assert not passes(first, second)


@settings(max_examples=60)
@given(st.sampled_from(QUESTIONS), st.data())
def test_a_word_less_is_another_question(question: str, data: st.DataObject) -> None:
    """Unless it is one of the few that say nothing: an article, *do*, *please*, *me* after *explain*."""
    words = question.split()
    at = data.draw(st.integers(0, len(words) - 1))
    empty = {"a", "an", "the", "do", "does", "please", "please.", "please?", "thanks!", "hi,", "hello,"}
    framing = {"how", "i", "you", "tell", "me", "explain", "to", "can", "could", "what", "is", "that", "it"}
    shorter = " ".join(words[:at] + words[at + 1 :])
    if words[at].lower() not in empty | framing and not words[at].lower().startswith(("excuse", "quick")):
        assert not passes(question, shorter), (question, shorter)


@settings(max_examples=60)
@given(st.sampled_from(QUESTIONS), st.data())
def test_two_words_that_change_places_make_another_question(question: str, data: st.DataObject) -> None:
    """Names, numbers and things, wherever they stand; an auxiliary may stand elsewhere."""
    words = question.rstrip("?.!").split()
    movable = {"does", "cannot", "will", "would", "could", "should", "must", "might", "please"}
    places = [at for at, word in enumerate(words) if at and word.isalnum() and word not in movable]
    places = [at for at in places if len(words[at]) > 3]
    if len(places) < 2:
        return
    one, other = sorted(data.draw(st.permutations(places))[:2])
    if words[one].lower() == words[other].lower():
        return
    swapped = list(words)
    swapped[one], swapped[other] = swapped[other], swapped[one]
    assert not passes(question, " ".join(swapped)), (question, swapped)


@settings(max_examples=100)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_two_texts_are_judged_alike_in_both_directions(first: str, second: str) -> None:
    """Whatever is written; a text is the same as itself where it is English."""
    passes(first, second)
    found = refusal(first, first)
    assert found is None or found.gate == "language"
