import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { fileURLToPath } from "node:url";

/** Where `npm run dev` finds the API; `livestall serve` listens there by default. */
const api = process.env.LIVESTALL_WEB ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: { target: "es2022", manifest: true, assetsInlineLimit: 2048, chunkSizeWarningLimit: 700 },
  server: { proxy: { "/api": { target: api }, "/files": api, "/sandbox": api } },
  test: { environment: "node", include: ["tests/**/*.test.ts", "src/**/*.test.ts"] },
});
