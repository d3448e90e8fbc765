"""An encoder-decoder as two ONNX graphs: what is read once, and a step of what is written.

encoder.onnx
    input_ids int64[rows, tokens], length int64[rows]      a text each, padded with any token
    -> cross float32[rows, 2 layers, heads, tokens, d]     keys and values of each decoder layer in turn
decoder.onnx
    input_ids int64[rows], position int64[rows]            the last token of each row, and its place
    past float32[rows, 2 layers, heads, places, d]         keys and values of the tokens before it
    cross, length                                          as above
    -> logits float32[rows, vocab], new float32[rows, 2 layers, heads, d]      what `past` lacks of this token

Rows know nothing of each other; what a row is padded with is its own.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from sextant.families.transformer.graph import GraphBuilder
from sextant.families.transformer.seq2seq_config import BLOCK, Seq2SeqConfig, blocks
from sextant.families.transformer.seq2seq_reference import position_bucket
from sextant.families.transformer.weights import Weights

ENCODER_FILE, DECODER_FILE = "encoder.onnx", "decoder.onnx"
_MASKED = -1e9  # added to the score of what must not be seen
_SMALLEST_STORED_HALF = 64  # elements


def write_seq2seq(directory: Path, weights: Weights, config: Seq2SeqConfig, most_tokens: int) -> tuple[Path, ...]:
    """Writes both graphs, for texts of up to `most_tokens` tokens, into `directory`; the files they consist of.

    Weights that are half-precision numbers are stored as such.
    """
    files: list[Path] = []
    for name, build in ((ENCODER_FILE, _EncoderGraph), (DECODER_FILE, _DecoderGraph)):
        with GraphBuilder(directory / name, "t5") as graph:
            build(graph, weights, config, most_tokens).build()
        files += graph.files
    return tuple(files)


class _Graph:
    """What both have: methods take and give names of values; activations are [..., width]."""

    def __init__(self, graph: GraphBuilder, weights: Weights, config: Seq2SeqConfig, most_tokens: int) -> None:
        self._graph, self._weights, self._config = graph, weights, config
        self._most_tokens = BLOCK * blocks(most_tokens)  # padding is at places of its own

    def _embed(self, ids: str) -> str:
        return self._graph.add("Gather", self._stored("embed", self._weights["embed"]), ids, axis=0)

    def _norm(self, x: str, name: str) -> str:
        graph = self._graph
        scale = graph.constant(name, self._weights[name])
        return graph.add("SimplifiedLayerNormalization", x, scale, axis=-1, epsilon=self._config.norm_epsilon)

    def _linear(self, x: str, name: str, output: str | None = None) -> str:
        matrix = np.ascontiguousarray(self._weights[name].T)
        return self._graph.add("MatMul", x, self._stored(f"{name}.t", matrix), output=output)

    def _mlp(self, x: str, name: str) -> str:
        graph = self._graph
        normed = self._norm(x, f"{name}.mlp_norm")
        up = self._linear(normed, f"{name}.up")
        if self._config.gated:
            gate = graph.add("Gelu", self._linear(normed, f"{name}.gate"), approximate="tanh")
            active = graph.add("Mul", gate, up)
        else:
            active = graph.add("Relu", up)
        return graph.add("Add", x, self._linear(active, f"{name}.down"))

    def _stored(self, name: str, array: NDArray[np.float32]) -> str:
        with np.errstate(over="ignore"):
            half = array.astype(np.float16)
        if array.size < _SMALLEST_STORED_HALF or not np.array_equal(half.astype(np.float32), array):
            return self._graph.constant(name, array)
        return self._graph.add("Cast", self._graph.constant(f"{name}.half", half), to=TensorProto.FLOAT)

    def _ints(self, name: str, *values: int) -> str:
        return self._graph.constant(name, np.array(values, np.int64))

    def _unmasked(self, seen: str) -> str:
        """bool -> 0 where it is true, and what hides a score elsewhere."""
        graph = self._graph
        return graph.add("Where", seen, graph.scalar(0.0, np.float32), graph.scalar(_MASKED, np.float32))

    def _count(self, of: str, axis: int) -> str:
        """int64[]: the length of an axis."""
        graph = self._graph
        return graph.add("Gather", graph.add("Shape", of), graph.scalar(axis, np.int64), axis=0)

    def _places(self, count: str) -> str:
        """int64[count]: 0, 1, 2 ..."""
        graph = self._graph
        return graph.add("Range", graph.scalar(0, np.int64), count, graph.scalar(1, np.int64))


class _EncoderGraph(_Graph):
    def build(self) -> None:
        graph, config = self._graph, self._config
        ids = graph.input("input_ids", np.int64, ["rows", "tokens"])
        length = graph.input("length", np.int64, ["rows"])
        self._by_head = self._ints("by_head", 0, 0, config.heads, config.head_dim)
        self._side_by_side = self._ints("side_by_side", 0, 0, config.heads * config.head_dim)
        tokens = self._count(ids, 1)
        bias = graph.add("Add", self._position_bias(tokens), self._padding(tokens, length))
        x = self._embed(ids)
        for layer in range(config.encoder_layers):
            name = f"encoder.{layer}"
            x = graph.add("Add", x, self._attention(self._norm(x, f"{name}.attn_norm"), name, bias))
            x = self._mlp(x, name)
        memory = self._norm(x, "encoder.norm")
        one = self._ints("one", 1)
        parts = [
            graph.add("Unsqueeze", self._heads(memory, f"decoder.{layer}.cross_{part}"), one)
            for layer in range(config.decoder_layers)
            for part in "kv"
        ]
        cross = graph.add("Concat", *parts, axis=1, output="cross")
        kept = 2 * config.decoder_layers
        graph.output(cross, np.float32, ["rows", kept, config.heads, "tokens", config.head_dim])

    def _position_bias(self, tokens: str) -> str:
        """[1, heads, tokens, tokens], from a table of all distances."""
        graph, most = self._graph, self._most_tokens
        distances = np.arange(1 - most, most)
        bucket = position_bucket(distances, self._config, both_ways=True)
        table = graph.constant("positions", self._weights["encoder.positions"][bucket])
        places = self._places(tokens)
        asking = graph.add("Unsqueeze", places, self._ints("asking_axis", 1))
        distance = graph.add("Sub", places, asking)
        row = graph.add("Add", distance, graph.scalar(most - 1, np.int64))
        bias = graph.add("Transpose", graph.add("Gather", table, row, axis=0), perm=[2, 0, 1])
        return graph.add("Unsqueeze", bias, self._ints("first_axis", 0))

    def _padding(self, tokens: str, length: str) -> str:
        """[rows, 1, 1, tokens]."""
        graph = self._graph
        lengths = graph.add("Unsqueeze", length, self._ints("after_rows", 1, 2, 3))
        return self._unmasked(graph.add("Less", self._places(tokens), lengths))

    def _heads(self, x: str, name: str) -> str:
        """[rows, heads, tokens, d]."""
        graph = self._graph
        split = graph.add("Reshape", self._linear(x, name), self._by_head)
        return graph.add("Transpose", split, perm=[0, 2, 1, 3])

    def _attention(self, x: str, name: str, bias: str) -> str:
        graph = self._graph
        q, k, v = (self._heads(x, f"{name}.{part}") for part in "qkv")
        scores = graph.add("Add", graph.add("MatMul", q, graph.add("Transpose", k, perm=[0, 1, 3, 2])), bias)
        mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), v)
        joined = graph.add("Reshape", graph.add("Transpose", mixed, perm=[0, 2, 1, 3]), self._side_by_side)
        return self._linear(joined, f"{name}.o")


class _DecoderGraph(_Graph):
    def build(self) -> None:
        graph, config = self._graph, self._config
        ids = graph.input("input_ids", np.int64, ["rows"])
        position = graph.input("position", np.int64, ["rows"])
        kept = 2 * config.decoder_layers
        past = graph.input("past", np.float32, ["rows", kept, config.heads, "places", config.head_dim])
        cross = graph.input("cross", np.float32, ["rows", kept, config.heads, "tokens", config.head_dim])
        length = graph.input("length", np.int64, ["rows"])
        self._by_head = self._ints("by_head", 0, config.heads, 1, config.head_dim)
        self._column = self._ints("column", 0, config.heads, config.head_dim, 1)
        self._side_by_side = self._ints("side_by_side", 0, config.heads * config.head_dim)
        places, tokens = self._count(past, 3), self._count(cross, 3)
        bias = self._own_bias(places, position)
        padding = self._unmasked(
            graph.add("Less", self._places(tokens), graph.add("Unsqueeze", length, self._ints("three_axes", 1, 2, 3)))
        )
        x = self._embed(ids)
        new: list[str] = []
        for layer in range(config.decoder_layers):
            name = f"decoder.{layer}"
            x = graph.add("Add", x, self._own_attention(x, name, layer, bias, places, new))
            x = graph.add("Add", x, self._cross_attention(x, name, layer, padding))
            x = self._mlp(x, name)
        x = self._norm(x, "decoder.norm")
        if config.scaled_logits:
            x = graph.add("Mul", x, graph.scalar(config.width**-0.5, np.float32))
        graph.output(
            self._linear(x, "embed" if config.tied_head else "head", output="logits"),
            np.float32,
            ["rows", config.vocab_size],
        )
        stacked = graph.add("Concat", *new, axis=2)
        graph.add("Transpose", stacked, perm=[0, 2, 1, 3], output="new")
        graph.output("new", np.float32, ["rows", kept, config.heads, config.head_dim])

    def _own_bias(self, places: str, position: str) -> str:
        """[rows, heads, 1, places + 1]: of what is past, and last of the token itself."""
        graph, most = self._graph, self._most_tokens
        bucket = position_bucket(-np.arange(most), self._config, both_ways=False)
        table = graph.constant("positions", self._weights["decoder.positions"][bucket])
        zero, one = graph.scalar(0, np.int64), graph.scalar(1, np.int64)
        asked = self._places(graph.add("Add", places, one))
        itself = graph.add("Equal", asked, places)
        at = graph.add("Unsqueeze", position, self._ints("one_axis", 1))
        back = graph.add("Where", itself, zero, graph.add("Max", graph.add("Sub", at, asked), zero))
        bias = graph.add("Transpose", graph.add("Gather", table, back, axis=0), perm=[0, 2, 1])
        seen = graph.add("Or", graph.add("Less", asked, at), itself)
        both = self._ints("head_axis", 1)
        hidden = graph.add("Unsqueeze", self._unmasked(seen), both)
        return graph.add("Unsqueeze", graph.add("Add", bias, hidden), self._ints("query_axis", 2))

    def _own_attention(self, x: str, name: str, layer: int, bias: str, places: str, new: list[str]) -> str:
        """Over the past and the token itself, whose key and value are added to `new`, [rows, heads, 1, d] each."""
        graph = self._graph
        normed = self._norm(x, f"{name}.attn_norm")
        q = self._linear(normed, f"{name}.q")
        k, v = (graph.add("Reshape", self._linear(normed, f"{name}.{part}"), self._by_head) for part in "kv")
        new += [k, v]
        asked = graph.add("Reshape", q, self._column)
        of_past = graph.add("MatMul", self._kept("past", 2 * layer), asked)
        scores = graph.add("Concat", of_past, graph.add("MatMul", k, asked), axis=2)
        weights = graph.add(
            "Softmax", graph.add("Add", graph.add("Transpose", scores, perm=[0, 1, 3, 2]), bias), axis=-1
        )
        values = graph.add("Concat", self._kept("past", 2 * layer + 1), v, axis=2)
        return self._out(graph.add("MatMul", weights, values), f"{name}.o")

    def _cross_attention(self, x: str, name: str, layer: int, padding: str) -> str:
        graph = self._graph
        q = self._linear(self._norm(x, f"{name}.cross_norm"), f"{name}.cross_q")
        scores = graph.add("MatMul", self._kept("cross", 2 * layer), graph.add("Reshape", q, self._column))
        weights = graph.add(
            "Softmax", graph.add("Add", graph.add("Transpose", scores, perm=[0, 1, 3, 2]), padding), axis=-1
        )
        return self._out(graph.add("MatMul", weights, self._kept("cross", 2 * layer + 1)), f"{name}.cross_o")

    def _kept(self, what: str, index: int) -> str:
        """[rows, heads, places, d] of what is kept of the past, or of what was read."""
        return self._graph.add("Gather", what, self._graph.scalar(index, np.int64), axis=1)

    def _out(self, mixed: str, name: str) -> str:
        return self._linear(self._graph.add("Reshape", mixed, self._side_by_side), name)
