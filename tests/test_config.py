"""A wrong setting: who set it, what is wrong, what belongs there."""

from __future__ import annotations

from pathlib import Path

import pytest

from copilot.config import load_settings
from copilot.errors import ConfigError


def refusal(text: str, tmp_path: Path, **environ: str) -> str:
    file = tmp_path / "copilot.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings(file, environ)
    assert caught.value.code == "config.invalid"
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[server]\nport = "８７５０"', "'８７５０' is not a whole number from 0 to 65,535 at $.server.port"),
        ("[server]\nprot = 1", "Did you mean 'port'?"),
        ("[load]\nbusy_share = 2", "2 is not a number above 0 to 1 at $.load.busy_share"),
        ('"监听" = 1', "unknown key '监听'"),
        ('[[access.tokens]]\ntoken = "secret"\nrole = "老板"', "'老板' is not one of admin, ingest, rep, supervisor"),
    ],
)
def test_a_wrong_setting_is_said_in_plain_words_with_the_file(text: str, said: str, tmp_path: Path) -> None:
    found = refusal(text, tmp_path)
    assert found.startswith(f"{tmp_path}/copilot.toml: ")
    assert said in found
    assert "settings.md" in found
    assert "Expected" not in found


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("COPILOT_SERVER__PORT", "abc", "'abc' is not a whole number"),
        ("COPILOT_SERVR__PORT", "1", "Did you mean 'server'?"),
        ("COPILOT_LOG_LEVEL", "INFO", "Did you mean 'info'?"),
        ("COPILOT_ACCESS__TOKENS", '[{token = "x", rol = "rep"}]', "Did you mean 'role'?"),
        ("COPILOT_SERVER__PORT__X", "1", "'port' is one setting, not a table of them"),
    ],
)
def test_a_wrong_variable_is_blamed_and_not_the_file(name: str, value: str, said: str, tmp_path: Path) -> None:
    found = refusal("[server]\nport = 1\n", tmp_path, **{name: value})
    assert found.startswith(f"environment ({name}): ")
    assert said in found


def test_a_password_is_never_repeated(tmp_path: Path) -> None:
    assert "12345" not in refusal("[llm]\napi_key = 12345", tmp_path)


def test_digits_in_a_variable_may_be_text() -> None:
    environ = {"COPILOT_LLM__API_KEY": "12345", "COPILOT_BUS__URL": '"redis://h"', "COPILOT_SERVER__PORT": "1"}
    settings = load_settings(None, environ)
    assert (settings.llm.api_key, settings.bus.url, settings.server.port) == ("12345", "redis://h", 1)
