import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

import { CallStream, CallViewer, decodeFrame, FloorViewer, Link, Sequence, type CallMessage, type LinkStatus } from "../src/index.js";
import { FakeNetwork } from "./fakes.js";

const ASYNCAPI = fileURLToPath(new URL("../../schema/asyncapi.json", import.meta.url));

/** The close codes a server may use after which coming back helps, or does not. */
function published(retry: boolean): number[] {
  const codes = (JSON.parse(readFileSync(ASYNCAPI, "utf8")) as { "x-close-codes": { code: number; retry: boolean }[] })["x-close-codes"];
  return codes.filter((each) => each.retry === retry).map((each) => each.code);
}

function linked(network: FakeNetwork, more: object = {}) {
  const states: LinkStatus[] = [];
  const heard: { type: string }[] = [];
  let opened = 0;
  const link = new Link({ ...network.link, url: () => "ws://h/x", onOpen: () => (opened += 1), onMessage: (message) => heard.push(message), onStatus: (status) => states.push(status), ...more });
  link.open();
  return { link, states, heard, opened: () => opened };
}

describe("the link", () => {
  it("offers the protocol, and the token only when there is one", () => {
    const network = new FakeNetwork();
    linked(network);
    linked(network, { token: "abc" });
    expect(network.sockets.map((socket) => socket.protocols)).toEqual([["copilot.v1"], ["copilot.v1", "bearer.abc"]]);
  });

  it("comes back after ever longer delays, up to a limit", () => {
    const network = new FakeNetwork();
    const { states } = linked(network);
    for (let round = 0; round < 7; round += 1) {
      network.last.drop();
      network.pass(10_000);
    }
    expect(states.filter((each) => each.state === "waiting").map((each) => each.retryInMs)).toEqual([300, 600, 1200, 2400, 4800, 8000, 8000]);
    expect(network.sockets).toHaveLength(8);
  });

  it("starts over with short delays once it has been spoken to", () => {
    const network = new FakeNetwork();
    const { link } = linked(network);
    network.last.drop();
    network.pass(300);
    network.last.accept();
    expect(link.status).toMatchObject({ state: "open", attempt: 1 });
    network.last.deliver({ type: "pong" });
    network.last.drop();
    expect(link.status).toMatchObject({ state: "waiting", attempt: 1, retryInMs: 300 });
  });

  it.each([...published(false), 4999])("stays away after close code %i", (code) => {
    const network = new FakeNetwork();
    const { link } = linked(network);
    network.last.accept();
    network.last.drop(code);
    network.pass(60_000);
    expect(link.status).toMatchObject({ state: "closed", code });
    expect(network.sockets).toHaveLength(1);
  });

  it.each(published(true))("comes back after close code %i", (code) => {
    const network = new FakeNetwork();
    linked(network);
    network.last.accept();
    network.last.drop(code);
    network.pass(60_000);
    expect(network.sockets.length).toBeGreaterThan(1);
  });

  it("says why the server refused, in the server's words", () => {
    const network = new FakeNetwork();
    const { link, states } = linked(network);
    const said = { type: "error", code: "playbook.invalid", message: "'销售' is not one of info, sop", retryable: false, hint: "" };
    network.last.accept();
    network.last.deliver(said);
    network.last.drop(4422, "playbook.invalid");
    network.pass(60_000);
    expect(link.status).toMatchObject({ state: "closed", code: 4422, error: said });
    expect(states.filter((each) => each.error)).toHaveLength(1);
    expect(network.sockets).toHaveLength(1);
  });

  it("does not take an earlier complaint for the reason of a close", () => {
    const network = new FakeNetwork();
    const { link } = linked(network);
    network.last.accept();
    network.last.deliver({ type: "error", code: "rate.exceeded", message: "", retryable: true, hint: "" });
    network.last.drop(4409, "call.superseded");
    expect(link.status).toMatchObject({ state: "closed", reason: "call.superseded", error: null });
  });

  it("asks why it was refused at the door, and stays away when that is for good", async () => {
    const network = new FakeNetwork();
    const error = { type: "error", code: "auth.invalid", message: "unknown", retryable: false, hint: "" };
    let answer: object | null = null;
    const { link } = linked(network, { refusal: () => Promise.resolve(answer) });
    network.last.drop();
    await Promise.resolve();
    expect(link.status).toMatchObject({ state: "waiting", error: null });
    network.pass(300);
    answer = { code: 4401, error };
    network.last.drop();
    await Promise.resolve();
    expect(link.status).toMatchObject({ state: "closed", code: 4401, reason: "auth.invalid", error });
    network.pass(60_000);
    expect(network.sockets).toHaveLength(2);
  });

  it("asks a silent connection and leaves it when it does not answer", () => {
    const network = new FakeNetwork();
    const { link } = linked(network);
    const silent = network.last;
    silent.accept();
    network.pass(10_000);
    expect(silent.messages).toEqual([{ type: "ping" }]);
    network.pass(9_999);
    expect(link.status.state).toBe("open");
    network.pass(1);
    expect(silent.isClosed).toBe(true);
    expect(link.status.state).toBe("waiting");
  });

  it("keeps a connection that answers", () => {
    const network = new FakeNetwork();
    const { link } = linked(network);
    network.last.accept();
    for (let round = 0; round < 5; round += 1) {
      network.pass(10_000);
      network.last.deliver({ type: "pong" });
    }
    expect(link.status.state).toBe("open");
    expect(network.sockets).toHaveLength(1);
  });

  it("hears nothing more from a connection it has left", () => {
    const network = new FakeNetwork();
    const { link, heard, states } = linked(network);
    const old = network.last;
    old.accept();
    link.restart();
    old.deliver({ type: "pong" });
    old.drop();
    expect(heard).toEqual([]);
    expect(states.at(-1)!.state).toBe("connecting");
  });

  it("sends only while open", () => {
    const network = new FakeNetwork();
    const { link } = linked(network);
    expect(link.send({ type: "ping" })).toBe(false);
    network.last.accept();
    expect(link.send({ type: "ping" })).toBe(true);
    link.close();
    expect(link.send({ type: "ping" })).toBe(false);
    expect(network.last.messages).toHaveLength(1);
  });

  it("closes once, whoever asks", () => {
    const network = new FakeNetwork();
    const { link, states } = linked(network);
    link.close();
    link.close();
    expect(states.filter((each) => each.state === "closed")).toHaveLength(1);
  });

  it("ignores what is not a message", () => {
    const network = new FakeNetwork();
    const { heard } = linked(network);
    network.last.accept();
    network.last.onmessage?.({ data: new ArrayBuffer(4) });
    network.last.deliver([1], { no: "type" });
    expect(heard).toEqual([]);
  });
});

