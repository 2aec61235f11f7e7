/** A stand-in server for looking at the screens: replays two scripted calls. Development only. */

import { readFileSync } from "node:fs";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

import type { CallMessage } from "copilot-client";
import type { Plugin } from "vite";
import { WebSocketServer, type WebSocket } from "ws";

import { EN, ending, play, ZH, type Script } from "./script.ts";

export const CSP =
  "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'";

/**
 * `/rep/<id>~45` stands still at second 45; `/rep/<id>` runs from the start in real time; `<id>-ended` is over.
 * `<id>-late`, `-busy`, `-paused`, `-told` (all with `~45`) add what happens besides.
 */
function find(id: string): { script: Script; freezeMs: number | null; isEnded: boolean } | null {
  const [name, freeze] = decodeURIComponent(id).split("~");
  const script = [EN, ZH].find((each) => name!.startsWith(each.id));
  return script ? { script, freezeMs: freeze !== undefined ? Number(freeze) * 1000 : null, isEnded: name!.endsWith("-ended") } : null;
}

const BESIDES: Record<string, object> = {
  late: { type: "service.degraded", stage: "recognition", reason: "late", lag_ms: 4200 },
  busy: { type: "service.degraded", stage: "record_only", reason: "overload", lag_ms: 9000 },
  paused: { type: "call.paused", reason: "pci" },
  told: { type: "supervisor.message", text: "Offer the instalment plan, sixty a month · 可以先报分期", sent_by: "bob" },
};

function logOf(id: string): CallMessage[] {
  const found = find(id)!;
  const log = play(found.script, new Date(Date.now() - 90_000)).map((message) => ({ ...message, call_id: id }));
  if (found.isEnded) return [...log, ending(found.script, log)];
  const besides = BESIDES[/-(\w+)~/.exec(id)?.[1] ?? ""];
  if (!besides || found.freezeMs === null) return log;
  const heard = log.filter((message) => message.pos_ms <= found.freezeMs!);
  return [...heard, { ...heard.at(-1)!, ...besides, seq: heard.length + 1 } as CallMessage];
}

const outcomes = new Map<string, string>();

function summary(script: Script, id: string, state: string, hoursAgo: number) {
  const started = new Date(Date.now() - hoursAgo * 3_600_000);
  return {
    call_id: id, external_id: "", rep_id: script.rep, customer_ref: script.customer, campaign: "autumn", direction: "outbound", language: script.language,
    playbook_id: script.playbook, started_at: started.toISOString(), ended_at: null, state, reason: state === "live" ? "" : hoursAgo > 20 ? "interrupted" : "completed",
    duration_ms: 81_000 + hoursAgo * 7000, summary: { steps_done: 9, steps: 12 }, outcome: outcomes.get(id) ?? "",
  };
}

function answer(request: IncomingMessage, response: ServerResponse): boolean {
  const url = new URL(request.url ?? "/", "http://mock");
  const json = (value: unknown, status = 200) => {
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value));
    return true;
  };
  if (!url.pathname.startsWith("/v1/")) return false;
  if (url.pathname === "/v1/me") {
    const isGuarded = process.env["COPILOT_MOCK"] === "guarded" && request.headers.authorization !== "Bearer open-sesame";
    return isGuarded ? json({ error: { code: "auth.required", message: "a token is needed" } }, 401) : json({ role: "supervisor", subject: "", auth: false, floor: true });
  }
  if (url.pathname === "/v1/playbooks") return json({ playbooks: ["outbound-en", "outbound-zh"] });
  if (url.pathname === "/v1/calls") {
    const all = [summary(EN, EN.id, "live", 0), summary(ZH, ZH.id, "live", 0), ...Array.from({ length: 9 }, (_, index) => summary(index % 3 ? EN : ZH, `${(index % 3 ? EN : ZH).id}-ended`, "ended", 1 + index * 3))];
    const wanted = url.searchParams.get("state");
    return json({ calls: all.filter((call) => !wanted || call.state === wanted), next_cursor: wanted ? null : "more" });
  }
  const [, id, rest] = /^\/v1\/calls\/([^/]+)\/?(.*)$/.exec(url.pathname) ?? [];
  const found = id ? find(id) : null;
  if (!found) return json({ error: { code: "call.unknown", message: "there is no such call" } }, 404);
  if (!rest && request.method === "PATCH") {
    request.on("data", (body: Buffer) => {
      outcomes.set(id!, (JSON.parse(String(body)) as { outcome: string }).outcome);
      json(summary(found.script, id!, "ended", 1));
    });
    return true;
  }
  if (!rest) return json({ outcomes: ["won", "lost", "follow_up"], ...summary(found.script, id!, found.isEnded ? "ended" : "live", 1) });
  if (rest === "events-log") return json(logOf(id!).filter((message) => message.seq > Number(url.searchParams.get("after") ?? 0)));
  if (rest === "report") return json(JSON.parse(readFileSync(new URL(`./report-${found.script.language}.json`, import.meta.url), "utf8")));
  if (rest === "audio") return audio(request, response);
  return json({ error: { code: "not_found", message: "not here" } }, 404);
}

