"""Trains the pocket model through its curriculum: `training/train.py --out DIR`; run again to resume."""

# ruff: noqa: S311 - a seeded stream of pseudo-random draws is the point

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import torch
from torch import Tensor, nn
from torch.nn import functional

import corpus
import facts
import splits
from batches import Batch, Encoded, encode, pack
from checkpoints import Progress, fresh_model
from documents import Document
from model import Pocket
from scoring import accuracy, drawn


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the curriculum: its mix, the shape of its batches, and the gate that ends it."""

    name: str
    rows: int
    length: int
    gate: float | None


STAGES = (
    Stage("recall", 48, 128, 0.97),
    Stage("sentences", 16, 384, 0.97),
    Stage("chat", 16, 384, 0.97),
    Stage("wordings", 16, 384, 0.96),
    Stage("absent", 16, 384, 0.95),
    Stage("everything", 16, 384, 0.985),
    Stage("practice", 16, 384, None),
    Stage("calibration", 16, 384, None),
)
GATE_EVERY = 50
CALIBRATION_SHARE = 0.09
SAVE_EVERY = 100
REPORT_EVERY = 500
WARM_UP = 50


class Trainer:
    """Holds the model, the optimiser and the progress, and saves them together."""

    def __init__(
        self, out: Path, *, seed: int, rate: float, budget: int, compiled: str, precision: str
    ) -> None:
        torch.manual_seed(seed)
        self.out, self.seed, self.rate, self.budget = out, seed, rate, budget
        self.precision = precision
        self.model, self.tokenizer = fresh_model()
        self.forward = torch.compile(self.model, dynamic=False) if compiled == "yes" else self.model
        self.optimizer = torch.optim.AdamW(groups(self.model), lr=rate, betas=(0.9, 0.98), fused=True)
        self.progress = Progress()
        self.history: list[dict[str, object]] = []
        if (out / "checkpoint.pt").exists():
            self.restore(out / "checkpoint.pt")

    def run(self) -> None:
        """Train until the token budget is spent."""
        started = time.monotonic() - self.progress.seconds
        seen = loss_sum = 0.0
        while self.progress.tokens < self.budget:
            stage = self.stage()
            batch = self.batch(stage)
            loss = self.update(batch)
            self.progress.step += 1
            self.progress.tokens += batch.n_tokens
            self.progress.seconds = time.monotonic() - started
            seen, loss_sum = seen + 1, loss_sum + loss
            if self.progress.step % (GATE_EVERY if stage.gate else SAVE_EVERY) == 0:
                passed = self.check(stage, loss_sum / seen)
                seen = loss_sum = 0.0
                if passed:
                    self.progress.stage += 1
                self.save()
        self.save()

    def stage(self) -> Stage:
        """Return the present stage; the last one takes the end of the budget, not a gate."""
        if STAGES[self.progress.stage].gate is None and self.progress.tokens > self.budget * (
            1 - CALIBRATION_SHARE
        ):
            self.progress.stage = len(STAGES) - 1
        return STAGES[self.progress.stage]

    def batch(self, stage: Stage) -> Batch:
        """Draw the batch of the present step; it depends on the seed and the step alone."""
        source = corpus.documents(Random(f"{self.seed}/{self.progress.step}"), stage.name)

        def encoded() -> Iterator[Encoded]:
            while True:
                block = [next(source) for _ in range(64)]
                yield from (item for item in encode(block, self.tokenizer) if len(item.ids) <= stage.length)

        return pack(encoded(), rows=stage.rows, length=stage.length)

    def update(self, batch: Batch) -> float:
        """Take one optimiser step and return the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * self.schedule()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bf16"):
            hidden, table = self.forward(batch.ids, batch.segments)
        row, column = batch.weights.nonzero(as_tuple=True)
        weights = batch.weights[row, column]
        losses = functional.cross_entropy(
            hidden[row, column].float() @ table.T, batch.ids[row, column + 1], reduction="none"
        )
        loss: Tensor = (losses * weights).sum() / weights.sum()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss.item()

    def schedule(self) -> float:
        """Return the learning rate's factor: warm-up, constant, then down to 2 % over the last quarter."""
        left = 1 - self.progress.tokens / self.budget
        return min(1.0, (self.progress.step + 1) / WARM_UP, max(0.02, left / 0.25))

    def check(self, stage: Stage, loss: float) -> bool:
        """Log the stage's gate accuracy (and all splits now and then); say whether the gate is passed."""
        score = accuracy(self.model, self.tokenizer, gate_documents(stage.name))
        record: dict[str, object] = {"stage": stage.name, "loss": round(loss, 4), "gate": round(score, 4)}
        if stage.gate is None and self.progress.step % REPORT_EVERY == 0:
            record["splits"] = self.report()
        record |= asdict(self.progress)
        self.history.append(record)
        print(json.dumps(record), flush=True)
        return stage.gate is not None and score >= stage.gate

    def report(self) -> dict[str, float]:
        """Score every split on a few items."""
        return {
            name: round(
                accuracy(self.model, self.tokenizer, drawn(split.draw, seed=f"watch/{name}", count=100)), 3
            )
            for name, split in splits.SPLITS.items()
        }

    def save(self) -> None:
        """Write the checkpoint so that an interruption at any moment leaves a whole one."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "progress": asdict(self.progress),
            "history": self.history,
        }
        torch.save(state, self.out / "checkpoint.tmp")
        (self.out / "checkpoint.tmp").replace(self.out / "checkpoint.pt")

    def restore(self, path: Path) -> None:
        """Continue from a checkpoint."""
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.progress = Progress(**state["progress"])
        self.history = state["history"]


def groups(model: Pocket) -> list[dict[str, object]]:
    """Split the parameters: matrices decay, gains and the space vector do not."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    return [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}]


def gate_documents(stage: str) -> list[Document]:
    """Return the documents of a stage's gate: eight facts of one type, held out from the second stage on."""
    rng = Random(f"gate/{stage}")
    if stage == "recall":
        return [facts.key_value(rng) for _ in range(60)]
    if stage == "sentences":
        return [facts.sentences(rng, split="held_out", count=8) for _ in range(60)]
    forms = 1 if stage == "chat" else 2
    sources = (
        corpus.same_type_context(rng, count=8, split="held_out", forms=forms, sentences_at_most=forms)
        for _ in range(60)
    )
    share = 0.25 if stage in ("absent", "everything", "practice", "calibration") else 0.0
    asked = (
        facts.conversation(
            rng, source, forms=1 if stage == "chat" else 3, form="plain", absent_share=share, turns=8
        )
        for source in sources
    )
    return [document for document in asked if document is not None]


def main() -> None:
    """Read the options and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--tokens", type=int, default=40_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", choices=("yes", "no"), default="yes")
    parser.add_argument(
        "--precision", choices=("bf16", "fp32"), default="bf16", help="of the matrix products"
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    Trainer(
        options.out,
        seed=options.seed,
        rate=options.rate,
        budget=options.tokens,
        compiled=options.compile,
        precision=options.precision,
    ).run()


if __name__ == "__main__":
    main()
