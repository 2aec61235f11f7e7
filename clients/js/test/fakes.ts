/** A network and a clock that the test drives. */

import type { Socket } from "../src/index.js";

export class FakeSocket implements Socket {
  binaryType = "";
  bufferedAmount = 0;
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  readonly sent: (string | Uint8Array)[] = [];
  isClosed = false;

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {}

  send(data: string | Uint8Array): void {
    this.sent.push(data);
  }
  close(): void {
    this.isClosed = true;
  }

  // what the server does
  accept(): void {
    this.onopen?.(undefined as never);
  }
  deliver(...messages: object[]): void {
    for (const message of messages) this.onmessage?.({ data: JSON.stringify(message) });
  }
  drop(code = 1006, reason = ""): void {
    this.onclose?.({ code, reason });
  }

  get messages(): { type: string; [key: string]: unknown }[] {
    return this.sent.filter((data) => typeof data === "string").map((data) => JSON.parse(data));
  }
  get frames(): Uint8Array[] {
    return this.sent.filter((data) => typeof data !== "string");
  }
}

export class FakeNetwork {
  readonly sockets: FakeSocket[] = [];
  private now = 0;
  private tasks: { at: number; task: () => void }[] = [];

  connect = (url: string, protocols: string[]): Socket => {
    const socket = new FakeSocket(url, protocols);
    this.sockets.push(socket);
    return socket;
  };

  schedule = (task: () => void, delayMs: number): (() => void) => {
    const entry = { at: this.now + delayMs, task };
    this.tasks.push(entry);
    return () => {
      this.tasks = this.tasks.filter((each) => each !== entry);
    };
  };

  /** Let time pass; tasks that fall due run in order, also those scheduled on the way. */
  pass(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const next = this.tasks.filter((each) => each.at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.tasks = this.tasks.filter((each) => each !== next);
      this.now = next.at;
      next.task();
    }
    this.now = until;
  }

  get last(): FakeSocket {
    return this.sockets.at(-1)!;
  }

  get link() {
    return { connect: this.connect, schedule: this.schedule, random: () => 1 };
  }
}
