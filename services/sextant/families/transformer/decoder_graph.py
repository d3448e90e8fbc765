"""A decoder as an ONNX graph whose key-value cache is updated in place.

Attention is ONNX Runtime's GroupQueryAttention: it rotates, appends to the cache and attends in one operator.
Its cache comes in as `past` and goes out as `present`; bound to the same memory, nothing is copied per step.

Inputs
    input_ids int64[rows, tokens]                 the new tokens, the same number for each row
    seqlens_k int32[rows]                         for each row, its tokens in all, the new ones included, minus 1
    total_sequence_length int32[]                 the largest of these totals
    logit_positions int64[wanted]                 which of the rows * tokens outputs the LM head should see
    past_key.N, past_value.N float32[rows, kv_heads, max_len, head_dim]     for each layer N
Outputs
    logits float32[wanted, vocab]
    present_key.N, present_value.N                as past

Several rows can only take one token each; a row that takes several at once goes alone.
"""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sextant.families.transformer.decoder_config import DecoderConfig
from sextant.families.transformer.graph import CONTRIB, GraphBuilder, Shape
from sextant.families.transformer.quantize import quantize
from sextant.families.transformer.reference import rope_tables
from sextant.families.transformer.weights import Weights

Precision = Literal["fp32", "int8"]

# Weights that share a scale. Perplexity of SmolLM2-135M over float32's: +0.2 % at 32, +0.9 % at 64; decoding is
# as fast at one as at the other, and a quarter slower at 16.
BLOCK = 32
# MatMulNBits then multiplies in int8, with activations quantised by row and block: 9 times as fast as level 0,
# and a row's result still depends on that row alone.
_INT8_ACCURACY_LEVEL = 4


def past_names(layers: int) -> list[str]:
    """The cache's inputs, in the order of `KvSlots`: for each layer its keys, then its values."""
    return [f"past_{kind}.{layer}" for layer in range(layers) for kind in ("key", "value")]


def present_names(layers: int) -> list[str]:
    """The cache's outputs, in the same order."""
    return [name.replace("past", "present", 1) for name in past_names(layers)]


def write_decoder(
    path: Path, weights: Weights, config: DecoderConfig, max_len: int, precision: Precision
) -> tuple[Path, ...]:
    """Writes the graph for sequences of up to `max_len` tokens to `path`; the files it consists of."""
    with GraphBuilder(path, config.architecture) as graph:
        _DecoderGraph(graph, weights, config, max_len, precision).build()
    return graph.files


