"""A real Chromium with the pages a node serves. Whatever it complains about fails the test."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, ConsoleMessage, Locator, Page, async_playwright, expect

from copilot.server.pages import STATIC

CHROMIUM = Path(os.environ.get("COPILOT_TEST_CHROMIUM", "/usr/bin/chromium"))
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
SLOW_MS = 30_000
expect.set_options(timeout=SLOW_MS)


def need(path: Path, mend: str) -> None:
    """What is missing here is a skip; in CI it is a failure."""
    if not path.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{path} is missing: {mend}")


class Window:
    """A browser window on one node; ``complaints`` are console errors, uncaught exceptions and blocked resources."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self._context = context
        self._url = url
        self.complaints: list[str] = []

    async def open(self, path: str) -> Page:
        page = await self._context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        await page.goto(self._url + path)
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        """A refusal by the Content-Security-Policy is a console error too."""
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")


@asynccontextmanager
async def window(address: str, microphone: Path | None = None) -> AsyncIterator[Window]:
    """``microphone``: a WAV file that is heard once, from the moment a page opens the microphone."""
    need(CHROMIUM, "install the package chromium, or name it with COPILOT_TEST_CHROMIUM")
    need(STATIC / "index.html", "scripts/web builds the pages")
    heard = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}%noloop",
    )
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*FLAGS, *(heard if microphone else ())]
        )
        context = await browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 860})
        context.set_default_timeout(SLOW_MS)
        made = Window(context, f"http://{address}")
        yield made
        await browser.close()
        assert not made.complaints, made.complaints


def by(page: Page, name: str, **data: str) -> Locator:
    """Elements by ``data-testid`` and other ``data-`` attributes."""
    wanted = "".join(f'[data-{key.replace("_", "-")}="{value}"]' for key, value in data.items())
    return page.locator(f'[data-testid="{name}"]{wanted}')
