/** Who is sitting here. The token lives in this tab only. */

import { ApiError, CopilotApi, type Me } from "copilot-client";
import { ref, shallowRef } from "vue";

const KEY = "copilot.token";

export const token = ref<string | undefined>(sessionStorage.getItem(KEY) ?? undefined);
export const me = shallowRef<Me | null>(null);
export const needsLogin = ref(false);
export const isUnreachable = ref(false);

export const api = new CopilotApi({ token: () => token.value });

/** Ask the server who we are; a 401 opens the login dialog. */
export async function identify(): Promise<void> {
  try {
    me.value = await api.me();
    needsLogin.value = false;
    isUnreachable.value = false;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    me.value = null;
    needsLogin.value = error.status === 401;
    isUnreachable.value = error.status === 0;
  }
}

/** Try a token; answers whether the server knows it. */
export async function signIn(candidate: string): Promise<boolean> {
  token.value = candidate;
  await identify();
  if (!me.value) token.value = undefined;
  else sessionStorage.setItem(KEY, candidate);
  return me.value !== null;
}

export function signOut(): void {
  sessionStorage.removeItem(KEY);
  token.value = undefined;
  location.assign("/");
}
