"""The pages in a real browser, fed by a node with scripted models."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.e2e.browser import by, need, window
from tests.server.node import LINE, client, concluded, phone, running, settings

pytestmark = [pytest.mark.browser, pytest.mark.e2e]

TALK = [(2.0, None), (1.5, 1), (1.0, None)]
AXE = Path(__file__).parents[2] / "clients" / "web" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


async def test_the_rep_panel_shows_a_card_until_a_key_says_it_was_used(tmp_path):
    async with running(settings(tmp_path)) as address, phone(address) as caller, window(address) as browser:
        await caller.start(call={"rep_id": "ann"})
        panel = await browser.open(f"/rep/{caller.call_id}")
        await caller.say(TALK)
        card = by(panel, "card-primary", cue_id="objection.price")
        await expect(card).to_be_visible()
        await expect(card).to_contain_text(re.compile("too expensive"))
        await expect(by(panel, "line", speaker="customer", final="true")).to_contain_text(LINE)

        card_id = await card.get_attribute("data-card-id")
        await panel.keyboard.press("u")
        await expect(card).to_have_count(0)
        closed = await caller.until("card.closed")
        assert (closed["card_id"], closed["reason"]) == (card_id, "used")
        shown = [message for message in caller.events if message["type"] == "card.updated"]
        assert any(message["ledger"]["rendered"] for message in shown)
        await caller.send(type="call.end")
        await caller.until("call.ended")
        await expect(by(panel, "ended")).to_be_visible()
        for dead in ("mark", "swap"):
            await expect(by(panel, dead)).to_be_disabled()


async def test_a_step_ticked_by_hand_is_done_everywhere(tmp_path):
    async with running(settings(tmp_path)) as address, phone(address) as caller, window(address) as browser:
        await caller.start()
        panel = await browser.open(f"/rep/{caller.call_id}")
        step = by(panel, "step", step_id="opening.intro")
        await step.get_by_role("button").first.click()
        await expect(step).to_have_attribute("data-state", "done")
        changed = await caller.until("step.changed")
        assert (changed["step_id"], changed["state"]) == ("opening.intro", "done")
        await expect(by(panel, "steps-progress")).to_contain_text("1")


async def test_a_supervisor_finds_the_call_and_writes_to_the_rep(tmp_path):
    async with running(settings(tmp_path)) as address, phone(address) as caller, window(address) as browser:
        await caller.start(call={"rep_id": "ann", "customer_ref": "ACME"})
        floor = await browser.open("/floor")
        row = by(floor, "floor-call", call_id=caller.call_id)
        await expect(row).to_contain_text("ann")
        await caller.say(TALK)
        await expect(row).to_contain_text(LINE)

        panel = await browser.open(f"/rep/{caller.call_id}")
        await floor.bring_to_front()
        await row.get_by_role("button").first.click()
        form = by(floor, "message-form")
        await form.get_by_role("textbox").fill("offer the smaller plan")
        await form.get_by_role("button").click()
        await panel.bring_to_front()
        await expect(by(panel, "supervisor-banner")).to_contain_text("offer the smaller plan")

        await caller.send(type="call.end")
        await caller.until("call.ended")
        await expect(row).to_have_count(0)


async def test_a_narrow_floor_shows_all_of_a_call_and_escape_leads_back(tmp_path):
    async with running(settings(tmp_path)) as address, phone(address) as caller, window(address) as browser:
        await caller.start(call={"rep_id": "ann"})
        await caller.say(TALK)
        await caller.until("card.raised")
        page = await browser.open("/floor")
        await page.set_viewport_size({"width": 400, "height": 700})
        opener = by(page, "floor-open")
        await opener.press("Enter")
        panel = by(page, "rep-panel")
        await expect(by(page, "line").first).to_be_visible()
        assert await panel.evaluate("panel => panel.scrollHeight <= panel.clientHeight")
        await expect(by(page, "message-form")).to_be_in_viewport()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.keyboard.press("Escape")
        await expect(panel).to_have_count(0)
        await expect(opener).to_be_focused()


async def test_after_the_call_its_review_plays_any_line(tmp_path):
    async with running(settings(tmp_path)) as address, client(address) as http, window(address) as browser:
        async with phone(address) as caller:
            await caller.start(call={"rep_id": "ann"})
            await caller.say(TALK)
            await caller.send(type="call.end")
            await caller.until("call.ended")
        await concluded(http, caller.call_id)
        page = await browser.open("/calls")
        await by(page, "call-row", call_id=caller.call_id).click()
        line = by(page, "review-line", speaker="customer")
        await expect(line).to_contain_text(LINE)
        await expect(by(page, "report")).to_be_visible()
        await page.get_by_role("tab", name=re.compile("Cards")).click()
        await expect(by(page, "report-card").first).to_be_visible()

        final = next(message for message in caller.events if message["type"] == "transcript.final")
        await line.get_by_role("button").first.click()
        await page.wait_for_function(
            "from => document.querySelector('[data-testid=audio]').currentTime * 1000 >= from", arg=final["start_ms"]
        )
        await page.wait_for_function(
            "from => Number(document.querySelector('[data-testid=player]').dataset.ms) >= from", arg=final["start_ms"]
        )


async def test_what_became_of_a_call_is_said_where_it_ended_and_in_its_review(tmp_path):
    async with running(settings(tmp_path)) as address, client(address) as http, window(address) as browser:
        async with phone(address) as caller:
            await caller.start()
            panel = await browser.open(f"/rep/{caller.call_id}")
            await caller.say(TALK)
            await caller.send(type="call.end", outcome="follow_up")
            await caller.until("call.ended")
        outcomes = (await concluded(http, caller.call_id))["outcomes"]
        said = by(panel, "outcome").get_by_role("button", pressed=True)
        await expect(by(panel, "outcome").get_by_role("button")).to_have_count(len(outcomes))
        await expect(said).to_have_text("Follow up")
        await by(panel, "outcome").get_by_role("button", name="Won").press("Enter")
        await expect(said).to_have_text("Won")

        review = await browser.open(f"/calls/{caller.call_id}")
        said = by(review, "outcome").get_by_role("button", pressed=True)
        await expect(said).to_have_text("Won")
        await by(review, "outcome").get_by_role("button", name="Lost").click()
        await expect(said).to_have_text("Lost")
        assert (await concluded(http, caller.call_id))["outcome"] == "lost"
        await said.click()
        await expect(said).to_have_count(0)
        assert (await concluded(http, caller.call_id))["outcome"] == ""


async def test_every_page_speaks_chinese(tmp_path):
    async with running(settings(tmp_path)) as address, phone(address) as caller, window(address) as browser:
        await caller.start()
        page = await browser.open("/floor")
        heading = page.get_by_role("heading", level=1)
        english = await heading.inner_text()
        await by(page, "language").click()
        await expect(heading).not_to_have_text(english)
        await expect(page.locator("html")).to_have_attribute("lang", re.compile("^zh"))
        for path in ("/floor", "/calls", "/softphone", f"/rep/{caller.call_id}"):
            again = await browser.open(path)
            await expect(again.locator("body")).to_contain_text(re.compile(r"[\u4e00-\u9fff]{2}"))
            await again.close()


async def test_a_stranger_is_asked_for_a_token(tmp_path):
    async with running(settings(tmp_path, tokens=True)) as address, window(address) as browser:
        page = await browser.open("/calls")
        await expect(by(page, "login").get_by_role("textbox")).to_be_focused()
        await by(page, "login").get_by_role("textbox").fill("boss-secret")
        await by(page, "login").get_by_role("button").click()
        await expect(by(page, "login")).to_have_count(0)
        await expect(by(page, "nav-floor")).to_be_visible()
        assert browser.complaints
        assert all("401" in complaint for complaint in browser.complaints)  # that is how it found out
        browser.complaints.clear()


async def test_a_call_that_does_not_exist_says_so(tmp_path):
    async with running(settings(tmp_path)) as address, window(address) as browser:
        page = await browser.open("/rep/call_none")
        await expect(by(page, "lost")).to_be_visible()
        await expect(by(page, "mark")).to_be_disabled()
        await expect(by(page, "transcript")).to_have_count(0)
        page = await browser.open("/calls/call_none")
        await expect(page.get_by_text("No call with this id.")).to_be_visible()
        await expect(page.get_by_role("button", name="Try again")).to_have_count(0)
        browser.complaints.clear()  # the browser reports the 404 itself


async def test_the_pages_pass_the_accessibility_rules(tmp_path):
    need(AXE, "scripts/web installs it with what the pages are built with")
    async with running(settings(tmp_path)) as address, phone(address) as over, window(address) as browser:
        await over.start(call={"rep_id": "ann"})
        await over.say(TALK)
        await over.send(type="call.end")
        await over.until("call.ended")
        async with phone(address) as live, client(address) as http:
            await concluded(http, over.call_id)
            await live.start(call={"rep_id": "ann"})
            await live.say(TALK)
            await live.until("card.raised")
            for path, sign in (
                ("/floor", "floor-call"),
                ("/calls", "call-row"),
                ("/softphone", "softphone-setup"),
                (f"/rep/{live.call_id}", "card-primary"),
                (f"/rep/{over.call_id}", "outcome"),
                (f"/calls/{over.call_id}", "report"),
            ):
                page = await browser.open(path)
                await expect(by(page, sign).first).to_be_visible()
                await page.evaluate(AXE.read_text(encoding="utf-8"))
                found = await page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
                assert not [(path, rule["id"], rule["nodes"][0]["html"]) for rule in found["violations"]]
                await page.close()