class _DecoderGraph:
    """The graph, block by block. Methods take and give names of values; activations are [rows, tokens, width]."""

    def __init__(
        self, graph: GraphBuilder, weights: Weights, config: DecoderConfig, max_len: int, precision: Precision
    ) -> None:
        self._graph, self._weights, self._config = graph, weights, config
        self._max_len, self._int8 = max_len, precision == "int8"
        self._quantized_names: dict[str, tuple[str, str]] = {}

    def build(self) -> None:
        graph, config = self._graph, self._config
        ids = graph.input("input_ids", np.int64, ["rows", "tokens"])
        graph.input("seqlens_k", np.int32, ["rows"])
        graph.input("total_sequence_length", np.int32, [])
        wanted = graph.input("logit_positions", np.int64, ["wanted"])
        cache_shape: Shape = ["rows", config.kv_heads, self._max_len, config.head_dim]
        for past, present in zip(past_names(config.layers), present_names(config.layers), strict=True):
            graph.input(past, np.float32, cache_shape)
            graph.output(present, np.float32, cache_shape)
        if config.architecture == "llama":
            cos, sin = rope_tables(config, self._max_len)
            graph.constant("cos", cos.astype(np.float32))
            graph.constant("sin", sin.astype(np.float32))

        residual = self._embed(ids)
        update = ""  # what the last block adds to the residual stream
        for layer in range(config.layers):
            name = f"layers.{layer}"
            normed, residual = self._add_and_norm(residual, update, f"{name}.attn_norm")
            normed, residual = self._add_and_norm(residual, self._attention(normed, layer), f"{name}.mlp_norm")
            update = self._mlp(normed, name)
        normed, _ = self._add_and_norm(residual, update, "final_norm")
        graph.constant("flat", np.array([-1, config.width], dtype=np.int64))
        chosen = graph.add("Gather", graph.add("Reshape", normed, "flat"), wanted, axis=0)
        head = self._linear(chosen, "embed" if config.tied_embeddings else "head", output="logits")
        graph.output(head, np.float32, ["wanted", config.vocab_size])

    def _embed(self, ids: str) -> str:
        graph, config = self._graph, self._config
        if self._int8:
            embedded = self._embed_int8(ids)
        else:
            embedded = graph.add("Gather", graph.constant("embed", self._weights["embed"]), ids, axis=0)
        return embedded if config.architecture == "llama" else self._add_positions(embedded, ids)

    def _embed_int8(self, ids: str) -> str:
        """Rows of the quantised table; a head that is tied to it reads the same bytes."""
        graph, config = self._graph, self._config
        codes, scales = self._quantized("embed", self._weights["embed"])
        if config.width % BLOCK:  # the head's codes are padded, those of a table must not be
            unpadded = quantize(self._weights["embed"], BLOCK).codes.reshape(config.vocab_size, -1)[:, : config.width]
            table = graph.constant("embed.table", np.ascontiguousarray(unpadded))
        else:
            table = graph.same_bytes("embed.table", codes, (config.vocab_size, config.width))
        return graph.add(
            "GatherBlockQuantized",
            *(table, ids, scales),
            domain=CONTRIB,
            bits=8,
            block_size=BLOCK,
            quantize_axis=1,
            gather_axis=0,
        )

    def _quantized(self, key: str, matrix: NDArray[np.float32]) -> tuple[str, str]:
        """Codes and scales of a matrix as constants, made once for each key."""
        if key not in self._quantized_names:
            quantized = quantize(matrix, BLOCK)
            self._quantized_names[key] = (
                self._graph.constant(f"{key}.codes", quantized.codes),
                self._graph.constant(f"{key}.scales", quantized.scales),
            )
        return self._quantized_names[key]

    def _add_positions(self, embedded: str, ids: str) -> str:
        """Learned positions: the new tokens of a row are its last, so they end at seqlens_k."""
        graph = self._graph
        table = graph.constant("position", self._weights["position"][: self._max_len])
        tokens = graph.add("Gather", graph.add("Shape", ids), graph.scalar(1, np.int64), axis=0)
        zero, one = graph.scalar(0, np.int64), graph.scalar(1, np.int64)
        steps = graph.add("Range", graph.add("Sub", one, tokens), one, one)  # 1 - tokens ... 0
        axis = graph.constant("last_axis", np.array([1], dtype=np.int64))
        last = graph.add("Unsqueeze", graph.add("Cast", "seqlens_k", to=7), axis)
        positions = graph.add("Max", graph.add("Add", last, steps), zero)
        return graph.add("Add", embedded, graph.add("Gather", table, positions, axis=0))

    def _attention(self, normed: str, layer: int) -> str:
        graph, config = self._graph, self._config
        name = f"layers.{layer}"
        rotary = config.architecture == "llama"
        inputs = [self._linear(normed, *(f"{name}.{part}" for part in "qkv")), "", ""]
        inputs += [f"past_key.{layer}", f"past_value.{layer}", "seqlens_k", "total_sequence_length"]
        graph.add_node(
            "GroupQueryAttention",
            [*inputs, "cos", "sin"] if rotary else inputs,
            [f"{name}.mixed", f"present_key.{layer}", f"present_value.{layer}"],
            domain=CONTRIB,
            num_heads=config.heads,
            kv_num_heads=config.kv_heads,
            do_rotary=int(rotary),
        )
        return self._linear(f"{name}.mixed", f"{name}.o")

    def _mlp(self, normed: str, name: str) -> str:
        graph = self._graph
        up = self._linear(normed, f"{name}.up")
        if self._config.architecture == "llama":
            gate = self._linear(normed, f"{name}.gate")
            active = graph.add("Mul", graph.add("QuickGelu", gate, domain=CONTRIB, alpha=1.0), up)  # SiLU
        else:
            active = graph.add("Gelu", up, approximate="tanh")
        return self._linear(active, f"{name}.down")

    def _add_and_norm(self, residual: str, update: str, name: str) -> tuple[str, str]:
        """The norm of residual + update, and that sum; in one operator where there is an update to add."""
        graph, config = self._graph, self._config
        scale = graph.constant(name, self._weights[name])
        bias = self._bias(name)
        llama = config.architecture == "llama"
        if not update:
            op = "SimplifiedLayerNormalization" if llama else "LayerNormalization"
            inputs = [residual, scale, bias] if bias else [residual, scale]
            return graph.add(op, *inputs, epsilon=config.norm_epsilon, axis=-1), residual
        op = "SkipSimplifiedLayerNormalization" if llama else "SkipLayerNormalization"
        inputs = [residual, update, scale, bias] if bias else [residual, update, scale]
        normed, total = f"{name}.out", f"{name}.sum"
        graph.add_node(op, inputs, [normed, "", "", total], domain=CONTRIB, epsilon=config.norm_epsilon)
        return normed, total

    def _linear(self, x: str, *names: str, output: str | None = None) -> str:
        """x times the matrices' transposes side by side, plus their biases."""
        graph = self._graph
        key = "+".join(names)
        matrix = np.concatenate([self._weights[name] for name in names])
        rows, inner = matrix.shape
        bias = self._bias(*names)
        if self._int8:
            return graph.add(
                "MatMulNBits",
                *(x, *self._quantized(key, matrix)),
                *(("", "", bias) if bias else ()),
                domain=CONTRIB,
                output=output,
                K=inner,
                N=rows,
                bits=8,
                block_size=BLOCK,
                accuracy_level=_INT8_ACCURACY_LEVEL,
            )
        if key == "embed":  # a tied head: the table as it is, which Gemm can read by columns
            return graph.add("Gemm", x, "embed", transB=1, output=output)
        transposed = graph.constant(f"{key}.t", np.ascontiguousarray(matrix.T))
        if not bias:
            return graph.add("MatMul", x, transposed, output=output)
        return graph.add("Add", graph.add("MatMul", x, transposed), bias, output=output)

    def _bias(self, *names: str) -> str:
        """The biases of `names` side by side as a constant; "" where none has one."""
        if not any(f"{name}.bias" in self._weights for name in names):
            return ""
        parts = [
            self._weights.get(f"{name}.bias", np.zeros(self._weights[name].shape[0], dtype=np.float32))
            for name in names
        ]
        return self._graph.constant(f"{'+'.join(names)}.bias", np.concatenate(parts))
