/**
 * Messages of the native protocol `copilot.v1`, as TypeScript types.
 *
 * Three groups: what a client sends (`ClientMessage`), what answers one connection (`Reply`, no sequence number), and
 * what happens to a call (`CallMessage`: `seq` gap-free from 1, `pos_ms` media time, `emitted_at` RFC 3339 UTC).
 * The protocol is additive only: unknown fields and unknown types are ignored by both sides.
 */

export const VERSION = 1;
export const SUBPROTOCOL = "copilot.v1";

export type Speaker = "rep" | "customer";
export type Encoding = "pcm_s16le" | "mulaw" | "alaw";
export type Language = "en" | "zh" | "auto";
export type PauseReason = "hold" | "consent" | "pci";
export type CardAction = "used" | "dismissed" | "snoozed" | "wrong";
export type Attention = "none" | "amber" | "red";
/** What became of a call, as somebody said who knows. */
export type CallOutcome = "won" | "lost" | "follow_up";
export type Outcome = "adhered" | "not_adhered" | "too_late" | "undetermined";
export type CardKind =
  | "objection"
  | "signal"
  | "question"
  | "sop"
  | "compliance"
  | "behaviour"
  | "wrap_up"
  | "info"
  | "knowledge";
export type CardState =
  | "raised"
  | "shown"
  | "acked"
  | "dismissed"
  | "expired"
  | "superseded"
  | "withdrawn"
  | "suppressed";
export type StepState =
  | "pending"
  | "warned"
  | "overdue"
  | "done"
  | "done_late"
  | "skipped"
  | "not_applicable"
  | "waived";

// --- client to server ------------------------------------------------------------------------------------------

export interface CallHeader {
  /** The softphone's own id: SIP Call-ID or CRM id. */
  external_id?: string;
  direction?: "inbound" | "outbound";
  rep_id?: string;
  customer_ref?: string;
  campaign?: string;
  context?: Record<string, string>;
}

export interface MediaHeader {
  encoding: Encoding;
  sample_rate: number;
  channels?: Speaker[];
  framing?: "v1" | "raw";
}

export interface Resume {
  call_id: string;
  resume_token: string;
  last_seq?: number;
}

export interface CallStart {
  type: "call.start";
  v: number;
  media?: MediaHeader | null;
  call?: CallHeader;
  language?: Language;
  playbook?: string;
  resume?: Resume | null;
}

export interface AudioGap {
  type: "audio.gap";
  offset: number;
  samples: number;
}
export interface CallPause {
  type: "call.pause";
  reason?: PauseReason;
}
export interface CallResume {
  type: "call.resume";
}
export interface Dtmf {
  type: "dtmf";
  digit: string;
  speaker?: Speaker | null;
}
export interface Mark {
  type: "mark";
  label?: string;
}
export interface CardRendered {
  type: "card.rendered";
  card_id: string;
}
export interface CardAck {
  type: "card.ack";
  card_id: string;
  action: CardAction;
}
export interface StepTick {
  type: "step.tick";
  step_id: string;
}
export interface StepWaive {
  type: "step.waive";
  step_id: string;
  reason?: string;
}
export interface RolesSwap {
  type: "roles.swap";
}
export interface SupervisorSend {
  type: "supervisor.send";
  text: string;
}
export interface CallEnd {
  type: "call.end";
  /** What became of the call, if that is known already. */
  outcome?: CallOutcome | null;
}
export interface Ping {
  type: "ping";
  /** Comes back in the answer. */
  t?: string | number | null;
}

/** What a viewer of a call may say. */
export type ViewerMessage =
  | CardRendered
  | CardAck
  | StepTick
  | StepWaive
  | Mark
  | RolesSwap
  | SupervisorSend
  | Ping;

export type ClientMessage =
  | ViewerMessage
  | CallStart
  | AudioGap
  | CallPause
  | CallResume
  | Dtmf
  | CallEnd;

// --- server to one connection ----------------------------------------------------------------------------------

export interface Limits {
  max_frame_bytes: number;
  max_call_s: number;
  resume_window_s: number;
}