describe("the order of events", () => {
  it("takes each once, asks once for a hole, and skips what is kept from it", () => {
    const sequence = new Sequence();
    expect([1, 1, 2].map((seq) => sequence.judge(seq))).toEqual(["take", "duplicate", "take"]);
    expect(sequence.judge(5)).toBe("ask_again");
    expect(sequence.last).toBe(2);
    expect(sequence.judge(5)).toBe("take");
    expect(sequence.judge(8)).toBe("ask_again");
  });
});

describe("viewers", () => {
  const event = (seq: number, type = "mark.set") => ({ type, seq, call_id: "c1", pos_ms: seq });

  function viewing(network: FakeNetwork, after = 0) {
    const seen: number[] = [];
    const batches: number[] = [];
    const viewer = new CallViewer({
      callId: "c 1", after, baseUrl: "https://h", link: network.link,
      onEvents: (events: CallMessage[]) => {
        batches.push(events.length);
        seen.push(...events.map((each) => each.seq));
      },
    }).open();
    network.last.accept();
    return { viewer, seen, batches };
  }

  it("hear events in batches, in order and once", () => {
    const network = new FakeNetwork();
    const { seen, batches } = viewing(network);
    network.last.deliver(event(1), event(2), event(2), event(3));
    expect(seen).toEqual([]);
    network.pass(20);
    expect([seen, batches]).toEqual([[1, 2, 3], [3]]);
    expect(network.last.url).toBe("wss://h/v1/calls/c%201/events?after=0");
  });

  it("ask again from where a hole begins", () => {
    const network = new FakeNetwork();
    const { seen } = viewing(network);
    network.last.deliver(event(1), event(3));
    expect(network.last.url).toContain("after=1");
    network.last.accept();
    network.last.deliver(event(2), event(3));
    network.pass(20);
    expect(seen).toEqual([1, 2, 3]);
    expect(network.sockets).toHaveLength(2);
  });

  it("go on where they were after a lost connection", () => {
    const network = new FakeNetwork();
    const { seen } = viewing(network, 7);
    network.last.deliver(event(8));
    network.last.drop();
    network.pass(1000);
    expect(network.last.url).toContain("after=8");
    network.last.accept();
    network.last.deliver(event(9));
    network.pass(20);
    expect(seen).toEqual([8, 9]);
  });

  it("leave after the last event", () => {
    const network = new FakeNetwork();
    const { viewer, seen } = viewing(network);
    network.last.deliver(event(1), event(2, "call.ended"));
    network.last.drop(1000);
    network.pass(60_000);
    expect(seen).toEqual([1, 2]);
    expect(viewer.link.status.state).toBe("closed");
    expect(network.sockets).toHaveLength(1);
  });

  it("of the floor tell floor messages from replies", () => {
    const network = new FakeNetwork();
    const floor: string[] = [];
    const replies: string[] = [];
    new FloorViewer({ baseUrl: "http://h", link: network.link, onMessage: (message) => floor.push(message.type), onReply: (reply) => replies.push(reply.type) }).open();
    network.last.deliver({ type: "floor.snapshot", calls: [] }, { type: "pong" });
    expect([floor, replies, network.last.url]).toEqual([["floor.snapshot"], ["pong"], "ws://h/v1/floor"]);
  });
});

