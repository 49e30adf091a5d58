import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import "@/shared/styles/base.css";
import { startI18n } from "@/shared/i18n";
import { watchTheme } from "@/shared/lib/theme";
import { App } from "./app";

async function start(): Promise<void> {
  watchTheme();
  await startI18n();
  const root = document.getElementById("root");
  if (!root) throw new Error("index.html has no #root");
  createRoot(root).render(<StrictMode><App /></StrictMode>);
}

void start();
