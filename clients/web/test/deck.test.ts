import { describe, expect, it } from "vitest";

import { answer, deal, EMPTY_DECK, hold, togglePin } from "../src/state/deck";

describe("the deck", () => {
  it("lays out the three most urgent cards", () => {
    expect(deal(EMPTY_DECK, ["a", "b", "c", "d"]).slots).toEqual(["a", "b", "c"]);
  });

  it("puts a more urgent card first while nobody is pointing", () => {
    expect(deal(deal(EMPTY_DECK, ["a", "b"]), ["x", "a", "b"]).slots).toEqual(["x", "a", "b"]);
  });

  it("moves nothing under the pointer: new cards only fill free places", () => {
    const held = hold(deal(EMPTY_DECK, ["a", "b"]), true, ["a", "b"]);
    expect(deal(held, ["x", "a", "b"]).slots).toEqual(["a", "b", "x"]);
    expect(deal(held, ["x", "y", "a", "b"]).slots).toEqual(["a", "b", "x"]);
  });

  it("keeps a card whose moment has passed until the pointer leaves", () => {
    const held = hold(deal(EMPTY_DECK, ["a", "b"]), true, ["a", "b"]);
    const passed = deal(held, ["b"]);
    expect(passed.slots).toEqual(["a", "b"]);
    expect(hold(passed, false, ["x", "b"]).slots).toEqual(["x", "b"]);
  });

  it("keeps a pinned card first, also when it is closed", () => {
    const pinned = togglePin(deal(EMPTY_DECK, ["a", "b"]), "b", ["a", "b"]);
    expect(pinned.slots).toEqual(["b", "a"]);
    expect(deal(pinned, ["x"]).slots).toEqual(["b", "x"]);
    expect(togglePin(deal(pinned, ["x"]), "b", ["x"]).slots).toEqual(["x"]);
  });

  it("lets an answered card go at once and not come back before the server has heard", () => {
    const held = hold(deal(EMPTY_DECK, ["a", "b"]), true, ["a", "b"]);
    const answered = answer(held, "a", ["a", "b"]);
    expect(answered.slots).toEqual(["b"]);
    expect(deal(answered, ["a", "b"]).slots).toEqual(["b"]);
    expect(deal(deal(answered, ["b"]), ["a", "b"]).slots).toEqual(["b", "a"]);
  });

  it("lets a pinned card go when it is answered", () => {
    const pinned = togglePin(deal(EMPTY_DECK, ["a"]), "a", ["a"]);
    expect(answer(pinned, "a", ["a"])).toMatchObject({ slots: [], pinned: new Set() });
  });
});
