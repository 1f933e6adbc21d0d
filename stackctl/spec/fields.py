"""How the schema's single values are read, and how the JSON Schema describes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    model_validator,
)

from stackctl.spec import scalars


@dataclass(frozen=True, eq=False, slots=True)
class Scalar:
    """Reads one value; `shape` is its JSON Schema. It replaces the annotation, so that null is refused."""

    parse: Callable[[object], object]
    shape: Mapping[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return PlainValidator(self.parse).__get_pydantic_core_schema__(source, handler)

    def __get_pydantic_json_schema__(self, core: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(self.shape)


def whole(low: int, high: int) -> Scalar:
    """A whole number within bounds."""
    shape = {"type": "integer", "minimum": low, "maximum": high}
    return Scalar(partial(scalars.whole, low=low, high=high), shape)


def seconds(low: float, high: float = 30 * 86400.0) -> Scalar:
    """A duration, a month at most."""
    written = {"type": "string", "pattern": f"^({scalars.DURATION}|[0-9.]+)$"}
    shape = {"anyOf": [written, {"type": "number", "minimum": low, "maximum": high}]}
    return Scalar(partial(scalars.seconds, low=low, high=high), shape)


def choice(*choices: object, hint: str = "") -> Scalar:
    """One of a few values."""
    return Scalar(partial(scalars.one_of, choices=choices, hint=hint), {"enum": list(choices)})


def pattern(parse: Callable[[object], object], regex: str, longest: int = 255) -> Scalar:
    """A text of a certain form."""
    return Scalar(parse, {"type": "string", "pattern": f"^({regex})$", "maxLength": longest})


FLAG = Scalar(scalars.flag, {"type": "boolean"})
FOLDER = Scalar(scalars.folder, {"type": "string", "minLength": 1})
PORT = whole(1, 65535)
STACK_NAME = pattern(partial(scalars.label, longest=40), scalars.LABEL, 40)
SERVICE_NAME = pattern(scalars.service_name, scalars.SERVICE_NAME, 40)
HOST_NAME = pattern(partial(scalars.label, longest=20), scalars.LABEL, 20)
CONTEXT = pattern(scalars.context, scalars.CONTEXT, 100)
ENGINE_URL = pattern(scalars.engine_url, scalars.ENGINE_URL)
ADDRESS = pattern(scalars.address, "[0-9.]+", 15)
DOMAIN = pattern(scalars.dns_name, scalars.DNS_NAME, 189)
URL_PATH = pattern(scalars.url_path, scalars.URL_PATH)
ROUTE = pattern(scalars.route, scalars.ROUTE)
IMAGE = pattern(scalars.image, scalars.IMAGE)
DNS = Scalar(scalars.dns, {"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": "^[0-9.]+/[0-9]+$"}]})
KEY_PREFIX = pattern(scalars.key_prefix, scalars.KEY_PREFIX, 64)
FILE_NAME = pattern(scalars.file_name, scalars.FILE_NAME, 100)
KEYS = pattern(scalars.keys, scalars.KEYS, 200)
COMMAND = Scalar(scalars.command, {"type": "string", "maxLength": 1000})
PASSWORD = pattern(scalars.password, scalars.PASSWORD, 128)
ENDPOINT = pattern(scalars.endpoint, r"([0-9.]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
DISTINCT = AfterValidator(scalars.distinct)


def duration(default: str, description: str) -> Any:
    """A duration's field; its default is documented as a person writes it."""
    value = scalars.seconds(default, 0, float("inf"))
    return Field(value, description=description, json_schema_extra={"default": default})


class Model(BaseModel):
    """A mapping whose keys are all known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Extensible(Model):
    """A mapping that may also hold `x-…` keys, which mean nothing to stackctl."""

    model_config = ConfigDict(json_schema_extra={"patternProperties": {"^x-": {}}})

    @model_validator(mode="before")
    @classmethod
    def _without_extensions(cls, data: Any) -> Any:
        return {k: v for k, v in data.items() if not k.startswith("x-")} if isinstance(data, dict) else data
