/** A finished call being looked at: its events, its report, and its sound. */

import { ApiError, type CallMessage } from "copilot-client";
import { onScopeDispose, ref, shallowRef } from "vue";

import { api, token } from "../session";
import { EMPTY_CALL, reduceAll } from "../state/call";
import type { Report } from "../state/report";

const POLL_MS = 2000;

export function useReview(callId: string) {
  const view = shallowRef(EMPTY_CALL);
  const report = shallowRef<Report | null>(null);
  const failure = shallowRef<ApiError | null>(null);
  const isLoading = ref(true);
  const audioUrl = ref("");
  let timer = 0;
  let isGone = false;

  async function load(): Promise<void> {
    failure.value = null;
    try {
      const events: CallMessage[] = await api.events(callId, view.value.seq);
      view.value = reduceAll(view.value, events);
      if (view.value.phase === "ended") await Promise.all([loadReport(), loadAudio()]);
    } catch (error) {
      failure.value = error as ApiError;
    }
    isLoading.value = false;
    const isComplete = report.value && audioUrl.value;
    if (!isGone && !failure.value && !isComplete) timer = window.setTimeout(() => void load(), POLL_MS);
  }

  async function loadReport(): Promise<void> {
    report.value ??= await ready(() => api.report<Report>(callId));
  }

  /**
   * The call stays `live` in the list until its recording is sealed; a media element asks for it only once.
   * A token cannot travel in a media element's address, so then the file is fetched whole.
   */
  async function loadAudio(): Promise<void> {
    if (audioUrl.value || (await api.call(callId)).state === "live") return;
    const url = api.audioUrl(callId);
    if (!token.value) {
      audioUrl.value = url;
      return;
    }
    const blob = await ready(() => api.blob(url));
    if (blob) audioUrl.value = URL.createObjectURL(blob);
  }

  async function openPrintable(language: string): Promise<void> {
    const blob = await api.blob(api.reportUrl(callId, language));
    window.open(URL.createObjectURL(blob), "_blank", "noopener");
  }

  onScopeDispose(() => {
    isGone = true;
    clearTimeout(timer);
    if (audioUrl.value.startsWith("blob:")) URL.revokeObjectURL(audioUrl.value);
  });

  void load();
  return { view, report, failure, isLoading, audioUrl, openPrintable, reload: load };
}

/** What is asked for, or null while the server is still making it. */
async function ready<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}
