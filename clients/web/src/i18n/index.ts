import type { ApiError } from "copilot-client";
import { createI18n } from "vue-i18n";

import { seconds } from "../state/clock";
import { en } from "./en";
import { zh } from "./zh";

export type Locale = "en" | "zh";

const KEY = "copilot.language";

function preferred(): Locale {
  const asked = new URLSearchParams(location.search).get("lang") ?? localStorage.getItem(KEY);
  return (asked ?? navigator.language).toLowerCase().startsWith("zh") ? "zh" : "en";
}

export const i18n = createI18n({ legacy: false, locale: preferred() as Locale, fallbackLocale: "en", messages: { en, zh } });

/** Why something failed. What the server itself says is English. */
export function inWords(error: ApiError): string {
  return error.status === 0 ? i18n.global.t("error.unreachable") : error.message;
}

/** What the service cannot do for a call now. `lag_ms` is said where being late is the trouble. */
export function troubleInWords(trouble: { stage: string; reason?: string; lag_ms?: number }): string {
  const { t, te } = i18n.global;
  const { stage, reason = "", lag_ms: lag = 0 } = trouble;
  const known = [`overload.${stage}`, `service.${reason}`, `service.${stage.split(".")[0]}`].find((key) => te(key));
  const what = t(known ?? "service.unknown");
  return reason === "late" && lag ? `${what} · ${seconds(lag, t("unit.s"))}` : what;
}

export function setLocale(locale: Locale): void {
  i18n.global.locale.value = locale;
  localStorage.setItem(KEY, locale);
  document.documentElement.lang = locale === "zh" ? "zh-CN" : "en";
}

document.documentElement.lang = i18n.global.locale.value === "zh" ? "zh-CN" : "en";
