/**
 * Two mono inputs (0 = rep, 1 = customer) -> interleaved 16-bit frames of `frameSamples` samples per channel.
 *
 * A missing input is silence: the customer's channel is sent even when nobody is connected to it.
 * Posts `{ pcm: ArrayBuffer, levels: [rep, customer] }`, levels being the RMS of the frame, 0..1.
 */
class Capture extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.frameSamples = processorOptions.frameSamples;
    this.reset();
  }

  reset() {
    this.frame = new Int16Array(this.frameSamples * 2);
    this.filled = 0;
    this.energy = [0, 0];
  }

  process(inputs) {
    const rep = inputs[0]?.[0];
    const customer = inputs[1]?.[0];
    const length = rep?.length ?? customer?.length ?? 128;
    for (let at = 0; at < length; at += 1) {
      this.put(0, rep ? rep[at] : 0);
      this.put(1, customer ? customer[at] : 0);
      this.filled += 1;
      if (this.filled === this.frameSamples) this.send();
    }
    return true;
  }

  put(channel, sample) {
    const bounded = Math.max(-1, Math.min(1, sample));
    this.energy[channel] += bounded * bounded;
    this.frame[this.filled * 2 + channel] = Math.round(bounded * 32767);
  }

  send() {
    const levels = this.energy.map((energy) => Math.sqrt(energy / this.frameSamples));
    this.port.postMessage({ pcm: this.frame.buffer, levels }, [this.frame.buffer]);
    this.reset();
  }
}

registerProcessor("capture", Capture);
