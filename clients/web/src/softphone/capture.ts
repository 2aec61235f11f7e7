/** Sound of both parties as interleaved 16-bit frames, from a microphone, a file, or another tab. */

export type RepSource = "mic" | "file";
export type CustomerSource = "silent" | "file" | "tab";

export interface CaptureOptions {
  rep: RepSource;
  customer: CustomerSource;
  file: File | null;
  onFrame: (frame: Frame) => void;
  onFileEnded: () => void;
}

export interface Frame {
  pcm: Uint8Array;
  /** RMS of rep and customer, 0..1. */
  levels: [number, number];
}

export interface Capture {
  sampleRate: number;
  /** Sound stops flowing, the file waits, and the microphone is not listened to. */
  suspend(): Promise<void>;
  resume(): Promise<void>;
  close(): Promise<void>;
}

/** Why sound cannot be had; `code` is a key of the `softphone` texts. */
export class CaptureError extends Error {
  constructor(
    readonly code: "noMic" | "noTab" | "noFile" | "badFile" | "needsStereo" | "noCapture",
    why = "",
  ) {
    super(why);
  }
}

const WANTED_RATE_HZ = 16_000;
const ACCEPTED_RATES_HZ = [16_000, 48_000, 24_000, 8_000];
const FRAME_MS = 40;

/** Ask for the sources, connect them, and let frames flow. Throws CaptureError; nothing stays open when it does. */
export async function openCapture(options: CaptureOptions): Promise<Capture> {
  if (!window.isSecureContext || !navigator.mediaDevices || typeof AudioWorkletNode === "undefined")
    throw new CaptureError("noCapture");
  const streams: MediaStream[] = [];
  let context: AudioContext | null = null;
  try {
    const microphone = options.rep === "mic" ? await askMicrophone() : null;
    if (microphone) streams.push(microphone);
    const tab = options.customer === "tab" ? await askTab() : null;
    if (tab) streams.push(tab);
    context = openContext(microphone ?? tab);
    const file = options.rep === "file" || options.customer === "file" ? await decode(context, options.file) : null;
    if (options.rep === "file" && file && file.numberOfChannels < 2) throw new CaptureError("needsStereo");
    await connect(context, { microphone, tab, file }, options);
    await context.resume();
    return control(context, streams);
  } catch (error) {
    streams.forEach(stop);
    await context?.close();
    throw error;
  }
}

interface Sources {
  microphone: MediaStream | null;
  tab: MediaStream | null;
  file: AudioBuffer | null;
}

async function askMicrophone(): Promise<MediaStream> {
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
  } catch (error) {
    throw new CaptureError("noMic", error instanceof Error ? error.name : "");
  }
}

async function askTab(): Promise<MediaStream> {
  let stream: MediaStream;
  try {
    stream = await navigator.mediaDevices.getDisplayMedia({ video: true, audio: true });
  } catch {
    throw new CaptureError("noTab");
  }
  stream.getVideoTracks().forEach((track) => track.stop());
  if (stream.getAudioTracks().length === 0) throw new CaptureError("noTab");
  return stream;
}

/** Some browsers refuse to mix a device into a context of another rate; then the device's own rate is used. */
function openContext(live: MediaStream | null): AudioContext {
  const context = new AudioContext({ sampleRate: WANTED_RATE_HZ, latencyHint: "interactive" });
  try {
    if (live) context.createMediaStreamSource(live).disconnect();
    return context;
  } catch {
    void context.close();
    const own = new AudioContext({ latencyHint: "interactive" });
    if (ACCEPTED_RATES_HZ.includes(own.sampleRate)) return own;
    void own.close();
    throw new CaptureError("noCapture");
  }
}

async function decode(context: AudioContext, file: File | null): Promise<AudioBuffer> {
  if (!file) throw new CaptureError("noFile");
  try {
    return await context.decodeAudioData(await file.arrayBuffer());
  } catch {
    throw new CaptureError("badFile");
  }
}

async function connect(context: AudioContext, sources: Sources, options: CaptureOptions): Promise<void> {
  await context.audioWorklet.addModule("/capture-worklet.js");
  const worklet = new AudioWorkletNode(context, "capture", {
    numberOfInputs: 2,
    numberOfOutputs: 1,
    channelCount: 1,
    channelCountMode: "explicit",
    processorOptions: { frameSamples: (context.sampleRate * FRAME_MS) / 1000 },
  });
  worklet.port.onmessage = ({ data }: MessageEvent<{ pcm: ArrayBuffer; levels: [number, number] }>) =>
    options.onFrame({ pcm: new Uint8Array(data.pcm), levels: data.levels });
  worklet.connect(context.destination); // its output is silence; without a destination it would not run
  if (sources.microphone) context.createMediaStreamSource(sources.microphone).connect(worklet, 0, 0);
  if (sources.tab) context.createMediaStreamSource(sources.tab).connect(worklet, 0, 1);
  if (sources.file) play(context, sources.file, worklet, options);
}

function play(context: AudioContext, file: AudioBuffer, worklet: AudioNode, options: CaptureOptions): void {
  const player = new AudioBufferSourceNode(context, { buffer: file });
  player.onended = options.onFileEnded;
  player.connect(context.destination);
  if (options.rep === "file") {
    const splitter = context.createChannelSplitter(2);
    player.connect(splitter);
    splitter.connect(worklet, 0, 0);
    if (options.customer === "file") splitter.connect(worklet, 1, 1);
  } else player.connect(worklet, 0, 1);
  player.start();
}

function control(context: AudioContext, streams: MediaStream[]): Capture {
  return {
    sampleRate: context.sampleRate,
    suspend: () => context.suspend(),
    resume: () => context.resume(),
    async close() {
      streams.forEach(stop);
      await context.close();
    },
  };
}

function stop(stream: MediaStream): void {
  stream.getTracks().forEach((track) => track.stop());
}
