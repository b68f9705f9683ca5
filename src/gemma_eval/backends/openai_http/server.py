"""What a server says about itself: its kind, its models, its context, and how it counts tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import cast

from gemma_eval.backends.openai_http.address import Address
from gemma_eval.backends.openai_http.dialects import Dialect
from gemma_eval.backends.openai_http.errors import Excerpt
from gemma_eval.backends.openai_http.options import HttpOptions
from gemma_eval.errors import BackendError

Json = Mapping[str, object]
Ask = Callable[[str, Json | None], Json | None]
"""Asks a server on a path below its origin, with a body or without; `None` when it has no such path."""

_OWNERS: Mapping[str, Dialect] = {"llamacpp": "llama.cpp", "vllm": "vllm", "library": "ollama"}
_ENGINES: Mapping[Dialect, str] = {"openai": "openai-compatible", "llama.cpp": "llama.cpp", "vllm": "vllm"}


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server and the model that is asked of it; what it does not tell is `None` or empty.

    `knows` are the fields of sampling that llama-server has. `added_bos` is the text of the token that it
    puts before a completion. `path` is where its model lies, on its own machine.
    """

    dialect: Dialect
    model: str
    version: str
    engine: str
    context_tokens: int | None = None
    chat_template: str | None = None
    knows: Collection[str] = ()
    added_bos: str = ""
    parameters: int | None = None
    quantisation: str | None = None
    path: str | None = None
    details: Mapping[str, str | int | bool] = field(default_factory=dict)


def recognise(ask: Ask, options: HttpOptions, *, address: Address, name: str, excerpt: Excerpt) -> Server:
    """Ask the server at `address` what it is; the model is called `name` here.

    Raises BackendError: it cannot be reached, is not of the kind that the options say, or has several models
    of which none was chosen.
    """
    listed = _listed(ask(f"{address.path}/models", None))
    root = address.root
    properties = ask(f"{root}/props", None) if _may_be("llama.cpp", listed, options) else None
    if properties is not None and "default_generation_settings" not in properties:
        properties = None
    ollama = ask(f"{root}/api/version", None) if _may_be("ollama", listed, options) else None
    dialect = _dialect(listed, properties, ollama)
    if options.dialect is not None and dialect not in (options.dialect, "openai"):
        raise BackendError(
            f'model {name}: dialect = "{options.dialect}", but the server at {address.origin} is of the kind '
            f'"{dialect}"'
        )
    dialect = options.dialect or dialect
    model = options.model or _only(
        listed, where=f"model {name}: {address.origin}{address.path}/models", show=excerpt
    )
    entry = listed.get(model, {})
    if dialect == "llama.cpp":
        return _llama_cpp(ask, properties or {}, entry, model=model, root=root)
    if dialect == "ollama":
        return _ollama(ask, ollama or {}, model=model, root=root)
    version = ask(f"{root}/version", None) if dialect == "vllm" else None
    return Server(
        dialect=dialect,
        model=model,
        engine=_ENGINES[dialect],
        version=str((version or {}).get("version", "unknown")),
        context_tokens=_whole(entry.get("max_model_len")),
    )


def names(ask: Ask, address: Address) -> tuple[str, ...]:
    """Return the names of the models that a server has; none when it cannot be asked."""
    try:
        return tuple(_listed(ask(f"{address.path}/models", None)))
    except BackendError:
        return ()


def tokens_of(text: str, *, server: Server, ask: Ask, address: Address) -> tuple[int, ...] | None:
    """Return the ids of `text` in the server's model, none added; `None` if it does not tell them."""
    if server.dialect == "llama.cpp":
        return _ids(ask(f"{address.root}/tokenize", _tokenize_body(text)))
    if server.dialect == "vllm":
        body = {"model": server.model, "prompt": text, "add_special_tokens": False}
        return _ids(ask(f"{address.root}/tokenize", body))
    return None


def _tokenize_body(text: str, *, add_special: bool = False) -> Json:
    return {"content": text, "add_special": add_special, "parse_special": True}


def _ids(told: Json | None) -> tuple[int, ...] | None:
    tokens = (told or {}).get("tokens")
    if not isinstance(tokens, list) or not all(isinstance(token, int) for token in tokens):
        return None
    return tuple(tokens)


