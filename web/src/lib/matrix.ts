/* From Prometheus's matrix to uPlot's columns: one grid of instants, `null` where there is no
 * sample. NaN and the infinities cannot be drawn and become gaps; the legend still names them. */
import type { PromSeries } from "./types";

export interface Grid {
  /* seconds, as uPlot wants them */
  times: number[];
  columns: (number | null)[][];
  /* series with at least one NaN or infinite sample */
  undrawable: boolean[];
}

export const SERIES_DRAWN_MAX = 100;

export function gridOf(series: PromSeries[], startSeconds: number, endSeconds: number, stepSeconds: number): Grid {
  const count = Math.max(1, Math.floor((endSeconds - startSeconds) / stepSeconds + 1e-6) + 1);
  const times = Array.from({ length: count }, (_, index) => startSeconds + index * stepSeconds);
  const undrawable: boolean[] = [];
  const columns = series.map((one, which) => {
    const column = new Array<number | null>(count).fill(null);
    undrawable[which] = false;
    const put = (at: number, value: number): void => {
      const index = Math.round((at - startSeconds) / stepSeconds);
      if (index < 0 || index >= count) return;
      if (Number.isFinite(value)) column[index] = value;
      else undrawable[which] = true;
    };
    for (const [at, text] of one.values ?? []) put(at, parseSample(text));
    /* a native histogram is drawn by its mean until it is asked for quantiles */
    for (const [at, histogram] of one.histograms ?? []) {
      const observed = Number(histogram.count);
      put(at, observed > 0 ? Number(histogram.sum) / observed : NaN);
    }
    return column;
  });
  return { times, columns, undrawable };
}

export function parseSample(text: string): number {
  if (text === "+Inf" || text === "Inf") return Infinity;
  if (text === "-Inf") return -Infinity;
  return Number(text);
}

/* Sums upwards for a stacked graph; a gap stays a gap and adds nothing to those above it. */
export function stack(columns: (number | null)[][]): (number | null)[][] {
  const below: number[] = [];
  return columns.map((column) =>
    column.map((value, index) => {
      if (value === null) return null;
      below[index] = (below[index] ?? 0) + value;
      return below[index] ?? null;
    }),
  );
}

/* What tells each series from its neighbours: labels that all share are left out of the legend. */
export function distinctLabels(series: PromSeries[]): Record<string, string>[] {
  const first = series[0]?.metric ?? {};
  const shared = Object.keys(first).filter((name) => series.every((one) => one.metric[name] === first[name]));
  return series.map((one) => {
    const own = Object.entries(one.metric).filter(([name]) => name === "__name__" || !shared.includes(name));
    return own.some(([name]) => name !== "__name__") ? Object.fromEntries(own) : one.metric;
  });
}

export interface ColumnSummary {
  last: number | null;
  min: number | null;
  max: number | null;
  mean: number | null;
}

export function summarize(column: (number | null)[]): ColumnSummary {
  let last: number | null = null;
  let min: number | null = null;
  let max: number | null = null;
  let total = 0;
  let count = 0;
  for (const value of column) {
    if (value === null) continue;
    last = value;
    min = min === null || value < min ? value : min;
    max = max === null || value > max ? value : max;
    total += value;
    count++;
  }
  return { last, min, max, mean: count > 0 ? total / count : null };
}
