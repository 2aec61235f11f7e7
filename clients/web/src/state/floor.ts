/** All live calls as a supervisor sees them. Pure. */

import type { FloorCall, FloorMessage } from "copilot-client";

export interface FloorEntry extends FloorCall {
  /** When this browser last heard of the call: `performance.now()` milliseconds. */
  heardAt: number;
}

export interface Alert {
  id: number;
  callId: string;
  code: string;
  headline: string;
  at: number;
}

export interface FloorView {
  ready: boolean;
  calls: Readonly<Record<string, FloorEntry>>;
  alerts: readonly Alert[];
  nextAlert: number;
}

export const EMPTY_FLOOR: FloorView = { ready: false, calls: {}, alerts: [], nextAlert: 1 };
export const STALE_AFTER_MS = 12_000;
const MAX_ALERTS = 20;

/** The floor after `message`, heard at `now`. */
export function observe(floor: FloorView, message: FloorMessage, now: number): FloorView {
  switch (message.type) {
    case "floor.snapshot":
      return {
        ...floor,
        ready: true,
        calls: Object.fromEntries(message.calls.map((call) => [call.call_id, { ...call, heardAt: now }])),
      };
    case "floor.updated":
      return {
        ...floor,
        calls: { ...floor.calls, [message.call.call_id]: { ...message.call, heardAt: now } },
      };
    case "floor.removed": {
      const { [message.call_id]: _gone, ...calls } = floor.calls;
      return { ...floor, calls, alerts: floor.alerts.filter((alert) => alert.callId !== message.call_id) };
    }
    case "floor.alert": {
      const alert = {
        id: floor.nextAlert,
        callId: message.call_id,
        code: message.code,
        headline: message.headline,
        at: now,
      };
      return { ...floor, nextAlert: alert.id + 1, alerts: [alert, ...floor.alerts].slice(0, MAX_ALERTS) };
    }
    default:
      return floor;
  }
}

export function dismissAlert(floor: FloorView, id: number): FloorView {
  return { ...floor, alerts: floor.alerts.filter((alert) => alert.id !== id) };
}

/** Call ids by attention. While `held` known calls keep their places and new ones come last. */
export function order(floor: FloorView, previous: readonly string[], held: boolean): string[] {
  const byNeed = Object.values(floor.calls)
    .sort((a, b) => b.attention - a.attention || a.started_at.localeCompare(b.started_at))
    .map((call) => call.call_id);
  if (!held) return byNeed;
  const kept = previous.filter((id) => id in floor.calls);
  return [...kept, ...byNeed.filter((id) => !kept.includes(id))];
}

export function isStale(entry: FloorEntry, now: number): boolean {
  return now - entry.heardAt > STALE_AFTER_MS;
}

export function level(attention: number): "calm" | "watch" | "urgent" {
  if (attention >= 60) return "urgent";
  return attention >= 30 ? "watch" : "calm";
}
