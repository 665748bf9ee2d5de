"""Loads and checks the files of ``--tls-cert`` and ``--tls-key``."""

from __future__ import annotations

import logging
import ssl
import stat
from pathlib import Path

from bus.process.flags import BadFlag

log = logging.getLogger("weir.gateway")

_WRITABLE = stat.S_IWGRP | stat.S_IWOTH


class _Encrypted(Exception):
    """The key file is encrypted, so OpenSSL has asked for a password."""


def server_context(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return the TLS context of connections, None for plain HTTP if no file is given.

    Raises:
        BadFlag: only one of the two files is given, or the files cannot be used.
    """
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        given, missing = ("key", "cert") if cert is None else ("cert", "key")
        raise BadFlag(
            f"--tls-{missing}: missing; --tls-{given} is given, and TLS needs both files"
        )
    _check_readable(cert, "--tls-cert")
    _check_readable(key, "--tls-key")
    if key.stat().st_mode & _WRITABLE:
        raise BadFlag(f"--tls-key: other users may write to {str(key)!r}; use chmod 600")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except _Encrypted:
        raise BadFlag(
            f"--tls-key: {str(key)!r} has a password; give a key file without a password"
        ) from None
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise BadFlag(_words(cert, key, error)) from None
    return context


def _check_readable(file: Path, flag: str) -> None:
    try:
        with file.open("rb") as opened:
            opened.read(1)
    except OSError as error:
        raise BadFlag(f"{flag}: {str(file)!r} cannot be read: {error.strerror}") from None


def warn_of_readers(key: Path) -> None:
    """Log a warning if every user of this machine may read the key file."""
    if key.stat().st_mode & stat.S_IROTH:
        log.warning("--tls-key: every user of this machine may read %r; use chmod 600", str(key))


def _no_password() -> str:
    raise _Encrypted


def _words(cert: Path, key: Path, error: Exception) -> str:
    reason = getattr(error, "reason", "") or ""
    if reason == "KEY_VALUES_MISMATCH":
        return f"--tls-key: {str(key)!r} is not the key of the certificate {str(cert)!r}"
    pem = f"--tls-cert, --tls-key: {str(cert)!r} and {str(key)!r} cannot be used"
    return f"{pem} ({reason or error}); allowed are a certificate and its key as PEM files"
