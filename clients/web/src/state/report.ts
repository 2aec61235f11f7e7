/** The parts of a call's report (`GET /v1/calls/{id}/report`) that the review shows. Additive: fields may be missing. */

import type { Ledger } from "copilot-client";

import { seconds } from "./clock";

export interface Bilingual {
  en: string;
  zh: string;
}

export interface Span {
  start_ms: number;
  end_ms: number;
}

export interface Evidence extends Span {
  utterance_id: string;
  quote: string;
}

export interface Measure {
  name: string;
  unit: "share" | "ms" | "per_min" | "per_10_min" | "words_per_min" | "chars_per_min" | "count";
  kind: "ratio" | "rate" | "median" | "longest" | "total";
  numerator: number;
  denominator: number;
  value: number | null;
  attention: "none" | "amber" | "red";
}

export interface Finding {
  code: string;
  subject: string;
  status: "found" | "undetermined";
  severity: "low" | "medium" | "high";
  title: Bilingual;
  advice: Bilingual;
  span: Span | null;
  evidence: Evidence[];
}

export interface StepRow {
  step_id: string;
  title: string;
  stage: string;
  stage_title: string;
  critical: boolean;
  state: string;
  verdict: "done" | "done_late" | "missing" | "not_applicable" | "waived" | "undetermined";
  at_ms: number | null;
  deadline_ms: number | null;
  evidence: Evidence | null;
  by: string;
  hint: string;
}

export interface CardRow {
  card_id: string;
  cue_id: string;
  kind: string;
  headline: string;
  why: string;
  at_ms: number;
  state: string;
  outcome: string;
  feedback: string;
  suppressed_reason: string;
  close_reason: string;
  heard: string;
  evidence: Evidence | null;
  ledger: Ledger | null;
}

export interface Objection {
  label: string;
  title: Bilingual;
  evidence: Evidence;
  answer: Evidence | null;
  reaction: Evidence | null;
  recovered: boolean | null;
}

export interface Report {
  version: number;
  call: {
    playbook_title: string;
    language: "en" | "zh";
    duration_ms: number;
    end_reason: string;
    is_complete: boolean;
    rep_id: string;
    customer_ref: string;
    campaign: string;
    started_at: string;
  };
  cards: CardRow[];
  procedure: {
    steps: StepRow[];
    coverage: Measure;
    order: Measure;
    timeliness: Measure;
    maturity: { level: number | null; is_provisional: boolean; critical_missed: string[] };
  };
  stages: { stage_id: string; title: string; span: Span; talk_ratio: Measure }[];
  talk: { measures: Record<string, Measure>; groups: Record<string, string[]> };
  objections: Objection[];
  deviations: { content: Finding[]; behaviour: Finding[] };
  notes: { kind: "mark" | "supervisor"; at_ms: number; text: string; by: string }[];
  quality: {
    gaps_ms: number;
    pauses: { span: Span; reason: string; paused_ms: number | null }[];
    impairments: { span: Span; stage: string; reason: string; lag_ms: number; is_restored: boolean }[];
    card_latency: Record<string, { count: number; median_ms: number | null; p95_ms: number | null }>;
  };
}

/** A measure's value with its unit, `–` when there was nothing to measure. */
export function measured(measure: Measure, unitWords: Record<string, string>): string {
  const { value, unit } = measure;
  if (value === null) return "–";
  switch (unit) {
    case "share":
      return `${Math.round(value * 100)} %`;
    case "ms":
      return seconds(value, unitWords["s"]);
    case "count":
      return String(value);
    default:
      return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unitWords[unit] ?? unit}`;
  }
}

export const LEDGER_STEPS = ["phrase_end", "recognised", "matched", "decided", "sent", "rendered", "acked"] as const;

export interface LedgerLeg {
  name: (typeof LEDGER_STEPS)[number];
  /** Since the end of the triggering phrase. */
  atMs: number;
  tookMs: number;
}

/** A card's ledger as legs; what the screen never reported is left out. */
export function legs(ledger: Ledger): LedgerLeg[] {
  const known = LEDGER_STEPS.filter((name) => ledger[name] !== null);
  return known.map((name, index) => {
    const at = ledger[name]!;
    const before = index ? ledger[known[index - 1]!]! : at;
    return { name, atMs: at - ledger.phrase_end, tookMs: at - before };
  });
}
