"""What a stream has told so far; both clients' streams are this plus their way of waiting."""

from sextant.client import answers
from sextant.contract.media import Text
from sextant.contract.v1 import generation_pb2


class Collected:
    """Takes events in, gives text pieces out, keeps the rest."""

    def __init__(self) -> None:
        self.request_id = ""
        self.seed = 0
        self.decision: answers.Decided | None = None
        self.answers: dict[int, answers.Answer] = {}
        self.receipt: answers.Receipt | None = None

    @property
    def text(self) -> str:
        """The whole text of the first item, once it is there; "" before."""
        first = self.answers.get(0)
        return first.media.content if first is not None and isinstance(first.media, Text) else ""

    def take(self, event: generation_pb2.GenerateEvent) -> answers.TextPiece | None:
        """Enter one event; the piece of text in it, if it has one."""
        match event.WhichOneof("event"):
            case "accepted":
                self.request_id, self.seed = event.accepted.request_id, event.accepted.seed
                self.decision = answers.decided(event.accepted.decision)
            case "chunk" if event.chunk.WhichOneof("kind") == "text":
                return answers.piece(event.chunk)
            case "result":
                whole = answers.answer(event.result)
                self.answers[whole.item] = whole
            case "receipt":
                self.receipt = answers.receipt(event.receipt)
        return None
