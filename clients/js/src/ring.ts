/** Audio that may still have to be sent again: everything the server has not yet stored safely. */

export interface Stretch {
  offset: number;
  payload: Uint8Array;
}

/**
 * Consecutive samples, addressed by sample offset (per channel, source rate).
 *
 * `forget` frees what the server has persisted; when more than `limitBytes` is waiting the oldest is dropped, so that
 * a long outage costs its beginning and not the memory of the page.
 */
export class AudioRing {
  private stretches: Stretch[] = [];
  private bytes = 0;
  private next = 0;

  constructor(
    /** Bytes of one sample of all channels together. */
    readonly bytesPerSample: number,
    readonly limitBytes: number = 16 * 1024 * 1024,
  ) {
    if (!(bytesPerSample >= 1)) throw new RangeError("a sample has at least one byte");
  }

  /** Offset of the next sample to be pushed. */
  get end(): number {
    return this.next;
  }

  /** Offset of the oldest sample still here; equals `end` when empty. */
  get start(): number {
    return this.stretches[0]?.offset ?? this.next;
  }

  /** Bytes held. */
  get size(): number {
    return this.bytes;
  }

  /** Append samples; answers the stretch with its offset. */
  push(payload: Uint8Array): Stretch {
    if (payload.byteLength % this.bytesPerSample !== 0) throw new RangeError("payload holds a broken sample");
    const stretch = { offset: this.next, payload };
    this.next += payload.byteLength / this.bytesPerSample;
    if (payload.byteLength > 0) this.stretches.push(stretch);
    this.bytes += payload.byteLength;
    while (this.bytes > this.limitBytes && this.stretches.length > 1) this.dropOldest();
    return stretch;
  }

  /** Samples before `offset` are safe elsewhere. */
  forget(offset: number): void {
    while (this.stretches[0] && this.endOf(this.stretches[0]) <= offset) this.dropOldest();
  }

  /** Everything held from `offset` on, up to `samples` of it, trimmed to exactly that. */
  from(offset: number, samples: number = Infinity): Stretch[] {
    const until = offset + samples;
    return this.stretches
      .filter((stretch) => this.endOf(stretch) > offset && stretch.offset < until)
      .map((stretch) => this.trim(stretch, offset, until));
  }

  /** Start at another offset, holding nothing. */
  restart(offset: number): void {
    this.stretches = [];
    this.bytes = 0;
    this.next = offset;
  }

  private endOf(stretch: Stretch): number {
    return stretch.offset + stretch.payload.byteLength / this.bytesPerSample;
  }

  private trim(stretch: Stretch, from: number, until: number): Stretch {
    const first = Math.max(stretch.offset, from);
    const last = Math.min(this.endOf(stretch), until);
    const at = (sample: number) => (sample - stretch.offset) * this.bytesPerSample;
    return { offset: first, payload: stretch.payload.subarray(at(first), at(last)) };
  }

  private dropOldest(): void {
    const oldest = this.stretches.shift();
    if (oldest) this.bytes -= oldest.payload.byteLength;
  }
}
