"""Variables in a spec mean what they mean in Compose."""

from __future__ import annotations

import pytest

from stackctl.spec.environment import variables
from stackctl.spec.findings import Wrong
from stackctl.spec.interpolate import expand, parse

SET = {"SET": "value", "EMPTY": "", "OTHER": "other", "_1": "underscore"}

SPEC = "name: shop\nservices:\n  web: {image: whoami, port: 80, compose: {environment: {A: '%s'}}}\n"


def expanded(text: str) -> tuple[str, list[str]]:
    unset: list[str] = []
    return expand(parse(text), SET, unset.append), unset


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$SET", "value"),
        ("${SET}", "value"),
        ("<$SET-${SET}>", "<value-value>"),
        ("$SET.yaml $_1", "value.yaml underscore"),
        ("${EMPTY}", ""),
        ("${SET:-default}", "value"),
        ("${EMPTY:-default}", "default"),
        ("${UNSET:-default}", "default"),
        ("${SET-default}", "value"),
        ("${EMPTY-default}", ""),
        ("${UNSET-default}", "default"),
        ("${UNSET:-}", ""),
        ("${UNSET-a b: c/d}", "a b: c/d"),
        ("${SET:+word}", "word"),
        ("${EMPTY:+word}", ""),
        ("${UNSET:+word}", ""),
        ("${SET+word}", "word"),
        ("${EMPTY+word}", "word"),
        ("${UNSET+word}", ""),
        ("${SET:?needed}", "value"),
        ("${EMPTY?needed}", ""),
        ("${UNSET:-${OTHER}}", "other"),
        ("${UNSET:-${NEITHER:-${OTHER:+deep}}}!", "deep!"),
        ("${SET:+[$OTHER]}", "[other]"),
        ('${UNSET:-{"a": {"b": 1}}}', '{"a": {"b": 1}}'),
        ("${UNSET:-$$5}", "$5"),
        ("$$SET $${SET} $$$SET", "$SET ${SET} $value"),
        ("no {variables} here", "no {variables} here"),
        ("", ""),
    ],
)
def test_variable_is_replaced(text, value):
    """Every form of Compose's, and nothing is warned about."""
    assert expanded(text) == (value, [])


def test_unset_variable_is_empty_and_named():
    """Compose warns and goes on, and so do we."""
    assert expanded("<$UNSET${UNSET:-$OTHERS}>") == ("<>", ["UNSET", "OTHERS"])


def test_word_that_is_not_needed_is_not_looked_at():
    """A variable required only in a default's default is not required."""
    assert expanded("${SET:-${UNSET:?needed}}${UNSET:+$NEITHER}") == ("value", [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${UNSET:?say $OTHER}", "the variable `UNSET` is required: say other"),
        ("${EMPTY:?}", "the variable `EMPTY` is required"),
        ("${UNSET?no}", "the variable `UNSET` is required: no"),
        ("$", "'$' begins no variable"),
        ("5$ each", "'$ each' begins no variable"),
        ("$1", "'$1' begins no variable"),
        ("${}", "'${}' begins no variable"),
        ("${ SET}", "'${ SET}' begins no variable"),
        ("${SET", "`${SET` is not followed by"),
        ("${SET ", "`${SET` is not followed by"),
        ("${SET:=x}", "`${SET` is not followed by"),
        ("${SET:-x", "`${` is never closed"),
        ("${SET:-${OTHER}", "`${` is never closed"),
        ("${A:-" * 30 + "}" * 30, "nested deeper than 20"),
    ],
)
def test_wrong_form_is_refused(text, message):
    """Also where the part that is wrong would not be needed."""
    with pytest.raises(Wrong) as caught:
        expanded(text)

    assert caught.value.message.startswith((message, f"variables are {message}"))


def test_result_has_a_limit():
    """Sixty thousand times a long value is no spec."""
    with pytest.raises(Wrong, match="too long"):
        expand(parse("$A" * 60_000), {"A": "x" * 100_000}, lambda name: None)


def test_values_of_variables_are_not_read_again():
    """A dollar sign in a password is a dollar sign."""
    assert expand(parse("$A"), {"A": "$B ${C:?}"}, lambda name: None) == "$B ${C:?}"


def test_environment_beats_the_env_file(load_text):
    """And the file gives what the environment lacks."""
    loaded = load_text(SPEC % "$ONE $TWO", env_file="ONE=file\nTWO=file\n", ONE="environment")

    assert loaded.stack.services[0].compose["environment"]["A"] == "environment file"


def test_env_file_has_quotes_comments_and_earlier_lines(tmp_path):
    """As in Compose: only single quotes keep a dollar sign from its meaning."""
    (tmp_path / ".env").write_text(
        "# a comment\n\nexport HOST=example.test\nURL=\"http://${HOST}:${PORT:-80}/\"\nRAW='$HOST'\nBARE\nEMPTY=\n"
    )
    known = variables(tmp_path, {"PORT": "8080"})

    assert known.substitute("$URL $RAW <$EMPTY>") == "http://example.test:8080/ $HOST <>"
    assert known.warnings == ()


def test_env_file_that_is_wrong_is_shown_with_its_lines(problems):
    """A line that says nothing would otherwise be an empty value somewhere."""
    assert problems(SPEC % "", env_file="A=1\n\n=2\nB=${C:?set C}\nD='unclosed\n") == [
        ".env:3:1: not a line of the form NAME=value (a comment begins with #)",
        ".env:4:1: B: the variable `C` is required: set C (set it in the environment or in .env)",
        ".env:5:1: not a line of the form NAME=value (a comment begins with #)",
    ]


def test_folder_called_env_is_no_env_file(load_text, tmp_path):
    """Some people keep their virtual environment there."""
    (tmp_path / ".env").mkdir()

    assert load_text(SPEC % "").stack.name == "shop"


def test_each_unset_variable_is_warned_about_once(load_text):
    """The warning names the variable; the stack is made all the same."""
    loaded = load_text(SPEC % "$MISSING ${MISSING} $ALSO")

    assert loaded.warnings == (
        "the variable `MISSING` is not set: an empty text stands for it",
        "the variable `ALSO` is not set: an empty text stands for it",
    )


def test_value_cannot_smuggle_anything_in(problems):
    """Variables are replaced before anything is checked."""
    assert problems("name: $NAME\nservices: {web: {image: whoami, port: 80}}\n", NAME="a;b\nc") == [
        "stack.yaml:1:7: name: 'a;b\\nc' is no name (lower-case letters, digits, and hyphens between them)"
    ]


def test_keys_are_not_interpolated(load_text):
    """As in Compose."""
    loaded = load_text("name: shop\nservices: {web: {image: whoami, port: 80, compose: {labels: {$A: $A}}}}\n", A="b")

    assert loaded.stack.services[0].compose == {"labels": {"$A": "b"}}
