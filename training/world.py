"""The closed world of the pocket model: its words, relations, fixed facts and known distributions."""

# ruff: noqa: SIM905 - a word list reads better as words than as a column of quotes

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

RelationName = Literal["lives", "likes", "owns", "works", "wears", "plays", "coins", "place"]

NAMES: tuple[str, ...] = tuple(
    """
    Ada Ben Cleo Dora Eli Finn Gwen Hugo Iris Jack Kira Leo Mia Noah Olga Paul Quinn Rosa
    Sam Tara Uma Vera Will Yara Zoe Amir Bella Carl Dina Emil Fay Gus Hana Ivan Jane Karl
    Lena Max Nora Omar Pia Ralf Sara Tom Ulla Vik Wanda Yuri
    """.split()
)
OBJECTS: tuple[str, ...] = tuple(
    """
    key lamp book ball cup clock coin map ring box pen bag knife spoon chair mirror rope
    candle bell hammer brush bottle shoe towel
    """.split()
)
CITIES: tuple[str, ...] = tuple(
    """
    Oslo Rome Paris Lima Cairo Tokyo Berlin Madrid Vienna Prague Dublin Lisbon Athens Warsaw
    Ottawa Havana Delhi Quito Riga Bern Seoul Hanoi Tunis Nairobi
    """.split()
)
COUNTRIES: tuple[str, ...] = tuple(
    """
    Norway Italy France Peru Egypt Japan Germany Spain Austria Czechia Ireland Portugal
    Greece Poland Canada Cuba India Ecuador Latvia Switzerland Korea Vietnam Tunisia Kenya
    """.split()
)
FOODS: tuple[str, ...] = tuple(
    """
    plums apples pears figs grapes lemons nuts olives carrots beans peas onions soup bread
    cheese rice honey cake fish eggs
    """.split()
)
ANIMALS: tuple[str, ...] = tuple(
    """
    cat dog horse fox hen goat rabbit duck parrot turtle mouse sheep cow pig frog pony
    hamster goose bear wolf
    """.split()
)
JOBS: tuple[str, ...] = tuple(
    """
    baker doctor pilot teacher farmer painter singer lawyer nurse cook driver clerk sailor
    tailor writer dancer barber gardener miner plumber
    """.split()
)
COLOURS: tuple[str, ...] = tuple(
    """
    red blue green black white yellow brown pink grey purple silver golden
    """.split()
)
INSTRUMENTS: tuple[str, ...] = tuple(
    """
    flute piano violin guitar drum harp trumpet cello horn banjo tuba organ
    """.split()
)
ROOMS: tuple[str, ...] = tuple(
    """
    kitchen garage attic cellar garden hall bedroom office bathroom shed tower library
    """.split()
)


@dataclass(frozen=True, slots=True)
class Relation:
    """One kind of fact: who can have it, which values it takes, and how it is said and asked."""

    name: RelationName
    entities: tuple[str, ...]
    values: tuple[str, ...]
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    completion: str


RELATIONS: Mapping[RelationName, Relation] = {
    relation.name: relation
    for relation in (
        Relation(
            "lives",
            NAMES,
            CITIES,
            ("{e} lives in {v}.", "The home of {e} is in {v}."),
            ("Where does {e} live?", "In which city does {e} live?", "Which city is the home of {e}?"),
            "{e} lives in",
        ),
        Relation(
            "likes",
            NAMES,
            FOODS,
            ("{e} likes {v}.", "The favourite food of {e} is {v}."),
            ("What does {e} like?", "Which food does {e} like?", "What is the favourite food of {e}?"),
            "{e} likes",
        ),
        Relation(
            "owns",
            NAMES,
            ANIMALS,
            ("{e} owns a {v}.", "The pet of {e} is a {v}."),
            ("Which animal does {e} own?", "What pet does {e} own?", "Which animal is the pet of {e}?"),
            "{e} owns a",
        ),
        Relation(
            "works",
            NAMES,
            JOBS,
            ("{e} works as a {v}.", "The job of {e} is {v}."),
            ("What is the job of {e}?", "Which job does {e} have?", "What does {e} work as?"),
            "{e} works as a",
        ),
        Relation(
            "wears",
            NAMES,
            COLOURS,
            ("{e} wears a {v} hat.", "The hat of {e} is {v}."),
            (
                "What colour is the hat of {e}?",
                "Which colour is the hat of {e}?",
                "What colour does {e} wear?",
            ),
            "The hat of {e} is",
        ),
        Relation(
            "plays",
            NAMES,
            INSTRUMENTS,
            ("{e} plays the {v}.", "The instrument of {e} is the {v}."),
            ("What does {e} play?", "Which instrument does {e} play?", "What is the instrument of {e}?"),
            "{e} plays the",
        ),
        Relation(
            "coins",
            NAMES,
            tuple("23456789"),
            ("{e} has {v} coins.", "The number of coins of {e} is {v}."),
            ("How many coins does {e} have?", "What number of coins does {e} have?"),
            "The number of coins of {e} is",
        ),
        Relation(
            "place",
            OBJECTS,
            ROOMS,
            ("The {e} is in the {v}.", "The place of the {e} is the {v}."),
            ("Where is the {e}?", "In which room is the {e}?", "Which room holds the {e}?"),
            "The {e} is in the",
        ),
    )
}

