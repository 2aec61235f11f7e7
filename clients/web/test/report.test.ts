import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { en } from "../src/i18n/en";
import { zh } from "../src/i18n/zh";
import { age, clock, percent, seconds } from "../src/state/clock";
import { wordsFor } from "../src/state/labels";
import { legs, measured, type Measure, type Report } from "../src/state/report";
import { LEDGER } from "./builders";

const measure = (unit: Measure["unit"], value: number | null): Measure => ({ name: "x", unit, kind: "ratio", numerator: 0, denominator: 0, value, attention: "none" });

describe("numbers as people read them", () => {
  it("writes media time", () => {
    expect([0, 999, 65_000, 3_723_000].map(clock)).toEqual(["0:00", "0:00", "1:05", "1:02:03"]);
    expect(seconds(820)).toBe("0.8 s");
    expect(seconds(12_400)).toBe("12 s");
    expect(seconds(820, "秒")).toBe("0.8 秒");
    expect([-5, 2999, 3000, 59_999, 60_000, 185_000].map(age)).toEqual([
      { unit: "now", n: 0 },
      { unit: "now", n: 2 },
      { unit: "s", n: 3 },
      { unit: "s", n: 59 },
      { unit: "min", n: 1 },
      { unit: "min", n: 3 },
    ]);
    expect(percent(0.666)).toBe("67 %");
  });

  it("writes measures with their unit, and a dash for nothing measured", () => {
    expect(measured(measure("share", 0.5), {})).toBe("50 %");
    expect(measured(measure("ms", 9100), {})).toBe("9.1 s");
    expect(measured(measure("ms", 61_000), {})).toBe("61 s");
    expect(measured(measure("ms", 9100), { s: "秒" })).toBe("9.1 秒");
    expect(measured(measure("count", 3), {})).toBe("3");
    expect(measured(measure("per_min", 1.25), { per_min: "per min" })).toBe("1.3 per min");
    expect(measured(measure("share", null), {})).toBe("–");
  });

  it("takes a ledger apart, leaving out what was never reported", () => {
    const parts = legs({ ...LEDGER, rendered: 1400 });
    expect(parts.map((leg) => [leg.name, leg.atMs, leg.tookMs])).toEqual([
      ["phrase_end", 0, 0],
      ["recognised", 300, 300],
      ["matched", 310, 10],
      ["decided", 312, 2],
      ["sent", 320, 8],
      ["rendered", 400, 80],
    ]);
  });
});

describe("texts", () => {
  const paths = (tree: object, prefix = ""): string[] =>
    Object.entries(tree).flatMap(([key, value]) => (typeof value === "string" ? [`${prefix}${key}`] : paths(value as object, `${prefix}${key}.`)));
  const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((hole) => hole[1]).sort();
  const at = (tree: object, path: string) => path.split(".").reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], tree) as string;

  it("are the same set in both languages, with the same placeholders", () => {
    expect(paths(zh).sort()).toEqual(paths(en).sort());
    for (const path of paths(en).filter((each) => each !== "floor.live")) expect([path, holes(at(zh, path))]).toEqual([path, [...new Set(holes(at(en, path)))]]);
  });

  it("name every reason for which a call may rise on the floor", () => {
    const metrics = ["talk_ratio", "dead_air_ms", "monologue_ms", "speech_rate", "interruptions_per_min", "patience_ms"];
    for (const name of metrics) expect([name, wordsFor({ kind: "metric", id: name }).some((key) => at(en, key))]).toEqual([name, true]);
    expect(wordsFor({ kind: "card", id: "objection.price" })).toEqual(["known.objection_price"]);
  });

  it("name every talk metric a report can hold", () => {
    const report = JSON.parse(readFileSync(new URL("../dev/report-en.json", import.meta.url), "utf8")) as Report;
    const missing = Object.keys(report.talk.measures).filter((name) => !(name in en.metric));
    expect(missing).toEqual([]);
  });
});