export interface CallStarted {
  type: "call.started";
  v: number;
  call_id: string;
  resume_token: string;
  epoch: number;
  /** The next sample wanted, per channel, at source rate. */
  expect: number;
  limits: Limits;
  playbook: string;
  server_time: string;
}

export interface AudioAck {
  type: "audio.ack";
  received: number;
  persisted: number;
}
export interface AudioNack {
  type: "audio.nack";
  offset: number;
  samples: number;
}
export interface ErrorReply {
  type: "error";
  code: string;
  message: string;
  retryable: boolean;
  hint: string;
}
export interface Pong {
  type: "pong";
  t: string | number | null;
}
export interface Draining {
  type: "session.draining";
  reconnect_after_ms: number;
}

export type Reply = CallStarted | AudioAck | AudioNack | ErrorReply | Pong | Draining;

// --- server to all viewers of a call ---------------------------------------------------------------------------

interface Sequenced {
  seq: number;
  call_id: string;
  pos_ms: number;
  emitted_at: string;
}

export interface StageView {
  id: string;
  title: string;
}

export interface StepView {
  id: string;
  title: string;
  stage: string;
  critical: boolean;
  state: StepState;
}

export interface CallOpened extends Sequenced {
  type: "call.opened";
  external_id: string;
  rep_id: string;
  customer_ref: string;
  campaign: string;
  direction: string;
  language: string;
  playbook: string;
  playbook_version: string;
  started_at: string;
  stages: StageView[];
  steps: StepView[];
}

export interface TranscriptInterim extends Sequenced {
  type: "transcript.interim";
  utterance_id: string;
  speaker: Speaker;
  start_ms: number;
  end_ms: number;
  text: string;
  /** Leading characters that will not change. */
  committed: number;
}

export interface Word {
  text: string;
  start_ms: number;
  end_ms: number;
  probability: number;
}

export interface TranscriptFinal extends Sequenced {
  type: "transcript.final";
  utterance_id: string;
  speaker: Speaker;
  start_ms: number;
  end_ms: number;
  text: string;
  language: string;
  confidence: number;
  lag_ms: number;
  words: Word[];
}

export interface TranscriptRevised extends Sequenced {
  type: "transcript.revised";
  utterance_id: string;
  speaker: Speaker;
  start_ms: number;
  end_ms: number;
  /** Empty text removes the utterance. */
  text: string;
  reason: "second_pass" | "roles";
  /** Null when what was told before stands. */
  confidence?: number | null;
  /** Null when those told before stand. */
  words?: Word[] | null;
}

export interface CausedBy {
  utterance_id: string;
  phrase_end_ms: number;
  quote: string;
  speaker: Speaker;
}

/** When each thing happened to a card: milliseconds of wall time since the call started, never decreasing. */
export interface Ledger {
  phrase_end: number;
  recognised: number;
  matched: number;
  decided: number;
  sent: number;
  rendered: number | null;
  acked: number | null;
}

export interface CardView {
  id: string;
  cue_id: string;
  kind: string;
  state: string;
  priority: number;
  critical: boolean;
  headline: string;
  lines: string[];
  material: string;
  why: string;
  ttl_ms: number;
}

export interface CardRaised extends Sequenced {
  type: "card.raised";
  card: CardView;
  /** Null for cards that follow from silence or time rather than words. */
  caused_by: CausedBy | null;
  ledger: Ledger;
}

export interface CardUpdated extends Sequenced {
  type: "card.updated";
  card_id: string;
  state: string;
  ledger: Ledger;
  feedback: string;
  suggestion?: string;
  outcome?: string;
}

export interface CardClosed extends Sequenced {
  type: "card.closed";
  card_id: string;
  state: string;
  reason: string;
  outcome: string;
}

export interface CardSuppressed extends Sequenced {
  type: "card.suppressed";
  card: CardView;
  caused_by: CausedBy | null;
  reason: string;
}

export interface CardConcluded extends Sequenced {
  type: "card.concluded";
  card_id: string;
  outcome: string;
}