OPPOSITES: tuple[tuple[str, str], ...] = tuple(
    (left, right)
    for left, _, right in (
        pair.partition("/")
        for pair in """
    hot/cold big/small fast/slow old/young high/low long/short hard/soft light/dark
    full/empty wet/dry good/bad happy/sad rich/poor early/late open/closed clean/dirty
    loud/quiet strong/weak near/far up/down left/right day/night true/false thick/thin
    """.split()
    )
)
YOUNG: Mapping[str, str] = {
    "cat": "kitten",
    "dog": "puppy",
    "cow": "calf",
    "horse": "foal",
    "sheep": "lamb",
    "hen": "chick",
    "goat": "kid",
    "pig": "piglet",
    "bear": "cub",
    "duck": "duckling",
}
SOUNDS: Mapping[str, str] = {"dog": "barks", "cat": "purrs", "cow": "moos", "duck": "quacks", "lion": "roars"}
DAYS: tuple[str, ...] = tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split())
MONTHS: tuple[str, ...] = tuple(
    """
    January February March April May June July August September October November December
    """.split()
)
THING_COLOURS: Mapping[str, str] = {
    "snow": "white",
    "grass": "green",
    "coal": "black",
    "blood": "red",
    "gold": "yellow",
    "sky": "blue",
}
LEGS: Mapping[str, str] = {"spider": "8", "ant": "6", "dog": "4", "hen": "2", "snake": "0"}


@dataclass(frozen=True, slots=True)
class ClosedFact:
    """A fact that the model knows without context: its family, all question texts, and the answer."""

    family: str
    questions: tuple[str, ...]
    answer: str


def closed_facts() -> tuple[ClosedFact, ...]:
    """Return the whole table of closed facts, each with every phrasing of its question."""
    facts: list[ClosedFact] = []

    def add(family: str, phrasings: tuple[str, ...], subject: str, answer: str) -> None:
        facts.append(ClosedFact(family, tuple(text.format(x=subject) for text in phrasings), answer))

    for country, city in zip(COUNTRIES, CITIES, strict=True):
        add("capital", CAPITAL_QUESTIONS, country, city)
        add("country", COUNTRY_QUESTIONS, city, country)
    for left, right in OPPOSITES:
        add("opposite", OPPOSITE_QUESTIONS, left, right)
        add("opposite", OPPOSITE_QUESTIONS, right, left)
    for table, family, phrasings in (
        (YOUNG, "young", YOUNG_QUESTIONS),
        (SOUNDS, "sound", SOUND_QUESTIONS),
        (THING_COLOURS, "colour", COLOUR_QUESTIONS),
        (LEGS, "legs", LEGS_QUESTIONS),
    ):
        for subject, answer in table.items():
            add(family, phrasings, subject, answer)
    for ring, family, phrasings in ((DAYS, "day", DAY_QUESTIONS), (MONTHS, "month", MONTH_QUESTIONS)):
        for index, subject in enumerate(ring):
            add(family, phrasings, subject, ring[(index + 1) % len(ring)])
    return tuple(facts)


