"""Standard MIDI Files, checked for their outline; the notes are for the models that read them.

The Standard MIDI Files Specification 1.0 (MIDI Manufacturers Association, 1988).
"""

from sextant.contract.errors import InvalidRequest

_CHUNK_HEADER = 8


def check_midi(data: bytes, field: str = "music") -> None:
    """`InvalidRequest` unless `data` is one header and as many whole tracks as the header says."""
    field = f"{field}.midi"
    if not data.startswith(b"MThd") or len(data) < 14:
        raise InvalidRequest(field, "is not a Standard MIDI File")
    header_bytes = int.from_bytes(data[4:8], "big")
    midi_format, tracks, division = (int.from_bytes(data[at : at + 2], "big") for at in (8, 10, 12))
    if header_bytes < 6 or midi_format > 2 or tracks < 1 or division == 0:
        raise InvalidRequest(field, "has a header that no Standard MIDI File has")
    at, found = _CHUNK_HEADER + header_bytes, 0
    while found < tracks:
        length = int.from_bytes(data[at + 4 : at + _CHUNK_HEADER], "big")
        end = at + _CHUNK_HEADER + length
        if at + _CHUNK_HEADER > len(data) or end > len(data):
            raise InvalidRequest(field, f"is cut short: {found} of {tracks} tracks are whole")
        found += data[at : at + 4] == b"MTrk"  # readers skip chunks they do not know
        at = end
