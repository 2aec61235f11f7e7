/** One WebSocket that comes back: exponential delays with jitter, a heartbeat, and close codes that mean "do not". */

import { SUBPROTOCOL, type ErrorReply } from "./messages.js";

export type LinkState = "connecting" | "open" | "waiting" | "closed";

export interface LinkStatus {
  state: LinkState;
  /** Connections that have failed in a row. */
  attempt: number;
  /** Milliseconds until the next attempt, while `waiting`. */
  retryInMs: number;
  /** Close code and reason of the last connection, when there was one. */
  code: number;
  reason: string;
  /** Why the server closed the last connection, when it said so. With `closed`: coming back would not help. */
  error: ErrorReply | null;
}

/** The part of the browser's WebSocket that is used, so that tests and Node can bring their own. */
export interface Socket {
  binaryType: string;
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

/** Why coming back would not help, with the close code that says the same. */
export interface Refusal {
  code: number;
  error: ErrorReply;
}

export interface LinkOptions {
  /** Asked for each connection, so that it can carry where to go on. */
  url: () => string;
  token?: string | undefined;
  connect?: (url: string, protocols: string[]) => Socket;
  /** Runs `task` after `delayMs`; answers how to cancel it. */
  schedule?: (task: () => void, delayMs: number) => () => void;
  random?: () => number;
  firstDelayMs?: number;
  maxDelayMs?: number;
  heartbeatMs?: number;
  /** Asked when a connection was refused before it opened, which hides why: the answer, or null to try again. */
  refusal?: () => Promise<Refusal | null>;
  onOpen: () => void;
  onMessage: (message: { type: string }) => void;
  onStatus?: (status: LinkStatus) => void;
}

/** Coming back may help after these, and after no other: who is to blame has to change something first. */
const RETRY_CODES = new Set([1001, 1005, 1006, 1011, 1012, 1013, 4408, 4413, 4429, 4503]);
export const CLOSED_BY_US = 1000;
const SILENT = 4000;

export class Link {
  status: LinkStatus = { state: "closed", attempt: 0, retryInMs: 0, code: 0, reason: "", error: null };
  private said: ErrorReply | null = null;
  private socket: Socket | null = null;
  private cancelRetry: (() => void) | null = null;
  private cancelBeat: (() => void) | null = null;
  private heardSinceBeat = true;
  private readonly options: Required<Omit<LinkOptions, "token">> & { token: string | undefined };

  constructor(options: LinkOptions) {
    this.options = {
      connect: (url, protocols) => new WebSocket(url, protocols) as unknown as Socket,
      schedule: (task, delayMs) => {
        const timer = setTimeout(task, delayMs);
        return () => clearTimeout(timer);
      },
      random: Math.random,
      firstDelayMs: 300,
      maxDelayMs: 8000,
      heartbeatMs: 10_000,
      refusal: () => Promise.resolve(null),
      onStatus: () => {},
      ...options,
      token: options.token,
    };
  }

  /** Bytes handed over but not yet on the wire. */
  get bufferedBytes(): number {
    return this.socket?.bufferedAmount ?? 0;
  }

  /** Connect now, also when a later attempt was planned. */
  open(): void {
    this.drop();
    this.report("connecting");
    const { token, url, connect } = this.options;
    const socket = connect(url(), token ? [SUBPROTOCOL, `bearer.${token}`] : [SUBPROTOCOL]);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => {
      this.heardSinceBeat = true;
      this.report("open");
      this.beat();
      this.options.onOpen();
    };
    socket.onmessage = ({ data }) => this.hear(data);
    socket.onclose = ({ code, reason }) => this.lost(code, reason);
  }

  /** Send when open; answers whether it was handed over. */
  send(message: object): boolean {
    if (this.status.state !== "open" || !this.socket) return false;
    this.socket.send(message instanceof Uint8Array ? (message as Uint8Array<ArrayBuffer>) : JSON.stringify(message));
    return true;
  }

  /** Leave this connection and come back at once, for instance to hear again what was missed. */
  restart(): void {
    this.open();
  }

  /** Leave for good. */
  close(code = CLOSED_BY_US, reason = ""): void {
    if (this.status.state === "closed") return;
    this.drop();
    this.report("closed", { code, reason });
  }

  private hear(data: unknown): void {
    this.heardSinceBeat = true;
    if (this.status.attempt > 0) this.status = { ...this.status, attempt: 0 };
    if (typeof data !== "string") return;
    const message: unknown = JSON.parse(data);
    if (!message || typeof message !== "object" || !("type" in message)) return;
    if (message.type === "error") this.said = message as ErrorReply;
    this.options.onMessage(message as { type: string });
  }

  private lost(code: number, reason: string): void {
    const error = this.said?.code === reason ? this.said : null;
    const hasOpened = this.status.state === "open";
    this.drop();
    if (!RETRY_CODES.has(code)) return this.report("closed", { code, reason, error });
    const attempt = this.status.attempt + 1;
    const ceiling = Math.min(this.options.maxDelayMs, this.options.firstDelayMs * 2 ** (attempt - 1));
    const retryInMs = Math.round(ceiling * (0.5 + this.options.random() / 2));
    this.report("waiting", { attempt, retryInMs, code, reason, error });
    this.cancelRetry = this.options.schedule(() => this.open(), retryInMs);
    if (!hasOpened) void this.options.refusal().then((refused) => refused && this.refuse(refused));
  }

  private refuse({ code, error }: Refusal): void {
    if (this.status.state !== "waiting" && this.status.state !== "connecting") return;
    this.drop();
    this.report("closed", { code, reason: error.code, error });
  }

  /** A connection that says nothing through a whole heartbeat after being asked is dead, whatever TCP believes. */
  private beat(): void {
    this.cancelBeat = this.options.schedule(() => {
      if (!this.heardSinceBeat) {
        this.socket?.close(SILENT, "no answer");
        return this.lost(1006, "no answer");
      }
      this.heardSinceBeat = false;
      this.send({ type: "ping" });
      this.beat();
    }, this.options.heartbeatMs);
  }

  private drop(): void {
    this.cancelRetry?.();
    this.cancelBeat?.();
    this.cancelRetry = this.cancelBeat = null;
    const socket = this.socket;
    this.socket = this.said = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  private report(state: LinkState, more: Partial<LinkStatus> = {}): void {
    this.status = { ...this.status, retryInMs: 0, error: null, ...more, state };
    this.options.onStatus(this.status);
  }
}
