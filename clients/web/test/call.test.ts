import type { StepState } from "copilot-client";
import { describe, expect, it } from "vitest";

import { EMPTY_CALL, isSettled, latencyMs, lineAt, openCards, progress, reduce, reduceAll } from "../src/state/call";
import { LEDGER, log, opened, raised, spoken, step } from "./builders";

const view = (...bodies: Parameters<typeof log>[0]) => reduceAll(EMPTY_CALL, log([opened(), ...bodies]));

describe("the view of a call", () => {
  it("waits until the call is opened", () => {
    expect(EMPTY_CALL.phase).toBe("waiting");
    expect(view()).toMatchObject({ phase: "live", repId: "r1", callId: "c1", seq: 1 });
  });

  it("changes nothing for messages already seen", () => {
    const messages = log([opened(), raised("a"), spoken("transcript.final", "u1", 0, "hello")]);
    const once = reduceAll(EMPTY_CALL, messages);
    expect(reduceAll(once, messages)).toBe(once);
  });

  it("is the same whether events come at once or after a reconnect", () => {
    const messages = log([opened(), raised("a"), spoken("transcript.interim", "u1", 0, "he"), spoken("transcript.final", "u1", 0, "hello"), { type: "stage.changed", stage_id: "opening", previous: "", utterance_id: "u1" }]);
    const whole = reduceAll(EMPTY_CALL, messages);
    for (let cut = 0; cut <= messages.length; cut += 1) {
      const before = reduceAll(EMPTY_CALL, messages.slice(0, cut));
      expect(reduceAll(before, messages.slice(Math.max(0, cut - 2)))).toEqual(whole);
    }
  });

  it("ignores types it does not know", () => {
    const unknown = { ...log([raised("a")], 2)[0]!, type: "weather.changed" } as never;
    expect(reduce(view(), unknown)).toMatchObject({ seq: 2, phase: "live", cards: [] });
  });

  it("never runs media time backwards", () => {
    expect(view({ ...raised("a"), pos_ms: 9000 }, { ...raised("b"), pos_ms: 4000 }).posMs).toBe(9000);
  });
});

describe("the end of a call", () => {
  const ended = (state: StepState) => {
    const totals = { duration_ms: 1000, utterances: 0, cards_raised: 0, cards_suppressed: 0, steps_done: 0, steps: 1, gaps_ms: 0 };
    return view(
      { type: "step.changed", step_id: "intro", state, previous: "pending", utterance_id: "", quote: "", by: "", reason: "" },
      { type: "call.ended", reason: "completed", totals, report_url: "", sha256: [] },
    ).steps.find(({ id }) => id === "intro")?.state;
  };

  it("leaves nothing due soon", () => {
    expect(ended("warned")).toBe("pending");
    expect(ended("overdue")).toBe("overdue");
  });
});

describe("the transcript", () => {
  it("turns interim into final in place", () => {
    const { lines } = view(spoken("transcript.interim", "u1", 0, "hel"), spoken("transcript.final", "u1", 0, "Hello."));
    expect(lines).toMatchObject([{ id: "u1", text: "Hello.", isFinal: true, lagMs: 400 }]);
  });

  it("never takes a final line back to interim", () => {
    const { lines } = view(spoken("transcript.final", "u1", 0, "Hello."), spoken("transcript.interim", "u1", 0, "hel"));
    expect(lines).toMatchObject([{ text: "Hello.", isFinal: true }]);
  });

  it("orders lines by when they began, not by when they were recognised", () => {
    const { lines } = view(spoken("transcript.final", "u2", 2000, "two"), spoken("transcript.final", "u1", 1000, "one"), spoken("transcript.final", "u3", 3000, "three"));
    expect(lines.map((line) => line.text)).toEqual(["one", "two", "three"]);
  });

  it("keeps the lag and takes the better text and the other speaker of a revision", () => {
    const base = { type: "transcript.revised", utterance_id: "u1", start_ms: 0, end_ms: 500 } as const;
    const { lines } = view(spoken("transcript.final", "u1", 0, "helo"), { ...base, speaker: "customer", text: "Hello.", reason: "roles" });
    expect(lines).toMatchObject([{ text: "Hello.", speaker: "customer", lagMs: 400 }]);
    const gone = view(spoken("transcript.final", "u1", 0, "noise"), { ...base, speaker: "rep", text: "", reason: "second_pass" });
    expect(gone.lines).toEqual([]);
  });

  it("finds the line being spoken", () => {
    const { lines } = view(spoken("transcript.final", "u1", 1000, "one"), spoken("transcript.final", "u2", 3000, "two"));
    expect(lineAt(lines, 500)).toBeUndefined();
    expect(lineAt(lines, 1200)?.id).toBe("u1");
    expect(lineAt(lines, 2500)?.id).toBe("u1");
    expect(lineAt(lines, 99_000)?.id).toBe("u2");
  });
});

