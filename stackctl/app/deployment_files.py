"""The rendered files of a deployment: the new ones while it goes on, what holds when it is over, or those before it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from stackctl.app.deployment import Deployment
from stackctl.app.rendered import LAUNCHED, accepted, files, manifest
from stackctl.errors import SpecError


@dataclass(frozen=True, slots=True)
class Files:
    """`before` are the files that it started from; `resumed` says that an earlier deployment had not come to its end,
    so that they are those that one had started from."""

    asked: Deployment
    before: Mapping[str, str | None]
    resumed: bool

    @classmethod
    def kept(cls, asked: Deployment) -> Files:
        """With what lies there now put aside, in case that the deployment is interrupted or fails."""
        resumed = asked.project.workspace.unfinished
        return cls(asked, asked.project.workspace.keep(LAUNCHED), resumed)

    @property
    def digest(self) -> str:
        """The digest of the service's definition before; empty where that is not known."""
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return str(json.loads(self.before["manifest.json"] or "")["digests"][self.asked.rollout.workload])
        return ""

    def write(self) -> None:
        """The new ones; raises `SpecError` where Compose refuses them, with everything as it was before."""
        workspace = self.asked.project.workspace
        text = self._manifest(over=False)
        workspace.write(files(self.asked.project, self.asked.desired, self.asked.images, text))
        try:
            accepted(self.asked.project, self.before)
        except SpecError:
            self.forget()
            raise

    def settle(self) -> None:
        """What holds from now on. The file of a stack with a canary describes the instances beside it."""
        texts = {"manifest.json": self._manifest(over=True)}
        before = self.before["compose.yaml"]
        if self.asked.request.canary and before:
            texts["compose.yaml"] = before
        self.asked.project.workspace.write(texts)

    def restore(self, *, canary: bool) -> None:
        """Those before it; `canary` says whether the canary of then still runs."""
        texts, service = dict(self.before), self.asked.request.service
        with contextlib.suppress(ValueError, KeyError, TypeError):
            data = json.loads(texts["manifest.json"] or "")
            if not canary and data["deployed"][service].pop("canary", None):
                texts["manifest.json"] = json.dumps(data, indent=2) + "\n"
        self.asked.project.workspace.restore(texts)

    def forget(self) -> None:
        """It is over, either way."""
        self.asked.project.workspace.forget()

    def _manifest(self, *, over: bool) -> str:
        workspace, asked = self.asked.project.workspace, self.asked
        left = {**workspace.deployed(), asked.request.service: asked.left if over else asked.meanwhile}
        return manifest(asked.desired, left, workspace.told())
