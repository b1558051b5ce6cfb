import { useState, type JSX } from "react";
import { Empty, Table } from "../../components/parts";
import { useT } from "../../i18n";
import type { ExploreState } from "../../lib/explore-state";
import { formatInstant, formatSample } from "../../lib/format";
import type { PromHistogram, PromSeries } from "../../lib/types";
import type { QueryResult } from "./run";

const ROWS_SHOWN = 200;

export function TableResults({ state, results }: { state: ExploreState; results: QueryResult[] }): JSX.Element {
  const several = state.queries.length > 1;
  return (
    <div className="stack">
      {results.map((result, index) =>
        state.queries[index]?.hidden || result.expr === "" ? null : (
          <div key={index}>
            {several && (
              <p className="table-title">
                <span className="query-letter">{"ABCDEFGHIJKL"[index]}</span> <code>{result.expr}</code>
              </p>
            )}
            <One result={result} />
          </div>
        ),
      )}
    </div>
  );
}

function histogramText(histogram: PromHistogram): string {
  return `count ${histogram.count}, sum ${histogram.sum}`;
}

function One({ result }: { result: QueryResult }): JSX.Element {
  const { t, tn, lang } = useT();
  const [all, setAll] = useState(false);
  if (result.error) return <Empty title={t("explore.failed")} />;
  if (!result.instant) return <Empty title={t("state.loading")} />;
  const { result: data, at } = result.instant;
  const when = <p className="dim table-when">{t("explore.at", { time: formatInstant(at * 1000, lang) })}</p>;
  if (data.resultType === "scalar" || data.resultType === "string") {
    return (
      <>
        {when}
        <p className="scalar">{data.resultType === "scalar" ? formatSample(data.result[1]) : JSON.stringify(data.result[1])}</p>
      </>
    );
  }
  if (data.result.length === 0) return <Empty title={t("explore.nothing")}>{t("explore.nothing.why")}</Empty>;
  const names = labelNames(data.result);
  const rows = all ? data.result : data.result.slice(0, ROWS_SHOWN);
  return (
    <>
      <p className="dim table-when">
        {tn("explore.series", data.result.length)} · {t("explore.at", { time: formatInstant(at * 1000, lang) })}
      </p>
      <Table
        label={t("explore.table")}
        dense
        head={
          <>
            {names.map((name) => (
              <th scope="col" key={name} className={name === "__name__" ? "" : "mono"}>
                {name === "__name__" ? t("explore.metric") : name}
              </th>
            ))}
            <th scope="col" className="num">{t("explore.value")}</th>
          </>
        }
      >
        {rows.map((series) => (
          <tr key={JSON.stringify(series.metric)}>
            {names.map((name) => (
              <td key={name} className="mono">
                {series.metric[name] ?? <span className="dim">–</span>}
              </td>
            ))}
            <td className="num mono">{cell(series)}</td>
          </tr>
        ))}
      </Table>
      {data.result.length > rows.length && (
        <button type="button" className="text-button" onClick={() => setAll(true)}>
          {t("explore.show_all", { total: data.result.length })}
        </button>
      )}
    </>
  );
}

function cell(series: PromSeries): string {
  if (series.value) return formatSample(series.value[1]);
  if (series.histogram) return histogramText(series.histogram[1]);
  if (series.values) return series.values.map(([at, text]) => `${formatSample(text)} @${at}`).join("\n");
  return (series.histograms ?? []).map(([at, histogram]) => `${histogramText(histogram)} @${at}`).join("\n");
}

/* The labels in which the rows differ come first; those that all share come last. */
export function labelNames(series: PromSeries[]): string[] {
  const values = new Map<string, Set<string>>();
  for (const one of series) {
    for (const [name, value] of Object.entries(one.metric)) {
      const seen = values.get(name) ?? new Set<string>();
      seen.add(value);
      values.set(name, seen);
    }
  }
  const rank = (name: string): number => (name === "__name__" ? 0 : (values.get(name)?.size ?? 0) > 1 ? 1 : 2);
  return [...values.keys()].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}
