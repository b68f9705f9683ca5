"""What a training document is: spans of text, some of them to be learned, in Gemma's chat markup."""

from dataclasses import dataclass

STOP_WEIGHT = 0.3


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a document and the weight of its tokens in the loss (0: read only)."""

    text: str
    weight: float = 0.0


Document = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """What the user says and what the model must answer."""

    user: str
    answer: str


def chat(turns: list[Turn]) -> Document:
    """Render turns in the markup of Gemma's chat template; answers and their ends are learned."""
    spans: list[Span] = []
    opening = "<bos>"
    for turn in turns:
        spans += [
            Span(opening + prompt(turn.user)),
            Span(turn.answer, 1.0),
            Span("<end_of_turn>", STOP_WEIGHT),
        ]
        opening = "\n"
    return tuple(spans)


def prompt(user: str) -> str:
    """Render one user turn and the opening of the model's turn, without `<bos>`."""
    return f"<start_of_turn>user\n{user}<end_of_turn>\n<start_of_turn>model\n"
