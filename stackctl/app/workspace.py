"""The folder `.stackctl/<stack>/`: the rendered files, what was launched last, and the lock."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

from stackctl.app.locking import locked
from stackctl.domain.deployed import Canary, Deployed
from stackctl.domain.stack import EngineKind, ImageSource

T = TypeVar("T")
LOCK = "lock"
KEPT = "previous"  # the folder of the files that an unfinished change started from
# These hold the registry's password, the entry's key, or what the spec says of services' environments.
PRIVATE = ("compose.yaml", "update.yaml")


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where one stack's rendered files lie."""

    folder: Path

    @property
    def compose(self) -> Path:
        """The Compose file of what was launched last."""
        return self.folder / "compose.yaml"

    @property
    def manifest(self) -> Path:
        """What was launched last, in stackctl's words."""
        return self.folder / "manifest.json"

    def engine(self) -> str:
        """The engine that the stack was launched on from here; empty where it was not, or nobody knows that engine."""
        try:
            found = json.loads(self.manifest.read_text()).get("engine")
        except (OSError, ValueError, AttributeError):
            return ""
        return found if found in get_args(EngineKind) else ""

    def replicas(self) -> Mapping[str, int]:
        """Replicas by service as the last `up` or `scale` left them; empty where nothing was launched from here."""
        return self._remembered("replicas", int)

    def images(self) -> Mapping[str, str]:
        """Images by workload as the last launch had them; empty where nothing was launched from here."""
        return self._remembered("images", str)

    def told(self) -> Mapping[str, str]:
        """Digests of what running parts were told last, by workload; empty where nothing was launched from here."""
        return self._remembered("told", str)

    def remember_told(self, told: Mapping[str, str]) -> None:
        """Write down what running parts know now: only once they do, so that who was interrupted is told again."""
        data = json.loads(self.manifest.read_text())
        self.write({self.manifest.name: json.dumps({**data, "told": dict(told)}, indent=2) + "\n"})

    def deployed(self) -> Mapping[str, Deployed]:
        """What `deploy` left beside the spec, by service; empty after `up`."""
        return self._remembered("deployed", deployed_from_json)

    def _remembered(self, key: str, value: Callable[[Any], T]) -> dict[str, T]:
        try:
            return {str(name): value(raw) for name, raw in json.loads(self.manifest.read_text())[key].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def read(self, names: Iterable[str]) -> Mapping[str, str | None]:
        """The texts of files by relative path; None for one that is not there."""
        paths = {name: self.folder / name for name in names}
        return {
            name: path.read_text(encoding="utf-8", errors="replace") if path.exists() else None
            for name, path in paths.items()
        }

    @property
    def unfinished(self) -> bool:
        """Whether a change that `keep` was for never came to its end."""
        return (self.folder / KEPT).exists()

    def keep(self, names: Iterable[str]) -> Mapping[str, str | None]:
        """The files that a change starts from, also where an earlier change of them was interrupted; kept until
        `forget`."""
        names = tuple(names)
        if not (self.folder / KEPT / names[-1]).exists():  # the last one is written last
            texts = self.read(names)
            self.write({f"{KEPT}/{name}": text for name, text in texts.items() if text is not None})
        kept = self.read(f"{KEPT}/{name}" for name in names)
        return dict(zip(names, kept.values(), strict=True))

    def forget(self) -> None:
        """The change that `keep` was for is over."""
        shutil.rmtree(self.folder / KEPT, ignore_errors=True)

    def restore(self, texts: Mapping[str, str | None]) -> None:
        """Bring back what `read` gave."""
        self.write({name: text for name, text in texts.items() if text is not None})
        for name in (name for name, text in texts.items() if text is None):
            (self.folder / name).unlink(missing_ok=True)

    def write(self, files: Mapping[str, str]) -> None:
        """Write files by relative path, each whole or not at all; what is equal stays untouched."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or path.read_bytes() != text.encode():
                beside = path.with_name(f".{path.name}.new")
                beside.write_bytes(text.encode())
                beside.chmod(0o755 if text.startswith("#!") else 0o600 if path.name in PRIVATE else 0o644)
                beside.replace(path)

    def remove(self) -> None:
        """Remove the folder, and `.stackctl` where it was the last one."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.folder.parent.rmdir()

    @contextlib.contextmanager
    def lock(self, command: str) -> Iterator[None]:
        """One changing command a stack; raises `StackctlError` (`stack-locked`) naming the holder.

        A command that came to nothing leaves nothing: where the lock is all that is there, the folder goes with it.
        """
        with locked(self.folder / LOCK, command, "stack"):
            try:
                yield
            finally:
                if [path.name for path in self.folder.glob("*")] == [LOCK]:
                    self.remove()


def deployed_from_json(data: Mapping[str, Any]) -> Deployed:
    """What `deployed_to_json` gave."""
    image, canary = data.get("image"), data.get("canary")
    return Deployed(_image(image), Canary(int(canary["percent"]), _image(canary.get("image"))) if canary else None)


def _image(data: Mapping[str, Any] | None) -> ImageSource | None:
    return ImageSource(data["kind"], str(data["value"])) if data else None
