import type { JSX } from "react";
import { Age, Empty, Facts, Failure, Mark, Meter, Panel, Table, WithData } from "../../components/parts";
import { useT } from "../../i18n";
import { getJson } from "../../lib/api";
import { formatBytes, formatCount, formatDays, formatDuration, formatInstant, formatPercent, formatShort } from "../../lib/format";
import { useLoad } from "../../lib/hooks";
import type { Status } from "../../lib/types";

export function StatusTab(): JSX.Element {
  const status = useLoad((signal) => getJson<Status>("/api/hinomi/status", signal), "status", 5_000);
  return <WithData from={status} lines={8}>{(data) => <StatusBody data={data} />}</WithData>;
}

function StatusBody({ data }: { data: Status }): JSX.Element {
  const { t, lang } = useT();
  const { store, process, disk } = data;
  return (
    <>
      {store.wal_error && <Failure error={new Error(t("status.wal_error", { error: store.wal_error }))} />}
      {(store.quarantined ?? 0) > 0 && <Failure error={new Error(t("status.quarantined", { n: store.quarantined ?? 0 }))} />}
      <div className="columns">
        <div className="column">
          <Panel title="hinomi">
            <Facts
              rows={[
                [t("status.version"), <span key="v">{data.version} <span className="dim mono">{data.revision ?? ""}</span></span>],
                [t("status.built"), data.built ?? t("state.unknown")],
                [t("status.up"), `${formatDuration(data.uptime_seconds, lang)} (${formatInstant(data.started_ms, lang)})`],
                [t("status.listen"), <span key="l" className="mono">{data.listen.join(" ")}</span>],
                [t("status.data"), <span key="d" className="mono wrap">{data.data_dir}</span>],
                [t("vitals.cpu"), formatPercent(process.cpu_ratio, 2)],
                [t("vitals.memory"), formatBytes(process.rss_bytes)],
                [t("status.files"), formatCount(process.open_files, lang)],
                [t("status.threads"), formatCount(process.threads, lang)],
              ]}
            />
          </Panel>
          <Panel title={t("status.queues")} count={data.queues.length} flush>
            {data.queues.length === 0 ? (
              <Empty title={t("status.queues.none")} />
            ) : (
              <Table label={t("status.queues")} dense head={<><th scope="col">{t("inv.name")}</th><th scope="col" className="grow">{t("status.filled")}</th><th scope="col" className="num">{t("status.dropped")}</th></>}>
                {data.queues.map((queue) => {
                  const ratio = queue.capacity > 0 ? queue.length / queue.capacity : null;
                  return (
                    <tr key={queue.name}>
                      <th scope="row" className="nowrap">{queue.name}</th>
                      <td className="grow">
                        <span className="meter-row">
                          <Meter ratio={ratio} level={ratio !== null && ratio > 0.8 ? "warning" : "ok"} label={queue.name} />
                          <span className="meter-number">{formatCount(queue.length, lang)} / {formatCount(queue.capacity, lang)}</span>
                        </span>
                      </td>
                      <td className="num">{queue.dropped_total > 0 ? <Mark level="warning">{formatCount(queue.dropped_total, lang)}</Mark> : 0}</td>
                    </tr>
                  );
                })}
              </Table>
            )}
          </Panel>
        </div>
        <div className="column">
          <Panel title={t("status.store")}>
            <Facts
              rows={[
                [t("status.series"), formatCount(store.series, lang)],
                [t("status.rate"), `${formatShort(store.samples_per_s)}/s`],
                [t("status.samples"), formatCount(store.samples_total, lang)],
                [t("status.oldest"), formatInstant(store.oldest_ms, lang)],
                [t("status.retention"), formatDuration(store.retention_seconds, lang)],
                [t("status.blocks"), `${formatCount(store.blocks, lang)} (${formatBytes(store.blocks_bytes)})`],
                [t("status.wal"), formatBytes(store.wal_bytes)],
                [t("status.fsync"), <span key="f"><Age ms={store.wal_last_fsync_ms} none={t("state.unknown")} /> <span className="dim">({formatDuration(store.wal_fsync_seconds, lang)})</span></span>],
                [t("status.disk"), `${formatBytes(disk.available_bytes)} / ${formatBytes(disk.size_bytes)}`],
                [t("fs.days"), disk.days_to_full === null ? t("state.unknown") : t("days.n", { days: formatDays(disk.days_to_full) })],
              ]}
            />
          </Panel>
        </div>
      </div>
      <Panel title={t("status.limits")} count={data.limits.length} flush>
        {data.limits.length === 0 ? (
          <Empty title={t("status.limits.none")}>{t("status.limits.why")}</Empty>
        ) : (
          <Table label={t("status.limits")} head={<><th scope="col">{t("limit.limit")}</th><th scope="col" className="hide-s">{t("limit.source")}</th><th scope="col" className="grow">{t("limit.metric")}</th><th scope="col" className="num">{t("limit.value")}</th><th scope="col" className="num hide-s">{t("limit.rejected")}</th><th scope="col" className="num">{t("limit.last")}</th></>}>
            {data.limits.map((limit) => (
              <tr key={`${limit.limit} ${limit.source ?? ""} ${limit.metric ?? ""} ${limit.label ?? ""}`}>
                <th scope="row"><Mark level="warning">{limit.limit}</Mark></th>
                <td className="hide-s">{limit.source ?? t("state.unknown")}</td>
                <td className="grow mono">{limit.metric ?? "–"}{limit.label && <span className="sub">{t("limit.label", { label: limit.label })}</span>}</td>
                <td className="num">{formatShort(limit.value)} / {formatShort(limit.maximum)}</td>
                <td className="num hide-s">{formatCount(limit.rejected_total, lang)}</td>
                <td className="num"><Age ms={limit.last_ms} /></td>
              </tr>
            ))}
          </Table>
        )}
      </Panel>
    </>
  );
}
