/** Media time and durations as people read them. */

/** `1:05`, `12:09`, `1:02:03`. */
export function clock(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000));
  const [hours, minutes, seconds] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  const pad = (value: number) => String(value).padStart(2, "0");
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(seconds)}` : `${minutes}:${pad(seconds)}`;
}

/** `0.8 s`, `12 s`; `unit` is how the reader's language writes a second. */
export function seconds(ms: number, unit = "s"): string {
  const value = ms / 1000;
  return `${Math.abs(value) < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

/** How long ago, in the largest whole unit that says something. */
export function age(ms: number): { unit: "now" | "s" | "min"; n: number } {
  const whole = Math.max(0, Math.floor(ms / 1000));
  if (whole < 3) return { unit: "now", n: whole };
  return whole < 60 ? { unit: "s", n: whole } : { unit: "min", n: Math.floor(whole / 60) };
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
