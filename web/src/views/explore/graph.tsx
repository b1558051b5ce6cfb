import { useMemo, useState, type JSX, type MouseEvent } from "react";
import { Chart, seriesColor } from "../../components/chart";
import { Empty } from "../../components/parts";
import { useT } from "../../i18n";
import type { ExploreState } from "../../lib/explore-state";
import { formatLabels, formatShort } from "../../lib/format";
import { distinctLabels, gridOf, SERIES_DRAWN_MAX, summarize, type ColumnSummary } from "../../lib/matrix";
import type { QueryResult } from "./run";

interface Line {
  label: string;
  short: string;
  letter: string;
  color: string;
  column: (number | null)[];
  summary: ColumnSummary;
  undrawable: boolean;
}

export function GraphResults({
  state,
  results,
  go,
}: {
  state: ExploreState;
  results: QueryResult[];
  go: (change: Partial<ExploreState>) => void;
}): JSX.Element {
  const { t, tn } = useT();
  const [off, setOff] = useState<ReadonlySet<string>>(new Set());
  const [cursor, setCursor] = useState<number | null>(null);
  const shown = results.filter((result, index) => !state.queries[index]?.hidden && result.range !== null);
  const several = state.queries.length > 1;
  const hiddenKey = state.queries.map((query) => (query.hidden ? "1" : "0")).join("");

  const { times, lines, total } = useMemo(() => {
    const first = shown[0]?.range;
    if (!first) return { times: [] as number[], lines: [] as Line[], total: 0 };
    const found: Line[] = [];
    let all = 0;
    let grid: number[] = [];
    results.forEach((result, which) => {
      const range = result.range;
      if (!range || state.queries[which]?.hidden) return;
      all += range.series.length;
      const room = SERIES_DRAWN_MAX - found.length;
      const made = gridOf(range.series.slice(0, Math.max(0, room)), first.start, first.end, first.step);
      grid = made.times;
      const distinct = distinctLabels(range.series);
      made.columns.forEach((column, index) => {
        const metric = range.series[index]?.metric ?? {};
        const label = formatLabels(metric);
        found.push({
          label: label === "{}" ? result.expr : label,
          short: label === "{}" ? result.expr : formatLabels(distinct[index] ?? metric),
          letter: several ? ("ABCDEFGHIJKL"[which] ?? "") : "",
          color: seriesColor(found.length),
          column,
          summary: summarize(column),
          undrawable: made.undrawable[index] ?? false,
        });
      });
    });
    return { times: grid, lines: found, total: all };
  }, [results, hiddenKey]);

  const waiting = results.some((result) => result.loading);
  if (lines.length === 0) {
    const failed = results.some((result) => result.error !== null);
    if (failed && !waiting) return <Empty title={t("explore.failed")} />;
    return <Empty title={t(waiting ? "state.loading" : "explore.nothing")}>{!waiting && t("explore.nothing.why")}</Empty>;
  }
  const toggle = (event: MouseEvent, label: string): void => {
    const alone = !event.shiftKey && !event.ctrlKey && !event.metaKey;
    setOff((before) => {
      if (alone) {
        const others = lines.filter((line) => line.letter + line.label !== label).map((line) => line.letter + line.label);
        const isAlone = others.length > 0 && others.every((other) => before.has(other)) && !before.has(label);
        return isAlone ? new Set() : new Set(others);
      }
      const next = new Set(before);
      if (!next.delete(label)) next.add(label);
      return next;
    });
  };
  const at = (line: Line): number | null => (cursor === null ? line.summary.last : (line.column[cursor] ?? null));
  return (
    <div className={waiting ? "graph is-waiting" : "graph"}>
      <Chart
        times={times}
        columns={lines.map((line) => line.column)}
        series={lines.map((line) => ({ label: line.label, color: line.color, hidden: off.has(line.letter + line.label) }))}
        stacked={state.stacked}
        height={340}
        label={tn("explore.graph_of", lines.length)}
        onCursor={setCursor}
        onZoom={(start, end) =>
          go({ rangeSeconds: Math.max(10, Math.round(end - start)), endMs: Math.round(end * 1000), stepSeconds: null })
        }
      />
      {total > lines.length && <p className="query-note">{t("explore.too_many", { shown: lines.length, total })}</p>}
      <div className="table-wrap legend" role="region" aria-label={t("explore.legend")} tabIndex={0}>
        <table className="table dense">
          <thead>
            <tr>
              <th scope="col" className="grow">{tn("explore.series", total)}</th>
              <th scope="col" className="num">{t(cursor === null ? "explore.last" : "explore.at_cursor")}</th>
              <th scope="col" className="num hide-s">{t("explore.min")}</th>
              <th scope="col" className="num hide-s">{t("explore.mean")}</th>
              <th scope="col" className="num hide-s">{t("explore.max")}</th>
            </tr>
          </thead>
          <tbody>
            {lines.map((line) => {
              const id = line.letter + line.label;
              return (
                <tr key={id} className={off.has(id) ? "is-off" : ""}>
                  <td className="grow">
                    <button type="button" className="legend-item" aria-pressed={!off.has(id)} onClick={(event) => toggle(event, id)} title={`${line.label}\n${t("explore.legend_help")}`}>
                      <span className="swatch" style={{ background: line.color }} />
                      {line.letter && <span className="query-letter">{line.letter}</span>}
                      <span className="mono legend-label">{line.short}</span>
                      {line.undrawable && <span className="tag">{t("explore.nan")}</span>}
                    </button>
                  </td>
                  <td className="num">{formatShort(at(line))}</td>
                  <td className="num hide-s">{formatShort(line.summary.min)}</td>
                  <td className="num hide-s">{formatShort(line.summary.mean)}</td>
                  <td className="num hide-s">{formatShort(line.summary.max)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </div>
  );
}