describe("cards", () => {
  it("are open from raised until closed or answered", () => {
    const ids = (...bodies: Parameters<typeof log>[0]) => openCards(view(...bodies)).map((card) => card.id);
    expect(ids(raised("a"))).toEqual(["a"]);
    expect(ids(raised("a"), { type: "card.updated", card_id: "a", state: "shown", ledger: { ...LEDGER, rendered: 1400 }, feedback: "" })).toEqual(["a"]);
    expect(ids(raised("a"), { type: "card.updated", card_id: "a", state: "acked", ledger: LEDGER, feedback: "used" })).toEqual([]);
    expect(ids(raised("a"), { type: "card.closed", card_id: "a", state: "expired", reason: "ttl", outcome: "undetermined" })).toEqual([]);
  });

  it("lie with the critical first, then by priority, then the newest", () => {
    const open = openCards(view(raised("low", { priority: 10 }), raised("old", { priority: 50 }), raised("new", { priority: 50 }), raised("must", { priority: 1, critical: true })));
    expect(open.map((card) => card.id)).toEqual(["must", "new", "old", "low"]);
  });

  it("keep feedback and outcome to the end", () => {
    const { cards } = view(
      raised("a"),
      { type: "card.updated", card_id: "a", state: "acked", ledger: { ...LEDGER, acked: 5000 }, feedback: "used" },
      { type: "card.closed", card_id: "a", state: "acked", reason: "expected", outcome: "adhered" },
    );
    expect(cards).toMatchObject([{ feedback: "used", outcome: "adhered", reason: "expected", closedMs: 4000 }]);
    expect(latencyMs(cards[0]!)).toBe(320);
  });

  it("that were held back are kept apart", () => {
    const held = view({ type: "card.suppressed", card: raisedCard(), caused_by: null, reason: "min_gap" });
    expect(held.cards).toEqual([]);
    expect(held.heldBack).toMatchObject([{ reason: "min_gap", atMs: 2000 }]);
  });

  const raisedCard = () => (log([raised("h")])[0] as Extract<ReturnType<typeof log>[0], { type: "card.raised" }>).card;
});

describe("steps", () => {
  const change = { type: "step.changed", previous: "pending", utterance_id: "u1", quote: "my name is", by: "", reason: "" } as const;

  it("remember when, by which words and by whom they were done", () => {
    const { steps } = view({ ...change, step_id: "intro", state: "done" });
    expect(steps[0]).toMatchObject({ state: "done", atMs: 2000, quote: "my name is" });
    expect(isSettled(steps[0]!)).toBe(true);
    expect(isSettled(steps[1]!)).toBe(false);
  });

  it("count only where they apply", () => {
    const steps = view({ ...change, step_id: "intro", state: "done_late" }, { ...change, step_id: "notice", state: "waived" }).steps;
    expect(progress(steps)).toEqual({ done: 1, of: 1 });
    expect(progress([{ ...step("x"), state: "overdue", atMs: null, utteranceId: "", quote: "", by: "" }])).toEqual({ done: 0, of: 1 });
  });
});

describe("the state of the call", () => {
  const totals = { duration_ms: 5000, utterances: 1, cards_raised: 0, cards_suppressed: 0, steps_done: 0, steps: 2, gaps_ms: 0 };

  it("pauses and goes on", () => {
    const paused = view({ type: "call.paused", reason: "hold" });
    expect(paused).toMatchObject({ phase: "paused", pauses: [{ reason: "hold", pausedMs: null }] });
    const resumed = view({ type: "call.paused", reason: "hold" }, { type: "call.resumed", paused_ms: 700 });
    expect(resumed).toMatchObject({ phase: "live", pauses: [{ pausedMs: 700 }] });
  });

  it("ends without the words that were never finished", () => {
    const ended = view(spoken("transcript.interim", "u1", 0, "hel"), { type: "call.ended", reason: "completed", totals, report_url: "/r", sha256: [] });
    expect(ended).toMatchObject({ phase: "ended", endReason: "completed", lines: [], totals });
  });

  it("ends with what the caller said became of it", () => {
    const ending = { type: "call.ended" as const, reason: "completed", totals, report_url: "/r", sha256: [] };
    expect(view({ ...ending, outcome: "won" }).outcome).toBe("won");
    expect(view({ ...ending, outcome: null }).outcome).toBe("");
    expect(view(ending).outcome).toBe("");
  });

  it("says what is degraded until it is restored", () => {
    const degraded = { type: "service.degraded", stage: "recognition", reason: "lag", lag_ms: 1800 } as const;
    expect(view(degraded, degraded).troubles).toHaveLength(1);
    expect(view(degraded, { type: "service.restored", stage: "recognition", reason: "" }).troubles).toEqual([]);
  });

  it("keeps metrics by name and speaker, messages, marks and swaps", () => {
    const metric = { type: "metric", name: "speech_rate", value: 180, attention: "amber" } as const;
    const seen = view(
      { ...metric, speaker: "rep" },
      { ...metric, name: "talk_ratio", value: 0.7, speaker: null },
      { type: "supervisor.message", text: "ask for the date", sent_by: "ana" },
      { type: "mark.set", label: "here", set_by: "" },
      { type: "roles.swapped", channels: ["customer", "rep"] },
    );
    expect(seen.gauges["speech_rate.rep"]).toMatchObject({ value: 180, attention: "amber" });
    expect(seen.gauges["talk_ratio"]).toMatchObject({ value: 0.7 });
    expect(seen.messages).toMatchObject([{ text: "ask for the date", by: "ana", seq: 4 }]);
    expect(seen.marks).toMatchObject([{ text: "here" }]);
    expect(seen.rolesSwapped).toBe(true);
  });
});
