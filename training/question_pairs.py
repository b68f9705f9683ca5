"""Writes `suites/data/near_misses.jsonl`: labelled pairs of questions, to measure a cache of answers on.

A *near-miss* reads like another question and wants another answer; a *paraphrase* wants the same one. Some
were written by hand (pairs_by_hand.py), the others are drawn from the templates here with a fixed seed.
"""

# ruff: noqa: S311 - a seeded stream of pseudo-random draws is the point

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

from pairs_by_hand import NEAR_MISSES, PARAPHRASES

Row = Mapping[str, object]
Pair = tuple[str, str]
PATH = Path(__file__).parent.parent / "suites" / "data" / "near_misses.jsonl"
PER_KIND = 26
"""How many pairs of each kind are drawn, beside those written by hand."""

CITIES = ("Oslo", "Rome", "Lima", "Cairo", "Vienna", "Quito", "Dublin", "Hanoi", "Porto", "Kyoto", "Turin")
COUNTRIES = ("Norway", "Peru", "Egypt", "Chile", "Ghana", "Japan", "Poland", "Kenya", "Portugal", "Laos")
PEOPLE = ("Anna", "Ben", "Clara", "David", "Emil", "Frida", "Hugo", "Ida", "Jonas", "Lena")
GOODS = ("rice", "flour", "coffee", "olive oil", "honey", "butter", "tea", "sugar", "paint", "gravel")
DEVICES = ("phone", "printer", "router", "camera", "laptop", "television", "thermostat", "tablet")
TOOLS = ("Python", "Ruby", "Rust", "Kotlin", "Excel", "Photoshop", "Blender", "Postgres", "Docker")
FOODS = ("mushrooms", "peanuts", "raw fish", "soft cheese", "liquorice", "spinach", "rhubarb", "oysters")
MONTHS = ("January", "March", "April", "June", "August", "October", "December")
DAYS = ("Monday", "Wednesday", "Friday", "Saturday", "Sunday")

SLOTS: Mapping[str, tuple[str, ...]] = {
    "city": CITIES,
    "country": COUNTRIES,
    "person": PEOPLE,
    "good": GOODS,
    "device": DEVICES,
    "tool": TOOLS,
    "food": FOODS,
    "month": MONTHS,
    "day": DAYS,
    "n": tuple(
        str(number) for number in (2, 3, 4, 6, 7, 9, 12, 15, 18, 20, 24, 30, 45, 60, 75, 90, 120, 250)
    ),
    "year": tuple(str(year) for year in range(1987, 2024, 3)),
}

