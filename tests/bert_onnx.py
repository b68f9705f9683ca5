"""A BERT as an ONNX graph, written out operator by operator: what an exporter would make of the folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from tests import required

Onnx = Any


@dataclass(kw_only=True)
class _Graph:
    """The nodes and constants so far; each operator adds one node and returns the name of its output."""

    onnx: Onnx
    nodes: list[Onnx] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)

    def op(self, kind: str, *inputs: str | np.ndarray | float, **attributes: object) -> str:
        names = [each if isinstance(each, str) else self._constant(np.asarray(each)) for each in inputs]
        out = f"v{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, names, [out], **attributes))
        return out

    def _constant(self, value: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = value.astype(np.float32) if value.dtype.kind == "f" else value
        return name


def write(folder: Path, *, pairs: bool = False) -> Path:
    """Write `model.onnx` into the folder of a BERT: its last hidden states, or with `pairs` its logits."""
    onnx = required.module("onnx", extra="test")
    config = json.loads((folder / "config.json").read_text())
    weights = {
        name.removeprefix("bert."): value for name, value in load_file(folder / "model.safetensors").items()
    }
    graph = _Graph(onnx=onnx)
    hidden = _embedded(graph, weights, eps=config["layer_norm_eps"])
    for layer in range(config["num_hidden_layers"]):
        hidden = _layer(graph, weights, f"encoder.layer.{layer}", hidden, config)
    out = _logits(graph, weights, hidden) if pairs else hidden
    inputs = ("input_ids", "attention_mask", "token_type_ids")
    helper, types = onnx.helper, onnx.TensorProto
    made = helper.make_graph(
        graph.nodes,
        "bert",
        [helper.make_tensor_value_info(name, types.INT64, ["texts", "tokens"]) for name in inputs],
        [helper.make_tensor_value_info(out, types.FLOAT, None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in graph.constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    return folder


def _embedded(graph: _Graph, weights: dict[str, np.ndarray], *, eps: float) -> str:
    def row(name: str, ids: str) -> str:
        return graph.op("Gather", weights[f"embeddings.{name}_embeddings.weight"], ids)

    # the place of each token: how many come before it
    ones = graph.op("Add", graph.op("Mul", "input_ids", np.array(0)), np.array(1))
    places = graph.op("CumSum", ones, np.array(1), exclusive=1)
    words = graph.op("Add", row("word", "input_ids"), row("token_type", "token_type_ids"))
    return _norm(graph, weights, "embeddings.LayerNorm", graph.op("Add", words, row("position", places)), eps)


def _layer(
    graph: _Graph, weights: dict[str, np.ndarray], at: str, hidden: str, config: dict[str, Any]
) -> str:
    heads, width, eps = config["num_attention_heads"], config["hidden_size"], config["layer_norm_eps"]

    def parts(name: str, order: list[int]) -> str:
        made = _linear(graph, weights, f"{at}.attention.self.{name}", hidden)
        split = graph.op("Reshape", made, np.array([0, 0, heads, width // heads]))
        return graph.op("Transpose", split, perm=order)

    scores = graph.op("MatMul", parts("query", [0, 2, 1, 3]), parts("key", [0, 2, 3, 1]))
    mask = graph.op("Unsqueeze", graph.op("Cast", "attention_mask", to=1), np.array([1, 2]))
    hide = graph.op("Mul", graph.op("Sub", mask, 1.0), 1e9)
    shares = graph.op(
        "Softmax", graph.op("Add", graph.op("Div", scores, float((width // heads) ** 0.5)), hide)
    )
    seen = graph.op("Transpose", graph.op("MatMul", shares, parts("value", [0, 2, 1, 3])), perm=[0, 2, 1, 3])
    joined = graph.op("Reshape", seen, np.array([0, 0, width]))
    joined = graph.op("Add", _linear(graph, weights, f"{at}.attention.output.dense", joined), hidden)
    hidden = _norm(graph, weights, f"{at}.attention.output.LayerNorm", joined, eps)
    wide = _linear(graph, weights, f"{at}.intermediate.dense", hidden)
    bent = graph.op("Add", graph.op("Erf", graph.op("Div", wide, float(2**0.5))), 1.0)
    bent = graph.op("Mul", graph.op("Mul", wide, bent), 0.5)
    out = graph.op("Add", _linear(graph, weights, f"{at}.output.dense", bent), hidden)
    return _norm(graph, weights, f"{at}.output.LayerNorm", out, eps)


def _logits(graph: _Graph, weights: dict[str, np.ndarray], hidden: str) -> str:
    first = graph.op("Gather", hidden, np.array(0), axis=1)
    pooled = graph.op("Tanh", _linear(graph, weights, "pooler.dense", first))
    return _linear(graph, weights, "classifier", pooled)


def _linear(graph: _Graph, weights: dict[str, np.ndarray], name: str, rows: str) -> str:
    product = graph.op("MatMul", rows, np.ascontiguousarray(weights[f"{name}.weight"].T))
    return graph.op("Add", product, weights[f"{name}.bias"])


def _norm(graph: _Graph, weights: dict[str, np.ndarray], name: str, rows: str, eps: float) -> str:
    scale, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return graph.op("LayerNormalization", rows, scale, shift, epsilon=eps)
