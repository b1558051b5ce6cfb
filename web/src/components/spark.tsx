/* The small live graph of a tile: five minutes, one point a second, gaps left open. */
import { useMemo, useRef, useState, type JSX, type PointerEvent } from "react";
import { useT } from "../i18n";
import { formatClock } from "../lib/format";
import type { Column } from "../lib/types";

export interface SparkLine {
  values: Column;
  tone: "a" | "b";
}

const WIDTH = 300;
const HEIGHT = 56;
const WINDOW_MS = 300_000;

/* Path segments between gaps; a point that stands alone becomes a short dash. */
export function sparkPath(times: number[], values: Column, endMs: number, max: number, area: boolean): string {
  let path = "";
  let open: { x: number; y: number }[] = [];
  const flush = (): void => {
    const first = open[0];
    const last = open.at(-1);
    if (!first || !last) return;
    const points = open.length === 1 ? [first, { x: first.x + 1.5, y: first.y }] : open;
    path += points.map((point, index) => `${index === 0 ? "M" : "L"}${point.x.toFixed(1)} ${point.y.toFixed(1)}`).join("");
    if (area) path += `L${last.x.toFixed(1)} ${HEIGHT}L${first.x.toFixed(1)} ${HEIGHT}Z`;
    open = [];
  };
  times.forEach((time, index) => {
    const value = values[index];
    const x = WIDTH - ((endMs - time) / WINDOW_MS) * WIDTH;
    if (value === null || value === undefined || !Number.isFinite(value)) return flush();
    if (x < -2) return;
    const y = HEIGHT - 2 - (max > 0 ? Math.min(1, Math.max(0, value / max)) : 0) * (HEIGHT - 6);
    open.push({ x, y });
  });
  flush();
  return path;
}

export function Spark({
  times,
  lines,
  max,
  format,
  label,
}: {
  times: number[];
  lines: SparkLine[];
  /* a fixed top, or undefined to fit what is seen */
  max?: number;
  format: (value: number | null) => string;
  label: string;
}): JSX.Element {
  const { lang } = useT();
  const box = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState<number | null>(null);
  const endMs = times.at(-1) ?? 0;
  const top = useMemo(() => {
    if (max !== undefined) return max;
    let highest = 0;
    for (const line of lines) for (const value of line.values) if (value !== null && value > highest) highest = value;
    return highest * 1.1;
  }, [lines, max]);
  const move = (event: PointerEvent<HTMLDivElement>): void => {
    const bounds = box.current?.getBoundingClientRect();
    if (!bounds || times.length === 0) return;
    const wanted = endMs - (1 - (event.clientX - bounds.left) / bounds.width) * WINDOW_MS;
    let best = 0;
    for (let index = 1; index < times.length; index++) {
      if (Math.abs((times[index] ?? 0) - wanted) < Math.abs((times[best] ?? 0) - wanted)) best = index;
    }
    setAt(best);
  };
  const seen = at !== null && at < times.length ? at : null;
  const x = seen === null ? 0 : WIDTH - ((endMs - (times[seen] ?? 0)) / WINDOW_MS) * WIDTH;
  return (
    <div ref={box} className="spark" onPointerMove={move} onPointerLeave={() => setAt(null)}>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
        <line className="spark-base" x1="0" x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
        {lines.map((line) => (
          <g key={line.tone} className={`spark-${line.tone}`}>
            <path className="spark-area" d={sparkPath(times, line.values, endMs, top, true)} />
            <path className="spark-line" d={sparkPath(times, line.values, endMs, top, false)} />
          </g>
        ))}
        {seen !== null && <line className="spark-cursor" x1={x} x2={x} y1="0" y2={HEIGHT} />}
      </svg>
      {seen !== null && (
        <div className="spark-read">
          {formatClock(times[seen] ?? null, lang)}{" "}
          {lines.map((line) => (
            <b key={line.tone} className={`tone-${line.tone}`}>
              {format(line.values[seen] ?? null)}
            </b>
          ))}
        </div>
      )}
    </div>
  );
}
