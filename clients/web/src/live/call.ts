/** A call being watched: its view, its connection, and the media clock between events. */

import { ApiError, CallViewer, type LinkStatus, type ViewerMessage } from "copilot-client";
import { computed, onScopeDispose, ref, shallowRef, type ComputedRef, type Ref, type ShallowRef } from "vue";

import { api, token } from "../session";
import { EMPTY_CALL, reduceAll, type CallView } from "../state/call";

/** Why the call cannot be watched, or the last thing the server would not do. */
export interface Failure {
  code: string;
  message: string;
  isFinal: boolean;
}

export interface LiveCall {
  callId: string;
  view: Readonly<ShallowRef<CallView>>;
  status: Readonly<ShallowRef<LinkStatus>>;
  /** The connection came back a moment ago. */
  resumed: Readonly<Ref<boolean>>;
  failure: Readonly<ShallowRef<Failure | null>>;
  /** Media time now, running on between events. */
  nowMs: ComputedRef<number>;
  send(message: ViewerMessage): boolean;
  retry(): void;
}

const TICK_MS = 250;
const MAX_AHEAD_MS = 4000;
const RESUMED_FOR_MS = 4000;

/** Follow `callId` for as long as the surrounding component lives. */
export function watchCall(callId: string): LiveCall {
  const view = shallowRef(EMPTY_CALL);
  const failure = shallowRef<Failure | null>(null);
  const resumed = ref(false);
  const heardAt = ref(performance.now());
  const now = ref(performance.now());
  let resumedTimer = 0;
  let wasLost = false;

  const viewer = new CallViewer({
    callId,
    token: token.value,
    onEvents: (events) => {
      view.value = reduceAll(view.value, events);
      heardAt.value = performance.now();
    },
    onReply: (reply) => {
      if (reply.type === "error") failure.value = { ...reply, isFinal: false };
    },
    onStatus: (next) => {
      status.value = next;
      if (next.state === "waiting") {
        wasLost = view.value.seq > 0;
        if (!wasLost) void explain();
      }
      if (next.state !== "open") return;
      failure.value = null;
      resumed.value = wasLost;
      wasLost = false;
      clearTimeout(resumedTimer);
      resumedTimer = window.setTimeout(() => (resumed.value = false), RESUMED_FOR_MS);
    },
  });
  const status = shallowRef<LinkStatus>(viewer.link.status);
  viewer.open();

  /** A browser hides why a socket was refused; the REST door says it. */
  async function explain(): Promise<void> {
    try {
      await api.call(callId);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status === 0 || error.status >= 500) return;
      failure.value = { code: error.code, message: error.message, isFinal: true };
      viewer.close();
    }
  }

  const ticker = window.setInterval(() => (now.value = performance.now()), TICK_MS);
  onScopeDispose(() => {
    clearInterval(ticker);
    clearTimeout(resumedTimer);
    viewer.close();
  });

  const nowMs = computed(() => {
    const isRunning = view.value.phase === "live" && status.value.state === "open";
    const ahead = isRunning ? Math.min(MAX_AHEAD_MS, Math.max(0, now.value - heardAt.value)) : 0;
    return view.value.totals?.duration_ms ?? view.value.posMs + ahead;
  });

  return { callId, view, status, resumed, failure, nowMs, send: (message) => viewer.send(message), retry: () => viewer.link.restart() };
}
