"""The softphone page with a WAV as its microphone and a file as the customer, on a node with the real models."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.async_api import expect

from tests.e2e.browser import by, window
from tests.e2e.server import Server
from tests.e2e.softphone import demo_audio
from tests.server.node import client

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(240)]

SPOKEN_S = 20
MICROPHONE_RATE_HZ = 48_000


def recordings(folder: Path) -> tuple[Path, Path]:
    """Both sides of the beginning of the shipped call: the rep as a microphone would hear it, and the customer."""
    samples, rate = demo_audio()
    rep, customer = samples[: SPOKEN_S * rate].T
    soundfile.write(folder / "rep.wav", np.repeat(rep, MICROPHONE_RATE_HZ // rate), MICROPHONE_RATE_HZ)
    soundfile.write(folder / "customer.wav", customer, rate)
    return folder / "rep.wav", folder / "customer.wav"


async def test_a_call_from_the_browser(tmp_path):
    rep, customer = recordings(tmp_path)
    with Server(tmp_path / "data") as server:
        async with window(server.address, microphone=rep) as browser, client(server.address) as http:
            page = await browser.open("/softphone")
            await by(page, "rep-mic").check()
            await by(page, "customer-file").check()
            await by(page, "customer-upload").set_input_files(customer)
            await by(page, "language-select").select_option("en")
            await by(page, "start").click()

            await expect(by(page, "softphone", phase="live")).to_be_visible()
            for speaker in ("rep", "customer"):
                await expect(by(page, "line", speaker=speaker, final="true").first).to_contain_text(re.compile("[a-z]"))
            await expect(by(page, "step", step_id="opening.intro")).to_have_attribute("data-state", "done")
            await expect(by(page, "persisted")).to_contain_text(re.compile("[1-9]"))

            await by(page, "outcome").get_by_role("button", name="Follow up").click()
            await by(page, "stop").click()
            await expect(by(page, "softphone", phase="ended")).to_be_visible()
            await by(page, "softphone-report").click()
            await expect(by(page, "review-line", speaker="rep").first).to_be_visible()
            await expect(by(page, "review-line", speaker="customer").first).to_be_visible()
            await expect(by(page, "report")).to_be_visible()
            (row,) = (await http.get("/v1/calls")).json()["calls"]
            assert (row["state"], row["reason"], row["outcome"]) == ("ended", "completed", "follow_up")
