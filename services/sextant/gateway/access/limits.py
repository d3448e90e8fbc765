"""What an API key has left: a token bucket for its rate, counts for its day. In this process alone."""

import time
from collections.abc import Callable

from sextant.contract.errors import QuotaExceeded, RateLimited
from sextant.gateway.access.keys import ApiKey

_DAY_S = 86_400


class Allowance:
    """The limits of one key, and what was used of them. `clock` counts seconds, `wall` is Unix time."""

    def __init__(
        self, key: ApiKey, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self.key = key
        self._clock, self._wall = clock, wall
        self._tokens = float(self._burst)
        self._filled_s = clock()
        self._day = self._today()
        self._requests = self._steps = 0

    def take(self) -> None:
        """Count a call. Raises `RateLimited` or `QuotaExceeded` with the time until the next may come."""
        if (today := self._today()) != self._day:
            self._day, self._requests, self._steps = today, 0, 0
        key = self.key
        for used, limit, unit in (
            (self._requests, key.requests_per_day, "calls"),
            (self._steps, key.steps_per_day, "network steps"),
        ):
            if limit is not None and used >= limit:
                tomorrow_s = (self._day + 1) * _DAY_S - self._wall()
                raise QuotaExceeded(f"the {limit} {unit} of this key for today are used up", max(1.0, tomorrow_s))
        if key.rate_per_s is not None:
            now = self._clock()
            self._tokens = min(float(self._burst), self._tokens + (now - self._filled_s) * key.rate_per_s)
            self._filled_s = now
            if self._tokens < 1:
                wait_s = (1 - self._tokens) / key.rate_per_s
                raise RateLimited(f"this key may call {key.rate_per_s:g} times per second", wait_s)
            self._tokens -= 1
        self._requests += 1

    def charge(self, steps: int) -> None:
        """Count network steps that a call took. The call that goes beyond the day's still ends; the next is refused."""
        self._steps += steps

    @property
    def _burst(self) -> int:
        return self.key.burst or max(1, int(self.key.rate_per_s or 1))

    def _today(self) -> int:
        return int(self._wall() // _DAY_S)
