"""Training learns, is resumed exactly, and exports what it trained."""

from pathlib import Path

import pytest

from tests import required

torch = required.module("torch", extra="train")

import checkpoints  # noqa: E402 - after the check for torch
import export  # noqa: E402
import greedy  # noqa: E402
import scoring  # noqa: E402
import train  # noqa: E402


def trainer(out: Path, *, budget: int = 10_000_000) -> train.Trainer:
    """A trainer on one thread, uncompiled, in fp32."""
    torch.set_num_threads(1)
    return train.Trainer(out, seed=5, rate=3e-3, budget=budget, compiled="no", precision="fp32")


def steps(subject: train.Trainer, count: int) -> list[float]:
    """Take small steps of the first stage and return their losses."""
    stage = train.Stage("recall", 4, 128, None)
    losses = []
    for _ in range(count):
        losses.append(subject.update(subject.batch(stage)))
        subject.progress.step += 1
    return losses


def test_the_loss_falls(tmp_path: Path) -> None:
    """Thirty small steps of key-value recall."""
    losses = steps(trainer(tmp_path), 30)
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    """Weights are equal to the bit after 3 + 3 steps and after 6."""
    whole = trainer(tmp_path / "never-written")
    steps(whole, 6)
    (tmp_path / "part").mkdir()
    first = trainer(tmp_path / "part")
    steps(first, 3)
    first.save()
    second = trainer(tmp_path / "part")
    steps(second, 3)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name


def test_the_learning_rate_warms_up_stays_and_falls(tmp_path: Path) -> None:
    """From 1/50 over 1 to 0.02 at the end of the budget."""
    subject = trainer(tmp_path, budget=1000)
    assert subject.schedule() == pytest.approx(1 / 50)
    subject.progress.step, subject.progress.tokens = 100, 500
    assert subject.schedule() == 1.0
    subject.progress.tokens = 875
    assert subject.schedule() == pytest.approx(0.5)
    subject.progress.tokens = 1000
    assert subject.schedule() == pytest.approx(0.02)


def test_the_export_is_the_model_that_was_trained(tmp_path: Path) -> None:
    """The plain table of the export gives the twin embedding's logits."""
    subject = trainer(tmp_path)
    steps(subject, 2)
    subject.save()
    model, tokenizer, _ = checkpoints.load_model(tmp_path / "checkpoint.pt")
    export.export(model, tokenizer, tmp_path / "exported")
    again, same = greedy.load_exported(tmp_path / "exported")
    prompt = same.encode("<bos><start_of_turn>user\nWhere does Finn live?", add_special_tokens=False).ids
    assert torch.allclose(greedy.next_logits(model, [prompt]), greedy.next_logits(again, [prompt]), atol=1e-5)


@pytest.mark.slow
def test_two_hundred_steps_solve_key_value_recall(tmp_path: Path) -> None:
    """The first stage's gate is in sight after about 1.2 M tokens."""
    subject = trainer(tmp_path)
    stage = train.STAGES[0]
    for _ in range(200):
        subject.update(subject.batch(stage))
        subject.progress.step += 1
    documents = train.gate_documents("recall")
    assert scoring.accuracy(subject.model, subject.tokenizer, documents) > 0.9