export interface SignalHeard extends Sequenced {
  type: "signal.heard";
  label: string;
  speaker: Speaker;
  utterance_id: string;
  quote: string;
  start_ms: number;
  end_ms: number;
  score: number;
  detector: string;
  why: string;
}

export interface StageChanged extends Sequenced {
  type: "stage.changed";
  stage_id: string;
  previous: string;
  utterance_id: string;
}

export interface StepChanged extends Sequenced {
  type: "step.changed";
  step_id: string;
  state: StepState;
  previous: StepState;
  utterance_id: string;
  quote: string;
  by: string;
  reason: string;
}

export interface Metric extends Sequenced {
  type: "metric";
  name: string;
  value: number;
  speaker: Speaker | null;
  attention: Attention;
}

export interface SupervisorMessage extends Sequenced {
  type: "supervisor.message";
  text: string;
  sent_by: string;
}

export interface MarkSet extends Sequenced {
  type: "mark.set";
  label: string;
  set_by: string;
}

export interface DtmfHeard extends Sequenced {
  type: "dtmf.heard";
  digit: string;
  speaker: Speaker | null;
}

export interface ServiceDegraded extends Sequenced {
  type: "service.degraded";
  stage: string;
  reason: string;
  lag_ms: number;
}

export interface ServiceRestored extends Sequenced {
  type: "service.restored";
  stage: string;
  reason: string;
}

export interface CallPaused extends Sequenced {
  type: "call.paused";
  reason: string;
}

export interface CallResumed extends Sequenced {
  type: "call.resumed";
  paused_ms: number;
}

export interface RolesSwapped extends Sequenced {
  type: "roles.swapped";
  channels: Speaker[];
}

export interface Totals {
  duration_ms: number;
  utterances: number;
  cards_raised: number;
  cards_suppressed: number;
  steps_done: number;
  steps: number;
  gaps_ms: number;
}

export interface CallEnded extends Sequenced {
  type: "call.ended";
  reason: string;
  totals: Totals;
  report_url: string;
  sha256: string[];
  outcome?: CallOutcome | null;
}

export type CallMessage =
  | CallOpened
  | TranscriptInterim
  | TranscriptFinal
  | TranscriptRevised
  | CardRaised
  | CardUpdated
  | CardClosed
  | CardSuppressed
  | CardConcluded
  | SignalHeard
  | StageChanged
  | StepChanged
  | Metric
  | SupervisorMessage
  | MarkSet
  | DtmfHeard
  | ServiceDegraded
  | ServiceRestored
  | CallPaused
  | CallResumed
  | RolesSwapped
  | CallEnded;

// --- the floor -------------------------------------------------------------------------------------------------

export interface FloorCall {
  call_id: string;
  rep_id: string;
  customer_ref: string;
  started_at: string;
  playbook: string;
  stage: string;
  pos_ms: number;
  last_line: string;
  last_speaker: string;
  talk_ratio: number;
  steps_done: number;
  steps: number;
  open_cards: string[];
  reasons: string[];
  /** 0..100; orders the list. */
  attention: number;
  lag_ms: number;
  degraded: boolean;
  /** Stages of `service.degraded` that hold, the worst last. */
  impaired?: string[];
  paused: boolean;
  updated_at: string;
}

export interface FloorSnapshot {
  type: "floor.snapshot";
  calls: FloorCall[];
}
export interface FloorUpdated {
  type: "floor.updated";
  call: FloorCall;
}
export interface FloorRemoved {
  type: "floor.removed";
  call_id: string;
  reason: string;
}
export interface FloorAlert {
  type: "floor.alert";
  call_id: string;
  code: string;
  headline: string;
}

export type FloorMessage = FloorSnapshot | FloorUpdated | FloorRemoved | FloorAlert;

export type ServerMessage = Reply | CallMessage | FloorMessage;

/** True for messages that carry a sequence number of a call. */
export function isCallMessage(message: { type: string }): message is CallMessage {
  return "seq" in message && "call_id" in message;
}
