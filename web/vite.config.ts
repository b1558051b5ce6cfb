import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { developmentDouble } from "./dev/double.ts";

/* The server embeds what lies in dist/. Nothing is inlined (its content security policy allows
 * no data: scripts), and every file below assets/ has its hash in its name, so that it may be
 * cached for ever. */
export default defineConfig({
  plugins: [react(), developmentDouble()],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    chunkSizeWarningLimit: 700,
  },
  test: { environment: "node", include: ["test/**/*.test.ts"] },
  server: { host: "127.0.0.1", port: 5173 },
  preview: { host: "127.0.0.1", port: 4173 },
});