describe("a streamed call", () => {
  const started = (expect = 0) => ({ type: "call.started", call_id: "c1", resume_token: "t", epoch: 1, expect });

  it("survives a lost connection without losing a sample", () => {
    const network = new FakeNetwork();
    const resumed: boolean[] = [];
    const call = new CallStream({ sampleRate: 16_000, baseUrl: "http://h", link: network.link, onStarted: (_, again) => resumed.push(again) }).open();
    network.last.accept();
    network.last.deliver(started());
    call.sendAudio(new Uint8Array(2560));
    network.last.drop();
    call.sendAudio(new Uint8Array(2560));
    network.pass(1000);
    expect(network.last.url).toBe("ws://h/v1/stream?call_id=c1");
    network.last.accept();
    network.last.deliver(started(640));
    call.sendAudio(new Uint8Array(2560));
    expect(resumed).toEqual([false, true]);
    expect(network.last.frames.map((frame) => decodeFrame(frame).offset)).toEqual([640, 1280]);
  });

  it("ends when the server says so", () => {
    const network = new FakeNetwork();
    const events: string[] = [];
    const call = new CallStream({ sampleRate: 16_000, baseUrl: "http://h", link: network.link, onEvent: (event) => events.push(event.type) }).open();
    network.last.accept();
    network.last.deliver(started());
    call.pause("pci");
    call.resume();
    call.end();
    expect(network.last.messages.map((message) => message.type)).toEqual(["call.start", "call.pause", "call.resume", "call.end"]);
    network.last.deliver({ type: "call.ended", seq: 1, call_id: "c1", pos_ms: 0 });
    expect(events).toEqual(["call.ended"]);
    expect(call.link.status.state).toBe("closed");
  });
});
