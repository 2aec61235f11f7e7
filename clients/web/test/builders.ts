/** Messages as the server would send them, with the rest filled in. */

import type { CallMessage, CardView, FloorCall, Ledger, StepView } from "copilot-client";

type Body<T> = T extends CallMessage ? Omit<T, "seq" | "call_id" | "pos_ms" | "emitted_at"> : never;

/** Number the bodies from `first` on; `pos_ms` runs one second per message unless given. */
export function log(bodies: (Body<CallMessage> & { pos_ms?: number })[], first = 1): CallMessage[] {
  return bodies.map((body, index) => ({
    call_id: "c1",
    emitted_at: "2026-01-01T00:00:00.000Z",
    pos_ms: (first + index) * 1000,
    ...body,
    seq: first + index,
  })) as CallMessage[];
}

export function step(id: string, more: Partial<StepView> = {}): StepView {
  return { id, title: id, stage: "opening", critical: false, state: "pending", ...more };
}

export function opened(steps: StepView[] = [step("intro"), step("notice")]): Body<CallMessage> {
  return {
    type: "call.opened",
    external_id: "",
    rep_id: "r1",
    customer_ref: "",
    campaign: "",
    direction: "outbound",
    language: "en",
    playbook: "outbound-en",
    playbook_version: "1.0.0",
    started_at: "2026-01-01T00:00:00.000Z",
    stages: [{ id: "opening", title: "Opening" }],
    steps,
  };
}

export const LEDGER: Ledger = { phrase_end: 1000, recognised: 1300, matched: 1310, decided: 1312, sent: 1320, rendered: null, acked: null };

export function card(id: string, more: Partial<CardView> = {}): CardView {
  return { id, cue_id: "objection.price", kind: "objection", state: "raised", priority: 50, critical: false, headline: id, lines: [], material: "", why: "", ttl_ms: 25_000, ...more };
}

export function raised(id: string, more: Partial<CardView> = {}): Body<CallMessage> {
  return { type: "card.raised", card: card(id, more), caused_by: null, ledger: LEDGER };
}

export function spoken(type: "transcript.interim" | "transcript.final", id: string, startMs: number, text: string): Body<CallMessage> {
  const base = { utterance_id: id, speaker: "rep" as const, start_ms: startMs, end_ms: startMs + 500, text };
  return type === "transcript.interim"
    ? { ...base, type, committed: 2 }
    : { ...base, type, language: "en", confidence: 0.9, lag_ms: 400, words: [] };
}

export function floorCall(id: string, attention: number): FloorCall {
  return {
    call_id: id, rep_id: id, customer_ref: "", started_at: `2026-01-01T00:00:0${id.length}.000Z`, playbook: "outbound-en", stage: "opening", pos_ms: 0, last_line: "",
    last_speaker: "", talk_ratio: 0.5, steps_done: 0, steps: 2, open_cards: [], reasons: [], attention, lag_ms: 0, degraded: false, paused: false, updated_at: "",
  };
}
