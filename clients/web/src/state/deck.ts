/** Which card lies where on the rep's panel. Nothing moves while the pointer is over it, and pinned cards stay. */

export interface Deck {
  /** Card ids; the first is the primary card. A card keeps its place for as long as the deck is held. */
  slots: readonly string[];
  pinned: ReadonlySet<string>;
  /** Answered here, still open as far as the server has told us. */
  answered: ReadonlySet<string>;
  /** The pointer or the keyboard is on the deck. */
  held: boolean;
}

export const SLOTS = 3;
export const EMPTY_DECK: Deck = { slots: [], pinned: new Set(), answered: new Set(), held: false };

/** Lay out `open` (most urgent first). */
export function deal(deck: Deck, open: readonly string[]): Deck {
  const answered = new Set([...deck.answered].filter((id) => open.includes(id)));
  const wanted = open.filter((id) => !answered.has(id));
  const staying = deck.slots.filter((id) => deck.held || deck.pinned.has(id) || wanted.includes(id));
  const arriving = wanted.filter((id) => !staying.includes(id));
  const slots = [...staying, ...arriving];
  if (!deck.held) slots.sort((a, b) => rank(deck, wanted, a) - rank(deck, wanted, b));
  return { ...deck, answered, slots: slots.slice(0, SLOTS) };
}

/** The pointer came or went; when it goes, what was waiting is laid out. */
export function hold(deck: Deck, held: boolean, open: readonly string[]): Deck {
  return deal({ ...deck, held }, open);
}

export function togglePin(deck: Deck, id: string, open: readonly string[]): Deck {
  const pinned = new Set(deck.pinned);
  if (!pinned.delete(id)) pinned.add(id);
  return deal({ ...deck, pinned }, open);
}

/** The rep is done with a card: it leaves at once, also while the deck is held. */
export function answer(deck: Deck, id: string, open: readonly string[]): Deck {
  const pinned = new Set(deck.pinned);
  pinned.delete(id);
  const slots = deck.slots.filter((each) => each !== id);
  return deal({ ...deck, pinned, slots, answered: new Set([...deck.answered, id]) }, open);
}

function rank(deck: Deck, wanted: readonly string[], id: string): number {
  return deck.pinned.has(id) ? -1 : wanted.indexOf(id);
}