SWAPPED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "numbers": (
        ("How many days does {n1} kg of {good} last?", "How many days does {n2} kg of {good} last?"),
        ("What was the population of {city} in {year1}?", "What was the population of {city} in {year2}?"),
        ("Plan {n1} days in {city} for a family.", "Plan {n2} days in {city} for a family."),
        ("What is {n1} times {n3}?", "What is {n2} times {n3}?"),
        ("Which laws changed in {country} in {year1}?", "Which laws changed in {country} in {year2}?"),
        ("How do I split {n1} euros among {n3} people?", "How do I split {n3} euros among {n1} people?"),
        ("Give me {n1} names for a {device} shop.", "Give me {n2} names for a {device} shop."),
        (
            "Is {n1} minutes enough to change trains in {city}?",
            "Is {n2} minutes enough to change trains in {city}?",
        ),
    ),
    "negation": (
        ("Which parts of {city} are safe at night?", "Which parts of {city} are not safe at night?"),
        ("Why does my {device} charge?", "Why does my {device} not charge?"),
        ("Who in {country} pays income tax?", "Who in {country} doesn't pay income tax?"),
        ("Can I run {tool} with a licence?", "Can I run {tool} without a licence?"),
        ("How do I enable updates on my {device}?", "How do I disable updates on my {device}?"),
        ("Which dogs may eat {food}?", "Which dogs may never eat {food}?"),
        ("What did {person} like about {city}?", "What did {person} dislike about {city}?"),
        ("Is it common to tip in {country}?", "Is it uncommon to tip in {country}?"),
    ),
    "entities": (
        (
            "What is the weather like in {city1} in {month}?",
            "What is the weather like in {city2} in {month}?",
        ),
        ("How do I read a file in {tool1}?", "How do I read a file in {tool2}?"),
        ("What is the currency of {country1}?", "What is the currency of {country2}?"),
        ("Where does {person1} live now?", "Where does {person2} live now?"),
        ("Can my dog eat {food1}?", "Can my dog eat {food2}?"),
        ("How long does {good1} keep in the fridge?", "How long does {good2} keep in the fridge?"),
        ("why is my {device1} so slow", "why is my {device2} so slow"),
        ("Which museums in {city1} are free?", "Which museums in {city2} are free?"),
    ),
    "order": (
        (
            "What is the cheapest train from {city1} to {city2}?",
            "What is the cheapest train from {city2} to {city1}?",
        ),
        ("Does {person1} owe {person2} money?", "Does {person2} owe {person1} money?"),
        (
            "How do I copy a file from my {device1} to my {device2}?",
            "How do I copy a file from my {device2} to my {device1}?",
        ),
        ("Is {city1} larger than {city2}?", "Is {city2} larger than {city1}?"),
        (
            "Can I replace {good1} with {good2} in this recipe?",
            "Can I replace {good2} with {good1} in this recipe?",
        ),
        ("How do I call {tool1} from {tool2}?", "How do I call {tool2} from {tool1}?"),
        ("Why did {person1} leave {person2}?", "Why did {person2} leave {person1}?"),
        (
            "Does {country1} export more {good} to {country2}?",
            "Does {country2} export more {good} to {country1}?",
        ),
    ),
    "units": (
        ("What does {n} kg of {good} cost?", "What does {n} lb of {good} cost?"),
        ("How far is {city1} from {city2} in miles?", "How far is {city1} from {city2} in kilometres?"),
        (
            "Should {good} be stored at {n} degrees Celsius?",
            "Should {good} be stored at {n} degrees Fahrenheit?",
        ),
        ("How many grams of {good} go into a cake?", "How many cups of {good} go into a cake?"),
        (
            "How much does a {device} cost per month in {country}?",
            "How much does a {device} cost per year in {country}?",
        ),
        ("Can I walk {n} km in a day?", "Can I walk {n} miles in a day?"),
        (
            "Wait for {n} seconds, then restart the {device}.",
            "Wait for {n} minutes, then restart the {device}.",
        ),
        ("Is {n} mg of {food} dangerous?", "Is {n} g of {food} dangerous?"),
    ),
    "time": (
        ("Will it rain in {city} today?", "Will it rain in {city} tomorrow?"),
        ("Who is the mayor of {city}?", "Who was the mayor of {city}?"),
        ("What should I see in {city} in {month1}?", "What should I see in {city} in {month2}?"),
        ("Is the market in {city} open on {day1}?", "Is the market in {city} open on {day2}?"),
        ("Should I eat {food} before a workout?", "Should I eat {food} after a workout?"),
        (
            "How much {good} did {country} import last year?",
            "How much {good} did {country} import this year?",
        ),
        ("Where does {person} work?", "Where did {person} work?"),
        ("Has {person} lived in {city} since {year}?", "Did {person} live in {city} until {year}?"),
    ),
    "comparatives": (
        ("What is the largest lake in {country}?", "What is the smallest lake in {country}?"),
        ("Which {device} is the cheapest?", "Which {device} is the most expensive?"),
        ("Is {tool1} faster than {tool2}?", "Is {tool1} as fast as {tool2}?"),
        (
            "Which towns in {country} have more than {n} schools?",
            "Which towns in {country} have fewer than {n} schools?",
        ),
        ("What is the best month to visit {city}?", "What is the worst month to visit {city}?"),
        ("Which {device} is lighter?", "Which {device} is lightest?"),
        ("Does {person} earn at least {n} euros an hour?", "Does {person} earn at most {n} euros an hour?"),
        ("How do I make {tool} use more memory?", "How do I make {tool} use less memory?"),
    ),
    "scope": (
        ("Which hotels in {city} allow pets?", "Which cheap hotels in {city} allow pets?"),
        ("Do I need a visa for {country}?", "Do I need a visa for {country} as a student?"),
        ("How do I learn {tool}?", "How do I learn {tool} as a beginner?"),
        ("Is {food} healthy?", "Is {food} healthy for babies?"),
        ("Which trains go to {city}?", "Which night trains go to {city}?"),
        ("How do I reset my {device}?", "How do I reset my {device} without losing data?"),
        ("What do people drink in {country}?", "What do young people drink in {country}?"),
        ("What is the price of {good}?", "What is the wholesale price of {good}?"),
    ),
    "quantifier": (
        ("Do all shops in {city} sell {good}?", "Do some shops in {city} sell {good}?"),
        ("Are most people in {country} religious?", "Are all people in {country} religious?"),
        ("How much {good} is left?", "How many bags of {good} are left?"),
        ("Did {person1} and {person2} both call?", "Did either {person1} or {person2} call?"),
        ("Does every {device} need an update?", "Does any {device} need an update?"),
        ("What is the first lesson of the {tool} course?", "What is the last lesson of the {tool} course?"),
        ("Can a few tourists see {city} by boat?", "Can few tourists see {city} by boat?"),
        ("Is {food} always cheap in {country}?", "Is {food} sometimes cheap in {country}?"),
    ),
    "elliptic": (
        ("And in {city1}?", "And in {city2}?"),
        ("With {good1}?", "With {good2}?"),
        ("What about {person1}?", "What about {person2}?"),
        ("Open on {day1}?", "Open on {day2}?"),
        ("Is it open?", "Is it open on {day}?"),
        ("How much for {n1}?", "How much for {n2}?"),
        ("To {city}?", "From {city}?"),
        ("Does it work?", "Does it work in {country}?"),
    ),
    "question": (
        ("When did {person} move to {city}?", "Why did {person} move to {city}?"),
        ("Who sells {good} in {city}?", "Where in {city} is {good} sold?"),
        ("How do I update my {device}?", "When do I update my {device}?"),
        ("How old is {person}?", "How tall is {person}?"),
        ("Where can I learn {tool}?", "How can I learn {tool}?"),
        ("Why do people eat {food}?", "How do people eat {food}?"),
        ("How long is the flight to {city}?", "How much is the flight to {city}?"),
        ("What grows in {country}?", "Where does it grow in {country}?"),
    ),
    "modality": (
        ("Can I pay with euros in {country}?", "Must I pay with euros in {country}?"),
        ("Should I learn {tool}?", "Could I learn {tool}?"),
        ("May {person} drive in {country}?", "Does {person} drive in {country}?"),
        ("Do I have to book the museum in {city}?", "Can I book the museum in {city}?"),
        ("Will {person} come to {city}?", "Should {person} come to {city}?"),
        ("What must I declare in {country}?", "What can I declare in {country}?"),
        ("Should children eat {food}?", "Do children eat {food}?"),
        ("Will my {device} be repaired?", "Can my {device} be repaired?"),
    ),
    "word": (
        ("How do I install {tool}?", "How do I uninstall {tool}?"),
        ("Where can I buy a {device} in {city}?", "Where can I sell a {device} in {city}?"),
        ("What are the benefits of {food}?", "What are the risks of {food}?"),
        ("When does the shop in {city} open?", "When does the shop in {city} close?"),
        ("How much {good} does {country} export?", "How much {good} does {country} import?"),
        ("How do I turn the {device} on?", "How do I turn the {device} off?"),
        ("What did {person} lend you?", "What did {person} borrow from you?"),
        ("Is {city} north of here?", "Is {city} south of here?"),
    ),
}
"""By kind, two templates whose questions want different answers; {n1} and {n2} are filled differently."""

