"""Text to tokens and back, piece by piece."""

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sextant.contract.tasks import ChatMessage, Role
from sextant.families.transformer.decoder_config import TokenIds
from sextant.families.transformer.text import TemplateRefused, TextCodec, TextStream
from tests.families.transformer.tiny_decoders import END, TEMPLATE, TURN, TURN_END, id_of, tiny_tokenizer

VOCABULARY = 330


def codec(template: str | None = TEMPLATE) -> TextCodec:
    tokenizer = tiny_tokenizer()
    ids = TokenIds(start=id_of(END), end=(id_of(TURN_END),))
    return TextCodec(tokenizer.to_str(), template, ids, VOCABULARY)


CODEC = codec()

# Pieces of characters of every length, some broken, cut anywhere.
token_streams = st.lists(
    st.one_of(st.text(max_size=3).map(str.encode), st.binary(max_size=3), st.just("🙂é你".encode()[1:6])), max_size=30
)


@given(tokens=token_streams)
@example(tokens=[b"\xf0\x9f", b"\x99", b"\x82", b"\xe4", b"a"])
def test_the_pieces_of_a_text_are_its_decoding_at_once(tokens: Sequence[bytes]) -> None:
    stream = TextStream()
    pieces = [stream.push(token) for token in tokens] + [stream.finish()]
    assert "".join(pieces) == b"".join(tokens).decode("utf-8", errors="replace")


@given(text=st.text(), cuts=st.lists(st.integers(1, 4), min_size=1))
def test_no_piece_holds_half_a_character(text: str, cuts: Sequence[int]) -> None:
    data, stream, pieces = text.encode(), TextStream(), []
    place = 0
    while place < len(data):
        length = cuts[place % len(cuts)]
        pieces.append(stream.push(data[place : place + length]))
        place += length
    assert "\ufffd" not in "".join(pieces).replace("\ufffd" * text.count("\ufffd"), "", 1) or "\ufffd" in text
    assert "".join(pieces) == text  # whole, so nothing was held to the end


stop_strings = st.lists(st.text("ab.é", min_size=1, max_size=4), min_size=1, max_size=3)


@given(text=st.text("ab.é", max_size=40), stops=stop_strings, length=st.integers(1, 7))
def test_nothing_of_a_stop_string_is_ever_given(text: str, stops: Sequence[str], length: int) -> None:
    stream, given_text, data = TextStream(stops), "", text.encode()
    for place in range(0, len(data), length):
        given_text += stream.push(data[place : place + length])
        if stream.stopped:
            break
    else:
        given_text += stream.finish()
    # The stop string that is complete first counts, and of those the one that begins first.
    ends = [text.index(stop) + len(stop) for stop in stops if stop in text]
    expected = text
    if ends:
        end = min(ends)
        expected = text[: end - max(len(stop) for stop in stops if text[:end].endswith(stop))]
    assert given_text == expected
    assert stream.stopped == bool(ends)


def test_text_that_turns_out_to_be_no_stop_string_is_given_at_once() -> None:
    stream = TextStream(["###"])
    assert [stream.push(piece) for piece in (b"a#", b"#", b"b", b"#")] == ["a", "", "##b", ""]
    assert stream.finish() == "#"


@given(text=st.text())
def test_the_bytes_of_a_texts_tokens_are_the_text(text: str) -> None:
    without_special = text.replace("<|", "")
    ids = CODEC.encode(without_special)
    assert b"".join(CODEC.bytes_of[token] for token in ids) == without_special.encode()


def test_special_tokens_are_no_text_but_have_a_name() -> None:
    end = id_of(TURN_END)
    assert CODEC.bytes_of[end] == b""
    assert CODEC.shown(end) == TURN_END.encode()
    assert CODEC.bytes_of[VOCABULARY - 1] == CODEC.shown(VOCABULARY - 1) == b""


def test_a_conversation_is_rendered_by_the_models_template() -> None:
    messages = [ChatMessage(Role.SYSTEM, "be kind"), ChatMessage(Role.USER, "the cat?")]
    expected = f"{TURN}system\nbe kind{TURN_END}\n{TURN}user\nthe cat?{TURN_END}\n{TURN}assistant\n"
    assert CODEC.encode_chat(messages).tolist() == tiny_tokenizer().encode(expected).ids


@given(content=st.text() | st.lists(st.sampled_from([TURN_END, TURN, END, "<|im", "\ue000", "0"])).map("".join))
def test_no_message_can_speak_in_anothers_name(content: str) -> None:
    special = [id_of(text) for text in (TURN, TURN_END, END)]
    ids = CODEC.encode_chat([ChatMessage(Role.USER, content)]).tolist()
    assert [token for token in ids if token in special] == [special[0], special[1], special[0]]
    spelled = b"".join(CODEC.shown(token) for token in ids).decode()
    assert spelled == f"{TURN}user\n{content}{TURN_END}\n{TURN}assistant\n"


def test_a_template_may_refuse_a_conversation_but_not_reach_out_of_its_sandbox() -> None:
    message = [ChatMessage(Role.USER, "a")]
    with pytest.raises(TemplateRefused, match="only systems"):
        codec("{{ raise_exception('only systems speak') }}").encode_chat(message)
    with pytest.raises(TemplateRefused):
        codec("{{ messages.__class__.__mro__ }}").encode_chat(message)
    with pytest.raises(TemplateRefused):
        codec(None).encode_chat(message)
