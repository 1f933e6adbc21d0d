"""Writes docs/cli.md from the commands themselves and docs/spec.md from the JSON Schema.

    .venv/bin/python docs/generate.py

tests/docs/test_generated.py fails while a file differs from what this would write.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from stackctl.cli.group import COMMANDS, stackctl
from stackctl.spec.json_schema import VARIABLE, json_schema
from stackctl.spec.passthrough import HEARTBEAT, OWN_KEYS, RESOLVER
from stackctl.spec.scalars import RESERVED, RESERVED_BEGINNINGS

FOLDER = Path(__file__).parent
NOTE = "<!-- Written by docs/generate.py; edits are overwritten. -->"

Json = Mapping[str, Any]

CLI_HEAD = """\
# Command line

`stackctl [-f FILE] COMMAND [STACK] …`

STACK is the name of a bundled stack (`stackctl list`), a folder with a `stack.yaml`, or a file. Without it the spec is
`-f FILE`, else the variable `STACKCTL_FILE`, else `./stack.yaml`.

- Data goes to stdout, progress and messages to stderr.
- `--format json` prints one document whose `schema` is `stackctl/<command>/v1`. A command that fails without a
  document of its own prints one of `stackctl/error/v1`: `error` has `id`, `where`, `message`, `hint`, `exit_code` and,
  where the spec is wrong, `problems`. `validate` lists them in its own document.
- With `--progress json` each line on stderr is a JSON object, an error's the same `error`.
- Every command has `-h`, `--help`. A TIME is written as `90s`, `1m30s`, `500ms`, or a number of seconds.
- `NO_COLOR`, `DOCKER_HOST` and `DOCKER_CONTEXT` are heeded. Nothing is ever asked on the terminal.
- An error has an id, a place and a hint, also one about the command line itself. A traceback is shown only with `-v`.
"""

SPEC_HEAD = """\
# stack.yaml

One file describes one stack. Every problem in it is reported at once, with file, line and column, and nothing is
started. `stackctl schema` prints the JSON Schema for editors; [simple-web](../stacks/simple-web/stack.yaml) is an
annotated example.

- `${NAME}`, `${NAME:-word}`, `${NAME-word}`, `${NAME:?message}`, `${NAME?message}`, `${NAME:+word}` and `${NAME+word}`
  are replaced as in Compose, from the environment and then from the `.env` beside the spec. `$$` is a dollar sign.
- A duration is written as `500ms`, `1s`, `1m30s`, `90m`, or a number of seconds.
- `stack.hosts.yaml` or `stack.swarm.yaml` beside it says what is different on that engine, and is read with it there:
  mappings are merged, anything else takes the place of what `stack.yaml` says ([hospital](../stacks/hospital)).
