"""From text to tokens and back."""

import re
from collections.abc import Sequence

import jinja2
import numpy as np
from jinja2.sandbox import ImmutableSandboxedEnvironment
from numpy.typing import NDArray
from tokenizers import Tokenizer

from sextant.contract.tasks import ChatMessage
from sextant.families.transformer.decoder_config import TokenIds
from sextant.families.transformer.token_bytes import token_bytes


class TemplateRefused(ValueError):
    """The chat template raised an error on purpose, for example on roles in the wrong order."""


class TextCodec:
    """A tokenizer with its chat template.

    `bytes_of[id]` are the bytes that a token stands for in a text; none for special tokens, which are no text.
    """

    def __init__(self, tokenizer_json: str, chat_template: str | None, token_ids: TokenIds, vocab_size: int) -> None:
        self._tokenizer = Tokenizer.from_str(tokenizer_json)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.bytes_of = token_bytes(tokenizer_json)
        if len(self.bytes_of) > vocab_size:
            raise ValueError(f"it has {len(self.bytes_of)} tokens, the network {vocab_size}")
        # Networks are often padded to a round number of tokens, which then stand for nothing.
        self.bytes_of += [b""] * (vocab_size - len(self.bytes_of))
        added = self._tokenizer.get_added_tokens_decoder()
        self._special = {index: token.content.encode() for index, token in added.items() if token.special}
        for index in self._special:
            self.bytes_of[index] = b""
        self._template = None if chat_template is None else _compile(chat_template)
        # The names by which templates know the tokens that start and end a text.
        named = {"bos_token": token_ids.start, "eos_token": next(iter(token_ids.end), None)}
        self._template_variables = {
            name: self.shown(token).decode("utf-8", errors="replace")
            for name, token in named.items()
            if token is not None
        }
        # A copy that reads special tokens as plain text, for what people write in a conversation.
        self._literal = Tokenizer.from_str(tokenizer_json)
        self._literal.encode_special_tokens = True
        specials = sorted((content.decode() for content in self._special.values()), key=len, reverse=True)
        self._special_text = re.compile("|".join(map(re.escape, specials)) or r"(?!)")

    @property
    def has_template(self) -> bool:
        """Whether conversations can be rendered."""
        return self._template is not None

    def encode(self, text: str) -> NDArray[np.int64]:
        """The tokens int64[n] of `text`; special tokens written out in it are read as such."""
        return np.asarray(self._tokenizer.encode(text, add_special_tokens=False).ids, dtype=np.int64)

    def encode_chat(self, messages: Sequence[ChatMessage]) -> NDArray[np.int64]:
        """The tokens of a conversation, up to where the model's answer begins. Raises `TemplateRefused`.

        A special token that someone writes into a message is read as the characters it is made of, so that no
        message can end itself and speak in another's name.
        """
        if self._template is None:
            raise TemplateRefused("the model has no chat template")
        mark = self._unused_mark(messages)
        written: list[str] = []

        def guard(match: re.Match[str]) -> str:
            written.append(match.group())
            return f"{mark}{len(written) - 1}{mark}"

        guarded = [
            {"role": message.role.value, "content": self._special_text.sub(guard, message.content)}
            for message in messages
        ]
        try:
            rendered = self._template.render(messages=guarded, add_generation_prompt=True, **self._template_variables)
        except jinja2.TemplateError as error:
            raise TemplateRefused(str(error)) from error
        # Pieces alternate: text of template and messages, then the number of something to be read literally.
        pieces = re.split(f"{mark}(\\d+){mark}", rendered) if written else [rendered]
        ids = [
            self._encode_literally(written[int(piece)]) if place % 2 else self.encode(piece)
            for place, piece in enumerate(pieces)
        ]
        return np.concatenate(ids)

    def shown(self, token: int) -> bytes:
        """The bytes of a token as a reader of log-probabilities wants them: special ones by name."""
        return self._special.get(token) or self.bytes_of[token]

    def _encode_literally(self, text: str) -> NDArray[np.int64]:
        return np.asarray(self._literal.encode(text, add_special_tokens=False).ids, dtype=np.int64)

    @staticmethod
    def _unused_mark(messages: Sequence[ChatMessage]) -> str:
        """A string of private-use characters that no message contains."""
        mark = "\ue000"
        while any(mark in message.content for message in messages):
            mark += "\ue000"
        return mark


class TextStream:
    """Turns tokens into text as they come.

    Never gives half a character, nor text that may turn out to be the beginning of a stop string. Everything it
    gave, joined, is the decoding of all bytes at once (invalid UTF-8 replaced), up to the first stop string.
    """

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self._stops = tuple(stop.encode() for stop in stops)
        self._held = b""
        self.pushed_bytes = 0
        self.given_bytes = 0
        self.stopped = False

    def push(self, token: bytes) -> str:
        """The text that a further token makes certain; "" if none. Sets `stopped` where it completes a stop string.

        Costs the length of the token and of what is held back, never that of the text so far.
        """
        self._held += token
        self.pushed_bytes += len(token)
        # Of several the one that is complete first counts, so that it does not matter how the text is cut in tokens.
        found = [(place + len(stop), place) for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if found:
            self.stopped = True
            return self._give(min(found)[1], last=True)
        return self._give(len(self._held) - self._maybe_stop(), last=False)

    def finish(self) -> str:
        """What is still held back, an unfinished character replaced. Call once, where no stop string was met."""
        return self._give(len(self._held), last=True)

    def _maybe_stop(self) -> int:
        """Length of the longest end of the held bytes with which a stop string begins."""
        longest = 0
        for stop in self._stops:
            for length in range(min(len(stop) - 1, len(self._held)), longest, -1):
                if self._held.endswith(stop[:length]):
                    longest = length
                    break
        return longest

    def _give(self, length: int, *, last: bool) -> str:
        ready = self._held[:length]
        if not last:
            ready = ready[: len(ready) - _unfinished(ready)]
        self._held = self._held[len(ready) :]
        self.given_bytes += len(ready)
        return ready.decode("utf-8", errors="replace")


def _unfinished(data: bytes) -> int:
    """How many bytes at the end of `data` begin a character that more bytes could complete: 0 to 3."""
    for back in range(1, min(3, len(data)) + 1):
        if data[-back] & 0xC0 != 0x80:  # not a continuation: here the last character starts
            start = data[-back:]
            try:
                start.decode("utf-8")
            except UnicodeDecodeError as error:
                return back if error.reason == "unexpected end of data" else 0
            return 0
    return 0


def _compile(template: str) -> jinja2.Template:
    """A chat template, sandboxed: it is data of a bundle, not our code."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    environment.globals["raise_exception"] = raise_exception
    return environment.from_string(template)
