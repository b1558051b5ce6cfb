/* Explore's whole state is its address, so that a link shows another person the same graph. */
import { parseDuration, writeDuration } from "./duration";

export type ExploreTab = "graph" | "table";

export interface ExploreQuery {
  expr: string;
  hidden: boolean;
}

export interface ExploreState {
  queries: ExploreQuery[];
  tab: ExploreTab;
  /* length of what is seen, and where it ends; null means now */
  rangeSeconds: number;
  endMs: number | null;
  /* null means: chosen by the range */
  stepSeconds: number | null;
  refreshSeconds: number;
  stacked: boolean;
}

export const QUERIES_MAX = 12;
export const RANGE_MIN_SECONDS = 10;
export const RANGE_MAX_SECONDS = 10 * 365 * 86400;

export function defaultExploreState(): ExploreState {
  return {
    queries: [{ expr: "", hidden: false }],
    tab: "graph",
    rangeSeconds: 3600,
    endMs: null,
    stepSeconds: null,
    refreshSeconds: 0,
    stacked: false,
  };
}

function clampRange(seconds: number | null): number | null {
  if (seconds === null || !Number.isFinite(seconds)) return null;
  return Math.min(Math.max(seconds, RANGE_MIN_SECONDS), RANGE_MAX_SECONDS);
}

export function readExploreState(search: string): ExploreState {
  const params = new URLSearchParams(search);
  const state = defaultExploreState();
  const queries = params.getAll("q").slice(0, QUERIES_MAX);
  const hidden = new Set((params.get("hide") ?? "").split(",").filter(Boolean).map(Number));
  if (queries.length > 0) {
    state.queries = queries.map((expr, index) => ({ expr, hidden: hidden.has(index) }));
  }
  if (params.get("tab") === "table") state.tab = "table";
  state.rangeSeconds = clampRange(parseDuration(params.get("range") ?? "")) ?? state.rangeSeconds;
  const end = params.get("end");
  if (end !== null) {
    const ms = /^\d+$/.test(end) ? Number(end) : Date.parse(end);
    if (Number.isFinite(ms)) state.endMs = ms;
  }
  const step = parseDuration(params.get("step") ?? "");
  if (step !== null && step > 0) state.stepSeconds = step;
  const refresh = parseDuration(params.get("refresh") ?? "");
  if (refresh !== null && refresh >= 1) state.refreshSeconds = refresh;
  state.stacked = params.get("stacked") === "1";
  return state;
}

export function writeExploreState(state: ExploreState): string {
  const params = new URLSearchParams();
  const filled = state.queries.length > 1 || (state.queries[0]?.expr ?? "") !== "";
  if (filled) for (const query of state.queries) params.append("q", query.expr);
  const hidden = state.queries.flatMap((query, index) => (query.hidden ? [String(index)] : []));
  if (hidden.length > 0) params.set("hide", hidden.join(","));
  if (state.tab !== "graph") params.set("tab", state.tab);
  if (state.rangeSeconds !== 3600) params.set("range", writeDuration(state.rangeSeconds));
  if (state.endMs !== null) params.set("end", new Date(state.endMs).toISOString());
  if (state.stepSeconds !== null) params.set("step", writeDuration(state.stepSeconds));
  if (state.refreshSeconds > 0) params.set("refresh", writeDuration(state.refreshSeconds));
  if (state.stacked) params.set("stacked", "1");
  const text = params.toString();
  return text ? `?${text}` : "";
}

/* A link to Explore with one expression, for the rest of the screen. */
export function exploreLink(expr: string, rangeSeconds = 3600): string {
  const state = defaultExploreState();
  return `/explore${writeExploreState({ ...state, queries: [{ expr, hidden: false }], rangeSeconds })}`;
}
