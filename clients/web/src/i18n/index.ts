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

export function setLocale(locale: Locale): void {
  i18n.global.locale.value = locale;
  localStorage.setItem(KEY, locale);
  document.documentElement.lang = locale === "zh" ? "zh-CN" : "en";
}

document.documentElement.lang = i18n.global.locale.value === "zh" ? "zh-CN" : "en";
