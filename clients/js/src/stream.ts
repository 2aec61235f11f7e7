/** A call as a softphone sends it: audio up, this call's events down, taken up again when the connection drops. */

import { Link, type LinkStatus } from "./link.js";
import type { CallMessage, CallOutcome, CallStarted, ClientMessage, PauseReason, Reply } from "./messages.js";
import { Uplink, type CallOptions, type Outgoing } from "./uplink.js";
import { refusal, socketUrl, type ServerOptions } from "./viewer.js";

export interface CallStreamOptions extends CallOptions, ServerOptions {
  onStarted?: (started: CallStarted, resumed: boolean) => void;
  onEvent?: (event: CallMessage) => void;
  onReply?: (reply: Reply) => void;
  onStatus?: (status: LinkStatus) => void;
}

/**
 *     const call = new CallStream({ sampleRate: 16000, onEvent: show }).open();
 *     microphone.onframe = (pcm) => call.sendAudio(pcm);
 *     ...
 *     call.end();
 */
export class CallStream {
  readonly uplink: Uplink;
  readonly link: Link;

  constructor(private readonly options: CallStreamOptions) {
    this.uplink = new Uplink(options);
    this.link = new Link({
      ...options.link,
      token: options.token,
      url: () => socketUrl(options.baseUrl, this.callId ? `/v1/stream?call_id=${this.callId}` : "/v1/stream"),
      refusal: () => refusal(options, (api) => api.me()),
      onOpen: () => this.sendAll(this.uplink.connected()),
      onMessage: (message) => this.receive(message),
      onStatus: (status) => this.report(status),
    });
  }

  open(): this {
    this.link.open();
    return this;
  }

  get callId(): string {
    return this.uplink.started?.call_id ?? "";
  }

  /** Whole interleaved samples in the declared encoding. Kept until the server has stored them. */
  sendAudio(payload: Uint8Array): void {
    this.sendAll(this.uplink.audio(payload));
  }

  send(message: ClientMessage): boolean {
    return this.link.send(message);
  }

  pause(reason: PauseReason = "hold"): boolean {
    return this.send({ type: "call.pause", reason });
  }

  resume(): boolean {
    return this.send({ type: "call.resume" });
  }

  /** Say that the call is over and what became of it; `call.ended` follows and the connection closes. */
  end(outcome?: CallOutcome): void {
    this.sendAll(this.uplink.end(outcome));
  }

  /** Leave without a word; the server waits for us for a while. */
  close(): void {
    this.link.close();
  }

  private receive(message: { type: string }): void {
    const { heard, send } = this.uplink.receive(message);
    this.sendAll(send);
    if (heard.what === "started") this.options.onStarted?.(heard.started, heard.resumed);
    else if (heard.what === "event") {
      this.options.onEvent?.(heard.event);
      if (heard.event.type === "call.ended") this.link.close();
    } else if (heard.what === "reply") this.options.onReply?.(heard.reply);
  }

  private report(status: LinkStatus): void {
    if (status.state !== "open") this.uplink.disconnected();
    this.options.onStatus?.(status);
  }

  private sendAll(messages: Outgoing[]): void {
    for (const message of messages) this.link.send(message);
  }
}
