"""Sound and music on the command line: written as WAV, FLAC and MIDI files."""

from pathlib import Path

import typer

from sextant.contract.codecs.audio import AudioFormat, encode_audio
from sextant.contract.codecs.rendering import render
from sextant.contract.media import Audio, Music

_AUDIO = {".wav": AudioFormat.WAV, ".flac": AudioFormat.FLAC}
SOUNDS = tuple(_AUDIO)
MIDI = (".mid", ".midi")


def write_sound(path: Path, audio: Audio) -> None:
    """As the path's suffix says, 16 bits a sample."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_audio(audio, _AUDIO[path.suffix.lower()]))


def write_music(path: Path, music: Music) -> Path:
    """The MIDI file, and beside it, as a WAV file whose path is answered with, what it sounds like."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(music.midi)
    rendered = path.with_suffix(".wav")
    write_sound(rendered, render(music))
    return rendered


def read_music(path: Path) -> Music:
    """A MIDI file. Raises `typer.BadParameter` where there is none."""
    if path.suffix.lower() not in MIDI:
        raise typer.BadParameter(f"{str(path)!r} is no music: it must end in one of {', '.join(MIDI)}")
    try:
        return Music(path.read_bytes())
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}") from error
