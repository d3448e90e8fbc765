"""API keys as they are kept: a TOML file that holds no key, only the sha256 of each one's secret.

A key is "sxt.NAME.SECRET". The name finds the entry, so that one comparison decides, in constant time whoever asks. The
secret is 256 random bits: nobody guesses it, with or without its hash, so a slow hash (scrypt, argon2) would protect
nothing here, and would cost every call the milliseconds that it is made to cost.
"""

import hashlib
import hmac
import secrets
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from sextant.contract.errors import SextantError, Unauthenticated
from sextant.gateway.access.scopes import GROUPS, is_scope

_PREFIX = "sxt"
_SECRET_BYTES = 32
# Names are labels of metrics, so there must not be too many.
_MOST_KEYS = 1000
# What the secret of a key that does not exist is compared with, in the same time.
_NOBODY = "0" * 64


def _scope(given: str) -> str:
    # Not quoted: this goes to logs, and who put a key into the wrong field must not find it there.
    if not is_scope(given):
        raise ValueError(f"is neither a method nor one of {', '.join(GROUPS)}")
    return given


Scope = Annotated[str, AfterValidator(_scope)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]


class KeyFileError(SextantError):
    """A file of API keys cannot be used as it is."""


class ApiKey(BaseModel):
    """What the file says of one key. Limits are those of one gateway process; absent, there is none."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # Of the secret, in hexadecimal.
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    scopes: tuple[Scope, ...] = Field(min_length=1)
    created: AwareDatetime | None = None
    expires: AwareDatetime | None = None
    # Calls per second in the long run, and how many may come at once.
    rate_per_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    burst: int | None = Field(default=None, ge=1)
    # Calls, and network steps of what is made, from midnight to midnight UTC.
    requests_per_day: int | None = Field(default=None, ge=1)
    steps_per_day: int | None = Field(default=None, ge=1)

    def is_expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires is not None and now >= self.expires


class KeyFile(BaseModel):
    """All keys, by name."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    keys: Mapping[Name, ApiKey] = Field(default_factory=dict, max_length=_MOST_KEYS)

    def authenticated(self, token: str, now: datetime) -> tuple[str, ApiKey]:
        """The name and entry of a key that somebody shows. Raises `Unauthenticated`."""
        prefix, _, rest = token.partition(".")
        name, _, secret = rest.partition(".")
        key = self.keys.get(name) if prefix == _PREFIX else None
        if not hmac.compare_digest(_sha256(secret), _NOBODY if key is None else key.sha256) or key is None:
            raise Unauthenticated("this API key is not known here")
        if key.is_expired(now):
            raise Unauthenticated(f"the API key {name} expired at {key.expires:%Y-%m-%d %H:%M:%S %Z}")
        return name, key


def new_token(name: str) -> tuple[str, str]:
    """A new key for `name`, and the sha256 of its secret."""
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    return f"{_PREFIX}.{name}.{secret}", _sha256(secret)


def read_keys(path: Path) -> KeyFile:
    """The keys in a file. Raises `KeyFileError` with the entry that is wrong, but not what it holds."""
    try:
        content = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise KeyFileError(f"{path}: {error}") from error
    return checked(content, path)


def checked(content: Mapping[str, object], path: Path) -> KeyFile:
    """`content` as the keys of the file at `path`. Raises `KeyFileError`."""
    try:
        return KeyFile.model_validate(content)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_input=False))
        raise KeyFileError("\n".join(f"{path}: {fault}" for fault in faults)) from error


def now_utc() -> datetime:
    """The time that expiry goes by."""
    return datetime.now(UTC)


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
