/** Light or dark: the reader's choice, else the system's. */

import { ref } from "vue";

const KEY = "copilot.theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const chosen = new URLSearchParams(location.search).get("theme") ?? localStorage.getItem(KEY);

export const isDark = ref(chosen ? chosen === "dark" : system.matches);

function apply(): void {
  document.documentElement.classList.toggle("dark", isDark.value);
}

export function setDark(dark: boolean): void {
  isDark.value = dark;
  localStorage.setItem(KEY, dark ? "dark" : "light");
  apply();
}

system.addEventListener("change", ({ matches }) => {
  if (localStorage.getItem(KEY)) return;
  isDark.value = matches;
  apply();
});

apply();
