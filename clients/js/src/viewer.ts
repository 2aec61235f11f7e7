/** Following calls without sending audio: one call (`CallViewer`) or all of them (`FloorViewer`). */

import { Link, type LinkOptions, type LinkStatus, type Refusal } from "./link.js";
import { isCallMessage, type CallMessage, type FloorMessage, type Reply, type ViewerMessage } from "./messages.js";
import { ApiError, CopilotApi } from "./rest.js";
import { Sequence } from "./sequence.js";

export interface ServerOptions {
  /** Origin of the server, `http(s)://host`; in a browser the page's own by default. */
  baseUrl?: string | undefined;
  token?: string | undefined;
  /** For tests: sockets, timers and chance from outside. */
  link?: Partial<Pick<LinkOptions, "connect" | "schedule" | "random" | "heartbeatMs" | "firstDelayMs" | "maxDelayMs">>;
}

export function socketUrl(baseUrl: string | undefined, path: string): string {
  const url = new URL(path, baseUrl ?? globalThis.location?.origin);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** A browser hides what a server says when it refuses a socket at the door; a request to the same door is answered. */
export async function refusal(options: ServerOptions, knock: (api: CopilotApi) => Promise<unknown>): Promise<Refusal | null> {
  const api = new CopilotApi({ ...(options.baseUrl && { baseUrl: options.baseUrl }), token: () => options.token });
  try {
    await knock(api);
  } catch (error) {
    if (error instanceof ApiError && [401, 403, 404].includes(error.status)) {
      const { code, message, hint } = error;
      return { code: 4000 + error.status, error: { type: "error", code, message, hint, retryable: false } };
    }
  }
  return null;
}

/** Events are handed over once per painted frame: a late viewer hears a long call again in a few batches. */
const BATCH_MS = 16;

export interface CallViewerOptions extends ServerOptions {
  callId: string;
  /** Go on after this event. */
  after?: number;
  /** Events arrive in order and once, in batches. */
  onEvents: (events: CallMessage[]) => void;
  onReply?: (reply: Reply) => void;
  onStatus?: (status: LinkStatus) => void;
}

export class CallViewer {
  readonly link: Link;
  readonly sequence: Sequence;
  private batch: CallMessage[] = [];
  private ended = false;
  private readonly schedule: (task: () => void, delayMs: number) => unknown;

  constructor(private readonly options: CallViewerOptions) {
    this.schedule = options.link?.schedule ?? ((task, delayMs) => setTimeout(task, delayMs));
    this.sequence = new Sequence(options.after ?? 0);
    this.link = new Link({
      ...options.link,
      token: options.token,
      url: () =>
        socketUrl(options.baseUrl, `/v1/calls/${encodeURIComponent(options.callId)}/events?after=${this.sequence.last}`),
      refusal: () => refusal(options, (api) => api.call(options.callId)),
      onOpen: () => {},
      onMessage: (message) => this.receive(message),
      onStatus: (status) => options.onStatus?.(status),
    });
  }

  open(): this {
    this.link.open();
    return this;
  }

  /** Answers whether the message could be sent. */
  send(message: ViewerMessage): boolean {
    return this.link.send(message);
  }

  close(): void {
    this.link.close();
  }

  private receive(message: { type: string }): void {
    if (!isCallMessage(message)) return this.options.onReply?.(message as Reply);
    const verdict = this.sequence.judge(message.seq);
    if (verdict === "ask_again") return this.link.restart();
    if (verdict === "take") this.collect(message);
  }

  private collect(event: CallMessage): void {
    if (this.batch.push(event) === 1) this.schedule(() => this.deliver(), BATCH_MS);
    if (event.type === "call.ended") this.ended = true;
  }

  private deliver(): void {
    const events = this.batch;
    this.batch = [];
    this.options.onEvents(events);
    if (this.ended) this.link.close();
  }
}

async function mayWatch(api: CopilotApi): Promise<void> {
  if ((await api.me()).floor === false) throw new ApiError(403, "auth.forbidden", "this token may not watch the floor");
}

export interface FloorViewerOptions extends ServerOptions {
  onMessage: (message: FloorMessage) => void;
  onReply?: (reply: Reply) => void;
  onStatus?: (status: LinkStatus) => void;
}

export class FloorViewer {
  readonly link: Link;

  constructor(options: FloorViewerOptions) {
    this.link = new Link({
      ...options.link,
      token: options.token,
      url: () => socketUrl(options.baseUrl, "/v1/floor"),
      refusal: () => refusal(options, mayWatch),
      onOpen: () => {},
      onMessage: (message) =>
        message.type.startsWith("floor.")
          ? options.onMessage(message as FloorMessage)
          : options.onReply?.(message as Reply),
      onStatus: (status) => options.onStatus?.(status),
    });
  }

  open(): this {
    this.link.open();
    return this;
  }

  close(): void {
    this.link.close();
  }
}
