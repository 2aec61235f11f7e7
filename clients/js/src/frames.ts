/**
 * Binary audio frames of `copilot.v1`: 16 bytes of header, big-endian, then interleaved samples.
 *
 *     version u8 = 1 | type u8 = 1 (audio) | channel-set u8 = 0 | flags u8 = 0 | epoch u32 | sample_offset u64
 */

export const HEADER_BYTES = 16;
const VERSION = 1;
const TYPE_AUDIO = 1;

export interface AudioFrame {
  epoch: number;
  /** First sample of the payload, per channel, at source rate, counted from the start of the call. */
  offset: number;
  payload: Uint8Array;
}

/** One frame as it goes over the wire. */
export function encodeFrame({ epoch, offset, payload }: AudioFrame): Uint8Array<ArrayBuffer> {
  if (!Number.isSafeInteger(offset) || offset < 0) throw new RangeError(`sample offset ${offset} is not a count`);
  const bytes = new Uint8Array(HEADER_BYTES + payload.byteLength);
  const header = new DataView(bytes.buffer);
  header.setUint8(0, VERSION);
  header.setUint8(1, TYPE_AUDIO);
  header.setUint32(4, epoch);
  header.setBigUint64(8, BigInt(offset));
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/** The frame in `bytes`; throws RangeError for anything that is not one. */
export function decodeFrame(bytes: Uint8Array): AudioFrame {
  if (bytes.byteLength < HEADER_BYTES) throw new RangeError(`a frame has ${HEADER_BYTES} bytes of header`);
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const [version, type] = [header.getUint8(0), header.getUint8(1)];
  if (version !== VERSION) throw new RangeError(`frame version ${version} is not supported`);
  if (type !== TYPE_AUDIO) throw new RangeError(`frame type ${type} is not audio`);
  const offset = header.getBigUint64(8);
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError("sample offset is out of range");
  return { epoch: header.getUint32(4), offset: Number(offset), payload: bytes.subarray(HEADER_BYTES) };
}
