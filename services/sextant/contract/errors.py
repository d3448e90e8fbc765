"""Every error that Sextant raises on purpose. `gateway.status` maps each to gRPC, in that one file.

All are picklable with their fields, since they travel from replicas to the gateway.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """What is wrong with one field; `field` is its path in the request, as in "text.top_p" or "items[2].text"."""

    field: str
    description: str


class SextantError(Exception):
    """The root of this file."""


class InvalidRequest(SextantError):
    """The request cannot be served as it stands; says which field is wrong, and why."""

    def __init__(self, field: str, description: str, *more: FieldViolation) -> None:
        super().__init__(f"{field}: {description}" if field else description)
        self.violations = (FieldViolation(field, description), *more)

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        first, *more = self.violations
        return type(self), (first.field, first.description, *more)


class MalformedMessage(InvalidRequest):
    """The bytes are not a valid message of the method's request type."""


class MessageTooLarge(SextantError):
    """The request is larger than the server takes."""


class ModelNotFound(SextantError):
    """No model of that name is served."""

    def __init__(self, model: str, known: tuple[str, ...] = ()) -> None:
        super().__init__(f"no model named {model!r} is served" + (f"; served: {', '.join(known)}" if known else ""))
        self.model, self.known = model, known

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.model, self.known)


class UnsupportedTask(SextantError):
    """The named model cannot do this task."""

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(f"{model} cannot do this: {reason}")
        self.model, self.reason = model, reason

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.model, self.reason)


class NoRoute(SextantError):
    """No served model can do what is asked."""


class ModelUnavailable(SextantError):
    """The model is known but not ready, or was lost and is not yet back."""


class Overloaded(SextantError):
    """The queue is full; `retry_after_s` is when room is expected, from the measured drain rate."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (str(self), self.retry_after_s)


class DeadlineExceeded(SextantError):
    """The time given ran out before the answer was whole."""


class Cancelled(SextantError):
    """The caller went away."""


class Draining(SextantError):
    """The server is stopping and takes no new requests."""


class Unauthenticated(SextantError):
    """The caller shows no API key, or one that is unknown or expired."""


class PermissionDenied(SextantError):
    """The caller's API key is not for this."""

    def __init__(self, key: str, scope: str) -> None:
        super().__init__(f"the API key {key} lacks the scope {scope!r}")
        self.key, self.scope = key, scope

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.key, self.scope)


class RateLimited(Overloaded):
    """The caller's API key comes too often."""


class QuotaExceeded(Overloaded):
    """What the caller's API key may use in a day is used up."""


class BundleRefused(SextantError):
    """A bundle must not be served: damaged, incomplete, unsafe, or without sufficient parity."""

    def __init__(self, bundle: str, reason: str) -> None:
        super().__init__(f"bundle {bundle} refused: {reason}")
        self.bundle, self.reason = bundle, reason

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.bundle, self.reason)


class ProviderUnavailable(SextantError):
    """An ONNX Runtime provider was asked for that cannot be had here."""


class SourceUnavailable(SextantError):
    """A weight source could not be fetched, or is not what was pinned."""
