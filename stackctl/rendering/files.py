"""A file from a template of the user's, the catalog and keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jinja2

from stackctl.domain.catalog import CatalogEntry
from stackctl.domain.files import FileTemplate


def render_file(
    template: FileTemplate, services: Mapping[str, Sequence[CatalogEntry]], values: Mapping[str, Mapping[str, str]]
) -> str:
    """The file's text. A template is given `services` (instances that may serve, by service: id, endpoint.address,
    endpoint.port, weight, tags) and `keys` (values by key, of every prefix that it lists).

    Raises one of `TEMPLATE_FAILURES`; a name that nobody gives is an error.
    """
    keys = {key: value for prefix in template.keys for key, value in values.get(prefix, {}).items()}
    present = {name: tuple(members) for name, members in sorted(services.items()) if members}
    return compiled(template.text).render(services=present, keys=keys)


def compiled(text: str) -> jinja2.Template:
    """The template, ready to be rendered. Raises one of `TEMPLATE_FAILURES`."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # not HTML
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.from_string(text)
