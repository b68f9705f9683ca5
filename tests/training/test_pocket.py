"""The shipped model: whole files, the logits of `transformers`, and the abilities that its card reports."""

import json
import math
from pathlib import Path
from random import Random

import pytest
from safetensors import safe_open
from tokenizers import Tokenizer

from tests import required

torch = required.module("torch", extra="train")

import evaluate  # noqa: E402 - after the check for torch
import greedy  # noqa: E402
import scoring  # noqa: E402
import splits  # noqa: E402
import world  # noqa: E402
from documents import prompt  # noqa: E402
from model import Pocket  # noqa: E402

POCKET = Path(__file__).parents[2] / "src" / "gemma_eval" / "pocket"


@pytest.fixture(scope="module")
def loaded() -> tuple[Pocket, Tokenizer]:
    """Load the shipped model once."""
    torch.set_num_threads(1)
    return greedy.load_exported(POCKET)


def test_the_files_of_a_hugging_face_model_are_there() -> None:
    """And small: at most 8 MB of weights."""
    names = {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"}
    assert names | {"chat_template.jinja", "model.safetensors"} <= {path.name for path in POCKET.iterdir()}
    assert (POCKET / "model.safetensors").stat().st_size <= 8_000_000


def test_the_shape_is_one_that_other_engines_can_run() -> None:
    """1 to 5 M parameters, rows in multiples of 32, the scale that engines derive from the head size."""
    config = json.loads((POCKET / "config.json").read_text(encoding="utf-8"))
    with safe_open(POCKET / "model.safetensors", "np") as weights:
        shapes = [weights.get_slice(name).get_shape() for name in weights.keys()]  # noqa: SIM118 - not a mapping
    assert 1_000_000 <= sum(math.prod(shape) for shape in shapes) <= 5_000_000
    assert all(size % 32 == 0 for shape in shapes for size in shape)
    assert config["query_pre_attn_scalar"] == config["head_dim"]
    assert config["max_position_embeddings"] >= 1024


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("context, 8 facts of one type", 0.95),
        ("context, mixed relations", 0.95),
        ("absent from the context", 0.9),
        ("no context", 0.9),
        ("closed facts", 0.95),
        ("sums and differences", 0.8),
        ("judge", 0.9),
    ],
)
def test_held_out_items_are_answered(name: str, least: float, loaded: tuple[Pocket, Tokenizer]) -> None:
    """On 60 items of a split; the card gives the figures on more."""
    documents = scoring.drawn(splits.SPLITS[name].draw, seed="test", count=60)
    assert scoring.accuracy(*loaded, documents) >= least


def test_scoring_notices_wrong_answers(loaded: tuple[Pocket, Tokenizer]) -> None:
    """With each answer replaced by that of another item, accuracy falls below one half."""
    documents = scoring.drawn(splits.SPLITS["context, 8 facts of one type"].draw, seed="test", count=40)
    answers = [document[1] for document in documents]
    swapped = [(d[0], answer, d[2]) for d, answer in zip(documents, answers[1:] + answers[:1], strict=True)]
    assert scoring.accuracy(*loaded, list(swapped)) < 0.5


def test_teacher_forcing_scores_as_greedy_decoding_does(
    loaded: tuple[Pocket, Tokenizer],
) -> None:
    """The quick score is the true one."""
    documents = scoring.drawn(splits.SPLITS["lists"].draw, seed="both", count=30)
    forced = scoring.exact_matches(*loaded, documents)
    given = greedy.complete(*loaded, [document[0].text for document in documents], max_tokens=30)
    assert forced == [answer == document[1].text for answer, document in zip(given, documents, strict=True)]


def test_a_story_stops_by_itself(loaded: tuple[Pocket, Tokenizer]) -> None:
    """And ends as stories do."""
    heroes = Random(0).sample(world.STORY_HEROES, 5)  # noqa: S311 - a seeded draw is the point
    prompts = ["<bos>" + prompt(f"Tell a story about a {hero}.") for hero in heroes]
    for hero, story in zip(heroes, greedy.complete(*loaded, prompts, max_tokens=80), strict=True):
        assert story is not None
        assert hero in story
        assert story.endswith("The end.")


def test_choices_have_the_probabilities_that_they_were_trained_with(
    loaded: tuple[Pocket, Tokenizer],
) -> None:
    """Within 0.05 each; the card reports at most 0.026."""
    for user, options in world.CHOICES.items():
        learned = evaluate.choice_probabilities(*loaded, user)
        assert all(abs(learned[text] - probability) < 0.05 for text, probability in options)


def test_logits_equal_those_of_transformers() -> None:
    """To 1e-4, and the chat template renders what the corpus trains on."""
    required.module("transformers", extra="train")
    import verify

    assert verify.largest_difference(POCKET) <= verify.TOLERANCE
    assert verify.same_rendering(POCKET)


def test_a_window_that_is_off_by_one_is_noticed(tmp_path: Path) -> None:
    """The comparison with `transformers` has teeth."""
    required.module("transformers", extra="train")
    import verify

    for path in POCKET.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    model, tokenizer = greedy.load_exported(POCKET)
    text = verify.conversation_text()
    config = json.loads((POCKET / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(
        json.dumps(config | {"sliding_window": config["sliding_window"] - 1})
    )
    theirs = verify.reference_logits(tmp_path, verify.encoded(tokenizer, text))
    assert float((verify.our_logits(model, tokenizer, text) - theirs).abs().max()) > 100 * verify.TOLERANCE
