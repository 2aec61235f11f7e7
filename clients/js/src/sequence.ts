/** Keeps a viewer's events in order: duplicates are dropped, a hole is asked for once. */

export type Verdict = "take" | "duplicate" | "ask_again";

/**
 * Events of a call are numbered without gaps from 1. A hole means a lost message, so the viewer asks again from `last`.
 * When the same hole is still there in the answer the server keeps those events from this viewer, and they are skipped.
 */
export class Sequence {
  private askedAt = -1;

  constructor(public last = 0) {}

  judge(seq: number): Verdict {
    if (seq <= this.last) return "duplicate";
    if (seq > this.last + 1 && this.askedAt !== this.last) {
      this.askedAt = this.last;
      return "ask_again";
    }
    this.last = seq;
    return "take";
  }
}
