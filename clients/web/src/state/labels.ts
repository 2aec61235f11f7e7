/** Ids of playbooks in words: `objection.not_now` -> "Objection · not now". Titles are used wherever they are known. */

/** An id as a person would write it. */
export function humanise(id: string): string {
  const words = id.replace(/^[a-z]+:/, "").replaceAll("_", " ").split(".");
  const text = words.join(" · ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export interface Reason {
  kind: "card" | "metric" | "step" | "service" | "other";
  id: string;
}

const OF_METRIC: Record<string, string> = {
  talk_ratio: "behaviour_talk_ratio",
  dead_air_ms: "behaviour_dead_air",
  monologue_ms: "behaviour_monologue",
  speech_rate: "behaviour_speaking_fast",
  interruptions_per_min: "behaviour_interruption",
};

/** Where the words for a floor reason about talk may stand, the best place first. */
export function wordsFor({ kind, id }: Reason): string[] {
  if (kind === "metric") return [`known.${OF_METRIC[id] ?? id}`, `metric.${id}`];
  return [`known.${id.replaceAll(".", "_")}`];
}

/** A floor reason such as `card:objection.price` taken apart. */
export function parseReason(reason: string): Reason {
  const [kind, ...rest] = reason.split(":");
  const id = rest.join(":");
  if (id && (kind === "card" || kind === "metric" || kind === "step" || kind === "service")) return { kind, id };
  return { kind: "other", id: reason };
}

/** Why a card came, as a person would say it: `speech_rate above 200` -> `Speech rate > 200`. Other texts stay. */
export function explain(why: string, title: (metric: string) => string): string {
  const found = /^([a-z_]+) (above|below) ([\d.]+)$/.exec(why);
  if (!found) return why;
  const [, name, which, bound] = found;
  return `${title(name!)} ${which === "above" ? ">" : "<"} ${bound}`;
}
