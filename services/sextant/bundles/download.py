"""One file over https, resumed where it was interrupted."""

from pathlib import Path
from urllib.parse import urlsplit

import httpx

from sextant.bundles.pins import check_file
from sextant.bundles.progress import ProgressFn
from sextant.contract.errors import SourceUnavailable

_MOST_REDIRECTS = 5
_TIMEOUT = httpx.Timeout(30.0)


def download(url: str, target: Path, sha256: str | None, progress: ProgressFn, client: httpx.Client | None) -> None:
    """Downloads `url` to `target` by way of `target`.part, which a later call carries on with.

    Redirects are followed to https only. Raises `SourceUnavailable`; where the content is not what was pinned,
    the part is thrown away.
    """
    part = target.with_name(f"{target.name}.part")
    resumed = part.exists()
    if client is None:
        with httpx.Client(timeout=_TIMEOUT) as own:
            _get(own, url, part, progress)
    else:
        _get(client, url, part, progress)
    if sha256 is not None:
        try:
            check_file(part, sha256, _shown(url))
        except SourceUnavailable:
            part.unlink()
            if not resumed:
                raise
            # The file may have changed on the server between the two halves: once more, from the start.
            download(url, target, sha256, progress, client)
            return
    part.rename(target)


def _get(client: httpx.Client, url: str, part: Path, progress: ProgressFn) -> None:
    """Fetches what is missing of `part`, following redirects."""
    shown = _shown(url)
    try:
        for _ in range(_MOST_REDIRECTS + 1):
            if httpx.URL(url).scheme != "https":
                raise SourceUnavailable(f"{shown} redirects to something other than https")
            have = part.stat().st_size if part.exists() else 0
            # Compressed transfer would make the ranges those of another file.
            headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
            with client.stream("GET", url, headers=headers, follow_redirects=False) as response:
                if response.has_redirect_location:
                    url = str(response.url.join(response.headers["Location"]))
                    continue
                if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and have:
                    return  # all of it was there already, or it shrank: the sha256 will tell
                if response.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
                    raise SourceUnavailable(f"{shown} answered with HTTP status {response.status_code}")
                _receive(response, part, have, progress, shown)
                return
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        have = part.stat().st_size if part.exists() else 0
        kept = f"; {have} bytes are kept, the next attempt carries on from there" if have else ""
        raise SourceUnavailable(f"{shown} could not be downloaded ({type(error).__name__}){kept}") from error
    raise SourceUnavailable(f"{shown} redirects more than {_MOST_REDIRECTS} times")


def _receive(response: httpx.Response, part: Path, have: int, progress: ProgressFn, shown: str) -> None:
    """Appends to `part` if the server goes on from `have`, otherwise starts it anew."""
    goes_on = response.status_code == httpx.codes.PARTIAL_CONTENT
    if goes_on and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        raise SourceUnavailable(f"{shown} answered with another range than was asked for")
    done = have if goes_on else 0
    length = response.headers.get("Content-Length", "")
    total = done + int(length) if length.isdigit() else None
    with part.open("ab" if goes_on else "wb") as file:
        for chunk in response.iter_raw():
            file.write(chunk)
            done += len(chunk)
            progress(f"downloading {shown}", done, total)


def _shown(url: str) -> str:
    """The URL as messages show it: without user, password and query, where secrets may be."""
    parts = urlsplit(url)
    return f"https://{parts.hostname}{parts.path}"
