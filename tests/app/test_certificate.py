"""The local authority: one for all stacks of a folder, whoever comes first, and never a traceback."""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from stackctl.app.certificate import certified
from stackctl.domain.stack import Certificate
from stackctl.errors import StackctlError
from tests.building import stack


class Silent:
    """Progress that nobody watches."""

    def step(self, subject: str, message: str) -> None:
        """Not shown."""

    def warn(self, message: str) -> None:
        """Not shown."""


def issued(folder: Path, name: str = "shop") -> Certificate:
    """The certificate of a stack whose files lie in a folder."""
    asking = stack()
    asking = replace(asking, name=name, balancer=replace(asking.balancer, https=9443))
    certificate = certified(asking, folder / name, Silent()).balancer.certificate
    assert certificate
    return certificate


def authority_of(certificate: Certificate) -> str:
    """The last certificate of a chain."""
    mark = "-----BEGIN CERTIFICATE-----"
    return mark + certificate.chain.rpartition(mark)[2]


def test_one_authority(tmp_path: Path) -> None:
    """Stacks of one folder share it, their files are their owner's alone, and nothing lies beside them."""
    assert authority_of(issued(tmp_path, "a")) == authority_of(issued(tmp_path, "b"))
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in made} == {"authority.key", "authority.pem", "chain.pem", "key.pem"}
    assert {path.stat().st_mode & 0o777 for path in made} == {0o600}


def test_authority_of_another_command(tmp_path: Path) -> None:
    """While another command makes the authority, this one waits, and then takes that."""
    other, here = tmp_path / "other", tmp_path / "here"
    theirs = authority_of(issued(other))
    (here / "authority").mkdir(parents=True)
    held = os.open(here / "authority", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    found: list[Certificate] = []
    command = threading.Thread(target=lambda: found.append(issued(here)))
    command.start()
    command.join(0.3)
    assert command.is_alive() and not found
    shutil.copytree(other / "authority", here / "authority", dirs_exist_ok=True)
    os.close(held)
    command.join(10)
    assert authority_of(found[0]) == theirs


def foreign_key() -> str:
    """A key of another kind."""
    key = rsa.generate_private_key(65537, 2048)
    form, encryption = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


@pytest.mark.parametrize("name", ["authority.key", "authority.pem"])
@pytest.mark.parametrize("damage", ["half", "nothing", "foreign", "another's"])
def test_unusable_authority(tmp_path: Path, name: str, damage: str) -> None:
    """An authority that cannot sign is told with what to do, and stays as it is: people may trust it."""
    issued(tmp_path / "other")
    issued(tmp_path / "here", "a")
    file = tmp_path / "here" / "authority" / name
    whole = file.read_text()
    texts = {"half": whole[: len(whole) // 2], "nothing": "", "foreign": foreign_key()}
    text = texts.get(damage) or (tmp_path / "other" / "authority" / name).read_text() * (damage == "another's")
    file.write_text(text)
    with pytest.raises(StackctlError) as caught:
        issued(tmp_path / "here", "b")
    assert caught.value.id == "authority-unusable" and "remove the folder" in caught.value.hint
    assert caught.value.where == str(tmp_path / "here" / "authority")
    assert file.read_text() == text


@pytest.mark.parametrize("name", ["authority.key", "authority.pem"])
def test_half_an_authority(tmp_path: Path, name: str) -> None:
    """One of two files is as none: a new authority is made."""
    before = authority_of(issued(tmp_path, "a"))
    (tmp_path / "authority" / name).unlink()
    after = authority_of(issued(tmp_path, "b"))
    assert after != before and authority_of(issued(tmp_path, "c")) == after