/** Ninety seconds of a faint tone, so that the player has something to play. */
function audio(request: IncomingMessage, response: ServerResponse): true {
  const rate = 8000;
  const samples = rate * 84;
  const wav = Buffer.alloc(44 + samples * 2);
  wav.write("RIFF", 0).toString();
  wav.writeUInt32LE(36 + samples * 2, 4);
  wav.write("WAVEfmt ", 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(rate, 24);
  wav.writeUInt32LE(rate * 2, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write("data", 36);
  wav.writeUInt32LE(samples * 2, 40);
  for (let at = 0; at < samples; at += 1) wav.writeInt16LE(Math.round(300 * Math.sin(at / 6)), 44 + at * 2);
  const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
  response.writeHead(request.headers.range ? 206 : 200, {
    "Content-Type": "audio/wav",
    "Accept-Ranges": "bytes",
    "Content-Range": `bytes ${from}-${wav.length - 1}/${wav.length}`,
    "Content-Length": wav.length - from,
  });
  response.end(wav.subarray(from));
  return true;
}

function events(socket: WebSocket, id: string, after: number): void {
  const found = find(id);
  if (!found) return socket.close(4404, "unknown call");
  const timers: NodeJS.Timeout[] = [];
  const log = logOf(id).filter((message) => message.seq > after);
  const send = (message: object) => socket.send(JSON.stringify(message));
  for (const message of log) {
    const due = found.isEnded || found.freezeMs !== null ? 0 : message.pos_ms;
    if (found.freezeMs !== null && message.pos_ms > found.freezeMs) continue;
    timers.push(setTimeout(() => send(message), due));
  }
  socket.on("message", (data) => {
    const message = JSON.parse(String(data)) as { type: string };
    if (message.type === "ping") send({ type: "pong", t: null });
  });
  socket.on("close", () => timers.forEach(clearTimeout));
}

function floor(socket: WebSocket): void {
  const line = (script: Script, id: string, attention: number, more: object) => ({
    call_id: id, rep_id: script.rep, customer_ref: script.customer, started_at: new Date(Date.now() - 60_000).toISOString(), playbook: script.playbook, stage: "objection",
    pos_ms: 61_000, last_line: script.turns.at(-3)!.text, last_speaker: script.turns.at(-3)!.who, talk_ratio: 0.62, steps_done: 7, steps: 12, open_cards: [], reasons: [], attention,
    lag_ms: 420, degraded: false, paused: false, updated_at: new Date().toISOString(), ...more,
  });
  const calls = [
    line(EN, `${EN.id}~64`, 92, { reasons: ["card:compliance.forbidden", "card:objection.price", "step:needs.budget"], talk_ratio: 0.68 }),
    line(ZH, `${ZH.id}~41`, 41, { rep_id: "wangli", reasons: ["card:objection.price", "metric:talk_ratio", "service:recognition"], stage: "objection", lag_ms: 2600, degraded: true, impaired: ["recognition"] }),
    line(EN, `${EN.id}-b~20`, 12, { rep_id: "priya", customer_ref: "Mr Okafor", stage: "rapport", steps_done: 3, talk_ratio: 0.48, last_line: "We did, the tomatoes were wonderful." }),
    line(EN, `${EN.id}-c~10`, 0, { rep_id: "tomasz", customer_ref: "Dr Silva", stage: "opening", steps_done: 1, paused: true, last_line: "Two minutes, yes." }),
  ];
  const send = (message: object) => socket.send(JSON.stringify(message));
  send({ type: "floor.snapshot", calls });
  send({ type: "floor.alert", call_id: `${ZH.id}~41`, code: "service.record_only", headline: "record_only" });
  send({ type: "floor.alert", call_id: `${EN.id}~64`, code: "compliance.forbidden", headline: "Do not promise: correct it now" });
  let tick = 0;
  const timer = setInterval(() => {
    tick += 1;
    calls.slice(0, 3).forEach((call) => send({ type: "floor.updated", call: { ...call, pos_ms: call.pos_ms + tick * 2000 } }));
  }, 2000);
  socket.on("close", () => clearInterval(timer));
}

/** Takes audio, acknowledges it, and answers with the English script, in step with the samples. */
function stream(socket: WebSocket): void {
  let log: CallMessage[] = [];
  let received = 0;
  let rate = 16_000;
  const send = (message: object) => socket.send(JSON.stringify(message));
  socket.on("message", (data: Buffer, isBinary) => {
    if (isBinary) {
      received = Number(data.readBigUInt64BE(8)) + (data.length - 16) / 4;
      send({ type: "audio.ack", received, persisted: Math.max(0, received - rate / 2) });
      while (log[0] && log[0].pos_ms <= (received * 1000) / rate) send(log.shift()!);
      return;
    }
    const message = JSON.parse(String(data)) as { type: string; media?: { sample_rate: number } };
    if (message.type === "ping") send({ type: "pong", t: null });
    if (message.type === "call.start") {
      rate = message.media?.sample_rate ?? rate;
      log = logOf(EN.id);
      send({ type: "call.started", v: 1, call_id: EN.id, resume_token: "t", epoch: 1, expect: received, limits: { max_frame_bytes: 262144, max_call_s: 14400, resume_window_s: 60 }, playbook: EN.playbook, server_time: new Date().toISOString() });
    }
    if (message.type === "call.end") {
      send({ ...ending(EN, logOf(EN.id)), seq: 100_000 });
      socket.close(1000, "call.ended");
    }
  });
}

function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, sockets: WebSocketServer): void {
  const url = new URL(request.url ?? "/", "http://mock");
  if (!url.pathname.startsWith("/v1/")) return;
  sockets.handleUpgrade(request, socket, head, (client) => {
    const call = /^\/v1\/calls\/([^/]+)\/events$/.exec(url.pathname);
    if (call) events(client, call[1]!, Number(url.searchParams.get("after") ?? 0));
    else if (url.pathname === "/v1/floor") floor(client);
    else stream(client);
  });
}

interface Host {
  httpServer: unknown;
  middlewares: { use(handle: (request: IncomingMessage, response: ServerResponse, next: () => void) => void): void };
}

export function mock(): Plugin {
  const install = (host: Host, csp: string | null) => {
    const sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => (offered.has("copilot.v1") ? "copilot.v1" : false) });
    (host.httpServer as Server | null)?.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => upgrade(request, socket, head, sockets));
    host.middlewares.use((request, response, next) => {
      if (csp) response.setHeader("Content-Security-Policy", csp);
      if (!answer(request, response)) next();
    });
  };
  return { name: "copilot-mock", configureServer: (server) => install(server, null), configurePreviewServer: (server) => install(server, CSP) };
}
