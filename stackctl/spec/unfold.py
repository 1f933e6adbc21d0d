"""YAML becomes a Document: the parser's node graph is unfolded into plain data, and its places are kept.

No YAML constructor does it, because only the graph has both the exact places and the aliases: so duplicate
keys, tags, cycles and aliases that unfold without end are findings like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from stackctl.errors import Problem, SpecError
from stackctl.spec import nodes
from stackctl.spec.document import Document
from stackctl.spec.findings import Finding, KeyPath, Place, Wrong, shown

DEEPEST = 50
# Values (and each 64 characters of text) once aliases are unfolded.
LARGEST = 50_000

NO_TAG = "leave it out: what a value is shows in how it is written"
_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def read(text: str, file: str, substitute: Callable[[str], str]) -> Document:
    """The document in `text`, its texts passed through `substitute`; SpecError when it is no YAML mapping."""
    root = nodes.parse(text, file)
    if not isinstance(root, MappingNode):
        what = "the file is empty" if root is None else f"a mapping is wanted, got {nodes.kind(root)}"
        raise SpecError((Problem(f"{file}:1:1", "", what, "a spec begins with `name:`"),))
    unfolding = _Unfolding(substitute)
    try:
        data = unfolding.value(root, ())
    except _Endless as endless:
        hint = "write out what is meant, with fewer aliases and less depth"
        raise SpecError((Problem(f"{file}:{endless.where}", "", endless.message, hint),)) from endless
    findings = tuple(unfolding.findings)
    return Document(file, data or {}, unfolding.keys, unfolding.values, findings, unfolding.written)


class _Endless(Exception):
    def __init__(self, node: Node, message: str) -> None:
        super().__init__(message)
        self.where = "{}:{}".format(*nodes.place(node))
        self.message = message


class _Unfolding:
    """Walks the node graph once; what is wrong is noted, and the walk goes on."""

    def __init__(self, substitute: Callable[[str], str]) -> None:
        self.keys: dict[KeyPath, Place] = {}
        self.values: dict[KeyPath, Place] = {}
        self.findings: list[Finding] = []
        self.written: dict[KeyPath, str] = {}
        self._substitute = substitute
        self._open: list[int] = []
        self._spent = 0

    def value(self, node: Node, path: KeyPath) -> Any:
        # A value that is not there at all begins wherever the next thing does: its key is the better place.
        absent = isinstance(node, ScalarNode) and not node.value and node.style is None
        self.values[path] = self.keys.get(path, nodes.place(node)) if absent else nodes.place(node)
        self._spend(node)
        try:
            if isinstance(node, ScalarNode):
                value = self._scalar(node)
                if isinstance(value, int | float) and node.style is None:
                    self.written[path] = node.value
                return value
            if node.tag not in (nodes.CORE + "map", nodes.CORE + "seq"):
                raise Wrong(f"the tag {nodes.tag(node)} can't be used here", NO_TAG)
            with self._inside(node):
                if isinstance(node, MappingNode):
                    return self._mapping(node, path)
                return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        except Wrong as wrong:
            self.findings.append(Finding(path, wrong.message, wrong.hint))
            return None

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value, inherited in self._pairs(node):
            place = nodes.place(key)
            if not isinstance(key, ScalarNode):
                message = f"a key is a word, not {nodes.kind(key)}"
                self.findings.append(Finding(path, message, "quote it if it is a text", place=place))
                continue
            here = (*path, key.value)
            if key.value not in result:
                self.keys[here] = place
                result[key.value] = self.value(value, here)
            elif not inherited:
                message = f"{shown(key.value)} is here twice; the first is on line {self.keys[here].line}"
                self.findings.append(Finding(here, message, "delete or rename one", place=place))
        return result

    def _pairs(self, node: MappingNode) -> Iterator[tuple[Node, Node, bool]]:
        """The mapping's own pairs, then those of its merge keys, which its own beat."""
        merged: list[Node] = []
        for key, value in node.value:
            self._spend(key)
            if key.tag == nodes.CORE + "merge":
                merged += value.value if isinstance(value, SequenceNode) else [value]
            else:
                yield key, value, False
        for source in merged:
            if not isinstance(source, MappingNode):
                raise Wrong(f"`<<` merges mappings, not {nodes.kind(source)}", "as in `<<: *name`")
            with self._inside(source):
                yield from ((key, value, True) for key, value, _ in self._pairs(source))

    def _scalar(self, node: ScalarNode) -> Any:
        text: str = node.value
        tag = str(node.tag).removeprefix(nodes.CORE)
        if tag in ("str", "timestamp", "value", "merge"):
            return self._substitute(text)
        try:
            match tag:
                case "null":
                    return None
                case "bool":
                    return _TRUTH[text.lower()]
                case "int":
                    return nodes.whole(text)
                case "float":
                    return nodes.finite(text)
        except (ValueError, KeyError):
            raise Wrong(f"{shown(text)} is no value that can be used here", "quote it if it is a text") from None
        raise Wrong(f"the tag {nodes.tag(node)} can't be used here", NO_TAG)

    @contextmanager
    def _inside(self, node: Node) -> Iterator[None]:
        if id(node) in self._open:
            raise Wrong("an alias stands inside its own anchor", "write out what is meant")
        self._open.append(id(node))
        try:
            yield
        finally:
            self._open.pop()

    def _spend(self, node: Node) -> None:
        self._spent += 1 + (len(node.value) // 64 if isinstance(node, ScalarNode) else 0)
        if self._spent > LARGEST:
            raise _Endless(node, f"the spec unfolds to more than {LARGEST} values")
        if len(self._open) > DEEPEST:
            raise _Endless(node, f"values are nested deeper than {DEEPEST} levels")
