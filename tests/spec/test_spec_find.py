"""Which spec a command is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackctl.errors import StackctlError, UsageError
from stackctl.spec import bundled
from stackctl.spec.find import bundled_stacks, find
from stackctl.spec.load import load


def test_stack_is_named_by_argument_then_option_then_variable_then_folder():
    """In that order, and relative paths stay as they were written."""
    environ = {"STACKCTL_FILE": "variable.yaml"}

    assert find("argument.yaml", None, environ, Path()) == Path("argument.yaml")
    assert find(None, "option.yaml", environ, Path()) == Path("option.yaml")
    assert find(None, None, environ, Path()) == Path("variable.yaml")
    assert find(None, None, {}, Path()) == Path("stack.yaml")
    assert find(None, None, {"STACKCTL_FILE": ""}, Path("/somewhere")) == Path("/somewhere/stack.yaml")


def test_folder_stands_for_the_spec_in_it(tmp_path):
    """Whichever way it is named."""
    (tmp_path / "shop").mkdir()

    for named in (
        ("shop", None, {}),
        ("./shop", None, {}),
        (None, "shop", {}),
        (None, None, {"STACKCTL_FILE": "shop"}),
    ):
        assert find(*named, tmp_path) == tmp_path / "shop" / "stack.yaml"
    assert find(".", None, {}, tmp_path) == tmp_path / "stack.yaml"


def test_bundled_stack_is_found_by_name_and_hidden_by_nothing(tmp_path):
    """A folder of the same name needs its ./ before it."""
    (tmp_path / "simple-web").mkdir()

    assert find("simple-web", None, {}, tmp_path) == bundled.bundled("stacks") / "simple-web" / "stack.yaml"
    assert find("./simple-web", None, {}, tmp_path) == tmp_path / "simple-web" / "stack.yaml"


def test_unknown_name_is_answered_with_the_known_ones(tmp_path):
    """With the one that was probably meant first."""
    with pytest.raises(UsageError) as caught:
        find("simpel-web", None, {}, tmp_path)

    assert (caught.value.id, caught.value.exit_code) == ("stack-not-found", 2)
    assert caught.value.hint.startswith("did you mean `simple-web`? the bundled stacks are: ")


@pytest.mark.parametrize("name", ["", "a" * 5000, "a\nb", "\0"])
def test_odd_name_is_no_stack(tmp_path, name):
    """Whatever it is, the answer is an error for people."""
    if name == "":
        assert find(name, None, {}, tmp_path) == tmp_path / "stack.yaml"
        return
    with pytest.raises(UsageError, match="there is no stack"):
        find(name, None, {}, tmp_path)


def test_two_ways_at_once_are_refused():
    """Neither is silently ignored."""
    with pytest.raises(UsageError, match=r"both 'simple-web' and -f 'a\.yaml'"):
        find("simple-web", "a.yaml", {}, Path())


def test_every_bundled_stack_is_sound_and_says_what_it_is():
    """It loads without a warning, its name is its folder's, and `list` has a line to show."""
    stacks = bundled_stacks()

    assert "simple-web" in [stack.name for stack in stacks]
    for stack in stacks:
        loaded = load(stack.path, {})
        assert (loaded.stack.name, loaded.warnings) == (stack.name, ())
        assert 20 < len(stack.description) < 100
        assert stack.path.read_text().startswith("# yaml-language-server: $schema=../stack.schema.json\n")


def test_description_may_be_a_key(tmp_path, monkeypatch):
    """For specs that begin without a comment."""
    for name, text in {"a": 'x-description: "What it is"\nname: a\n', "b": "name: b\n"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "stack.yaml").write_text(text)
    monkeypatch.setattr("stackctl.spec.find.bundled", lambda room: tmp_path)

    assert [stack.description for stack in bundled_stacks()] == ["What it is", ""]


def test_bundled_folders_are_in_the_package_or_beside_it(tmp_path, monkeypatch):
    """A wheel has them inside; a checkout beside; with neither, the installation is broken."""
    package = tmp_path / "stackctl"
    monkeypatch.setattr(bundled, "PACKAGE", package)
    with pytest.raises(StackctlError) as caught:
        bundled.bundled("stacks")
    assert caught.value.id == "installation-incomplete"

    (tmp_path / "stacks").mkdir()
    assert bundled.bundled("stacks") == tmp_path / "stacks"

    (package / "_bundled" / "stacks").mkdir(parents=True)
    assert bundled.bundled("stacks") == package / "_bundled" / "stacks"
