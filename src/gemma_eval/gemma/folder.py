"""The JSON files of a Hugging Face model folder, each missing or damaged one a single clear error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from gemma_eval.errors import ModelNotFound


def read_json(path: Path) -> Mapping[str, object]:
    """Return the JSON object in `path`. Raises ModelNotFound."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelNotFound(
            f"{path}: no such file; a model is a folder with config.json, tokenizer.json and *.safetensors"
        ) from None
    except (OSError, ValueError) as error:
        raise ModelNotFound(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelNotFound(f"{path}: holds a {type(content).__name__}, a JSON object is needed")
    return content


def read_optional_json(path: Path) -> Mapping[str, object]:
    """Return the JSON object in `path`, empty when there is no such file. Raises ModelNotFound."""
    return read_json(path) if path.exists() else {}
