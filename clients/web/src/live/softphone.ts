/** One call made from this page: sound in, audio up, and what the server says about it. */

import { CallStream, type CallOutcome, type Language, type LinkStatus, type PauseReason } from "copilot-client";
import { onScopeDispose, ref, shallowRef } from "vue";

import { api, me, token } from "../session";
import { CaptureError, openCapture, type Capture, type CaptureOptions } from "../softphone/capture";

export type Phase = "idle" | "starting" | "live" | "paused" | "ending" | "ended";

export interface Setup extends Pick<CaptureOptions, "rep" | "customer" | "file"> {
  language: Language;
  playbook: string;
  customerRef: string;
}

const LEVEL_DECAY = 0.8;

export function useSoftphone() {
  const phase = ref<Phase>("idle");
  const callId = ref("");
  const levels = ref<[number, number]>([0, 0]);
  const failure = shallowRef<{ key: string; why: string } | null>(null);
  const status = shallowRef<LinkStatus | null>(null);
  const savedMs = ref(0);
  const sentMs = ref(0);
  const isFileOver = ref(false);
  const outcomes = shallowRef<readonly CallOutcome[]>([]);
  const outcome = ref<CallOutcome | "">("");
  let capture: Capture | null = null;
  let stream: CallStream | null = null;

  async function start(setup: Setup): Promise<void> {
    phase.value = "starting";
    failure.value = null;
    isFileOver.value = false;
    try {
      capture = await openCapture({ ...setup, onFrame: take, onFileEnded: () => (isFileOver.value = true) });
    } catch (error) {
      if (!(error instanceof CaptureError)) throw error;
      failure.value = { key: `softphone.${error.code}`, why: error.message };
      phase.value = "idle";
      return;
    }
    stream = connect(capture.sampleRate, setup).open();
  }

  function connect(sampleRate: number, setup: Setup): CallStream {
    const toMs = (samples: number) => (samples * 1000) / sampleRate;
    return new CallStream({
      sampleRate,
      token: token.value,
      language: setup.language,
      playbook: setup.playbook,
      call: { direction: "outbound", rep_id: me.value?.subject ?? "", customer_ref: setup.customerRef.trim() },
      onStarted: (started, resumed) => {
        callId.value = started.call_id;
        if (resumed) return;
        phase.value = "live";
        void api.call(started.call_id).then((call) => (outcomes.value = call.outcomes), () => {}); // asked again at the end
      },
      onEvent: (event) => {
        if (event.type === "call.ended") finish();
      },
      onReply: (reply) => {
        if (reply.type === "audio.ack") {
          savedMs.value = toMs(reply.persisted);
        } else if (reply.type === "error" && !reply.retryable && phase.value === "starting") {
          failure.value = { key: "softphone.refused", why: reply.message };
        }
      },
      onStatus: (next) => {
        status.value = next;
        if (next.state === "waiting" && phase.value === "starting") void explain();
        if (next.state === "closed" && stream) finish();
      },
    });
  }

  /** A browser hides why a call was refused at the door; the service says whether it has room. */
  async function explain(): Promise<void> {
    const service = await api.service().catch(() => null);
    if (!service || phase.value !== "starting") return;
    if (!service.draining && service.calls < service.max_calls) return;
    finish();
    failure.value = { key: service.draining ? "softphone.draining" : "softphone.full", why: "" };
  }

  function take({ pcm, levels: now }: { pcm: Uint8Array; levels: [number, number] }): void {
    levels.value = [0, 1].map((at) => Math.max(now[at]!, levels.value[at]! * LEVEL_DECAY)) as [number, number];
    if (phase.value !== "live" || !stream || !capture) return;
    stream.sendAudio(pcm);
    sentMs.value = (stream.uplink.ring.end * 1000) / capture.sampleRate;
  }

  async function pause(reason: PauseReason): Promise<void> {
    if (!stream?.pause(reason)) return;
    phase.value = "paused";
    levels.value = [0, 0];
    await capture?.suspend();
  }

  async function resume(): Promise<void> {
    if (!stream?.resume()) return;
    await capture?.resume();
    phase.value = "live";
  }

  function stop(): void {
    phase.value = "ending";
    void capture?.close();
    capture = null;
    stream?.end(outcome.value || undefined);
  }

  function finish(): void {
    phase.value = callId.value ? "ended" : "idle";
    levels.value = [0, 0];
    void capture?.close();
    stream?.close();
    capture = stream = null;
  }

  function reset(): void {
    callId.value = outcome.value = "";
    savedMs.value = sentMs.value = 0;
    phase.value = "idle";
  }

  onScopeDispose(() => {
    if (phase.value === "live" || phase.value === "paused") stop();
    else finish();
  });

  return { phase, callId, levels, failure, status, savedMs, sentMs, isFileOver, outcomes, outcome, start, pause, resume, stop, reset };
}
