"""The folder of a model as transformers is given it: whole files, and special tokens as it writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from gemma_eval.backends.model_files import locate
from gemma_eval.errors import ModelNotFound
from gemma_eval.gemma import tensors
from gemma_eval.gemma.folder import read_json, read_optional_json


def find(location: str) -> Path:
    """Return the folder of a model, whose config.json and safetensors files are whole. Raises ModelNotFound.

    An adapter is refused: the model that it changes is named in it, and would be looked for elsewhere.
    """
    folder = locate(location)
    if not folder.is_dir():
        raise ModelNotFound(f"{location}: is a GGUF file; hf_transformers needs a folder with safetensors")
    if (folder / "adapter_config.json").exists():
        raise ModelNotFound(f"{folder}: is an adapter; merge it into its model and give the folder of that")
    read_json(folder / "config.json")
    tensors.find_tensors(folder)
    return folder


def special_tokens(folder: Path) -> str:
    """Return Jinja2 that sets the special tokens which chat templates name, where they are not Gemma's.

    Those of Gemma are what a chat template is given. Raises ModelNotFound.
    """
    config = read_optional_json(folder / "tokenizer_config.json")
    lines = []
    for name, gemmas in (("bos_token", "<bos>"), ("eos_token", "<eos>")):
        given = config.get(name)
        text = given.get("content") if isinstance(given, Mapping) else given
        if isinstance(text, str) and text != gemmas:
            lines.append(f"{{% set {name} = {json.dumps(text, ensure_ascii=False)} %}}")
    return "".join(lines)
