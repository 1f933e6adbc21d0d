"""The rendered files of a deployment: the new ones while it goes on, what holds when it is over, or those before it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from stackctl.app.deployment import Deployment
from stackctl.app.engines import MANIFEST, launched_files
from stackctl.app.rendered import accepted, files, manifest
from stackctl.errors import SpecError
from stackctl.planning.placement import placed


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
        return cls(asked, asked.project.workspace.keep(launched_files(asked.project.stack)), resumed)

    @property
    def digest(self) -> str:
        """The digest of the service's definition before; empty where that is not known."""
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return str(json.loads(self.before[MANIFEST] or "")["digests"][self.asked.rollout.workload])
        return ""

    def write(self) -> None:
        """The new ones; raises `SpecError` where Compose refuses them, with everything as it was before."""
        workspace = self.asked.project.workspace
        text = self._manifest(over=False)
        counts = placed(self.asked.seen, self.asked.plan)
        workspace.write(files(self.asked.project, self.asked.desired, self.asked.images, counts, text))
        try:
            accepted(self.asked.project, self.before)
        except SpecError:
            self.forget()
            raise

    def settle(self) -> None:
        """What holds from now on. The file of a stack with a canary describes the instances beside it."""
        texts = {MANIFEST: self._manifest(over=True)}
        if self.asked.request.canary:
            texts |= {name: text for name, text in self.before.items() if text and name != MANIFEST}
        self.asked.project.workspace.write(texts)

    def restore(self, *, canary: bool) -> None:
        """Those before it; `canary` says whether the canary of then still runs."""
        texts, service = dict(self.before), self.asked.request.service
        with contextlib.suppress(ValueError, KeyError, TypeError):
            data = json.loads(texts[MANIFEST] or "")
            if not canary and data["deployed"][service].pop("canary", None):
                texts[MANIFEST] = json.dumps(data, indent=2) + "\n"
        self.asked.project.workspace.restore(texts)

    def forget(self) -> None:
        """It is over, either way."""
        self.asked.project.workspace.forget()

    def _manifest(self, *, over: bool) -> str:
        workspace, asked = self.asked.project.workspace, self.asked
        left = {**workspace.deployed(), asked.request.service: asked.left if over else asked.meanwhile}
        return manifest(asked.desired, left, workspace.told())
