/* uPlot in hinomi's colours. Gaps stay open, NaN is a gap, a drag zooms, the nearest line is named. */
import { useEffect, useRef, useState, type JSX } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useT } from "../i18n";
import { formatInstant, formatShort, locale, type Lang } from "../lib/format";
import { stack } from "../lib/matrix";
import { useColorScheme } from "../lib/prefs";

export interface ChartSeries {
  label: string;
  color: string;
  hidden: boolean;
}

export interface ChartProps {
  times: number[];
  columns: (number | null)[][];
  series: ChartSeries[];
  stacked: boolean;
  height: number;
  onZoom: (startSeconds: number, endSeconds: number) => void;
  onCursor: (index: number | null) => void;
  label: string;
}

interface Tip {
  left: number;
  top: number;
  flip: boolean;
  series: number;
  index: number;
}

export const SERIES_COLORS = 10;

/* Colours by place in the list: the palette is in theme.css, so that it changes with the scheme. */
export function seriesColor(index: number): string {
  return `var(--series-${index % SERIES_COLORS})`;
}

function resolved(style: CSSStyleDeclaration, color: string): string {
  const name = /^var\((--[\w-]+)\)$/.exec(color)?.[1];
  return name ? style.getPropertyValue(name).trim() : color;
}

/* As many decimals as the step between the ticks has, so that evenly spaced ticks read so: 0.0725, not 0.072. */
export function valueTicks(splits: number[], incr: number): string[] {
  let decimals = 0;
  while (decimals < 6 && Math.abs(incr * 10 ** decimals - Math.round(incr * 10 ** decimals)) > 1e-6) decimals++;
  const plain = incr >= 1e-6 && splits.every((value) => Math.abs(value) < 1000);
  return splits.map((value) => (plain && value !== 0 ? value.toFixed(decimals) : formatShort(value)));
}

export function timeTicks(splits: number[], incr: number, lang: Lang): string[] {
  const place = locale(lang);
  const clock = new Intl.DateTimeFormat(place, {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    ...(incr < 60 ? { second: "2-digit" as const } : {}),
  });
  const day = new Intl.DateTimeFormat(place, { month: lang === "ja" ? "numeric" : "short", day: "numeric" });
  let before = "";
  return splits.map((seconds) => {
    const ms = seconds * 1000;
    const date = day.format(ms);
    if (incr >= 86400) return date;
    const newDay = before !== "" && date !== before;
    before = date;
    return newDay ? `${clock.format(ms)}\n${date}` : clock.format(ms);
  });
}

/* A series with one sample between two gaps would draw nothing: those are drawn as points. */
function lonely(column: (number | null)[]): number[] {
  const found: number[] = [];
  column.forEach((value, index) => {
    if (value === null) return;
    const before = index > 0 ? column[index - 1] : null;
    const after = index < column.length - 1 ? column[index + 1] : null;
    if ((before === null || before === undefined) && (after === null || after === undefined)) found.push(index);
  });
  return found;
}

