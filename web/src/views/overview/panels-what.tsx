/* What runs here: processes, listeners (and what can be scraped), containers, units. */
import { Button, Modal } from "@mantine/core";
import { useState, type JSX } from "react";
import { CodeBlock, Empty, Failure, Mark, Panel, Table } from "../../components/parts";
import { useT, type Key } from "../../i18n";
import { postJson } from "../../lib/api";
import { formatByteRate, formatBytes, formatPercent, formatShort } from "../../lib/format";
import { allows, useSession } from "../../lib/session";
import { isPhysicalDisk, isPhysicalNetwork, physical } from "../../lib/stream";
import type { OverviewContainer, OverviewDisk, OverviewListener, OverviewNetwork, OverviewProcess, OverviewUnit, ScrapeOffer } from "../../lib/types";

const ROWS_SHOWN = 8;

function MoreButton({ total, all, toggle }: { total: number; all: boolean; toggle: () => void }): JSX.Element | null {
  const { t } = useT();
  if (total <= ROWS_SHOWN) return null;
  return (
    <button type="button" className="text-button" aria-expanded={all} onClick={toggle}>
      {t(all ? "action.less" : "action.all")}
    </button>
  );
}

export function Processes({ processes }: { processes: OverviewProcess[] }): JSX.Element {
  const { t } = useT();
  const [all, setAll] = useState(false);
  return (
    <Panel
      title={t("proc.title")}
      id="processes"
      flush
      aside={<MoreButton total={processes.length} all={all} toggle={() => setAll(!all)} />}
    >
      {processes.length === 0 ? (
        <Empty compact title={t("proc.none")} />
      ) : (
        <Table
          label={t("proc.title")}
          dense
          head={
            <>
              <th scope="col" className="grow">{t("proc.name")}</th>
              <th scope="col" className="num">{t("proc.count")}</th>
              <th scope="col" className="num">{t("vitals.cpu")}</th>
              <th scope="col" className="num">{t("vitals.memory")}</th>
            </>
          }
        >
          {processes.slice(0, all ? undefined : ROWS_SHOWN).map((process) => (
            <tr key={process.group}>
              <th scope="row" className="grow">
                <span className="ellipsis" title={process.group}>{process.group}</span>
              </th>
              <td className="num dim">{process.count}</td>
              <td className="num">{formatPercent(process.cpu_ratio, 1)}</td>
              <td className="num">{formatBytes(process.rss_bytes)}</td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}

const KIND_NAMES: Record<string, string> = {
  nginx: "nginx",
  postgresql: "PostgreSQL",
  redis: "Redis",
  mysql: "MySQL",
  node_exporter: "node_exporter",
  hinomi: "hinomi",
  http: "HTTP",
  ssh: "SSH",
};

export function kindName(kind: string, t: (key: Key) => string): string {
  if (kind === "metrics") return t("kind.metrics");
  if (kind === "unknown") return t("kind.unknown");
  return KIND_NAMES[kind] ?? kind;
}

export function Listeners({ listeners, refresh }: { listeners: OverviewListener[]; refresh: () => Promise<void> }): JSX.Element {
  const { t } = useT();
  const { session } = useSession();
  const [offer, setOffer] = useState<ScrapeOffer | null>(null);
  const [all, setAll] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const weight = (listener: OverviewListener): number => (listener.scrape_offer ? 0 : listener.kind === "unknown" ? 2 : 1);
  const sorted = [...listeners].sort((a, b) => weight(a) - weight(b) || a.port - b.port);
  const close = (): void => {
    setOffer(null);
    setError(null);
  };
  const accept = async (): Promise<void> => {
    if (!offer) return;
    setBusy(true);
    setError(null);
    try {
      await postJson("/api/hinomi/scrape-offers/accept", { url: offer.url, job: offer.job });
      await refresh();
      close();
    } catch (failure) {
      setError(failure instanceof Error ? failure : new Error(String(failure)));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Panel
      title={t("listen.title")}
      id="listeners"
      count={listeners.length}
      flush
      aside={<MoreButton total={listeners.length} all={all} toggle={() => setAll(!all)} />}
    >
      {listeners.length === 0 ? (
        <Empty compact title={t("listen.none")} />
      ) : (
        <Table
          label={t("listen.title")}
          head={
            <>
              <th scope="col" className="grow">{t("listen.what")}</th>
              <th scope="col">{t("listen.address")}</th>
              <th scope="col" className="end">{t("listen.metrics")}</th>
            </>
          }
        >
          {sorted.slice(0, all ? undefined : ROWS_SHOWN).map((listener) => (
            <tr key={`${listener.proto} ${listener.address} ${listener.port}`}>
              <th scope="row" className="grow">
                <span className={listener.kind === "unknown" ? "dim" : ""}>{kindName(listener.kind, t)}</span>
                <span className="sub">{listener.service ?? listener.process ?? t("state.unknown")}</span>
              </th>
              <td className="mono">
                {listener.address.includes(":") ? `[${listener.address}]` : listener.address}:{listener.port}
                <span className="sub">
                  {listener.proto}
                  {listener.tls === true && " · TLS"}
                </span>
              </td>
              <td className="end">
                {listener.scraped ? (
                  <Mark level="ok" plain>{t("listen.scraped")}</Mark>
                ) : listener.scrape_offer ? (
                  <Button size="compact-xs" variant="light" onClick={() => setOffer(listener.scrape_offer)}>
                    {t("listen.scrape")}
                  </Button>
                ) : null}
              </td>
            </tr>
          ))}
        </Table>
      )}
      <Modal opened={offer !== null} onClose={close} title={t("offer.title")} size="lg" closeButtonProps={{ "aria-label": t("action.close") }}>
        {offer && (
          <div className="stack">
            <p>{t("offer.text", { url: offer.url, job: offer.job })}</p>
            {error && <Failure error={error} />}
            <div className="row">
              <Button size="sm" loading={busy} disabled={!allows(session, "editor")} onClick={() => void accept()}>
                {t("offer.accept")}
              </Button>
              {!allows(session, "editor") && <span className="dim">{t("error.role.editor")}</span>}
            </div>
            <p className="dim">{t("offer.yaml")}</p>
            <CodeBlock text={offer.yaml} label={t("offer.yaml")} />
          </div>
        )}
      </Modal>
    </Panel>
  );
}

export function Devices({ disks, network }: { disks: OverviewDisk[]; network: OverviewNetwork[] }): JSX.Element {
  const { t } = useT();
  const [all, setAll] = useState(false);
  /* what lies on top of other devices, and loopback, only when asked for */
  const shownDisks = all ? disks : physical(disks, isPhysicalDisk);
  const shownNetwork = all ? network : physical(network, isPhysicalNetwork);
  const more = disks.length + network.length > shownDisks.length + shownNetwork.length;
  return (
    <Panel
      title={t("dev.title")}
      id="devices"
      flush
      aside={
        more || all ? (
          <button type="button" className="text-button" aria-expanded={all} onClick={() => setAll(!all)}>
            {t(all ? "action.less" : "action.all")}
          </button>
        ) : undefined
      }
    >
      {disks.length + network.length === 0 ? (
        <Empty compact title={t("dev.none")} />
      ) : (
        <Table
          label={t("dev.title")}
          dense
          head={
            <>
              <th scope="col" className="grow">{t("dev.device")}</th>
              <th scope="col" className="num">{t("dev.in")}</th>
              <th scope="col" className="num">{t("dev.out")}</th>
              <th scope="col" className="num">{t("dev.state")}</th>
            </>
          }
        >
          {shownDisks.map((disk) => (
            <tr key={`disk ${disk.device}`}>
              <th scope="row" className="grow">{disk.device}</th>
              <td className="num">{formatByteRate(disk.read_bytes_per_s)}</td>
              <td className="num">{formatByteRate(disk.write_bytes_per_s)}</td>
              <td className="num">{formatPercent(disk.busy_ratio)}</td>
            </tr>
          ))}
          {shownNetwork.map((device) => (
            <tr key={`network ${device.device}`}>
              <th scope="row" className="grow">
                {device.device}
                {device.up === false && <span className="tag">{t("dev.down")}</span>}
              </th>
              <td className="num">{formatByteRate(device.rx_bytes_per_s)}</td>
              <td className="num">{formatByteRate(device.tx_bytes_per_s)}</td>
              <td className="num">
                {(device.errors_per_s ?? 0) > 0 ? (
                  <Mark level="warning">{formatShort(device.errors_per_s)}/s</Mark>
                ) : (
                  `${formatShort(device.errors_per_s)}/s`
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}

export function Containers({ containers }: { containers: OverviewContainer[] }): JSX.Element {
  const { t } = useT();
  const [all, setAll] = useState(false);
  return (
    <Panel
      title={t("cont.title")}
      id="containers"
      count={containers.length}
      flush
      aside={<MoreButton total={containers.length} all={all} toggle={() => setAll(!all)} />}
    >
      {containers.length === 0 ? (
        <Empty compact title={t("cont.none")} />
      ) : (
        <Table
          label={t("cont.title")}
          dense
          head={
            <>
              <th scope="col" className="grow">{t("proc.name")}</th>
              <th scope="col" className="num">{t("vitals.cpu")}</th>
              <th scope="col" className="num">{t("vitals.memory")}</th>
            </>
          }
        >
          {containers.slice(0, all ? undefined : ROWS_SHOWN).map((container) => (
            <tr key={container.id}>
              <th scope="row" className="grow">
                <span className="ellipsis">{container.name ?? container.id}</span>
                <span className="sub">{[container.runtime, container.name ? container.id : null].filter(Boolean).join(" · ")}</span>
              </th>
              <td className="num">{formatPercent(container.cpu_ratio, 1)}</td>
              <td className="num">{formatBytes(container.memory_bytes)}</td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}

const STATE_LEVEL: Record<string, "ok" | "warning" | "none"> = { active: "ok", failed: "warning" };

export function Units({ units }: { units: OverviewUnit[] }): JSX.Element {
  const { t } = useT();
  const [all, setAll] = useState(false);
  const sorted = [...units].sort(
    (a, b) =>
      Number(b.state === "failed") - Number(a.state === "failed") ||
      (b.cpu_ratio ?? 0) - (a.cpu_ratio ?? 0) ||
      (b.memory_bytes ?? 0) - (a.memory_bytes ?? 0),
  );
  return (
    <Panel
      title={t("unit.title")}
      id="units"
      count={units.length}
      flush
      aside={<MoreButton total={units.length} all={all} toggle={() => setAll(!all)} />}
    >
      {units.length === 0 ? (
        <Empty compact title={t("unit.none")} />
      ) : (
        <Table
          label={t("unit.title")}
          dense
          head={
            <>
              <th scope="col" className="grow">{t("proc.name")}</th>
              <th scope="col">{t("unit.state")}</th>
              <th scope="col" className="num hide-s">{t("vitals.cpu")}</th>
              <th scope="col" className="num">{t("vitals.memory")}</th>
            </>
          }
        >
          {sorted.slice(0, all ? undefined : ROWS_SHOWN).map((unit) => (
            <tr key={unit.name}>
              <th scope="row" className="grow">
                <span className="ellipsis" title={unit.name}>{unit.name}</span>
              </th>
              <td>
                {unit.state === null ? (
                  <Mark level="unknown" plain>{t("state.unknown")}</Mark>
                ) : (
                  <Mark level={STATE_LEVEL[unit.state] ?? "none"} plain={unit.state !== "failed"}>{unit.state}</Mark>
                )}
              </td>
              <td className="num hide-s">{formatPercent(unit.cpu_ratio, 1)}</td>
              <td className="num">{formatBytes(unit.memory_bytes)}</td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}
