"""The shipped model in a real llama.cpp, and prompts with the logits that llama.cpp has after them.

What the server had before its samplers goes through our chain, so that nothing depends on our own Gemma.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from gemma_eval.backends.vocabulary import TokenizerVocabulary
from gemma_eval.gemma import gguf_write, tokenizer
from gemma_eval.records import SamplingProfile
from tests.llama_cpp import Floats, LlamaCpp, Step, serve
from tests.sampling.differential import engine, exact, ours
from tests.sampling.differential.verdict import Verdict, judge

POCKET = Path(__file__).parents[3] / "src" / "gemma_eval" / "pocket"
TURN = "<bos><start_of_turn>user\n{}<end_of_turn>\n<start_of_turn>model\n"
TEXTS = (
    TURN.format("Pick a name."),
    TURN.format("Tell a story about a fox.") + "Once upon a time",
    TURN.format("List the names in order: Mia, Ben, Zoe.") + "Mia, Ben, Zoe, Mia, Ben,",
    TURN.format("Context:\n- Finn lives in Oslo.\n\nQuestion: Where does Finn live?"),
    "<bos>The key is in the attic. The key is in the",
    "<bos>Ada: one, two, three. Ben: one, two, three. Cleo: one, two,",
)
ENTROPY_IN_FLOAT32 = 4e-5
"""How far a probability may be off under llama.cpp's dynatemp, which sums the entropy in float32."""

Exactly = Callable[[exact.Logits], exact.Left]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A prompt and the logits [V] that llama.cpp has after it."""

    ids: tuple[int, ...]
    logits: Floats


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The running engine, what our chain may ask of its vocabulary, and prompts with their logits."""

    engine: LlamaCpp
    vocabulary: TokenizerVocabulary
    prompts: tuple[Asked, ...]

    def compare(self, asked: Asked, parameters: ours.Parameters, *, seed: int = 0) -> Verdict:
        """Compare the first token's distribution under a profile."""
        profile = ours.profile(parameters)
        step = self.first(asked, profile, seed=seed)
        candidates = ours.left(
            asked.logits, parameters, vocabulary=self.vocabulary, seen=asked.ids, seed=seed
        )
        slack = ENTROPY_IN_FLOAT32 if profile.dynatemp_range else 0.0
        return judge(self.exactly(asked, profile), candidates, step.values, slack=slack)

    def first(self, asked: Asked, profile: SamplingProfile, *, seed: int = 0) -> Step:
        """Return what the first token is drawn from; where a draw is withheld, the next seed's."""
        fields = engine.request(profile)
        tries = (
            self.engine.sampled(asked.ids, n_predict=1, seed=s, **fields) for s in range(seed, seed + 50)
        )
        return next(steps[0] for steps in tries if steps)

    def exactly(self, asked: Asked, profile: SamplingProfile) -> exact.Left:
        """Return what exact arithmetic leaves; an XTC that is on is taken to have fallen."""
        known = self._changes(asked.ids, profile)
        steps = [
            known[name] if name in known else _cut(name, float(getattr(profile, name)))
            for name in profile.order
            if name in known or getattr(profile, name, None) != getattr(SamplingProfile(name=""), name, None)
        ]
        return exact.chain(asked.logits.astype(np.float64), steps)

    def _changes(self, seen: Sequence[int], profile: SamplingProfile) -> Mapping[str, Exactly]:
        window = seen if profile.penalty_last_n < 0 else seen[len(seen) - profile.penalty_last_n :]
        recent = seen if profile.dry_penalty_last_n < 0 else seen[-profile.dry_penalty_last_n :]
        breaks = breaking(self.engine, profile.dry_sequence_breakers)
        steps: dict[str, Exactly] = {
            "logit_bias": lambda logits: _biased(logits, profile.logit_bias),
            "penalties": lambda logits: exact.penalties(
                logits,
                window,
                repeat=profile.repeat_penalty,
                frequency=profile.frequency_penalty,
                presence=profile.presence_penalty,
            ),
        }
        if profile.dry_multiplier:
            steps["dry"] = lambda logits: exact.dry(
                logits,
                recent,
                multiplier=profile.dry_multiplier,
                base=profile.dry_base,
                allowed=profile.dry_allowed_length,
                breakers=breaks,
            )
        if profile.xtc_probability:
            steps["xtc"] = lambda logits: exact.xtc(logits, profile.xtc_threshold)
        if profile.dynatemp_range:
            steps["temperature"] = lambda logits: exact.dynatemp(
                logits, profile.temperature, profile.dynatemp_range, profile.dynatemp_exponent
            )
        return steps


def _cut(name: str, value: float) -> Exactly:
    return lambda logits: exact.CUTS[name](logits, value)


def _biased(logits: exact.Logits, biases: Mapping[str, float]) -> exact.Left:
    moved = logits.copy()
    for token, bias in biases.items():
        moved[int(token)] += bias
    return exact.Left(logits=moved, undecided=np.zeros(len(logits), dtype=np.bool_))


@cache
def breaking(served: LlamaCpp, texts: tuple[str, ...]) -> set[int]:
    """Return the tokens that hold one of `texts`, by llama.cpp's own pieces."""
    return {token for token, piece in enumerate(served.pieces) if any(text in piece for text in texts)}


@contextmanager
def shipped(folder: Path) -> Iterator[Bench]:
    """Serve the shipped model as a GGUF file in `folder`."""
    path = folder / "pocket.gguf"
    gguf_write.write(POCKET, path, dtype="F32")
    with serve(path) as served:
        prompts = []
        for ids in map(served.tokenize, TEXTS):
            logits = engine.raw_logits(served, ids, served.log_probabilities(ids))
            prompts.append(Asked(ids=ids, logits=logits))
        vocabulary = TokenizerVocabulary(served.vocabulary, tokenizer.load(POCKET))
        yield Bench(engine=served, vocabulary=vocabulary, prompts=tuple(prompts))
