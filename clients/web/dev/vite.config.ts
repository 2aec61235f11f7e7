/** `npm run mock`: the built app behind the stand-in server, under the strict policy it must live with. */

import { fileURLToPath } from "node:url";

import { mergeConfig } from "vite";

import base from "../vite.config.ts";
import { mock } from "./mock.ts";

export default mergeConfig(base, { root: fileURLToPath(new URL("..", import.meta.url)), plugins: [mock()], preview: { host: "127.0.0.1", port: 4173 } });
