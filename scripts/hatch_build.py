"""Lets a wheel carry ``models/manifest.toml``; an editable install reads the checkout's."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManifestHook(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            build_data["force_include"]["models/manifest.toml"] = "copilot/engines/manifest.toml"
