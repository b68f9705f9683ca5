"""A lean torch Gemma 3 with Hugging Face's weight names, for training the pocket model."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Shape:
    """The architecture's sizes; every `global_every`-th layer sees the whole context, the others a window."""

    vocab: int = 2048
    hidden: int = 128
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 32
    feed_forward: int = 384
    window: int = 64
    global_every: int = 2
    context: int = 2048
    theta_global: float = 100_000.0
    theta_local: float = 10_000.0
    eps: float = 1e-6

    def is_global(self, layer: int) -> bool:
        """Say whether layer `layer` (from 0) attends to the whole context."""
        return (layer + 1) % self.global_every == 0


class Norm(nn.Module):
    """RMSNorm with Gemma's gain (1 + w)."""

    def __init__(self, size: int, *, eps: float, start: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((size,), start))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis of `x`."""
        return functional.rms_norm(x.float(), (x.shape[-1],), 1.0 + self.weight, self.eps)


class TwinEmbedding(nn.Module):
    """Token embeddings in which a word with a leading space is the bare word plus one shared vector.

    A name is then the same thing wherever it stands; the export writes the plain table.
    All tokens start with a common component, which gives heads something to attend by position with.
    """

    common: Tensor
    roots: Tensor
    spaced: Tensor

    def __init__(self, shape: Shape, *, roots: list[int], spaced: list[bool]) -> None:
        super().__init__()
        common = functional.normalize(torch.randn(shape.hidden), dim=0)
        words = torch.randn(shape.vocab, shape.hidden) * shape.hidden**-0.5
        self.table = nn.Parameter(0.8 * words + 0.6 * common)
        self.space = nn.Parameter(torch.zeros(shape.hidden))
        self.register_buffer("common", common, persistent=False)
        padding = shape.vocab - len(roots)
        self.register_buffer("roots", torch.tensor([*roots, *range(len(roots), shape.vocab)]))
        self.register_buffer("spaced", torch.tensor([*map(float, spaced), *([0.0] * padding)]))

    def matrix(self) -> Tensor:
        """Return the plain embedding table `[V, D]`."""
        return self.table[self.roots] + self.spaced[:, None] * self.space


class Attention(nn.Module):
    """Grouped-query attention with QK-norm and rotary positions."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.q_proj = nn.Linear(shape.hidden, shape.heads * shape.head_dim, bias=False)
        self.k_proj = nn.Linear(shape.hidden, shape.kv_heads * shape.head_dim, bias=False)
        self.v_proj = nn.Linear(shape.hidden, shape.kv_heads * shape.head_dim, bias=False)
        self.o_proj = nn.Linear(shape.heads * shape.head_dim, shape.hidden, bias=False)
        self.q_norm = Norm(shape.head_dim, eps=shape.eps)
        self.k_norm = Norm(shape.head_dim, eps=shape.eps)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        """Mix `x` `[B, L, D]` along L where `mask` `[B, 1, L, L]` is true."""
        batch, length, _ = x.shape
        split = (batch, length, -1, self.shape.head_dim)
        q = rotate(self.q_norm(self.q_proj(x).view(split)), rotation).transpose(1, 2)
        k = rotate(self.k_norm(self.k_proj(x).view(split)), rotation).transpose(1, 2)
        v = self.v_proj(x).view(split).transpose(1, 2)
        groups = self.shape.heads // self.shape.kv_heads
        k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, length, -1))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """Gated GELU (tanh form) without biases."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.feed_forward, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.feed_forward, bias=False)
        self.down_proj = nn.Linear(shape.feed_forward, shape.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[…, D]` to `[…, D]`."""
        gated = functional.gelu(self.gate_proj(x), approximate="tanh") * self.up_proj(x)
        return self.down_proj(gated)  # type: ignore[no-any-return]


class Layer(nn.Module):
    """One Gemma 3 block: attention and feed-forward, each normalised before and after."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = FeedForward(shape)
        self.input_layernorm = Norm(shape.hidden, eps=shape.eps)
        self.post_attention_layernorm = Norm(shape.hidden, eps=shape.eps, start=-0.8)
        self.pre_feedforward_layernorm = Norm(shape.hidden, eps=shape.eps)
        self.post_feedforward_layernorm = Norm(shape.hidden, eps=shape.eps, start=-0.8)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        """Add the block's two updates to the residual stream `x` `[B, L, D]`."""
        x = x + self.post_attention_layernorm(self.self_attn(self.input_layernorm(x), rotation, mask))
        return x + self.post_feedforward_layernorm(  # type: ignore[no-any-return]
            self.mlp(self.pre_feedforward_layernorm(x))
        )


