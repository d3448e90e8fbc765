"""How much a request may unfold to. A few kilobytes of PNG or FLAC can hold gigabytes of black or silence."""

from dataclasses import dataclass

from sextant.contract.errors import InvalidRequest

# Of all compressed media of one request together, decoded: 256 MiB.
MOST_DECODED_BYTES = 2**28


@dataclass(slots=True)
class DecodeBudget:
    """What is left for the compressed media of one request. Spent before anything is decoded."""

    remaining_bytes: int = MOST_DECODED_BYTES

    def spend(self, size_bytes: int, field: str) -> None:
        """Take `size_bytes`, or `InvalidRequest` naming `field` where that is more than is left."""
        if size_bytes > self.remaining_bytes:
            raise InvalidRequest(field, f"the media of this request would decode to over {MOST_DECODED_BYTES} bytes")
        self.remaining_bytes -= size_bytes
