/** What became of a call: what may be said, what was said last, and saying it. */

import { ApiError, type CallOutcome } from "copilot-client";
import { ref, shallowRef } from "vue";

import { inWords } from "../i18n";
import { api } from "../session";

/** `told`: what the end of the call said; the server writes it down a moment after. */
export function useOutcome(callId: string, told: CallOutcome | "" = "") {
  const options = shallowRef<readonly CallOutcome[]>([]);
  const outcome = ref(told);
  const failure = ref("");

  async function ask(request: () => Promise<void>): Promise<void> {
    failure.value = "";
    try {
      await request();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      failure.value = inWords(error);
    }
  }

  const load = () =>
    ask(async () => {
      const call = await api.call(callId);
      options.value = call.outcomes;
      outcome.value = call.outcome || (call.state === "live" ? told : "");
    });

  const judge = (next: CallOutcome | "") =>
    ask(async () => {
      outcome.value = (await api.judge(callId, next)).outcome;
    });

  void load();
  return { options, outcome, failure, judge };
}
