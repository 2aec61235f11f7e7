/** Media time and durations as people read them. */

/** `1:05`, `12:09`, `1:02:03`. */
export function clock(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000));
  const [hours, minutes, seconds] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  const pad = (value: number) => String(value).padStart(2, "0");
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(seconds)}` : `${minutes}:${pad(seconds)}`;
}

/** `0.8 s`, `12 s`. */
export function seconds(ms: number): string {
  const value = ms / 1000;
  return `${Math.abs(value) < 10 ? value.toFixed(1) : Math.round(value)} s`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
