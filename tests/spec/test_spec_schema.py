"""The JSON Schema that editors read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from stackctl.spec.bundled import bundled
from stackctl.spec.json_schema import json_schema


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(child)


def test_schema_file_beside_the_stacks_is_up_to_date():
    """Make it anew with: stackctl schema > stacks/stack.schema.json"""
    assert (bundled("stacks") / "stack.schema.json").read_text() == json.dumps(json_schema(), indent=2) + "\n"


def test_every_key_is_described():
    """The reference is made from the descriptions."""
    for node in nodes(json_schema()):
        for name, field in node.get("properties", {}).items():
            assert field.get("description", "").endswith("."), name


def test_mappings_are_closed_but_for_extensions():
    """Editors mark misspelt keys; `x-` keys are free where stackctl ignores them."""
    schema = json_schema()
    models = {"StackSpec": schema, **schema["$defs"]}
    extensible = {name for name, model in models.items() if "^x-" in model.get("patternProperties", {})}

    assert all(model["additionalProperties"] is False for model in models.values())
    assert extensible == {"StackSpec", "BalancerSpec", "ServiceSpec"}


def test_patterns_are_whole_and_take_what_the_loader_takes():
    """A pattern is anchored, because JSON Schema's are not; and a variable is allowed in its place."""
    schema = json_schema()
    route, variable = schema["$defs"]["ServiceSpec"]["properties"]["route"]["anyOf"]
    interval, _ = schema["$defs"]["CheckSpec"]["properties"]["interval"]["anyOf"]

    for good in ("/", "/api", "/api/", "host", "host:api.example.test", "tcp:9999", "tcp:80"):
        assert re.search(route["pattern"], good)
    for bad in ("api", "/a b", "/a;", "host:", "tcp:x", "tcp:0", "tcp:(1, 5)"):
        assert not re.search(route["pattern"], bad)
    assert re.search(variable["pattern"], "${ROUTE:-/}")
    assert re.search(interval["anyOf"][0]["pattern"], "1m30s")


def test_a_registry_may_be_named_alone():
    """An editor takes what the loader takes: each has a default for everything."""
    registry = json_schema()["$defs"]["RegistrySpec"]["properties"]
    assert all({"type": "null"} in shape["anyOf"] for shape in registry.values())


def test_what_variables_stand_for_is_taken():
    """A number, a truth value and a choice among numbers may come as text, because a variable's value is one."""

    def takes(model: str, key: str, text: str) -> bool:
        shapes = nodes(json_schema()["$defs"][model]["properties"][key])
        return any(re.search(shape["pattern"], text) for shape in shapes if "pattern" in shape)

    assert takes("ServiceSpec", "port", "80") and not takes("ServiceSpec", "port", "eighty")
    assert takes("BalancerSpec", "stub_status", "true") and not takes("BalancerSpec", "stub_status", "maybe")
    assert takes("ConsulSpec", "servers", "3") and not takes("ConsulSpec", "servers", "4")


def test_what_the_loader_refuses_of_names_and_numbers_of_things():
    """Reserved names, no services and no endpoints are marked in the editor already."""
    schema = json_schema()
    (name,) = schema["properties"]["services"]["patternProperties"]
    assert all(re.search(name, good) for good in ("web", "balancer-2", "redisx", "vips"))
    assert not any(re.search(name, bad) for bad in ("balancer", "vip", "consul-1", "redis-2", "sentinel-3"))
    assert schema["properties"]["services"]["minProperties"] == 1
    assert schema["$defs"]["ExternalSpec"]["properties"]["endpoints"]["minItems"] == 1


def test_no_word_of_the_library_is_left():
    """No titles made of names, no null defaults."""
    schema = json_schema()

    assert [node["title"] for node in nodes(schema) if isinstance(node.get("title"), str)] == [schema["title"]]
    assert not [node for node in nodes(schema) if node.get("default", 0) is None]
