import { describe, expect, it } from "vitest";

import { dismissAlert, EMPTY_FLOOR, isStale, level, observe, order, STALE_AFTER_MS } from "../src/state/floor";
import { explain, humanise, parseReason } from "../src/state/labels";
import { floorCall } from "./builders";

const snapshot = (...calls: [string, number][]) => observe(EMPTY_FLOOR, { type: "floor.snapshot", calls: calls.map(([id, attention]) => floorCall(id, attention)) }, 0);

describe("the floor", () => {
  it("orders calls by who needs somebody most, then by who has waited longest", () => {
    expect(order(snapshot(["a", 10], ["bb", 90], ["ccc", 10]), [], false)).toEqual(["bb", "a", "ccc"]);
  });

  it("keeps places while somebody is pointing; new calls come last, gone calls go", () => {
    const before = order(snapshot(["a", 90], ["b", 10]), [], false);
    const changed = snapshot(["b", 99], ["new", 100]);
    expect(order(changed, before, true)).toEqual(["b", "new"]);
    expect(order(changed, before, false)).toEqual(["new", "b"]);
  });

  it("takes updates and removals, with their alerts", () => {
    let floor = snapshot(["a", 1]);
    floor = observe(floor, { type: "floor.updated", call: floorCall("b", 50) }, 500);
    floor = observe(floor, { type: "floor.alert", call_id: "b", code: "compliance.forbidden", headline: "careful" }, 600);
    expect(floor.alerts).toMatchObject([{ id: 1, callId: "b" }]);
    expect(dismissAlert(floor, 1).alerts).toEqual([]);
    floor = observe(floor, { type: "floor.removed", call_id: "b", reason: "completed" }, 700);
    expect(Object.keys(floor.calls)).toEqual(["a"]);
    expect(floor.alerts).toEqual([]);
  });

  it("says when a call has not been heard of", () => {
    const entry = snapshot(["a", 1]).calls["a"]!;
    expect(isStale(entry, STALE_AFTER_MS)).toBe(false);
    expect(isStale(entry, STALE_AFTER_MS + 1)).toBe(true);
  });

  it("sorts attention into three levels", () => {
    expect([0, 29, 30, 59, 60, 100].map(level)).toEqual(["calm", "calm", "watch", "watch", "urgent", "urgent"]);
  });

  it("reads reasons", () => {
    expect(parseReason("card:objection.price")).toEqual({ kind: "card", id: "objection.price" });
    expect(parseReason("odd")).toEqual({ kind: "other", id: "odd" });
    expect(humanise("close.next_step")).toBe("Close · next step");
    expect(explain("speech_rate above 200", (name) => name.toUpperCase())).toBe("SPEECH_RATE > 200");
    expect(explain("talk_ratio below 0.4", (name) => name)).toBe("talk_ratio < 0.4");
    expect(explain("scam", (name) => name)).toBe("scam");
  });
});
