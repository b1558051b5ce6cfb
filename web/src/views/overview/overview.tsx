/* The first screen: is anything wrong, since when, and what next; then the machine itself. */
import type { JSX } from "react";
import { Icon } from "../../components/icons";
import { Failure, Loading, PageHead } from "../../components/parts";
import { useT } from "../../i18n";
import { formatClock, formatDuration } from "../../lib/format";
import { useLive, useNow } from "../../lib/hooks";
import type { Live } from "../../lib/stream";
import type { Overview } from "../../lib/types";
import { Alerts, Certificates, Filesystems, Sources } from "./panels-care";
import { Containers, Devices, Listeners, Processes, Units } from "./panels-what";
import { Vitals } from "./vitals";
import { NextSteps, VerdictBand } from "./verdict-band";

export function OverviewView(): JSX.Element {
  const { t } = useT();
  const live = useLive();
  const { overview } = live;
  if (!overview) {
    return (
      <>
        <PageHead title={t("nav.overview")} />
        {live.error ? <Failure error={live.error} retry={() => void live.refresh()} /> : <Loading lines={8} />}
      </>
    );
  }
  const old = live.state !== "live";
  return (
    <div className={old ? "overview is-old" : "overview"} data-live={live.state}>
      <PageHead title={overview.host.name} sub={<HostLine overview={overview} />}>
        <LivePill live={live} />
      </PageHead>
      {overview.host.in_container === true && (
        <p className="note">
          <Icon name="inventory" size={16} />
          {t("host.container", { kind: overview.host.container_kind ?? t("host.container.some") })}
        </p>
      )}
      <VerdictBand live={live} overview={overview} />
      <NextSteps steps={overview.next_steps} />
      <Vitals overview={overview} history={live.history} />
      <div className="columns">
        <div className="column">
          <Alerts alerts={overview.alerts} />
          <Filesystems filesystems={overview.filesystems} />
          <Listeners listeners={overview.listeners} refresh={live.refresh} />
        </div>
        <div className="column">
          <Processes processes={overview.processes} />
          <Devices disks={overview.disks} network={overview.network} />
          <Certificates certificates={overview.certificates} />
          <Containers containers={overview.containers} />
          <Units units={overview.units} />
          <Sources sources={overview.sources} />
        </div>
      </div>
    </div>
  );
}

function HostLine({ overview }: { overview: Overview }): JSX.Element {
  const { t, tn, lang } = useT();
  const { host } = overview;
  const parts = [
    host.os,
    host.kernel ? `Linux ${host.kernel.replace(/^Linux /, "")}` : null,
    host.cpus !== null ? tn("host.cpus", host.cpus) : null,
    host.uptime_seconds !== null ? t("host.up", { age: formatDuration(host.uptime_seconds, lang) }) : null,
  ].filter((part): part is string => part !== null);
  return <>{parts.join(" · ")}</>;
}

function LivePill({ live }: { live: Live }): JSX.Element {
  const { t, lang } = useT();
  const now = useNow(1000);
  if (live.state === "live") {
    return (
      <span className="live live-on">
        <span className="live-dot" aria-hidden="true" />
        {t("live.on")}
        <span className="live-clock" aria-hidden="true">{formatClock(live.overview?.now_ms, lang)}</span>
      </span>
    );
  }
  const seconds = live.heardAt === null ? null : Math.max(0, Math.floor((now - live.heardAt) / 1000));
  return (
    <span className="live live-off">
      <Icon name="unknown" size={16} />
      {t(live.stopping ? "live.stopped" : "live.off", {
        clock: formatClock(live.heardAt, lang),
        age: formatDuration(seconds, lang),
      })}
    </span>
  );
}

