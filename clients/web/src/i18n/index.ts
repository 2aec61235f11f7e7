import type { ApiError } from "copilot-client";
import { createI18n } from "vue-i18n";

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

export function setLocale(locale: Locale): void {
  i18n.global.locale.value = locale;
  localStorage.setItem(KEY, locale);
  document.documentElement.lang = locale === "zh" ? "zh-CN" : "en";
}

document.documentElement.lang = i18n.global.locale.value === "zh" ? "zh-CN" : "en";
