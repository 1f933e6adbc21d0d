"""The images: golden Dockerfiles, tags that change with their inputs alone, contexts that lack nothing."""

from __future__ import annotations

import ast
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackctl.domain.image import BASE, ImageBuild, ImagePolicy
from stackctl.rendering.images import AGENT_MODULES, COMPONENTS, image_build
from stackctl.spec.bundled import SAMPLE_IMAGES
from tests.golden import golden

ROOT = Path(__file__).parents[2]


def build(component: str, root: Path = ROOT) -> ImageBuild:
    return image_build(component, templates=root / "templates", package=root / "stackctl")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The inputs of all images where a test may change them."""
    for folder in ("stackctl", "templates"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def imported(module: Path) -> Iterator[str]:
    """The modules that a module names in its imports, wherever in it they are."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("component", COMPONENTS)
def test_dockerfiles(component: str) -> None:
    """Every Dockerfile in full, for each base that the image may start from."""
    for recipe in build(component).recipes:
        kind = "" if recipe.base == BASE else ".official"
        golden(f"images/{component}{kind}.Dockerfile", recipe.files["Dockerfile"])


@pytest.mark.parametrize("component", COMPONENTS)
def test_no_dockerfile_names_a_host(component: str) -> None:
    """Archives and registries are the machine's own."""
    assert all("://" not in recipe.files["Dockerfile"] for recipe in build(component).recipes)


def test_every_folder_is_a_component() -> None:
    """Nothing lies in templates/images that no image is made from, and every sample image can be built."""
    assert {path.name for path in (ROOT / "templates" / "images").iterdir() if path.is_dir()} == set(COMPONENTS)
    assert set(SAMPLE_IMAGES) <= set(COMPONENTS)


@pytest.mark.parametrize("component", COMPONENTS)
def test_tag_changes_with_every_input(component: str, copy: Path) -> None:
    """A change to any file that goes into an image gives another tag; taking it back gives the first one."""
    before = build(component, copy)
    inputs = [name for name in before.files if name != "Dockerfile"]
    for path in [
        copy / "templates" / "images" / component / "Dockerfile.j2",
        *(source(copy, component, n) for n in inputs),
    ]:
        text = path.read_text()
        path.write_text(text + "# changed\n")
        assert build(component, copy).tag != before.tag, path
        path.write_text(text)
    assert build(component, copy) == before == build(component)


def source(root: Path, component: str, name: str) -> Path:
    """Where a file of a build context comes from."""
    images = root / "templates" / "images"
    shared = {Path(path).name: images / path for path in COMPONENTS[component].shared}
    mirrored = name.startswith(("stackctl/", "templates/"))
    return root / name if mirrored else shared.get(name, images / component / name)


@pytest.mark.parametrize("component", COMPONENTS)
def test_tag_ignores_everything_else(component: str, copy: Path) -> None:
    """What does not go into an image (the command line, caches, other images) does not change its tag."""
    before = build(component, copy).tag
    (copy / "stackctl" / "cli" / "new.py").write_text("x = 1\n")
    for folder in ("stackctl/domain", f"templates/images/{component}"):
        (copy / folder / "__pycache__").mkdir()
        (copy / folder / "__pycache__" / "app.cpython-313.pyc").write_bytes(b"\xff\x00")
    for other in set(COMPONENTS) - {component}:
        (copy / "templates" / "images" / other / "new.txt").write_text("x\n")
    assert build(component, copy).tag == before


def test_policy_chooses_what_consul_starts_from() -> None:
    """auto prefers the official image and can do without, the others know one way; the tag is the same for each."""
    official, consul, sample = COMPONENTS["consul"].official, build("consul"), build("whoami")
    policies: tuple[ImagePolicy, ...] = ("auto", "registry", "debian")
    bases = {policy: [recipe.base for recipe in consul.allowed(policy)] for policy in policies}
    assert bases == {"auto": [official, BASE], "registry": [official], "debian": [BASE]}
    assert all(sample.allowed(policy) == sample.recipes for policy in policies)


def test_tag_and_digest() -> None:
    """A tag is stackctl/<component>:<12 hex digits>, the digest its last part."""
    image = build("whoami")
    assert image.tag == f"stackctl/whoami:{image.digest}"
    assert len(image.digest) == 12 and set(image.digest) <= set("0123456789abcdef")


@pytest.mark.parametrize("component", [name for name, component in COMPONENTS.items() if component.modules])
def test_agents_find_what_they_import(component: str) -> None:
    """Whatever module of stackctl the shipped modules import is shipped with them."""
    files = build(component).files
    assert all(any(path.match(pattern) for path in map(Path, files)) for pattern in AGENT_MODULES)
    for name in [name for name in files if name.endswith(".py")]:
        for module in imported(source(ROOT, component, name)):
            path = module.replace(".", "/")
            is_module = (ROOT / f"{path}.py").exists() or (ROOT / path / "__init__.py").exists()
            if module.startswith("stackctl") and is_module:
                assert f"{path}.py" in files or f"{path}/__init__.py" in files, f"{name} imports {module}"


def test_agents_need_little() -> None:
    """Agents import the standard library, stackctl itself and what is in their image."""
    known = {*sys.stdlib_module_names, "aiohttp", "dns", "jinja2", "redis", "stackctl"}
    for component in ("registrator", "balancer", "heartbeat", "keepalived"):
        for name in [name for name in build(component).files if name.endswith(".py")]:
            assert {module.partition(".")[0] for module in imported(ROOT / name)} <= known, name
