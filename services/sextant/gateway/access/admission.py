"""The door: every call of every service, health and reflection included, shows its API key here before it is read."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import grpc

from sextant.contract.errors import PermissionDenied, QuotaExceeded, RateLimited, SextantError, Unauthenticated
from sextant.gateway import metrics
from sextant.gateway.access.keeper import KeyKeeper
from sextant.gateway.access.limits import Allowance
from sextant.gateway.access.scopes import allows, group_of
from sextant.gateway.aio_server import UNKNOWN_METHOD
from sextant.gateway.request_ids import request_id_of
from sextant.gateway.status import abort, to_status

log = logging.getLogger(__name__)

_HEADER, _SCHEME = "authorization", "bearer "
_OUTCOMES: Mapping[type[SextantError], str] = {
    Unauthenticated: "unauthenticated",
    PermissionDenied: "scope_missing",
    RateLimited: "rate_limited",
    QuotaExceeded: "quota_exceeded",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key a call came with."""

    name: str
    allowance: Allowance


# gRPC runs interceptors and the method itself in one context.
CALLER: ContextVar[Caller | None] = ContextVar("caller", default=None)


class Admission(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Lets through who may. `open_groups` need no key."""

    def __init__(self, keys: KeyKeeper, open_groups: frozenset[str]) -> None:
        self._keys, self._open = keys, open_groups

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], call: grpc.HandlerCallDetails
    ) -> Any:
        """The handler of the call, or one that refuses it."""
        method = call.method.removeprefix("/")
        if group_of(method) in self._open:
            return await continuation(call)
        name = ""
        try:
            name, allowance = self._keys.authenticated(_token(call.invocation_metadata))
            if method != UNKNOWN_METHOD and not allows(allowance.key.scopes, method):
                raise PermissionDenied(name, group_of(method))
            allowance.take()
        except SextantError as error:
            return self._refusal(error, name, method, request_id_of(call.invocation_metadata))
        metrics.KEY_CALLS.labels(name, "admitted").inc()
        CALLER.set(Caller(name, allowance))
        return await continuation(call)

    def _refusal(self, error: SextantError, name: str, method: str, request_id: str) -> Any:
        outcome = _OUTCOMES[type(error)]
        metrics.KEY_CALLS.labels(name, outcome).inc()
        told = {"request_id": request_id, "method": method, "key": name, "outcome": outcome}
        log.info("request %s refused at the door: %s", request_id, error, extra={"fields": told})

        async def refuse(_: object, context: Any) -> None:
            await abort(context, to_status(error, request_id))

        # As if it streamed both ways, whatever it is: then nothing of the request is waited for or read.
        return grpc.stream_stream_rpc_method_handler(refuse)


def _token(metadata: Any) -> str:
    """The key that a call shows. Raises `Unauthenticated` where it shows none."""
    for name, value in metadata or ():
        if name == _HEADER and isinstance(value, str) and value[: len(_SCHEME)].lower() == _SCHEME:
            return value[len(_SCHEME) :].strip()
    raise Unauthenticated('an API key is needed here, as metadata "authorization: Bearer KEY"')
