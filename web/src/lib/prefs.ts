/* What a person chose for this browser: language and colours. Without a choice the browser's own
 * are followed. */
import { useSyncExternalStore } from "react";
import type { Lang } from "./format";

export type ThemeChoice = "auto" | "light" | "dark";
export type LangChoice = "auto" | Lang;

export interface Prefs {
  theme: ThemeChoice;
  lang: LangChoice;
}

const KEY = "hinomi.prefs";
const listeners = new Set<() => void>();

function read(): Prefs {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Prefs>;
    return {
      theme: stored.theme === "light" || stored.theme === "dark" ? stored.theme : "auto",
      lang: stored.lang === "en" || stored.lang === "ja" ? stored.lang : "auto",
    };
  } catch {
    return { theme: "auto", lang: "auto" };
  }
}

let current: Prefs = typeof localStorage === "undefined" ? { theme: "auto", lang: "auto" } : read();

function tell(): void {
  for (const listener of listeners) listener();
}

export function setPrefs(change: Partial<Prefs>): void {
  current = { ...current, ...change };
  try {
    localStorage.setItem(KEY, JSON.stringify(current));
  } catch {
    /* private windows may refuse; the choice then lasts as long as the page */
  }
  tell();
}

export function usePrefs(): Prefs {
  return useSyncExternalStore(subscribe, () => current);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function resolveLang(choice: LangChoice, languages: readonly string[]): Lang {
  if (choice !== "auto") return choice;
  for (const language of languages) {
    if (/^ja\b/i.test(language)) return "ja";
    if (/^en\b/i.test(language)) return "en";
  }
  return "en";
}

const darkQuery = typeof matchMedia === "undefined" ? null : matchMedia("(prefers-color-scheme: dark)");

export function useColorScheme(): "light" | "dark" {
  const { theme } = usePrefs();
  const systemDark = useSyncExternalStore(
    (listener) => {
      darkQuery?.addEventListener("change", listener);
      return () => darkQuery?.removeEventListener("change", listener);
    },
    () => darkQuery?.matches ?? false,
  );
  return theme === "auto" ? (systemDark ? "dark" : "light") : theme;
}
