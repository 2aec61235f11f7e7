import { createRouter, createWebHistory } from "vue-router";

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: "/", redirect: "/floor" },
    { path: "/rep/:call", component: () => import("./pages/RepPage.vue"), props: true, meta: { bare: true } },
    { path: "/floor", component: () => import("./pages/FloorPage.vue") },
    { path: "/calls", component: () => import("./pages/CallsPage.vue") },
    { path: "/calls/:id", component: () => import("./pages/ReviewPage.vue"), props: true },
    { path: "/softphone", component: () => import("./pages/SoftphonePage.vue") },
    { path: "/:rest(.*)*", component: () => import("./pages/NotFoundPage.vue") },
  ],
});
