"""The file of keys, and what a key has left."""

import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sextant.contract.errors import QuotaExceeded, RateLimited, Unauthenticated
from sextant.gateway.access.key_file import create_key, revoke_key
from sextant.gateway.access.keys import ApiKey, KeyFile, KeyFileError, new_token, now_utc, read_keys
from sextant.gateway.access.limits import Allowance

HASH = "a" * 64


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "keys.toml"


def test_the_file_holds_no_key_and_only_its_owner_reads_it(path):
    token = create_key(path, "alice", scopes=["models"])
    assert token.rpartition(".")[2] not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_keys(path).authenticated(token, now_utc())[0] == "alice"


def test_a_key_is_256_random_bits_and_never_the_same():
    tokens = {new_token("a")[0] for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch(r"sxt\.a\.[A-Za-z0-9_-]{43}", token) for token in tokens)


def test_creating_and_revoking_leave_the_other_keys_and_the_file_s_mode_alone(path):
    first = create_key(path, "first", scopes=["score"], rate_per_s=2.5, requests_per_day=7)
    path.chmod(0o640)
    create_key(path, "second", scopes=["models"], expires=datetime(2030, 1, 1, tzinfo=UTC))
    revoke_key(path, "second")
    name, key = read_keys(path).authenticated(first, now_utc())
    assert (name, key.scopes, key.rate_per_s, key.requests_per_day) == ("first", ("score",), 2.5, 7)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert set(read_keys(path).keys) == {"first"}
    with pytest.raises(KeyFileError, match="no key 'second'"):
        revoke_key(path, "second")
    with pytest.raises(KeyFileError, match="already"):
        create_key(path, "first", scopes=["score"])


def test_a_key_expires_at_its_time(path):
    expires = datetime(2030, 1, 1, tzinfo=UTC)
    token = create_key(path, "a", scopes=["score"], expires=expires)
    keys = read_keys(path)
    assert keys.authenticated(token, expires - timedelta(seconds=1))[0] == "a"
    with pytest.raises(Unauthenticated, match="expired at 2030-01-01"):
        keys.authenticated(token, expires)


@settings(max_examples=30)
@given(st.one_of(st.text(), st.from_regex(r"sxt\.(a|b)\..{0,50}", fullmatch=True)))
def test_whatever_is_shown_instead_of_a_key_is_refused_alike(shown):
    keys = KeyFile(keys={"a": ApiKey(sha256=HASH, scopes=("score",))})
    with pytest.raises(Unauthenticated, match=r"^this API key is not known here$"):
        keys.authenticated(shown, now_utc())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("keys = 3", "keys: "),
        ("[keys.a]\nscopes = ['score']", "keys.a.sha256: "),
        (f"[keys.a]\nsha256 = '{HASH}'\nscopes = []", "keys.a.scopes: "),
        (f"[keys.a]\nsha256 = '{HASH}'\nscopes = ['score', 'all']", "keys.a.scopes.1: "),
        (f"[keys.a]\nsha256 = '{HASH}'\nscopes = ['score']\nrate_per_s = 0", "keys.a.rate_per_s: "),
        (f"[keys.a]\nsha256 = '{HASH}'\nscopes = ['score']\nexpires = 2030-01-01T00:00:00", "keys.a.expires: "),
        (f"[keys.a]\nsha256 = '{HASH}'\nscopes = ['score']\nadmin = true", "keys.a.admin: "),
        (f"[keys.'A b']\nsha256 = '{HASH}'\nscopes = ['score']", "keys.A b"),
        ("[keys", "keys.toml: "),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_place(path, text, complaint):
    path.write_text(text)
    with pytest.raises(KeyFileError) as refused:
        read_keys(path)
    assert complaint in str(refused.value)
    assert HASH not in str(refused.value)


class Times:
    """Clocks that a test moves."""

    def __init__(self) -> None:
        self.now_s, self.unix_s = 100.0, 86_400.0 * 20_000

    def allowance(self, **limits) -> Allowance:
        key = ApiKey(sha256=HASH, scopes=("score",), **limits)
        return Allowance(key, clock=lambda: self.now_s, wall=lambda: self.unix_s)


def test_a_rate_lets_a_burst_through_and_then_its_share_of_every_second():
    times = Times()
    allowance = times.allowance(rate_per_s=4.0, burst=3)
    for _ in range(3):
        allowance.take()
    with pytest.raises(RateLimited) as refused:
        allowance.take()
    assert refused.value.retry_after_s == pytest.approx(0.25)
    taken = 0
    for _ in range(1000):  # 10 seconds, asking 100 times in each
        times.now_s += 0.01
        try:
            allowance.take()
        except RateLimited:
            continue
        taken += 1
    assert taken == pytest.approx(40, abs=1)


def test_who_waits_as_long_as_told_is_let_in():
    times = Times()
    allowance = times.allowance(rate_per_s=0.3)
    allowance.take()
    with pytest.raises(RateLimited) as refused:
        allowance.take()
    times.now_s += refused.value.retry_after_s * 1.001
    allowance.take()


def test_a_day_s_count_begins_anew_at_midnight_and_refused_calls_do_not_count():
    times = Times()
    allowance = times.allowance(requests_per_day=2, rate_per_s=1.0, burst=1)
    allowance.take()
    with pytest.raises(RateLimited):
        allowance.take()
    times.now_s += 1
    allowance.take()
    times.now_s += 1
    times.unix_s += 86_400 - 60
    with pytest.raises(QuotaExceeded) as refused:
        allowance.take()
    assert refused.value.retry_after_s == pytest.approx(60)
    times.unix_s += 60
    allowance.take()


def test_steps_are_charged_after_the_fact():
    allowance = Times().allowance(steps_per_day=100)
    allowance.take()
    allowance.charge(150)
    with pytest.raises(QuotaExceeded, match="100 network steps"):
        allowance.take()
