"""YAML text becomes the parser's node graph, or one error in words that a person understands."""

from __future__ import annotations

import math

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode
from ruamel.yaml.reader import ReaderError

from stackctl.errors import Problem, SpecError
from stackctl.spec.findings import Place, shown

USUAL = "look for a bracket or a quote that is never closed, and for what is indented otherwise than its neighbours"
CORE = "tag:yaml.org,2002:"


def parse(text: str, file: str) -> Node | None:
    """The root of the file's one document, None for an empty one."""
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    try:
        root: Node | None = yaml.compose(text)
        return root
    except ReaderError as error:
        before = text[: error.position]
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        message, hint = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML", "delete it"
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        message, hint = f"not YAML: {error.problem or error.context}", _hint(error, text, place)
        if "another document" in message:
            message, hint = "a second document begins here", "one file holds one stack: delete the `---`"
    except RecursionError:
        place, message, hint = Place(1, 1), "values are nested too deeply", "close what is open"
    except (YAMLError, ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError):
        # The parser was never meant for arbitrary bytes and trips over some of them.
        place, message, hint = Place(1, 1), "not YAML", USUAL
    raise SpecError((Problem(f"{file}:{place.line}:{place.column}", "", message, hint),))


def place(node: Node) -> Place:
    """Where the node begins."""
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def kind(node: Node) -> str:
    """What the node is, in words."""
    if isinstance(node, MappingNode):
        return "a mapping"
    return "a list" if isinstance(node, SequenceNode) else "a single value"


def tag(node: Node) -> str:
    """The node's tag as a message quotes it."""
    return shown(str(node.tag).replace(CORE, "!!"))


def whole(text: str) -> int:
    """A whole number as Compose reads it: a leading zero makes it octal."""
    digits = text.replace("_", "")
    sign, digits = (-1, digits[1:]) if digits.startswith("-") else (1, digits.removeprefix("+"))
    if digits[:2].lower() in ("0x", "0o", "0b"):
        return sign * int(digits, 0)
    return sign * int(digits, 8 if digits.startswith("0") and len(digits) > 1 else 10)


def finite(text: str) -> float:
    """A number; ValueError for one that is infinite or none."""
    number = float(text.replace("_", ""))
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _hint(error: MarkedYAMLError, text: str, place: Place) -> str:
    """The usual reason for such an error."""
    lines = text.splitlines()
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    if "\t" in line[: place.column]:
        return "indent with spaces, not with tabs"
    if "${" in line[max(0, place.column - 2) : place.column]:
        return 'within braces a variable needs quotes: {port: "${PORT}"}'
    if "mapping values" in (error.problem or ""):
        return "quote a text that holds `: `, and check the indentation"
    return USUAL
