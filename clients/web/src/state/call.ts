/** What a screen knows about one call, and how each message changes it. Pure: the same events give the same view. */

import type {
  CallMessage,
  CallOutcome,
  CardView,
  CausedBy,
  Ledger,
  ServiceDegraded,
  Speaker,
  StageView,
  StepState,
  StepView,
  Totals,
} from "copilot-client";

export interface Line {
  id: string;
  speaker: Speaker;
  startMs: number;
  endMs: number;
  text: string;
  isFinal: boolean;
  /** Leading characters of an interim line that will not change. */
  committed: number;
  lagMs: number;
}

export interface ShownCard {
  id: string;
  view: CardView;
  causedBy: CausedBy | null;
  ledger: Ledger;
  state: string;
  raisedMs: number;
  closedMs: number | null;
  reason: string;
  outcome: string;
  feedback: string;
  suggestion?: string;
}

export interface HeldBackCard {
  view: CardView;
  causedBy: CausedBy | null;
  atMs: number;
  reason: string;
}

export interface Step extends StepView {
  atMs: number | null;
  utteranceId: string;
  quote: string;
  by: string;
}

export interface StageEntry {
  id: string;
  atMs: number;
}

export interface Gauge {
  value: number;
  attention: "none" | "amber" | "red";
  atMs: number;
}

export interface Note {
  seq: number;
  atMs: number;
  text: string;
  by: string;
}

export interface Pause {
  fromMs: number;
  reason: string;
  pausedMs: number | null;
}

export interface CallView {
  phase: "waiting" | "live" | "paused" | "ended";
  seq: number;
  callId: string;
  posMs: number;
  repId: string;
  customerRef: string;
  campaign: string;
  playbook: string;
  language: string;
  startedAt: string;
  stages: readonly StageView[];
  stage: string;
  stageLog: readonly StageEntry[];
  steps: readonly Step[];
  lines: readonly Line[];
  cards: readonly ShownCard[];
  heldBack: readonly HeldBackCard[];
  gauges: Readonly<Record<string, Gauge>>;
  messages: readonly Note[];
  marks: readonly Note[];
  troubles: readonly ServiceDegraded[];
  pauses: readonly Pause[];
  rolesSwapped: boolean;
  endReason: string;
  totals: Totals | null;
  reportUrl: string;
  /** What the end of the call said of it. */
  outcome: CallOutcome | "";
}

export const EMPTY_CALL: CallView = {
  phase: "waiting",
  seq: 0,
  callId: "",
  posMs: 0,
  repId: "",
  customerRef: "",
  campaign: "",
  playbook: "",
  language: "",
  startedAt: "",
  stages: [],
  stage: "",
  stageLog: [],
  steps: [],
  lines: [],
  cards: [],
  heldBack: [],
  gauges: {},
  messages: [],
  marks: [],
  troubles: [],
  pauses: [],
  rolesSwapped: false,
  endReason: "",
  totals: null,
  reportUrl: "",
  outcome: "",
};

const OPEN_STATES = new Set(["raised", "shown"]);
const SETTLED: ReadonlySet<StepState> = new Set<StepState>(["done", "done_late", "waived", "not_applicable"]);

/** The view after `message`. Messages already seen change nothing. */
export function reduce(view: CallView, message: CallMessage): CallView {
  if (message.seq <= view.seq) return view;
  const next = { ...view, seq: message.seq, callId: message.call_id, posMs: Math.max(view.posMs, message.pos_ms) };
  return { ...next, ...change(next, message) };
}

export function reduceAll(view: CallView, messages: readonly CallMessage[]): CallView {
  return messages.reduce(reduce, view);
}

