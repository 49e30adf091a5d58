import i18next, { type BackendModule, type ReadCallback } from "i18next";
import { initReactI18next } from "react-i18next";

import { setApiLanguage } from "../api/client";
import type { Locale } from "../api/types";

type Bundle = { default: Record<string, unknown> };

/** One namespace per feature: features/<name>/locales/<language>.json; "common" lies in shared/locales. */
const bundles = import.meta.glob<Bundle>(["../../features/*/locales/*.json", "../locales/*.json"]);

function bundlePath(language: string, namespace: string): string {
  return namespace === "common" ? `../locales/${language}.json` : `../../features/${namespace}/locales/${language}.json`;
}

const backend: BackendModule = {
  type: "backend",
  init: () => undefined,
  read(language: string, namespace: string, done: ReadCallback) {
    const load = bundles[bundlePath(language, namespace)];
    if (!load) return done(new Error(`no words for ${namespace} in ${language}`), null);
    load().then((bundle) => done(null, bundle.default as never), (error: Error) => done(error, null));
  },
};

const STORAGE_KEY = "livestall.language";

function firstLanguage(): Locale {
  const kept = localStorage.getItem(STORAGE_KEY);
  if (kept === "en" || kept === "zh") return kept;
  return navigator.languages.some((language) => language.toLowerCase().startsWith("zh")) &&
    !navigator.language.toLowerCase().startsWith("en") ? "zh" : "en";
}

function follow(language: string): void {
  setApiLanguage(language);
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
}

/** Loads the words of the shell; resolves when the first page can be drawn. */
export async function startI18n(): Promise<void> {
  const language = firstLanguage();
  follow(language);
  i18next.on("languageChanged", follow);
  await i18next.use(backend).use(initReactI18next).init({
    lng: language, fallbackLng: false, supportedLngs: ["en", "zh"], ns: ["common"], defaultNS: "common",
    interpolation: { escapeValue: false }, react: { useSuspense: true },
  });
}

/** The words of a feature, before it is drawn. Throws when they do not come. */
export async function loadWords(namespace: string): Promise<void> {
  if (i18next.hasResourceBundle(i18next.language, namespace)) return;
  await bundles[bundlePath(i18next.language, namespace)]?.();
  await i18next.loadNamespaces(namespace);
}

export function setLanguage(language: Locale): void {
  localStorage.setItem(STORAGE_KEY, language);
  void i18next.changeLanguage(language);
}

export function currentLanguage(): Locale {
  return i18next.language === "zh" ? "zh" : "en";
}
