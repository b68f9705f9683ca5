"""What a backend keeps that holds answers to a schema: `ConstrainedContract` beside `BackendContract`."""

from __future__ import annotations

import json

import jsonschema
import pytest

from gemma_eval.errors import BackendError
from gemma_eval.protocols import Backend, ConstrainedBackend
from gemma_eval.records import Prompt, SamplingProfile

SCHEMA = {
    "type": "object",
    "properties": {"verdict": {"type": "string", "enum": ["blue whale", "incorrect"]}},
    "required": ["verdict"],
    "additionalProperties": False,
}
"""One of two labels, which no model would say by itself."""


class ConstrainedContract:
    """The tests; they use the fixtures of `BackendContract`."""

    @pytest.fixture
    def constrained_backend(self, backend: Backend) -> ConstrainedBackend:
        """Return the backend, which says by its methods that it can be held to a schema."""
        assert isinstance(backend, ConstrainedBackend)
        return backend

    @pytest.mark.parametrize("temperature", [0.0, 2.0])
    def test_an_answer_satisfies_its_schema(
        self, constrained_backend: ConstrainedBackend, prompt: Prompt, temperature: float
    ) -> None:
        """However it is drawn; without one the same question is answered with something else."""
        profile = SamplingProfile(name="held", temperature=temperature, max_tokens=60)
        made = constrained_backend.generate_constrained(
            prompt, profile=profile, seed=1, json_schema=json.dumps(SCHEMA)
        )
        jsonschema.validate(json.loads(made.text), SCHEMA)
        assert made.text == "".join(delta.text for delta in made.deltas)
        free = constrained_backend.generate(prompt, profile=profile, seed=1)
        assert "verdict" not in free.text

    def test_a_schema_that_is_no_json_is_an_error(
        self, constrained_backend: ConstrainedBackend, prompt: Prompt
    ) -> None:
        """Nothing is asked for with it."""
        profile = SamplingProfile(name="held", max_tokens=8)
        with pytest.raises(BackendError, match="is no JSON"):
            constrained_backend.generate_constrained(prompt, profile=profile, seed=1, json_schema="{")
