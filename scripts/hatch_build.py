"""What a wheel carries besides the package: model manifest, intents, demo call. A checkout reads them in place."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CARRIED = {
    "models/manifest.toml": "copilot/engines/manifest.toml",
    "models/intents/intents.onnx": "copilot/data/intents/intents.onnx",
    "models/intents/intents.json": "copilot/data/intents/intents.json",
    "tests/data/en_dev_03_solar.flac": "copilot/data/en_dev_03_solar.flac",
}


class CarryHook(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            build_data["force_include"].update(CARRIED)
