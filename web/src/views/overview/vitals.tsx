import type { JSX, ReactNode } from "react";
import { Link } from "../../components/parts";
import { Spark, type SparkLine } from "../../components/spark";
import { useT } from "../../i18n";
import { exploreLink } from "../../lib/explore-state";
import { formatByteRate, formatBytes, formatPercent, formatShort, UNKNOWN } from "../../lib/format";
import type { HistoryPoints, Overview } from "../../lib/types";
import { isPhysicalDisk, physical, pointOf } from "../../lib/stream";

const CPU = '1 - avg(rate(node_cpu_seconds_total{mode="idle"}[1m]))';
const MEMORY = "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes";
const DISK = "rate(node_disk_read_bytes_total[1m])";
const NETWORK = 'rate(node_network_receive_bytes_total{device!="lo"}[1m])';
const PRESSURE = "rate(node_pressure_cpu_waiting_seconds_total[1m])";

export function Vitals({ overview, history }: { overview: Overview; history: HistoryPoints }): JSX.Element {
  const { t } = useT();
  const { cpu, memory, psi } = overview;
  const now = pointOf(overview);
  const busiest = physical(overview.disks, isPhysicalDisk).reduce<number | null>(
    (most, disk) => (disk.busy_ratio !== null && (most === null || disk.busy_ratio > most) ? disk.busy_ratio : most),
    null,
  );
  const errors = overview.network.reduce((total, device) => total + (device.errors_per_s ?? 0), 0);
  return (
    <section className="vitals" aria-label={t("vitals.label")}>
      <Tile
        name={t("vitals.cpu")}
        to={exploreLink(CPU)}
        big={formatPercent(cpu.used_ratio)}
        lines={[{ values: history.cpu_used_ratio, tone: "a" }]}
        max={1}
        history={history}
        format={formatPercent}
      >
        <Cores cores={cpu.cores} label={t("vitals.cores")} />
        <Small name={t("vitals.load")}>
          {[cpu.load1, cpu.load5, cpu.load15].map((load) => (load === null ? UNKNOWN : load.toFixed(2))).join(" ")}
        </Small>
        <Small name={t("vitals.iowait")}>{formatPercent(cpu.modes["iowait"] ?? null)}</Small>
        {(cpu.modes["steal"] ?? 0) > 0.005 && <Small name={t("vitals.steal")}>{formatPercent(cpu.modes["steal"])}</Small>}
      </Tile>
      <Tile
        name={t("vitals.memory")}
        to={exploreLink(MEMORY)}
        big={formatPercent(now.memory_used_ratio)}
        lines={[{ values: history.memory_used_ratio, tone: "a" }]}
        max={1}
        history={history}
        format={formatPercent}
      >
        <Small name={t("vitals.available")}>
          {formatBytes(memory.available_bytes)} / {formatBytes(memory.total_bytes)}
        </Small>
        <Small name={t("vitals.swap")}>{memory.swap_total_bytes === 0 ? t("vitals.noswap") : formatBytes(memory.swap_used_bytes)}</Small>
      </Tile>
      <Tile
        name={t("vitals.disk")}
        to={exploreLink(DISK)}
        big={
          <Pair
            a={[t("vitals.read"), formatByteRate(now.disk_read_bytes_per_s)]}
            b={[t("vitals.write"), formatByteRate(now.disk_write_bytes_per_s)]}
          />
        }
        lines={[
          { values: history.disk_read_bytes_per_s, tone: "a" },
          { values: history.disk_write_bytes_per_s, tone: "b" },
        ]}
        history={history}
        format={formatByteRate}
      >
        <Small name={t("vitals.busy")}>{formatPercent(busiest)}</Small>
      </Tile>
      <Tile
        name={t("vitals.network")}
        to={exploreLink(NETWORK)}
        big={
          <Pair
            a={[t("vitals.rx"), formatByteRate(now.net_rx_bytes_per_s)]}
            b={[t("vitals.tx"), formatByteRate(now.net_tx_bytes_per_s)]}
          />
        }
        lines={[
          { values: history.net_rx_bytes_per_s, tone: "a" },
          { values: history.net_tx_bytes_per_s, tone: "b" },
        ]}
        history={history}
        format={formatByteRate}
      >
        <Small name={t("vitals.errors")}>{overview.network.length === 0 ? UNKNOWN : `${formatShort(errors)}/s`}</Small>
      </Tile>
      <Tile
        name={t("vitals.pressure")}
        to={exploreLink(PRESSURE)}
        big={
          psi ? (
            <Pair
              a={[t("vitals.cpu"), formatPercent(psi.cpu.some_ratio)]}
              b={[t("vitals.io"), formatPercent(psi.io.some_ratio)]}
            />
          ) : (
            <span className="tile-none">{UNKNOWN}</span>
          )
        }
        lines={[
          { values: history.psi_cpu_some_ratio, tone: "a" },
          { values: history.psi_io_some_ratio, tone: "b" },
        ]}
        max={psi ? undefined : 1}
        history={history}
        format={formatPercent}
      >
        {psi ? (
          <Small name={t("vitals.psi_memory")}>{formatPercent(psi.memory.some_ratio)}</Small>
        ) : (
          <span className="dim">{t("vitals.nopsi")}</span>
        )}
      </Tile>
    </section>
  );
}

const CORES_SHOWN_MAX = 128;

function Cores({ cores, label }: { cores: Overview["cpu"]["cores"]; label: string }): JSX.Element | null {
  if (cores.length < 2) return null;
  const words = cores.slice(0, CORES_SHOWN_MAX).map((core) => `${core.cpu}: ${formatPercent(core.used_ratio)}`);
  return (
    <span className="cores" role="img" aria-label={`${label}: ${words.join(", ")}`} title={words.join("\n")}>
      {cores.slice(0, CORES_SHOWN_MAX).map((core) => (
        <span key={core.cpu} className={core.used_ratio === null ? "core core-unknown" : "core"}>
          <span style={{ height: `${Math.round((core.used_ratio ?? 0) * 100)}%` }} />
        </span>
      ))}
    </span>
  );
}

function Small({ name, children }: { name: string; children: ReactNode }): JSX.Element {
  return (
    <span className="small">
      <span className="dim">{name}</span> {children}
    </span>
  );
}

function Pair({ a, b }: { a: [string, string]; b: [string, string] }): JSX.Element {
  return (
    <span className="pair">
      <span>
        <span className="pair-name tone-a">{a[0]}</span>
        {a[1]}
      </span>
      <span>
        <span className="pair-name tone-b">{b[0]}</span>
        {b[1]}
      </span>
    </span>
  );
}

function Tile({
  name,
  to,
  big,
  lines,
  max,
  history,
  format,
  children,
}: {
  name: string;
  to: string;
  big: ReactNode;
  lines: SparkLine[];
  max?: number;
  history: HistoryPoints;
  format: (value: number | null) => string;
  children: ReactNode;
}): JSX.Element {
  const { t } = useT();
  return (
    <article className="tile">
      <div className="tile-head">
        <h2>
          <Link to={to}>{name}</Link>
        </h2>
      </div>
      <div className="tile-big">{big}</div>
      <Spark times={history.t_ms} lines={lines} max={max} format={format} label={t("vitals.graph", { name })} />
      <div className="tile-small">{children}</div>
    </article>
  );
}