def _listed(told: Json | None) -> Mapping[str, Json]:
    """Return what a server says about each of its models, by name."""
    data = (told or {}).get("data")
    entries = [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []
    return {str(entry["id"]): entry for entry in entries if "id" in entry}


def _may_be(dialect: Dialect, listed: Mapping[str, Json], options: HttpOptions) -> bool:
    """Say whether a server should be asked if it is of a kind: unless models or options say another."""
    owned = {_OWNERS.get(str(entry.get("owned_by"))) for entry in listed.values()} - {None}
    return dialect in owned or options.dialect == dialect or (not owned and options.dialect is None)


def _dialect(listed: Mapping[str, Json], properties: Json | None, ollama: Json | None) -> Dialect:
    if properties is not None:
        return "llama.cpp"
    if ollama is not None and "version" in ollama:
        return "ollama"
    owners = (_OWNERS.get(str(entry.get("owned_by"))) for entry in listed.values())
    return next((owner for owner in owners if owner is not None), "openai")


def _only(listed: Mapping[str, Json], *, where: str, show: Excerpt) -> str:
    if len(listed) == 1:
        return next(iter(listed))
    if not listed:
        raise BackendError(
            f"{where} tells of no model; is that the address of the server's API? If it lists none, name the "
            "model with the option model"
        )
    shown = ", ".join(f'"{show(model)}"' for model in sorted(listed)[:10])
    raise BackendError(f"{where} lists {len(listed)} models ({shown}); name one with the option model")


def _llama_cpp(ask: Ask, properties: Json, entry: Json, *, model: str, root: str) -> Server:
    settings = _table(properties, "default_generation_settings")
    meta = _table(entry, "meta")
    bos = str(properties.get("bos_token", ""))
    adds_bos = bos and _ids(ask(f"{root}/tokenize", _tokenize_body("", add_special=True)))
    template = properties.get("chat_template")
    path = properties.get("model_path")
    quantisation = re.sub(
        r"^(all|mostly) ", "", str(properties.get("model_ftype") or meta.get("ftype") or "")
    )
    return Server(
        dialect="llama.cpp",
        model=model,
        engine="llama.cpp",
        version=str(properties.get("build_info", "unknown")),
        context_tokens=_whole(settings.get("n_ctx")),
        chat_template=template if isinstance(template, str) and template else None,
        knows=tuple(_table(settings, "params")),
        added_bos=bos if adds_bos else "",
        parameters=_whole(meta.get("n_params")),
        quantisation=quantisation or None,
        path=path if isinstance(path, str) else None,
        details={"slots": slots} if (slots := _whole(properties.get("total_slots"))) else {},
    )


def _ollama(ask: Ask, version: Json, *, model: str, root: str) -> Server:
    """Return what Ollama tells of a model, with its own sampling parameters: no request switches them off."""
    shown = ask(f"{root}/api/show", {"model": model}) or {}
    details, meta = _table(shown, "details"), _table(shown, "model_info")
    tags = _table({"tags": _tags(ask(f"{root}/api/tags", None))}, "tags")
    own = " ".join(str(shown.get("parameters", "")).split())
    told = {"parameters": own, "digest": tags.get(model, tags.get(f"{model}:latest", ""))}
    return Server(
        dialect="ollama",
        model=model,
        engine="ollama",
        version=str(version.get("version", "unknown")),
        context_tokens=_whole(found[1]) if (found := re.search(r"\bnum_ctx (\d+)", own)) else None,
        parameters=_whole(meta.get("general.parameter_count")),
        quantisation=str(details["quantization_level"]) if details.get("quantization_level") else None,
        details={key: str(value) for key, value in told.items() if value},
    )


def _tags(told: Json | None) -> Json:
    models = (told or {}).get("models")
    entries = [entry for entry in models if isinstance(entry, dict)] if isinstance(models, list) else []
    return {str(entry.get("name")): entry.get("digest", "") for entry in entries}


def _table(told: Json, key: str) -> Json:
    found = told.get(key)
    return cast(Json, found) if isinstance(found, dict) else {}


def _whole(value: object) -> int | None:
    text = str(value) if isinstance(value, int | str) else ""
    return int(text) or None if text.isascii() and text.isdigit() and len(text) < 19 else None
