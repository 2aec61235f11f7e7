"""The JavaScript SDK in a real browser, against a real node, when the node says no."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, async_playwright

from tests.e2e.browser import CHROMIUM, FLAGS, need
from tests.server.node import running, settings
from tests.server.test_refusals import BROKEN, with_playbooks

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.timeout(240)]

SDK = Path(__file__).parents[2] / "clients/js"
CALL = """async (playbook) => {
  const { CallStream } = await import("/sdk/index.js");
  const seen = [];
  return new Promise((resolve) => {
    const onStatus = (status) => {
      seen.push(status.state);
      if (status.state === "closed") resolve({ ...status, seen });
    };
    new CallStream({ sampleRate: 16000, language: "zh", playbook, onStatus, link: { firstDelayMs: 1 } }).open();
  });
}"""
DOOR = """async ([kind, token]) => {
  const { CallStream, CallViewer, FloorViewer } = await import("/sdk/index.js");
  return new Promise((resolve) => {
    const onStatus = (status) => status.state === "closed" && resolve(status);
    const options = { token, onStatus, link: { firstDelayMs: 20_000 } };
    if (kind === "stream") new CallStream({ ...options, sampleRate: 16000 }).open();
    if (kind === "viewer") new CallViewer({ ...options, callId: "没有", onEvents: () => {} }).open();
    if (kind === "floor") new FloorViewer({ ...options, onMessage: () => {} }).open();
  });
}"""
ASK = """async (query) => {
  const { CopilotApi } = await import("/sdk/index.js");
  return new CopilotApi().calls(query).catch(({ status, code, message, hint }) => ({ status, code, message, hint }));
}"""


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SDK as browsers load it."""
    compiler = SDK / "node_modules/.bin/tsc"
    need(compiler, "npm ci in clients/js")
    need(CHROMIUM, "install the package chromium, or name it with COPILOT_TEST_CHROMIUM")
    folder = tmp_path_factory.mktemp("sdk")
    node = shutil.which("node") or str(SDK.parents[1] / ".tools/node/bin/node")
    subprocess.run([node, compiler, "-p", SDK / "tsconfig.build.json", "--outDir", folder], cwd=SDK, check=True)
    return folder


async def opened(page: Page, address: str, sdk: Path) -> None:
    async def deliver(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        await route.fulfill(path=sdk / name, content_type="text/javascript")

    await page.route("**/sdk/*.js", deliver)
    await page.goto(f"http://{address}/healthz")


async def test_a_refusal_reaches_whoever_uses_the_sdk(tmp_path: Path, sdk: Path) -> None:
    async with running(with_playbooks(tmp_path)) as address, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page()
        await opened(page, address, sdk)
        for name, (_, code, message) in BROKEN.items():
            end = await page.evaluate(CALL, name)
            assert (end["code"], end["reason"], end["error"]["code"]) == (4422, code, code)
            assert message in end["error"]["message"]
            assert not end["error"]["retryable"]
            assert end["seen"] == ["connecting", "open", "closed"]
        refused = await page.evaluate(ASK, {"stat": "进行中"})
        assert (refused["status"], refused["code"]) == (400, "request.invalid")
        assert (refused["message"], refused["hint"]) == (
            "in the query: unknown key 'stat' at $.stat",
            "Did you mean 'state'?",
        )
        await browser.close()


@pytest.mark.parametrize(
    ("kind", "token", "close", "code"),
    [
        ("stream", "guess", 4401, "auth.invalid"),
        ("viewer", "rep-secret", 4404, "call.unknown"),
        ("floor", "rep-secret", 4403, "auth.forbidden"),
    ],
)
async def test_a_refusal_at_the_door_is_not_tried_again(
    tmp_path: Path, sdk: Path, kind: str, token: str, close: int, code: str
) -> None:
    async with running(settings(tmp_path, tokens=True)) as address, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page()
        await opened(page, address, sdk)
        end = await page.evaluate(DOOR, [kind, token])
        assert (end["code"], end["error"]["code"]) == (close, code)
        assert end["error"]["message"]
        await browser.close()
