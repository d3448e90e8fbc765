"""An encoder as an ONNX graph: embeddings of whole texts, and logits where blanks are to be filled.

Inputs
    input_ids int64[rows, tokens]      the tokens of each text, padded to one length with any token
    lengths int32[rows]                how many tokens of each row are its text's
    blanks int64[wanted]               which of the rows * tokens states the head should see, none to all
                                       (only where the encoder has a head that fills blanks)
Outputs
    embedding float32[rows, width]
    states float32[rows, tokens, width]    the last layer's, of which the embedding is pooled
    logits float32[wanted, vocab]      (only with the head)

Attention is ONNX Runtime's MultiHeadAttention. On two cores it is as fast as its fused Attention (which takes no
int8 weights) up to 128 tokens and 8 per cent slower at 512, and 2 to 9 per cent faster than attention written out.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from sextant.families.transformer.encoder_config import EncoderConfig, Pooling
from sextant.families.transformer.graph import CONTRIB, GraphBuilder
from sextant.families.transformer.quantize import quantize
from sextant.families.transformer.weights import Weights

Precision = Literal["fp32", "int8"]

BLOCK = 32
# MatMulNBits then multiplies in int8, with activations quantised by row and block, so that a row's result still
# depends on that row alone.
_INT8_ACCURACY_LEVEL = 4


def write_encoder(
    path: Path,
    weights: Weights,
    config: EncoderConfig,
    *,
    max_tokens: int,
    precision: Precision,
    pooling: Pooling,
    normalize: bool,
) -> tuple[Path, ...]:
    """Writes the graph for texts of up to `max_tokens` tokens to `path`; the files it consists of."""
    with GraphBuilder(path, config.architecture) as graph:
        _EncoderGraph(graph, weights, config, max_tokens, precision == "int8").build(pooling, normalize)
    return graph.files


class _EncoderGraph:
    """The graph, block by block. Methods take and give names of values; activations are [rows, tokens, width]."""

    def __init__(
        self, graph: GraphBuilder, weights: Weights, config: EncoderConfig, max_tokens: int, int8: bool
    ) -> None:
        self._graph, self._weights, self._config = graph, weights, config
        self._max_tokens, self._int8 = max_tokens, int8
        self._axes: set[str] = set()

    def build(self, pooling: Pooling, normalize: bool) -> None:
        graph, config = self._graph, self._config
        ids = graph.input("input_ids", np.int64, ["rows", "tokens"])
        lengths = graph.input("lengths", np.int32, ["rows"])
        is_text = self._is_text(ids, lengths)
        key_mask = graph.add("Cast", is_text, to=TensorProto.INT32)

        x = self._embed(ids)
        for layer in range(config.layers):
            name = f"layers.{layer}"
            x = self._add_and_norm(x, self._attention(x, key_mask, name), f"{name}.o.bias", f"{name}.attn_norm")
            x = self._add_and_norm(x, self._mlp(x, name), f"{name}.down.bias", f"{name}.mlp_norm")

        pooled = self._mean(x, is_text, lengths) if pooling == "mean" else self._first(x)
        if normalize:
            graph.add("LpNormalization", pooled, axis=-1, p=2, output="embedding")
        else:
            graph.add("Identity", pooled, output="embedding")
        graph.output("embedding", np.float32, ["rows", config.width])
        graph.add("Identity", x, output="states")
        graph.output("states", np.float32, ["rows", "tokens", config.width])
        if "head.transform" in self._weights:
            self._head(x)

    def _is_text(self, ids: str, lengths: str) -> str:
        """bool[rows, tokens]: which tokens are a text's, and which only pad its row."""
        graph = self._graph
        tokens = graph.add("Gather", graph.add("Shape", ids), graph.scalar(1, np.int64), axis=0)
        places = graph.add("Range", graph.scalar(0, np.int64), tokens, graph.scalar(1, np.int64))
        per_row = graph.add("Unsqueeze", graph.add("Cast", lengths, to=TensorProto.INT64), self._axis(1))
        return graph.add("Less", places, per_row)

    def _embed(self, ids: str) -> str:
        graph, weights = self._graph, self._weights
        if self._int8:
            table = quantize(weights["embed"], BLOCK)
            codes = graph.constant("embed.codes", table.codes.reshape(len(table.codes), -1))
            scales = graph.constant("embed.scales", table.scales)
            attributes: dict[str, Any] = {"bits": 8, "block_size": BLOCK, "quantize_axis": 1, "gather_axis": 0}
            words = graph.add("GatherBlockQuantized", codes, ids, scales, domain=CONTRIB, **attributes)
        else:
            words = graph.add("Gather", graph.constant("embed", weights["embed"]), ids, axis=0)
        # All tokens are of the first segment, so its vector is part of every position's.
        places = graph.constant("position", weights["position"][: self._max_tokens] + weights["segment"][0])
        tokens = graph.add("Shape", ids, start=1)
        places = graph.add("Slice", places, self._axis(0), tokens, self._axis(0))
        return self._norm(graph.add("Add", words, places), "embed_norm")

    def _attention(self, x: str, key_mask: str, name: str) -> str:
        graph = self._graph
        projections = [self._product(x, f"{name}.{part}") for part in "qkv"]
        biases = np.concatenate([self._weights[f"{name}.{part}.bias"] for part in "qkv"])
        mixed = graph.add(
            "MultiHeadAttention",
            *projections,
            graph.constant(f"{name}.qkv.bias", biases),
            key_mask,
            domain=CONTRIB,
            num_heads=self._config.heads,
        )
        return self._product(mixed, f"{name}.o")

    def _mlp(self, x: str, name: str) -> str:
        up = self._product(x, f"{name}.up")
        active = self._graph.add("BiasGelu", up, self._vector(f"{name}.up.bias"), domain=CONTRIB)
        return self._product(active, f"{name}.down")

    def _mean(self, x: str, is_text: str, lengths: str) -> str:
        """The mean over a text's own tokens, as a product with 1 / length and 0.

        As a product it is exact under batching; ReduceSum adds in another order when there are other rows.
        """
        graph = self._graph
        share = graph.add("Reciprocal", graph.add("Cast", lengths, to=TensorProto.FLOAT))
        shares = graph.add(
            "Mul", graph.add("Cast", is_text, to=TensorProto.FLOAT), graph.add("Unsqueeze", share, self._axis(1))
        )
        mean = graph.add("MatMul", graph.add("Unsqueeze", shares, self._axis(1)), x)
        return graph.add("Squeeze", mean, self._axis(1))

    def _first(self, x: str) -> str:
        return self._graph.add("Gather", x, self._graph.scalar(0, np.int64), axis=1)

    def _head(self, x: str) -> str:
        """Dense, GELU, norm, and the products with the embedding of every token (Devlin et al. 2018)."""
        graph, config = self._graph, self._config
        blanks = graph.input("blanks", np.int64, ["wanted"])
        flat = graph.add("Reshape", x, graph.constant("flat", np.array([-1, config.width], dtype=np.int64)))
        chosen = graph.add("Gather", flat, blanks, axis=0)
        dense = self._product(chosen, "head.transform")
        active = graph.add("BiasGelu", dense, self._vector("head.transform.bias"), domain=CONTRIB)
        normed = self._norm(active, "head.norm")
        bias = self._vector("head.decode.bias")
        tied = "head.decode" not in self._weights
        if tied and not self._int8:
            graph.add("Gemm", normed, "embed", bias, transB=1, output="logits")
        else:
            matrix = self._weights["embed" if tied else "head.decode"]
            graph.add("Add", self._matrix_product(normed, "head.decode", matrix), bias, output="logits")
        return graph.output("logits", np.float32, ["wanted", config.vocab_size])

    def _add_and_norm(self, x: str, update: str, bias: str, name: str) -> str:
        """The norm of x + update + bias."""
        graph = self._graph
        inputs = [x, update, self._vector(name), self._vector(f"{name}.bias"), self._vector(bias)]
        epsilon = self._config.norm_epsilon
        return graph.add("SkipLayerNormalization", *inputs, domain=CONTRIB, epsilon=epsilon)

    def _norm(self, x: str, name: str) -> str:
        scale, bias = self._vector(name), self._vector(f"{name}.bias")
        return self._graph.add("LayerNormalization", x, scale, bias, axis=-1, epsilon=self._config.norm_epsilon)

    def _product(self, x: str, name: str) -> str:
        return self._matrix_product(x, name, self._weights[name])

    def _matrix_product(self, x: str, name: str, matrix: NDArray[np.float32]) -> str:
        """x times the transpose of `matrix` [out, in]."""
        graph = self._graph
        if not self._int8:
            return graph.add("MatMul", x, graph.constant(f"{name}.t", np.ascontiguousarray(matrix.T)))
        quantized = quantize(matrix, BLOCK)
        codes = graph.constant(f"{name}.codes", quantized.codes)
        scales = graph.constant(f"{name}.scales", quantized.scales)
        attributes: dict[str, Any] = {"K": quantized.inner, "N": len(matrix), "bits": 8, "block_size": BLOCK}
        attributes["accuracy_level"] = _INT8_ACCURACY_LEVEL
        return graph.add("MatMulNBits", x, codes, scales, domain=CONTRIB, **attributes)

    def _vector(self, name: str) -> str:
        return self._graph.constant(name, self._weights[name])

    def _axis(self, axis: int) -> str:
        """[axis] as a constant; also where a slice starts."""
        name = f"axis_{axis}"
        if name not in self._axes:
            self._axes.add(self._graph.constant(name, np.array([axis], dtype=np.int64)))
        return name