- Unknown keys are errors. `x-…` keys are free where the table says so.
- What is marked *refused* belongs to the format and not to this version: `validate` names the place.
"""


def cli_reference() -> str:
    """Every command with its usage, arguments and options."""
    root = click.Context(stackctl, info_name="stackctl", help_option_names=["-h", "--help"])
    parts = [f"{NOTE}\n{CLI_HEAD}", _options_table(stackctl, root)]
    parts.append(_table(("command", "does"), [(f"[`{name}`](#{name})", text) for name, text in COMMANDS.items()]))
    for name in COMMANDS:
        command = stackctl.get_command(root, name)
        if command is None:
            raise LookupError(f"there is no command {name}")
        parts += _command(command, click.Context(command, info_name=name, parent=root), 2)
    parts.append(f"## Exit codes\n\n{_exit_codes()}")
    return "\n".join(parts)


def _command(command: click.Command, context: click.Context, depth: int) -> Iterator[str]:
    """A command with its usage and options, and then its own commands where it has any."""
    title = context.command_path.removeprefix("stackctl ")
    usage = " ".join((context.command_path, *command.collect_usage_pieces(context)))
    text = str(command.help).replace("<", "\\<")
    own = command.commands if isinstance(command, click.Group) else {}
    options = "" if own else f"\n{_options_table(command, context)}"
    yield f"{'#' * depth} {title}\n\n{text}\n\n```\n{usage}\n```\n{options}"
    for name, below in own.items():
        yield from _command(below, click.Context(below, info_name=name, parent=context), depth + 1)


def spec_reference() -> str:
    """Every key of the spec with its values and default."""
    schema = json_schema()
    parts = [f"{NOTE}\n{SPEC_HEAD}"]
    parts += [_section(path, node) for path, node in _sections(schema)]
    own = [(f"`{'.'.join(path)}`", hint) for path, hint in (OWN_KEYS | RESOLVER | HEARTBEAT).items()]
    names = ", ".join(f"`{name}`" for name in (*RESERVED, *(f"{beginning}…" for beginning in RESERVED_BEGINNINGS)))
    parts.append(
        "## Names\n\nNames of stacks and services are DNS labels of at most 40 characters: lower-case letters, digits, "
        f"and hyphens between them. Services can't be called {names}.\n"
    )
    table = _table(("key", "why"), own)
    parts.append(
        f"## Keys that `compose` refuses\n\nstackctl writes these keys of a Compose service itself.\n\n{table}"
    )
    return "\n".join(parts)


def _options_table(command: click.Command, context: click.Context) -> str:
    rows = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record and "--help" not in parameter.opts:
            variable = f" Also `{parameter.envvar}`." if parameter.envvar else ""
            rows.append((f"`{record[0]}`", record[1].replace("  [", " [") + variable))
    return _table(("option", "means"), rows) if rows else "It has no options.\n"


def _exit_codes() -> str:
    _, _, listed = str(stackctl.epilog).partition(":")
    codes = [item.strip(" .").partition(" ")[::2] for item in listed.split(",")]
    return _table(("code", "means"), [(number, meaning) for number, meaning in codes])


def _sections(schema: Json) -> Iterator[tuple[str, Json]]:
    """The mappings of the spec by their path; one that occurs twice is told once."""
    waiting: list[tuple[str, Json]] = [("", schema)]
    told: set[int] = set()
    while waiting:
        path, node = waiting.pop(0)
        if id(node) in told:
            continue
        told.add(id(node))
        yield path, node
        below = [_below(schema, f"{path}.{key}".lstrip("."), value) for key, value in _properties(node).items()]
        waiting = [found for found in below if found] + waiting


def _below(schema: Json, path: str, value: Json) -> tuple[str, Json] | None:
    """The mapping that a key holds, or that each of its entries is."""
    if "$ref" in value.get("items", {}):
        return f"{path}[]", schema["$defs"][value["items"]["$ref"].rpartition("/")[2]]
    for entry in value.get("patternProperties", {}).values():
        if "$ref" in entry:
            return f"{path}.<name>", schema["$defs"][entry["$ref"].rpartition("/")[2]]
    reference = next((v["$ref"] for v in (value, *value.get("anyOf", ())) if "$ref" in v), "")
    return (path, schema["$defs"][reference.rpartition("/")[2]]) if reference else None


def _section(path: str, node: Json) -> str:
    required = node.get("required", ())
    rows = []
    for key, value in _properties(node).items():
        known = value.get("default", "")
        default = "required" if key in required else f"`{_word(known)}`" if known != "" else ""
        rows.append((f"`{key}`", _values(value), default, value["description"]))
    title = f"`{path}`" if path else "Top level"
    free = " `x-…` keys are free here." if "^x-" in node.get("patternProperties", {}) else ""
    table = _table(("key", "values", "default", "means"), rows) if rows else "It has no keys.\n"
    return f"## {title}\n\n{node['description']}{free}\n\n{table}"


def _properties(node: Json) -> Mapping[str, Json]:
    found: Mapping[str, Json] = node.get("properties", {})
    return found


def _values(value: Json) -> str:
    """What a key may hold, in words; that a variable may stand for it is said once for all."""
    shapes = list(_shapes(value))
    numbers = [shape for shape in shapes if shape.get("type") == "number"]
    if numbers:
        return f"{_span(numbers[0]['minimum'])} to {_span(numbers[0]['maximum'])}"
    for shape in shapes:
        if "enum" in shape:
            return ", ".join(f"`{_word(choice)}`" for choice in shape["enum"])
        match shape.get("type"):
            case "integer":
                return f"{shape['minimum']} to {shape['maximum']}"
            case "boolean":
                return "`true`, `false`"
            case "string":
                return "a text"
            case "array":
                return "a list"
    return "a mapping"


def _shapes(value: Json) -> Iterator[Json]:
    if str(value.get("pattern")).startswith(VARIABLE):
        return
    yield value
    for inner in value.get("anyOf", ()):
        yield from _shapes(inner)


def _span(seconds: float) -> str:
    """A duration in the largest unit that needs no fraction."""
    units = (("h", 3600.0), ("m", 60.0), ("s", 1.0))
    unit, size = next((pair for pair in units if seconds >= pair[1] and seconds % pair[1] == 0), ("ms", 0.001))
    return f"{seconds / size:g}{unit}" if seconds else "0s"


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [titles, ("---",) * len(titles), *(tuple(map(_cell, row)) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(text: str) -> str:
    """A cell's text as Markdown wants it: no column ends in it, and `<` begins no tag outside of code."""
    parts = text.replace("|", "\\|").split("`")
    return "`".join(part if index % 2 else part.replace("<", "\\<") for index, part in enumerate(parts))


FILES = {"cli.md": cli_reference, "spec.md": spec_reference}

if __name__ == "__main__":
    for name, write in FILES.items():
        (FOLDER / name).write_text(write())
