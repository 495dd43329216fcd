"""Certificates of a small authority of our own, good and bad, made by openssl in a folder."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

CONFIG = """\
[ca]
default_ca = ours
[ours]
database = {folder}/index.txt
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
[req]
distinguished_name = name
prompt = no
[name]
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its key, each in a file, and both in one."""

    certificate: Path
    key: Path
    both: Path


class Authority:
    """Issues certificates that only those believe who have its ``certificate``."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir()
        self._folder = folder
        self._config = folder / "openssl.cnf"
        self._config.write_text(CONFIG.format(folder=folder), "utf-8")
        (folder / "index.txt").touch()
        (folder / "serial").write_text("1000\n", "utf-8")
        self.certificate = folder / "authority.pem"
        self._key = folder / "authority.key"
        _openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"),
            *("-config", str(self._config), "-extensions", "authority", "-subj", f"/CN={name}"),
            *("-keyout", str(self._key), "-out", str(self.certificate)),
        )

    def issue(self, name: str, *, hosts: str | None = None, expired: bool = False) -> Identity:
        """Issue a certificate.

        Parameters
        ----------
        hosts : str, optional
            Who it is for, as openssl writes it: ``IP:127.0.0.1,DNS:localhost``.
        expired : bool
            Whether it was good until yesterday only.
        """
        stem = self._folder / name
        key, request = stem.with_suffix(".key"), stem.with_suffix(".csr")
        certificate, both = stem.with_suffix(".crt"), stem.with_suffix(".pem")
        _openssl(
            *("req", "-new", "-newkey", "rsa:2048", "-nodes", "-config", str(self._config)),
            *("-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request)),
            *(("-addext", f"subjectAltName={hosts}") if hosts else ()),
        )
        dates = ("20200101000000Z", "20200201000000Z") if expired else ("20200101000000Z", _LATER)
        _openssl(
            *("ca", "-batch", "-notext", "-config", str(self._config)),
            *("-cert", str(self.certificate), "-keyfile", str(self._key)),
            *("-startdate", dates[0], "-enddate", dates[1]),
            *("-in", str(request), "-out", str(certificate)),
        )
        both.write_text(key.read_text("utf-8") + certificate.read_text("utf-8"), "utf-8")
        return Identity(certificate, key, both)


_LATER = "20491231235959Z"


def locked(identity: Identity, password: str) -> Path:
    """Write the identity's key once more, encrypted; openssl reads the password from a pipe."""
    path = identity.key.with_suffix(".locked.key")
    _openssl(
        *("pkcs8", "-topk8", "-in", str(identity.key), "-out", str(path), "-passout", "stdin"),
        given=password,
    )
    return path


def _openssl(*arguments: str, given: str | None = None) -> bytes:
    done = subprocess.run(
        ["openssl", *arguments],
        input=None if given is None else given.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"openssl {arguments[0]}: {done.stderr.decode()}")
    return done.stdout
