/* Addresses: seven places, each with its own parts below it. The back button works because every
 * view is an address and nothing else. */
import { useSyncExternalStore } from "react";

export type Place = "overview" | "explore" | "services" | "ring" | "checks" | "inventory" | "settings";
export const PLACES: Place[] = ["overview", "explore", "services", "ring", "checks", "inventory", "settings"];

export interface Location {
  place: Place | null;
  rest: string[];
  search: string;
  hash: string;
  path: string;
}

export function placePath(place: Place): string {
  return place === "overview" ? "/" : `/${place}`;
}

export function parseLocation(path: string, search: string, hash = ""): Location {
  const parts = path.split("/").filter(Boolean);
  const first = parts[0];
  if (first === undefined) return { place: "overview", rest: [], search, hash, path };
  const place = PLACES.find((name) => name === first) ?? null;
  return { place, rest: parts.slice(1).map(decodeURIComponent), search, hash, path };
}

const listeners = new Set<() => void>();
let current = parseLocation(
  globalThis.location?.pathname ?? "/",
  globalThis.location?.search ?? "",
  globalThis.location?.hash ?? "",
);

function changed(): void {
  current = parseLocation(location.pathname, location.search, location.hash);
  for (const listener of listeners) listener();
}

if (typeof window !== "undefined") window.addEventListener("popstate", changed);

export function navigate(to: string, options: { replace?: boolean } = {}): void {
  const now = location.pathname + location.search + location.hash;
  if (to === now) return;
  const samePlace = to.split(/[?#]/)[0] === location.pathname;
  if (options.replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  changed();
  const target = current.hash ? document.getElementById(current.hash.slice(1)) : null;
  if (target) target.scrollIntoView({ block: "start" });
  else if (!samePlace) window.scrollTo(0, 0);
}

export function useLocation(): Location {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current,
  );
}