function change(view: CallView, message: CallMessage): Partial<CallView> {
  switch (message.type) {
    case "call.opened":
      return {
        phase: "live",
        repId: message.rep_id,
        customerRef: message.customer_ref,
        campaign: message.campaign,
        playbook: message.playbook,
        language: message.language,
        startedAt: message.started_at,
        stages: message.stages,
        steps: message.steps.map((step) => ({ ...step, atMs: null, utteranceId: "", quote: "", by: "" })),
      };
    case "transcript.interim":
      return { lines: placed(view.lines, { ...line(message), isFinal: false, committed: message.committed }) };
    case "transcript.final":
      return { lines: placed(view.lines, { ...line(message), lagMs: message.lag_ms }) };
    case "transcript.revised":
      return {
        lines: message.text ? placed(view.lines, line(message)) : without(view.lines, message.utterance_id),
      };
    case "card.raised":
      return {
        cards: [
          ...view.cards.filter((card) => card.id !== message.card.id),
          {
            id: message.card.id,
            view: message.card,
            causedBy: message.caused_by,
            ledger: message.ledger,
            state: message.card.state,
            raisedMs: message.pos_ms,
            closedMs: null,
            reason: "",
            outcome: "undetermined",
            feedback: "",
          },
        ],
      };
    case "card.updated":
      return {
        cards: changed(view.cards, message.card_id, (card) => ({
          ...card,
          state: message.state,
          ledger: message.ledger,
          feedback: message.feedback || card.feedback,
          suggestion: message.suggestion || card.suggestion,
          outcome: message.outcome ?? card.outcome,
        })),
      };
    case "card.closed":
      return {
        cards: changed(view.cards, message.card_id, (card) => ({
          ...card,
          state: message.state,
          reason: message.reason,
          outcome: message.outcome,
          closedMs: message.pos_ms,
        })),
      };
    case "card.suppressed":
      return {
        heldBack: [
          ...view.heldBack,
          { view: message.card, causedBy: message.caused_by, atMs: message.pos_ms, reason: message.reason },
        ],
      };
    case "stage.changed":
      return { stage: message.stage_id, stageLog: [...view.stageLog, { id: message.stage_id, atMs: message.pos_ms }] };
    case "step.changed":
      return {
        steps: changed(view.steps, message.step_id, (step) => ({
          ...step,
          state: message.state,
          atMs: message.pos_ms,
          utteranceId: message.utterance_id,
          quote: message.quote,
          by: message.by,
        })),
      };
    case "metric": {
      const name = message.speaker ? `${message.name}.${message.speaker}` : message.name;
      const gauge = { value: message.value, attention: message.attention, atMs: message.pos_ms };
      return { gauges: { ...view.gauges, [name]: gauge } };
    }
    case "supervisor.message":
      return { messages: [...view.messages, note(message, message.text, message.sent_by)] };
    case "mark.set":
      return { marks: [...view.marks, note(message, message.label, message.set_by)] };
    case "service.degraded":
      return { troubles: [...view.troubles.filter((trouble) => trouble.stage !== message.stage), message] };
    case "service.restored":
      return { troubles: view.troubles.filter((trouble) => trouble.stage !== message.stage) };
    case "call.paused":
      return {
        phase: "paused",
        pauses: [...view.pauses, { fromMs: message.pos_ms, reason: message.reason, pausedMs: null }],
      };
    case "call.resumed":
      return {
        phase: "live",
        pauses: view.pauses.map((pause) => (pause.pausedMs === null ? { ...pause, pausedMs: message.paused_ms } : pause)),
      };
    case "roles.swapped":
      return { rolesSwapped: !view.rolesSwapped };
    case "call.ended":
      return {
        phase: "ended",
        endReason: message.reason,
        totals: message.totals,
        reportUrl: message.report_url,
        outcome: message.outcome ?? "",
        lines: view.lines.filter((each) => each.isFinal),
        steps: view.steps.map((step) => (step.state === "warned" ? { ...step, state: "pending" } : step)), // nothing is due any more
      };
    default:
      return {};
  }
}

interface Spoken {
  utterance_id: string;
  speaker: Speaker;
  start_ms: number;
  end_ms: number;
  text: string;
}

function line(spoken: Spoken): Line {
  return {
    id: spoken.utterance_id,
    speaker: spoken.speaker,
    startMs: spoken.start_ms,
    endMs: spoken.end_ms,
    text: spoken.text,
    isFinal: true,
    committed: spoken.text.length,
    lagMs: 0,
  };
}

/** Lines stay in the order in which they began; a late line never reorders those around it. */
function placed(lines: readonly Line[], next: Line): Line[] {
  const known = lines.findIndex((each) => each.id === next.id);
  const previous = lines[known];
  if (previous?.isFinal && !next.isFinal) return [...lines];
  const rest = known < 0 ? [...lines] : lines.toSpliced(known, 1);
  let at = rest.length;
  while (at > 0 && rest[at - 1]!.startMs > next.startMs) at -= 1;
  rest.splice(at, 0, { ...next, lagMs: next.lagMs || previous?.lagMs || 0 });
  return rest;
}

function without(lines: readonly Line[], id: string): Line[] {
  return lines.filter((each) => each.id !== id);
}

function changed<T extends { id: string }>(list: readonly T[], id: string, how: (item: T) => T): T[] {
  return list.map((item) => (item.id === id ? how(item) : item));
}

function note(message: { seq: number; pos_ms: number }, text: string, by: string): Note {
  return { seq: message.seq, atMs: message.pos_ms, text, by };
}

// --- questions about a view ------------------------------------------------------------------------------------

/** Cards whose moment is still open, the most urgent first, then the newest. */
export function openCards(view: CallView): ShownCard[] {
  return view.cards
    .filter((card) => card.closedMs === null && OPEN_STATES.has(card.state))
    .sort((a, b) => Number(b.view.critical) - Number(a.view.critical) || b.view.priority - a.view.priority || b.raisedMs - a.raisedMs);
}

export function isSettled(step: { state: StepState }): boolean {
  return SETTLED.has(step.state);
}

/** Steps that count and how many of them are done. */
export function progress(steps: readonly Step[]): { done: number; of: number } {
  const applicable = steps.filter((step) => step.state !== "not_applicable" && step.state !== "waived");
  return { done: applicable.filter(isSettled).length, of: applicable.length };
}

/** Milliseconds from the end of the triggering phrase to the card being sent. */
export function latencyMs(card: { ledger: Ledger }): number {
  return card.ledger.sent - card.ledger.phrase_end;
}

/** The line being spoken at `ms`, or the last one before it. */
export function lineAt(lines: readonly Line[], ms: number): Line | undefined {
  let found: Line | undefined;
  for (const each of lines) {
    if (each.startMs > ms) break;
    if (!found || each.endMs >= ms || each.startMs > found.startMs) found = each;
  }
  return found;
}
