// One script, one style sheet, no inline code: what the strict content policy allows.

import { defineConfig } from "vite";

export default defineConfig({
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: false, cssCodeSplit: false },
  test: { include: ["src/**/*.test.ts"] },
  // The bridge in place of `tandem admin`: node dev/bridge.mjs STATE
  server: { proxy: { "/v1": "http://127.0.0.1:7443" } },
} as ReturnType<typeof defineConfig>);
