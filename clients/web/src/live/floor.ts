/** The floor being watched: view, connection, and the order of the list. */

import { FloorViewer, type LinkStatus } from "copilot-client";
import { onScopeDispose, ref, shallowRef } from "vue";

import { token } from "../session";
import { dismissAlert, EMPTY_FLOOR, observe, order } from "../state/floor";

const TICK_MS = 1000;

export function watchFloor() {
  const floor = shallowRef(EMPTY_FLOOR);
  const ids = shallowRef<string[]>([]);
  const now = ref(performance.now());
  const heardAt = ref(performance.now());
  const isHeld = ref(false);

  const viewer = new FloorViewer({
    token: token.value,
    onMessage: (message) => {
      heardAt.value = now.value = performance.now();
      floor.value = observe(floor.value, message, now.value);
      ids.value = order(floor.value, ids.value, isHeld.value);
    },
    onStatus: (next) => (status.value = next),
  });
  const status = shallowRef<LinkStatus>(viewer.link.status);
  viewer.open();

  const ticker = window.setInterval(() => (now.value = performance.now()), TICK_MS);
  onScopeDispose(() => {
    clearInterval(ticker);
    viewer.close();
  });

  /** While the pointer is on the list nothing changes its place. */
  function hold(held: boolean): void {
    isHeld.value = held;
    ids.value = order(floor.value, ids.value, held);
  }

  function dismiss(id: number): void {
    floor.value = dismissAlert(floor.value, id);
  }

  return { floor, ids, now, heardAt, isHeld, status, hold, dismiss, retry: () => viewer.link.restart() };
}
