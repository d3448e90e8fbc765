"""The certificates of a running gateway: taken over when their files change, for connections made from then on.

gRPC asks for them at each handshake. A connection that stands keeps what it was made with, so no stream is dropped.
"""

import asyncio
import logging
import ssl
from pathlib import Path

import grpc

from sextant.contract.errors import SextantError
from sextant.gateway import metrics
from sextant.gateway.watched_files import WatchedFiles

log = logging.getLogger(__name__)


class CertificateError(SextantError):
    """Certificate, key and authority do not make a whole."""


class CertificateKeeper:
    """Keeps the certificate of a gateway, its key, and who signs the certificates of clients, if they must show one.

    Raises `CertificateError` where they cannot be used to begin with.
    """

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None) -> None:
        self._certificate, self._key, self._client_ca = certificate, key, client_ca
        self._files = WatchedFiles(certificate, key, *(() if client_ca is None else (client_ca,)))
        self._told = self._current = self._read()

    def credentials(self) -> grpc.ServerCredentials:
        """What a port is opened with; it follows the files."""
        return grpc.dynamic_ssl_server_credentials(
            self._told, self._fetch, require_client_authentication=self._client_ca is not None
        )

    async def look(self) -> bool:
        """Read the files if one changed; whether they are new and whole. Else the old ones stay, and the log is told.

        Of files that are replaced one after the other, the last one completes the new whole.
        """
        if not self._files.changed():
            return False
        try:
            self._current = await asyncio.to_thread(self._read)
        except CertificateError as error:
            metrics.CERTIFICATE_FAILURES.inc()
            log.error("the certificates were not reloaded, the old ones stay: %s", error)
            return False
        log.info("the certificates were reloaded")
        return True

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """Called by gRPC before a handshake, on a thread of its own; None where nothing is new."""
        if self._current is self._told:
            return None
        self._told = self._current
        return self._told

    def _read(self) -> grpc.ServerCertificateConfiguration:
        # gRPC would find out at the next handshake only; what is wrong here must not be handed to it.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self._certificate, self._key)
            if self._client_ca is not None:
                context.load_verify_locations(self._client_ca)
            client_ca = None if self._client_ca is None else self._client_ca.read_bytes()
            pair = self._key.read_bytes(), self._certificate.read_bytes()
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(str(path) for path in (self._certificate, self._key, self._client_ca) if path)
            raise CertificateError(f"{files}: {error}") from error
        return grpc.ssl_server_certificate_configuration([pair], root_certificates=client_ca)