ALIKE: Mapping[str, tuple[tuple[str, str], ...]] = {
    "form": (
        ("What is the weather like in {city} in {month}?", "what's the weather like in {city} in {month}"),
        ("How do I reset my {device}?", "how do i reset my {device}"),
        ("I can't start {tool}. Why?", "I cannot start {tool} - why?"),
        ("What does {n} kg of {good} cost?", "What does {n}kg of {good} cost"),
        ("Does {person} live in {city}?", "does {person} live in {city} ?!"),
        ("Who's the mayor of {city}?", "Who is the mayor of {city}?"),
    ),
    "courtesy": (
        ("How do I reset my {device}?", "Hello, how do I reset my {device}, please?"),
        ("What is the currency of {country}?", "Could you tell me what the currency of {country} is?"),
        ("Where can I buy {good} in {city}?", "Please tell me where I can buy {good} in {city}."),
        ("Who teaches {tool} in {city}?", "Do you know who teaches {tool} in {city}?"),
        ("List the museums in {city}.", "Could you please list the museums in {city}?"),
        (
            "How much does {good} cost in {country}?",
            "I would like to know how much {good} costs in {country}.",
        ),
    ),
    "framing": (
        ("How do I store {good}?", "How can I store {good}?"),
        ("How do I open a file in {tool}?", "How to open a file in {tool}?"),
        ("What is the capital of {country}?", "Tell me the capital of {country}."),
        ("What time does the shop in {city} open?", "When does the shop in {city} open?"),
        ("What is the way to clean a {device}?", "How do I clean a {device}?"),
        ("Why is it that {country} exports {good}?", "Why does {country} export {good}?"),
    ),
    "order": (
        ("How do I sort a list in {tool}?", "In {tool}, how do I sort a list?"),
        ("What is the capital of {country}?", "What is {country}'s capital?"),
        ("What should I wear in {city} in {month}?", "In {month}, what should I wear in {city}?"),
        ("Who is {person}'s teacher?", "Who is the teacher of {person}?"),
        ("Is {good} or {food} healthier?", "Is {food} or {good} healthier?"),
        ("Are {person1} and {person2} friends?", "Are {person2} and {person1} friends?"),
    ),
    "synonym": (
        ("Where can I buy {good}?", "Where can I purchase {good}?"),
        ("When does the course on {tool} begin?", "When does the course on {tool} start?"),
        ("How do I fix a {device}?", "How do I repair a {device}?"),
        ("What is the price of {good} in {country}?", "What is the cost of {good} in {country}?"),
        ("Is it hard to learn {tool}?", "Is it difficult to learn {tool}?"),
        ("What is the fastest way to {city}?", "What is the quickest way to {city}?"),
    ),
    "restructure": (
        ("How old is {person}?", "What is the age of {person}?"),
        ("How many people live in {city}?", "What is the population of {city}?"),
        ("How far is {city1} from {city2}?", "What is the distance between {city1} and {city2}?"),
        ("Why does my {device} not work?", "What is wrong with my {device}?"),
        ("Does {country} export {good}?", "Is {good} exported by {country}?"),
        ("Who taught {person} {tool}?", "From whom did {person} learn {tool}?"),
    ),
}
"""By kind, two templates whose questions want the same answer."""

