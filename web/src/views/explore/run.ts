/* Runs Explore's queries: the whole range for the graph, one instant for the table. */
import { useEffect, useRef, useState } from "react";
import { getProm } from "../../lib/api";
import { stepFor } from "../../lib/duration";
import type { ExploreState } from "../../lib/explore-state";
import type { PromResult, PromSeries } from "../../lib/types";

export interface QueryResult {
  expr: string;
  loading: boolean;
  error: Error | null;
  range: { series: PromSeries[]; start: number; end: number; step: number } | null;
  instant: { result: PromResult; at: number } | null;
  warnings: string[];
  infos: string[];
}

export function idle(expr: string): QueryResult {
  return { expr, loading: false, error: null, range: null, instant: null, warnings: [], infos: [] };
}

/* Aligned to the step, so that a refresh moves the same points instead of choosing others. */
export function alignedRange(endSeconds: number, rangeSeconds: number, step: number): { start: number; end: number } {
  const end = Math.floor(endSeconds / step) * step;
  return { start: Math.ceil((end - rangeSeconds) / step) * step, end };
}

function seconds(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

async function ask(expr: string, state: ExploreState, signal: AbortSignal): Promise<QueryResult> {
  const now = (state.endMs ?? Date.now()) / 1000;
  if (state.tab === "table") {
    const answer = await getProm<PromResult>("/api/v1/query", { query: expr, time: seconds(now) }, signal);
    return { ...idle(expr), instant: { result: answer.data, at: now }, warnings: answer.warnings, infos: answer.infos };
  }
  const step = state.stepSeconds ?? stepFor(state.rangeSeconds);
  const { start, end } = alignedRange(now, state.rangeSeconds, step);
  const answer = await getProm<PromResult>(
    "/api/v1/query_range",
    { query: expr, start: seconds(start), end: seconds(end), step: seconds(step) },
    signal,
  );
  const series = answer.data.resultType === "matrix" ? answer.data.result : [];
  return { ...idle(expr), range: { series, start, end, step }, warnings: answer.warnings, infos: answer.infos };
}

export function useQueries(state: ExploreState, round: number): QueryResult[] {
  const [results, setResults] = useState<QueryResult[]>([]);
  const [tick, setTick] = useState(0);
  const latest = useRef(state);
  latest.current = state;
  const exprs = state.queries.map((query) => query.expr.trim());
  const key = JSON.stringify([exprs, state.tab, state.rangeSeconds, state.endMs, state.stepSeconds]);

  useEffect(() => {
    const abort = new AbortController();
    const wanted = latest.current.queries.map((query) => query.expr.trim());
    setResults((before) =>
      wanted.map((expr, index) => {
        const old = before[index];
        const same = old?.expr === expr ? old : idle(expr);
        return { ...same, loading: expr !== "" };
      }),
    );
    wanted.forEach((expr, index) => {
      if (expr === "") return;
      void ask(expr, latest.current, abort.signal)
        .catch((error: unknown) => ({
          ...idle(expr),
          error: error instanceof Error ? error : new Error(String(error)),
        }))
        .then((result) => {
          if (abort.signal.aborted) return;
          setResults((before) => before.map((old, which) => (which === index ? result : old)));
        });
    });
    return () => abort.abort();
  }, [key, round, tick]);

  const { refreshSeconds, endMs } = state;
  useEffect(() => {
    if (refreshSeconds <= 0 || endMs !== null) return;
    const timer = setInterval(() => {
      if (!document.hidden) setTick((before) => before + 1);
    }, refreshSeconds * 1000);
    return () => clearInterval(timer);
  }, [refreshSeconds, endMs]);

  /* before the first effect has run, the shapes must still match the queries */
  return exprs.map((expr, index) => results[index] ?? { ...idle(expr), loading: expr !== "" });
}