export function Chart(props: ChartProps): JSX.Element {
  const { times, columns, series, stacked, height, label } = props;
  const { lang } = useT();
  const scheme = useColorScheme();
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const told = useRef(props);
  told.current = props;
  const [tip, setTip] = useState<Tip | null>(null);
  const shape = `${series.map((one) => `${one.color}|${one.label}`).join("\n")}|${stacked}|${lang}|${scheme}|${height}`;
  const hiddenKey = series.map((one) => (one.hidden ? "1" : "0")).join("");
  const drawn = (): uPlot.AlignedData => {
    const now = told.current;
    const shown = now.columns.map((column, index) => (now.series[index]?.hidden ? column.map(() => null) : column));
    return [now.times, ...(now.stacked ? stack(shown) : shown)] as uPlot.AlignedData;
  };

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const style = getComputedStyle(document.documentElement);
    const line = style.getPropertyValue("--grid").trim();
    const ink = style.getPropertyValue("--ink-2").trim();
    const font = `11px ${style.getPropertyValue("--sans").trim()}`;
    const axis: uPlot.Axis = {
      stroke: ink,
      font,
      grid: { stroke: line, width: 1 },
      ticks: { stroke: line, width: 1, size: 4 },
    };
    const options: uPlot.Options = {
      width: Math.max(element.clientWidth, 200),
      height,
      padding: [12, 28, 0, 4],
      legend: { show: false },
      cursor: {
        drag: { x: true, y: false, setScale: false },
        focus: { prox: 24 },
        points: { size: 7 },
      },
      focus: { alpha: stacked ? 1 : 0.25 },
      scales: { x: { time: true } },
      axes: [
        { ...axis, values: (_, splits, __, ___, incr) => timeTicks(splits, incr, lang), size: 36, space: 76 },
        {
          ...axis,
          values: (_, splits, __, ___, incr) => valueTicks(splits, incr),
          size: (_, values) => 14 + Math.max(24, ...(values ?? []).map((value) => value.length * 7)),
        },
      ],
      series: [
        {},
        ...series.map((one, which): uPlot.Series => {
          const color = resolved(style, one.color);
          return {
            label: one.label,
            stroke: color,
            width: 1.5,
            spanGaps: false,
            fill: stacked && which === 0 ? `${color}55` : undefined,
            points: { show: true, size: 4, fill: color, filter: (_u, seriesIndex) => lonely(told.current.columns[seriesIndex - 1] ?? []) },
          };
        }),
      ],
      bands: stacked
        ? series.slice(1).map((one, which) => ({ series: [which + 2, which + 1] as [number, number], fill: `${resolved(style, one.color)}55` }))
        : undefined,
      hooks: {
        setSelect: [
          (u) => {
            if (u.select.width < 4) return;
            told.current.onZoom(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"));
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          },
        ],
        setCursor: [
          (u) => {
            const index = u.cursor.idx ?? null;
            told.current.onCursor(index);
            const left = u.cursor.left ?? -1;
            const top = u.cursor.top ?? -1;
            if (index === null || left < 0) return setTip(null);
            let best = -1;
            let distance = 40;
            told.current.series.forEach((one, which) => {
              const value = u.data[which + 1]?.[index];
              if (one.hidden || value === null || value === undefined) return;
              const away = Math.abs(u.valToPos(value, "y") - top);
              if (away < distance) {
                best = which;
                distance = away;
              }
            });
            setTip({ left: left + u.bbox.left / devicePixelRatio, top, flip: left > u.width / 2, series: best, index });
          },
        ],
      },
    };
    const chart = new uPlot(options, drawn(), element);
    plot.current = chart;
    const resize = new ResizeObserver(() => {
      const width = Math.max(element.clientWidth, 200);
      if (width !== chart.width) chart.setSize({ width, height });
    });
    resize.observe(element);
    return () => {
      resize.disconnect();
      chart.destroy();
      plot.current = null;
      setTip(null);
    };
  }, [shape]);

  useEffect(() => {
    plot.current?.setData(drawn());
  }, [times, columns, hiddenKey, shape]);

  const named = tip && tip.series >= 0 ? series[tip.series] : undefined;
  return (
    <div className="chart" role="img" aria-label={label}>
      <div ref={box} className="chart-box" />
      {tip && (
        <div className={tip.flip ? "chart-tip flip" : "chart-tip"} style={{ left: tip.left, top: Math.max(0, tip.top - 10) }}>
          <div className="dim">{formatInstant((times[tip.index] ?? 0) * 1000, lang)}</div>
          {named && (
            <div className="chart-tip-series">
              <span className="swatch" style={{ background: named.color }} />
              <b>{formatShort(columns[tip.series]?.[tip.index] ?? null)}</b>
              <span className="chart-tip-label">{named.label}</span>
            </div>
          )}
        </div>
      )}
    </div>
  );
}
