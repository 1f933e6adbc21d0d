"""What the balancer agent does once, and not at each reload."""

from __future__ import annotations

from stackctl.agents.balancer import template_of


def test_template_is_compiled_once() -> None:
    """A stack's own template is compiled when it is new, not at each change of the catalog."""
    first = template_of("user {{ run }};")
    assert template_of("user {{ run }};") is first
    assert template_of("pid {{ run }};").render(run="here") == "pid here;"