ALIKE_PER_KIND = 22


def filled(pair: Pair, rng: Random) -> Pair:
    """Return two questions with the same filling; slots that differ in their number alone differ in it."""
    names = sorted({part.partition("}")[0] for text in pair for part in text.split("{")[1:]})
    chosen: dict[str, str] = {}
    for name in names:
        kind = name.rstrip("0123456789")
        taken = {value for other, value in chosen.items() if other.rstrip("0123456789") == kind}
        chosen[name] = rng.choice([value for value in SLOTS[kind] if value not in taken])
    return pair[0].format(**chosen), pair[1].format(**chosen)


def drawn(templates: tuple[Pair, ...], *, count: int, rng: Random, known: tuple[Pair, ...]) -> Iterator[Pair]:
    """Yield pairs of questions that are not `known`, no two alike, each template as often as the others."""
    seen = set(known)
    while len(seen) < len(known) + count:
        pair = filled(templates[(len(seen) - len(known)) % len(templates)], rng)
        if pair not in seen:
            seen.add(pair)
            yield pair


def by_hand(lines: str) -> Iterator[Pair]:
    """Yield the pairs of a text that has two questions to a line."""
    for line in lines.splitlines():
        first, _, second = line.partition(" | ")
        yield first, second


def rows() -> Iterator[Row]:
    """Yield all rows of the file, near-misses first."""
    groups: tuple[tuple[str, Mapping[str, str], Mapping[str, tuple[Pair, ...]], int], ...] = (
        ("different", NEAR_MISSES, SWAPPED, PER_KIND),
        ("same", PARAPHRASES, ALIKE, ALIKE_PER_KIND),
    )
    for label, written, templates, count in groups:
        for kind, lines in written.items():
            rng = Random(f"gemma_eval {label} {kind}")
            known = tuple(by_hand(lines))
            fresh = tuple(drawn(templates[kind], count=count, rng=rng, known=known))
            for how, pairs in (("hand", known), ("drawn", fresh)):
                for number, (first, second) in enumerate(pairs, start=1):
                    name = f"{label}-{kind}-{how}-{number}"
                    yield {"id": name, "label": label, "kind": kind, "first": first, "second": second}


def content() -> str:
    """Return the file as it is to be."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows())


if __name__ == "__main__":
    PATH.write_text(content(), encoding="utf-8")
