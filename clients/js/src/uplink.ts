/**
 * The client's half of `/v1/stream` without any socket: messages in, messages and frames out.
 *
 * Sample offsets are the truth. The server says what it expects; what lies before is never sent again, what is still
 * held is sent from there, and what was lost is declared as a gap.
 */

import { encodeFrame } from "./frames.js";
import {
  VERSION,
  type AudioAck,
  type AudioGap,
  type AudioNack,
  type CallEnd,
  type CallHeader,
  type CallMessage,
  type CallOutcome,
  type CallStart,
  type CallStarted,
  type ClientMessage,
  type Encoding,
  type Language,
  type Reply,
  type Speaker,
  isCallMessage,
} from "./messages.js";
import { AudioRing } from "./ring.js";

export interface CallOptions {
  sampleRate: number;
  encoding?: Encoding;
  channels?: Speaker[];
  call?: CallHeader;
  language?: Language;
  playbook?: string;
  /** Most audio kept for sending again, in bytes. */
  ringBytes?: number;
}

export type Outgoing = ClientMessage | Uint8Array<ArrayBuffer>;

/** What an arriving message means to the caller of the SDK. */
export type Heard =
  | { what: "started"; started: CallStarted; resumed: boolean }
  | { what: "event"; event: CallMessage }
  | { what: "reply"; reply: Reply }
  | { what: "nothing" };

export class Uplink {
  readonly ring: AudioRing;
  started: CallStarted | null = null;
  lastSeq = 0;
  received = 0;
  persisted = 0;
  private ready = false;
  private ending = false;
  private outcome: CallOutcome | undefined;

  constructor(private readonly options: CallOptions) {
    const width = (options.encoding ?? "pcm_s16le") === "pcm_s16le" ? 2 : 1;
    this.ring = new AudioRing(width * this.channels.length, options.ringBytes);
  }

  get channels(): Speaker[] {
    return this.options.channels ?? ["rep", "customer"];
  }

  /** The last event has been seen or asked for: a lost connection need not be taken up again. */
  get isEnding(): boolean {
    return this.ending;
  }

  /** A connection is open: say who we are, or take up the call again. */
  connected(): Outgoing[] {
    this.ready = false;
    const start: CallStart = {
      type: "call.start",
      v: VERSION,
      media: {
        encoding: this.options.encoding ?? "pcm_s16le",
        sample_rate: this.options.sampleRate,
        channels: this.channels,
        framing: "v1",
      },
      call: this.options.call ?? {},
      language: this.options.language ?? "auto",
      playbook: this.options.playbook ?? "",
    };
    if (this.started) {
      const { call_id, resume_token } = this.started;
      start.resume = { call_id, resume_token, last_seq: this.lastSeq };
    }
    return [start];
  }

  /** The connection is gone; audio is kept until the next one. */
  disconnected(): void {
    this.ready = false;
  }

  /** Samples were captured. */
  audio(payload: Uint8Array): Outgoing[] {
    const stretch = this.ring.push(payload);
    return this.ready && payload.byteLength > 0 ? [this.frame(stretch.offset, stretch.payload)] : [];
  }

  /** The call is over on our side. */
  end(outcome?: CallOutcome): Outgoing[] {
    this.ending = true;
    this.outcome = outcome;
    return this.ready ? [this.farewell()] : [];
  }

  private farewell(): CallEnd {
    return this.outcome ? { type: "call.end", outcome: this.outcome } : { type: "call.end" };
  }

  /** A message arrived. */
  receive(message: { type: string }): { heard: Heard; send: Outgoing[] } {
    if (isCallMessage(message)) return { heard: this.event(message), send: [] };
    switch (message.type) {
      case "call.started":
        return this.begin(message as CallStarted);
      case "audio.ack":
        this.acknowledge(message as AudioAck);
        break;
      case "audio.nack":
        return { heard: { what: "reply", reply: message as AudioNack }, send: this.again(message as AudioNack) };
      case "error":
      case "pong":
      case "session.draining":
        break;
      default:
        return { heard: { what: "nothing" }, send: [] };
    }
    return { heard: { what: "reply", reply: message as Reply }, send: [] };
  }

  private event(event: CallMessage): Heard {
    if (event.seq <= this.lastSeq) return { what: "nothing" };
    this.lastSeq = event.seq;
    if (event.type === "call.ended") this.ending = true;
    return { what: "event", event };
  }

  private begin(started: CallStarted): { heard: Heard; send: Outgoing[] } {
    const resumed = this.started !== null;
    this.started = started;
    this.ready = true;
    if (started.expect > this.ring.end) this.ring.restart(started.expect);
    const send: Outgoing[] = this.deliver(started.expect, Infinity);
    if (this.ending) send.push(this.farewell());
    return { heard: { what: "started", started, resumed }, send };
  }

  private acknowledge(ack: AudioAck): void {
    this.received = Math.max(this.received, ack.received);
    this.persisted = Math.max(this.persisted, ack.persisted);
    this.ring.forget(this.persisted);
  }

  private again(nack: AudioNack): Outgoing[] {
    return this.ready ? this.deliver(nack.offset, nack.samples) : [];
  }

  /** Send what is held of the stretch; what is no longer held is declared lost. */
  private deliver(offset: number, samples: number): Outgoing[] {
    const end = Math.min(offset + samples, this.ring.end);
    const send: Outgoing[] = [];
    const lost = Math.min(this.ring.start, end) - offset;
    if (lost > 0) send.push({ type: "audio.gap", offset, samples: lost } satisfies AudioGap);
    for (const stretch of this.ring.from(offset, end - offset)) send.push(this.frame(stretch.offset, stretch.payload));
    return send;
  }

  private frame(offset: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
    return encodeFrame({ epoch: this.started?.epoch ?? 0, offset, payload });
  }
}
