import { describe, expect, it } from "vitest";

import { AudioRing, decodeFrame, encodeFrame, HEADER_BYTES, Uplink, type CallStarted, type Outgoing } from "../src/index.js";

const bytes = (...values: number[]) => Uint8Array.from(values);

describe("frames", () => {
  it("carry version, type, epoch and sample offset, big-endian", () => {
    const frame = encodeFrame({ epoch: 0x01020304, offset: 0x0a0b0c0d0e, payload: bytes(7, 8) });
    expect([...frame]).toEqual([1, 1, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 7, 8]);
  });

  it("come back as they were", () => {
    for (const offset of [0, 1, 640, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      const frame = { epoch: 3, offset, payload: bytes(1, 2, 3, 4) };
      expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
    }
  });

  it("refuse what is not one", () => {
    const good = encodeFrame({ epoch: 0, offset: 0, payload: bytes() });
    const with_ = (at: number, value: number) => good.map((byte, index) => (index === at ? value : byte));
    expect(() => decodeFrame(good.subarray(0, HEADER_BYTES - 1))).toThrow("16 bytes");
    expect(() => decodeFrame(with_(0, 2))).toThrow("version 2");
    expect(() => decodeFrame(with_(1, 9))).toThrow("type 9");
    expect(() => decodeFrame(with_(8, 0xff))).toThrow("out of range");
    expect(() => encodeFrame({ epoch: 0, offset: -1, payload: bytes() })).toThrow(RangeError);
    expect(() => encodeFrame({ epoch: 0, offset: 0.5, payload: bytes() })).toThrow(RangeError);
  });
});

describe("the ring", () => {
  const samples = (from: number, count: number) => Uint8Array.from({ length: count * 4 }, (_, at) => (from + Math.floor(at / 4)) % 256);

  it("addresses samples by offset and gives back exactly what is asked for", () => {
    const ring = new AudioRing(4);
    ring.push(samples(0, 10));
    ring.push(samples(10, 10));
    ring.push(samples(20, 10));
    expect(ring.from(5, 10)).toEqual([
      { offset: 5, payload: samples(5, 5) },
      { offset: 10, payload: samples(10, 5) },
    ]);
    expect(ring.from(30)).toEqual([]);
  });

  it("forgets whole stretches that are safe, and no sample more", () => {
    const ring = new AudioRing(4);
    ring.push(samples(0, 10));
    ring.push(samples(10, 10));
    ring.forget(15);
    expect([ring.start, ring.end, ring.size]).toEqual([10, 20, 40]);
    expect(ring.from(0).map((stretch) => stretch.offset)).toEqual([10]);
  });

  it("drops the oldest when an outage lasts too long", () => {
    const ring = new AudioRing(4, 100);
    for (let at = 0; at < 100; at += 10) ring.push(samples(at, 10));
    expect(ring.size).toBeLessThanOrEqual(100);
    expect(ring.end).toBe(100);
    expect(ring.from(0)[0]!.offset).toBe(ring.start);
    expect(ring.start).toBe(80);
  });

  it("holds every pushed sample once, for any sizes and any acknowledgements", () => {
    let seed = 7;
    const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
    for (let round = 0; round < 200; round += 1) {
      const ring = new AudioRing(4);
      let [end, safe] = [0, 0];
      for (let turn = 0; turn < 20; turn += 1) {
        const count = random(30);
        ring.push(samples(end, count));
        end += count;
        safe = Math.max(safe, random(end + 1));
        ring.forget(safe);
        const from = safe + random(end - safe + 1);
        const held = ring.from(from).flatMap((stretch) => [...stretch.payload]);
        expect(held).toEqual([...samples(from, end - from)]);
      }
    }
  });

  it("takes no broken samples", () => {
    expect(() => new AudioRing(4).push(bytes(1, 2, 3))).toThrow("broken sample");
    expect(() => new AudioRing(0)).toThrow(RangeError);
  });
});

describe("the uplink", () => {
  const pcm = (count: number) => new Uint8Array(count * 4);
  const started = (expect = 0, epoch = 1): CallStarted => ({
    type: "call.started", v: 1, call_id: "c1", resume_token: "secret", epoch, expect, playbook: "p", server_time: "",
    limits: { max_frame_bytes: 262_144, max_call_s: 14_400, resume_window_s: 60 },
  });
  const shape = (out: Outgoing[]) => out.map((each) => (each instanceof Uint8Array ? [decodeFrame(each).offset, decodeFrame(each).payload.length / 4] : each.type));

  it("says what it is, and keeps audio until the server is ready", () => {
    const uplink = new Uplink({ sampleRate: 16_000, language: "zh", playbook: "p" });
    expect(uplink.connected()).toEqual([
      { type: "call.start", v: 1, media: { encoding: "pcm_s16le", sample_rate: 16_000, channels: ["rep", "customer"], framing: "v1" }, call: {}, language: "zh", playbook: "p" },
    ]);
    expect(uplink.audio(pcm(640))).toEqual([]);
    const { heard, send } = uplink.receive(started());
    expect(heard).toMatchObject({ what: "started", resumed: false });
    expect(shape(send)).toEqual([[0, 640]]);
    expect(shape(uplink.audio(pcm(320)))).toEqual([[640, 320]]);
  });

  it("takes the call up again where the server stopped hearing, under the new epoch", () => {
    const uplink = new Uplink({ sampleRate: 16_000 });
    uplink.connected();
    uplink.receive(started());
    uplink.audio(pcm(640));
    uplink.receive({ type: "mark.set", seq: 1, call_id: "c1", pos_ms: 0 } as never);
    uplink.disconnected();
    expect(uplink.audio(pcm(640))).toEqual([]);
    expect(uplink.connected()).toMatchObject([{ resume: { call_id: "c1", resume_token: "secret", last_seq: 1 } }]);
    const { heard, send } = uplink.receive(started(300, 2));
    expect(heard).toMatchObject({ what: "started", resumed: true });
    expect(shape(send)).toEqual([[300, 340], [640, 640]]);
    expect(decodeFrame(send[0] as Uint8Array).epoch).toBe(2);
  });

  it("frees what is persisted, not what is merely received", () => {
    const uplink = new Uplink({ sampleRate: 16_000 });
    uplink.connected();
    uplink.receive(started());
    uplink.audio(pcm(640));
    uplink.audio(pcm(640));
    uplink.receive({ type: "audio.ack", received: 1280, persisted: 640 } as never);
    expect(uplink.ring.start).toBe(640);
    uplink.receive({ type: "audio.ack", received: 1280, persisted: 100 } as never);
    expect([uplink.received, uplink.persisted]).toEqual([1280, 640]);
  });

  it("sends again what is missed and declares lost what is gone", () => {
    const uplink = new Uplink({ sampleRate: 16_000, ringBytes: 640 * 4 });
    uplink.connected();
    uplink.receive(started());
    uplink.audio(pcm(640));
    uplink.audio(pcm(640));
    const { send } = uplink.receive({ type: "audio.nack", offset: 100, samples: 700 } as never);
    expect(send[0]).toEqual({ type: "audio.gap", offset: 100, samples: 540 });
    expect(shape(send.slice(1))).toEqual([[640, 160]]);
  });

  it("goes on from the server's offset when it has heard more than this client holds", () => {
    const uplink = new Uplink({ sampleRate: 16_000 });
    uplink.connected();
    expect(uplink.receive(started(5000)).send).toEqual([]);
    expect(shape(uplink.audio(pcm(10)))).toEqual([[5000, 10]]);
  });

  it("says again that the call is over when the first time was lost", () => {
    const uplink = new Uplink({ sampleRate: 16_000 });
    uplink.connected();
    uplink.receive(started());
    uplink.disconnected();
    expect(uplink.end()).toEqual([]);
    uplink.connected();
    expect(shape(uplink.receive(started()).send)).toEqual(["call.end"]);
    expect(uplink.isEnding).toBe(true);
  });

  it("hands over each event once and knows the end", () => {
    const uplink = new Uplink({ sampleRate: 16_000 });
    const event = { type: "mark.set", seq: 4, call_id: "c1", pos_ms: 0 } as { type: string };
    expect(uplink.receive(event).heard.what).toBe("event");
    expect(uplink.receive(event).heard.what).toBe("nothing");
    expect(uplink.receive({ type: "weather" }).heard.what).toBe("nothing");
    expect(uplink.receive({ type: "error" }).heard.what).toBe("reply");
    const ended: { type: string } = { ...event, seq: 5, type: "call.ended" } as { type: string };
    uplink.receive(ended);
    expect(uplink.isEnding).toBe(true);
  });

  it("counts one byte per sample for G.711", () => {
    expect(new Uplink({ sampleRate: 8000, encoding: "mulaw" }).ring.bytesPerSample).toBe(2);
    expect(new Uplink({ sampleRate: 8000, encoding: "alaw", channels: ["rep"] }).ring.bytesPerSample).toBe(1);
  });
});
