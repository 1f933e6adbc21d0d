"""Compose's interpolation of variables in a text.

    $NAME  ${NAME}     the value; empty, with a warning, when NAME is not set
    ${NAME:-word}      word when NAME is not set or empty;   ${NAME-word}  only when it is not set
    ${NAME:?word}      an error that says word, likewise;    ${NAME?word}
    ${NAME:+word}      word when NAME is set and not empty;  ${NAME+word}  when it is set at all
    $$                 a dollar sign

A word may hold variables itself; one that is not needed is not looked at. What comes out holds plain dollar
signs: whoever writes a value into a Compose file doubles them again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from stackctl.spec.findings import Wrong, shown

# Deeper nesting or longer results are mistakes or attacks, never specs.
DEEPEST = 20
LONGEST = 1 << 20

_TOKEN = re.compile(
    r"""
      (?P<dollar> \$\$ )
    | \$ (?P<plain> [A-Za-z_][A-Za-z0-9_]* )
    | \$\{ (?P<name> [A-Za-z_][A-Za-z0-9_]* ) (?P<operator> :?[-?+] )?
    | (?P<stray> \$ )
    | (?P<brace> [{}] )
    | (?P<text> [^${}]+ )
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Variable:
    """`${name}`, or with an operator and its word."""

    name: str
    operator: str = ""
    word: Template = ()


Template = tuple[str | Variable, ...]


def parse(text: str) -> Template:
    """The text's literal parts and variables; Wrong where a `$` begins nothing that is known."""
    return _parts(_TOKEN.finditer(text), depth=0)


def expand(template: Template, variables: Mapping[str, str], unset: Callable[[str], None]) -> str:
    """The text with every variable's value in its place; `unset` hears of variables that have none."""
    pieces, length = [], 0
    for part in template:
        pieces.append(part if isinstance(part, str) else _value(part, variables, unset))
        length += len(pieces[-1])
        if length > LONGEST:
            raise Wrong("the text with its variables' values is too long")
    return "".join(pieces)


def _parts(tokens: Iterator[re.Match[str]], depth: int) -> Template:
    if depth > DEEPEST:
        raise Wrong(f"variables are nested deeper than {DEEPEST} levels")
    parts: list[str | Variable] = []
    braces = 0
    for token in tokens:
        if token["dollar"]:
            parts.append("$")
        elif token["plain"]:
            parts.append(Variable(token["plain"]))
        elif token["name"]:
            parts.append(Variable(token["name"], token["operator"] or "", _word(token, tokens, depth)))
        elif token["stray"]:
            rest = token.string[token.start() :]
            raise Wrong(f"{shown(rest[:12])} begins no variable", "`$$` is a dollar sign")
        elif depth and token["brace"] == "}" and not braces:
            return tuple(parts)
        else:
            # Braces of the word's own, as in ${CONFIG:-{"a": 1}}, come in pairs.
            braces += {"{": 1, "}": -1}.get(token[0], 0)
            parts.append(token[0])
    if depth:
        raise Wrong("`${` is never closed by `}`", "`$$` is a dollar sign")
    return tuple(parts)


def _word(token: re.Match[str], tokens: Iterator[re.Match[str]], depth: int) -> Template:
    if token["operator"]:
        return _parts(tokens, depth + 1)
    closing = next(tokens, None)
    if closing is None or closing[0] != "}":
        raise Wrong(f"`${{{token['name']}` is not followed by `}}` or one of :- - :? ? :+ +", "`$$` is a dollar sign")
    return ()


def _value(variable: Variable, variables: Mapping[str, str], unset: Callable[[str], None]) -> str:
    value = variables.get(variable.name)
    # An operator with a colon takes an empty value for none.
    present = bool(value) if variable.operator.startswith(":") else value is not None
    match variable.operator[-1:]:
        case "+":
            return expand(variable.word, variables, unset) if present else ""
        case "-" if not present:
            return expand(variable.word, variables, unset)
        case "?" if not present:
            reason = expand(variable.word, variables, unset)
            raise Wrong(
                f"the variable `{variable.name}` is required" + (f": {reason}" if reason else ""),
                "set it in the environment or in .env",
            )
    if value is None:
        unset(variable.name)
    return value or ""