class Pocket(nn.Module):
    """The whole decoder, up to the hidden states that the tied head reads."""

    def __init__(self, shape: Shape, *, roots: list[int], spaced: list[bool]) -> None:
        super().__init__()
        self.shape = shape
        self.embed_tokens = TwinEmbedding(shape, roots=roots, spaced=spaced)
        layers = [Layer(shape) for _ in range(shape.layers)]
        self.layers = nn.ModuleList(layers)
        self.norm = Norm(shape.hidden, eps=shape.eps)
        self._start(layers[0])

    def forward(self, ids: Tensor, segments: Tensor) -> tuple[Tensor, Tensor]:
        """Return hidden states `[B, L, D]` and the table `[V, D]`; tokens see only their own segment."""
        shape = self.shape
        table = self.embed_tokens.matrix()
        x = table[ids] * shape.hidden**0.5
        whole, window = masks(segments, window=shape.window)
        far = rotations(ids.shape[1], shape.head_dim, shape.theta_global)
        near = rotations(ids.shape[1], shape.head_dim, shape.theta_local)
        for index, layer in enumerate(self.layers):
            x = layer(x, far, whole) if shape.is_global(index) else layer(x, near, window)
        return self.norm(x), table

    def _start(self, first: Layer) -> None:
        """Initialise; the first heads of layer 0 start out attending to the token before.

        Without that, key-value recall stayed at the guess level for 3 M tokens: QK-norm makes a sharp
        positional head slow to find. With it, recall was learned within 0.4 M.
        """
        for name, parameter in self.layers.named_parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.02)
            elif name.endswith(("q_norm.weight", "k_norm.weight")):
                nn.init.constant_(parameter, 0.5)
        with torch.no_grad():
            look_back(first.self_attn, self.embed_tokens.common)
            first.post_attention_layernorm.weight.fill_(-0.5)

    def hugging_face_state(self) -> dict[str, Tensor]:
        """Return the weights under the names that `Gemma3ForCausalLM` uses."""
        state = {
            f"model.{name}": value.detach().clone()
            for name, value in self.state_dict().items()
            if not name.startswith("embed_tokens.")
        }
        return {"model.embed_tokens.weight": self.embed_tokens.matrix().detach().clone(), **state}


def look_back(attention: Attention, common: Tensor) -> None:
    """Point the query heads of the first KV head at the token before, by the fast rotary pairs alone."""
    shape, half = attention.shape, attention.shape.head_dim // 2
    frequency = shape.theta_local ** (-torch.arange(half) / half)
    strength = torch.zeros(half)
    strength[:5] = torch.tensor([1.0, 1.0, 0.8, 0.6, 0.5])
    key = torch.cat((strength, torch.zeros(half)))
    query = torch.cat((strength * torch.cos(-frequency), strength * torch.sin(-frequency)))
    groups = shape.heads // shape.kv_heads
    for weight, direction in (
        (attention.k_proj.weight[: shape.head_dim], key),
        (attention.q_proj.weight[: shape.head_dim * groups], query.repeat(groups)),
    ):
        weight.mul_(0.3).add_(torch.outer(direction, common))
    attention.q_norm.weight.fill_(1.0)
    attention.k_norm.weight.fill_(1.0)


def masks(segments: Tensor, *, window: int) -> tuple[Tensor, Tensor]:
    """Return the causal masks of global and local layers `[B, 1, L, L]`; a window counts the token itself."""
    position = torch.arange(segments.shape[1])
    distance = position[:, None] - position[None, :]
    whole = (segments[:, :, None] == segments[:, None, :]) & (distance >= 0)
    return whole[:, None], (whole & (distance < window))[:, None]


def rotations(length: int, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Return cos and sin `[L, 1, H]` of the half-split rotary embedding."""
    frequency = theta ** (-torch.arange(0, head_dim, 2).float() / head_dim)
    angle = torch.arange(length).float()[:, None] * frequency
    angle = torch.cat((angle, angle), dim=-1)[:, None, :]
    return angle.cos(), angle.sin()


def rotate(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate `x` `[B, L, N, H]`, pairing element i with element i + H/2."""
    first, second = x.chunk(2, dim=-1)
    return x * rotation[0] + torch.cat((-second, first), dim=-1) * rotation[1]