CAPITAL_QUESTIONS = (
    "What is the capital of {x}?",
    "Which city is the capital of {x}?",
    "Name the capital of {x}.",
    "The capital of {x} is",
    "Which city is the seat of the government of {x}?",
    "What city is the capital of {x}?",
)
COUNTRY_QUESTIONS = (
    "Which country has the capital {x}?",
    "{x} is the capital of",
    "{x} is the capital of which country?",
    "Of which country is {x} the capital?",
    "Name the country with the capital {x}.",
    "What country has the capital {x}?",
)
OPPOSITE_QUESTIONS = (
    "What is the opposite of {x}?",
    "The opposite of {x} is",
    "Name the opposite of {x}.",
    "Which word is the opposite of {x}?",
    "What word means the opposite of {x}?",
    "Give the opposite of {x}.",
)
YOUNG_QUESTIONS = (
    "What is a young {x} called?",
    "A young {x} is called a",
    "What do you call a young {x}?",
    "Name the young of a {x}.",
    "Which word means a young {x}?",
    "What is the young of a {x} called?",
)
SOUND_QUESTIONS = (
    "Which sound does a {x} make? It",
    "What does a {x} do when it is loud? It",
    "A {x}",
    "Name the sound of a {x}.",
    "What is the sound of a {x}?",
    "Which word is the sound of a {x}?",
)
COLOUR_QUESTIONS = (
    "What colour is {x}?",
    "Which colour is {x}?",
    "The colour of {x} is",
    "Name the colour of {x}.",
    "What is the colour of {x}?",
    "Which colour has {x}?",
)
LEGS_QUESTIONS = (
    "How many legs does a {x} have?",
    "The number of legs of a {x} is",
    "What number of legs does a {x} have?",
    "How many legs has a {x}?",
    "Name the number of legs of a {x}.",
    "What is the number of legs of a {x}?",
)
DAY_QUESTIONS = (
    "Which day comes after {x}?",
    "What day comes after {x}?",
    "The day after {x} is",
    "Name the day after {x}.",
    "What is the day after {x}?",
    "Which day is next after {x}?",
)
MONTH_QUESTIONS = (
    "Which month comes after {x}?",
    "What month comes after {x}?",
    "The month after {x} is",
    "Name the month after {x}.",
    "What is the month after {x}?",
    "Which month is next after {x}?",
)

CHOICES: Mapping[str, tuple[tuple[str, float], ...]] = {
    "Pick a name.": (("Ada", 0.5), ("Ben", 0.25), ("Cleo", 0.15), ("Dora", 0.1)),
    "Pick a colour.": (("red", 0.4), ("blue", 0.3), ("green", 0.2), ("black", 0.1)),
    "Pick an animal.": (("cat", 0.25), ("dog", 0.25), ("horse", 0.25), ("fox", 0.25)),
    "Pick a city.": (("Oslo", 0.7), ("Rome", 0.2), ("Lima", 0.1)),
    "Flip a coin.": (("heads", 0.5), ("tails", 0.5)),
    "Roll a die.": tuple((face, 1 / 6) for face in "123456"),
}

STORY_HEROES: tuple[str, ...] = ANIMALS
STORY_SLOTS: Mapping[str, tuple[tuple[str, float], ...]] = {
    "mood": (("small", 0.4), ("young", 0.3), ("happy", 0.2), ("quiet", 0.1)),
    "home": (("forest", 0.5), ("garden", 0.25), ("shed", 0.15), ("tower", 0.1)),
    "day": (("One day", 0.6), ("One night", 0.25), ("In the morning", 0.15)),
    "find": (("key", 0.4), ("bell", 0.3), ("ring", 0.2), ("map", 0.1)),
    "end": (("happy", 0.5), ("sad", 0.25), ("rich", 0.25)),
}
STORY = (
    "Once there was a {mood} {hero}.",
    "It lived in the {home}.",
    "{day} it found a {find}.",
    "It showed the {find} to {friend}.",
    "Then the {hero} was {end}.",
    "The end.",
)
STORY_FRIENDS: tuple[tuple[str, float], ...] = (("Ada", 0.4), ("Finn", 0.3), ("Mia", 0.2), ("Zoe", 0.1))
STORY_PROMPTS: tuple[str, ...] = ("Tell a story about a {hero}.", "Write a short story about a {hero}.")

UNKNOWN_ANSWER = "I do not know."
