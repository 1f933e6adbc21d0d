"""The certificate of the entry where the spec asks for https and names none: by a local authority of its own.

The authority lies in `.stackctl/authority/` beside the stacks' folders and stays there when a stack goes down: whoever
trusts `authority.pem` once trusts every stack of that folder. Commands on several stacks share it: the folder's lock
lets one at a time make it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from stackctl.app.issuing import Authority, new_authority, read_authority
from stackctl.domain.stack import Certificate, Stack
from stackctl.errors import StackctlError
from stackctl.planning.entry import routed_services
from stackctl.ports import Progress

# What browsers accept of any authority.
LASTS = timedelta(days=397)
RENEW = timedelta(days=30)


def certified(stack: Stack, folder: Path, progress: Progress) -> Stack:
    """The stack, whose files lie in `folder`, with a certificate for https: the last while it fits, else a new one."""
    names = names_of(stack)
    chain, key = folder / "tls" / "chain.pem", folder / "tls" / "key.pem"
    if not _fits(chain, key, names):
        beside = folder.parent / "authority"
        with _alone(beside):
            authority = _authority(beside)
        issued = authority.issue(names, LASTS)
        _write(chain, issued.chain)
        _write(key, issued.key)
        progress.step("certificate", f"issued for {', '.join(names)}")
    certificate = Certificate(chain.read_text(), key.read_text())
    return replace(stack, balancer=replace(stack.balancer, certificate=certificate))


def names_of(stack: Stack) -> tuple[str, ...]:
    """Under which names the entry is asked for: its domain's, the routes' own, this machine's."""
    domain = stack.balancer.domain
    hosts = {service.route.host for service in routed_services(stack) if service.route.kind == "host"}
    return tuple(sorted({domain, f"*.{domain}", "localhost", "127.0.0.1", *hosts}))


def _fits(chain: Path, key: Path, names: tuple[str, ...]) -> bool:
    if not chain.exists() or not key.exists():
        return False
    try:
        last = x509.load_pem_x509_certificates(chain.read_bytes())[0]
        listed = last.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, IndexError, x509.ExtensionNotFound):
        return False
    lasting = last.not_valid_after_utc > datetime.now(UTC) + RENEW
    return lasting and {str(name.value) for name in listed} == set(names)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time; the kernel lets go of the lock with the process, however that ends."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _authority(folder: Path) -> Authority:
    """The local authority, made where there is none yet; raises `StackctlError` where there is one that cannot sign."""
    chain, key = folder / "authority.pem", folder / "authority.key"
    if chain.exists() and key.exists():
        try:
            return read_authority(chain.read_bytes(), key.read_bytes())
        except ValueError as error:
            raise StackctlError(
                "authority-unusable",
                f"the local authority cannot be used: {error}",
                where=str(folder),
                hint="bring back its two files, or remove the folder: a new authority is made, to be trusted anew",
            ) from None
    made = new_authority("stackctl local authority")
    chain.unlink(missing_ok=True)  # written last, so that an interruption never pairs it with another key
    _write(key, made.pem.key)
    _write(chain, made.pem.chain)
    return made


def _write(path: Path, text: str) -> None:
    """Beside, then renamed: a reader sees the old text or the new one, never a part; nobody else's to read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    beside.touch(mode=0o600)
    beside.write_text(text)
    beside.replace(path)
