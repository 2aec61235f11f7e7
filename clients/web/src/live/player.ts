/** The recording as one player shared by timeline, transcript and report. */

import { onScopeDispose, ref, type Ref } from "vue";

export const SPEEDS = [1, 1.25, 1.5, 2] as const;

export interface Player {
  element: Ref<HTMLAudioElement | undefined>;
  ms: Ref<number>;
  durationMs: Ref<number>;
  isPlaying: Ref<boolean>;
  isBroken: Ref<boolean>;
  speed: Ref<number>;
  seek(ms: number): void;
  playFrom(ms: number): void;
  toggle(): void;
  setSpeed(speed: number): void;
  bind: Record<string, (event: Event) => void>;
}

/** Quotes start a little before their first word. */
const LEAD_IN_MS = 250;

export function usePlayer(): Player {
  const element = ref<HTMLAudioElement>();
  const ms = ref(0);
  const durationMs = ref(0);
  const isPlaying = ref(false);
  const isBroken = ref(false);
  const speed = ref(1);
  let frame = 0;

  function follow(): void {
    if (element.value) ms.value = element.value.currentTime * 1000;
    frame = isPlaying.value ? requestAnimationFrame(follow) : 0;
  }

  function seek(to: number): void {
    ms.value = Math.max(0, to);
    if (element.value) element.value.currentTime = ms.value / 1000;
  }

  function play(): void {
    element.value?.play().catch(() => (isPlaying.value = false));
  }

  onScopeDispose(() => cancelAnimationFrame(frame));

  return {
    element,
    ms,
    durationMs,
    isPlaying,
    isBroken,
    speed,
    seek,
    playFrom(from) {
      seek(from - LEAD_IN_MS);
      play();
    },
    toggle() {
      if (isPlaying.value) element.value?.pause();
      else play();
    },
    setSpeed(next) {
      speed.value = next;
      if (element.value) element.value.playbackRate = next;
    },
    bind: {
      play: () => {
        isPlaying.value = true;
        follow();
      },
      pause: () => (isPlaying.value = false),
      seeked: follow,
      loadedmetadata: () => {
        isBroken.value = false;
        durationMs.value = (element.value?.duration ?? 0) * 1000;
      },
      error: () => (isBroken.value = true),
    },
  };
}
