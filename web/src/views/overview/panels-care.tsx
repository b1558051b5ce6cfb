/* What needs care: alerts, filesystems that fill, certificates that end, sources that fell silent. */
import { useState, type JSX } from "react";
import { Age, Empty, FreshMark, Link, LinkButton, Mark, Meter, Panel, Table } from "../../components/parts";
import { useT } from "../../i18n";
import { formatBytes, formatDate, formatDays, formatPercent, formatSample } from "../../lib/format";
import type { OverviewAlert, OverviewCertificate, OverviewFilesystem, OverviewSource } from "../../lib/types";
import { CERTIFICATE_DAYS_WARN, DAYS_TO_FULL_WARN, isCritical, type Level } from "../../lib/verdict";

export function alertLevel(alert: { state: string; severity: string | null }): Level | "none" {
  if (alert.severity === "info") return "none";
  return alert.state === "firing" && isCritical(alert.severity) ? "burning" : "warning";
}

/* Texts written in both languages have the Japanese one under the same key with `_ja`. */
export function annotation(annotations: Record<string, string>, key: string, lang: string): string | null {
  return (lang === "ja" ? annotations[`${key}_ja`] : undefined) ?? annotations[key] ?? null;
}

export function Alerts({ alerts }: { alerts: OverviewAlert[] }): JSX.Element {
  const { t, lang } = useT();
  const sorted = [...alerts].sort(
    (a, b) => Number(b.state === "firing") - Number(a.state === "firing") || Number(isCritical(b.severity)) - Number(isCritical(a.severity)) || a.since_ms - b.since_ms,
  );
  return (
    <Panel title={t("alerts.title")} id="alerts" count={alerts.length} flush={alerts.length === 0} aside={<Link to="/ring/alerts">{t("action.all")}</Link>}>
      {sorted.length === 0 ? (
        <Empty compact title={t("alerts.none")}>{t("alerts.none.why")}</Empty>
      ) : (
        <ul className="alert-list">
          {sorted.map((alert) => (
            <li key={alert.fingerprint}>
              <div className="alert-top">
                <Mark level={alertLevel(alert)}>{t(alert.state === "firing" ? "alert.firing" : "alert.pending")}</Mark>
                <b>{alert.name}</b>
                <span className="alert-age">
                  <Age ms={alert.since_ms} />
                </span>
              </div>
              <p className="alert-text">{annotation(alert.annotations, "summary", lang) ?? alert.summary ?? ""}</p>
              <p className="alert-labels">
                {Object.entries(alert.labels)
                  .filter(([name]) => name !== "alertname" && name !== "severity")
                  .map(([name, value]) => (
                    <span className="chip" key={name}>
                      {name}={value}
                    </span>
                  ))}
                {alert.value !== null && <span className="dim">= {formatSample(alert.value)}</span>}
              </p>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

export function filesystemLevel(filesystem: OverviewFilesystem): Level {
  const { days_to_full: days, used_ratio: used } = filesystem;
  if ((days !== null && days < DAYS_TO_FULL_WARN) || (used !== null && used > 0.95)) return "warning";
  return used === null ? "unknown" : "ok";
}

export function Filesystems({ filesystems }: { filesystems: OverviewFilesystem[] }): JSX.Element {
  const { t } = useT();
  const days = (filesystem: OverviewFilesystem): JSX.Element => {
    if (filesystem.days_to_full !== null) {
      const text = t("days.n", { days: formatDays(filesystem.days_to_full) });
      return filesystem.days_to_full < DAYS_TO_FULL_WARN ? <Mark level="warning">{text}</Mark> : <>{text}</>;
    }
    if (filesystem.days_to_full_reason === "not_growing") return <span className="dim">{t("days.not_growing")}</span>;
    return (
      <Mark level="unknown" plain>
        {t("days.too_little")}
      </Mark>
    );
  };
  return (
    <Panel title={t("fs.title")} id="filesystems" count={filesystems.length} flush>
      {filesystems.length === 0 ? (
        <Empty compact title={t("fs.none")} />
      ) : (
        <Table
          label={t("fs.title")}
          head={
            <>
              <th scope="col" className="grow">{t("fs.mount")}</th>
              <th scope="col">{t("fs.used")}</th>
              <th scope="col" className="num hide-s">{t("fs.free")}</th>
              <th scope="col" className="num">{t("fs.days")}</th>
            </>
          }
        >
          {filesystems.map((filesystem) => (
            <tr key={`${filesystem.mountpoint} ${filesystem.device}`}>
              <th scope="row" className="grow">
                <span className="ellipsis" title={filesystem.mountpoint}>{filesystem.mountpoint}</span>
                <span className="sub">
                  {filesystem.fstype}
                  {filesystem.read_only === true && ` · ${t("fs.read_only")}`}
                  {filesystem.error && ` · ${filesystem.error}`}
                </span>
              </th>
              <td>
                <span className="meter-row wide">
                  <Meter ratio={filesystem.used_ratio} level={filesystemLevel(filesystem)} label={filesystem.mountpoint} />
                  <span className="meter-number">{formatPercent(filesystem.used_ratio)}</span>
                </span>
              </td>
              <td className="num hide-s">
                {formatBytes(filesystem.available_bytes)}
                <span className="sub">/ {formatBytes(filesystem.size_bytes)}</span>
              </td>
              <td className="num">
                {days(filesystem)}
                <span className="sub show-s">{t("fs.free_of", { free: formatBytes(filesystem.available_bytes) })}</span>
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}

export function Certificates({ certificates }: { certificates: OverviewCertificate[] }): JSX.Element {
  const { t, lang } = useT();
  const left = (certificate: OverviewCertificate): JSX.Element => {
    const days = certificate.days_left;
    if (days === null) return <Mark level="unknown">{t("state.unknown")}</Mark>;
    if (days < 0) return <Mark level="burning">{t("cert.over")}</Mark>;
    const text = t("days.n", { days: formatDays(days) });
    return days < CERTIFICATE_DAYS_WARN ? <Mark level="warning">{text}</Mark> : <>{text}</>;
  };
  return (
    <Panel title={t("cert.title")} id="certificates" count={certificates.length} flush>
      {certificates.length === 0 ? (
        <Empty compact title={t("cert.none")}>{t("cert.none.why")}</Empty>
      ) : (
        <Table
          label={t("cert.title")}
          head={
            <>
              <th scope="col" className="grow">{t("cert.subject")}</th>
              <th scope="col" className="hide-s">{t("cert.address")}</th>
              <th scope="col" className="num">{t("cert.left")}</th>
            </>
          }
        >
          {[...certificates]
            .sort((a, b) => (a.days_left ?? -1e9) - (b.days_left ?? -1e9))
            .map((certificate) => (
              <tr key={`${certificate.address} ${certificate.subject ?? ""}`}>
                <th scope="row" className="grow">
                  <span className="ellipsis" title={certificate.names.join(", ")}>{certificate.subject ?? certificate.names[0] ?? certificate.address}</span>
                  <span className="sub">{certificate.issuer ?? certificate.error ?? t("state.unknown")}</span>
                </th>
                <td className="mono hide-s">{certificate.address}</td>
                <td className="num">
                  {left(certificate)}
                  <span className="sub">{formatDate(certificate.not_after_ms, lang)}</span>
                </td>
              </tr>
            ))}
        </Table>
      )}
    </Panel>
  );
}

export function Sources({ sources }: { sources: OverviewSource[] }): JSX.Element {
  const { t, tn } = useT();
  const [all, setAll] = useState(false);
  const silent = sources.filter((source) => source.freshness !== "ok");
  const shown = all ? [...silent, ...sources.filter((source) => source.freshness === "ok")] : silent;
  return (
    <Panel
      title={t("sources.title")}
      id="sources"
      count={sources.length}
      flush
      aside={
        sources.length > silent.length ? (
          <button type="button" className="text-button" aria-expanded={all} onClick={() => setAll(!all)}>
            {t(all ? "action.less" : "action.all")}
          </button>
        ) : undefined
      }
    >
      {sources.length === 0 && <Empty title={t("sources.none")} action={<LinkButton to="/settings/status">{t("settings.status")}</LinkButton>} />}
      {sources.length > 0 && shown.length === 0 && (
        <p className="panel-line">
          <Mark level="ok" plain>{tn("sources.fresh", sources.length)}</Mark>
        </p>
      )}
      {shown.length > 0 && (
        <Table
          label={t("sources.title")}
          dense
          head={
            <>
              <th scope="col" className="grow">{t("sources.name")}</th>
              <th scope="col" className="hide-s">{t("sources.kind")}</th>
              <th scope="col">{t("sources.state")}</th>
              <th scope="col" className="num">{t("sources.last")}</th>
            </>
          }
        >
          {shown.map((source) => (
            <tr key={`${source.kind} ${source.name}`}>
              <th scope="row" className="grow">
                {source.name}
                {source.detail && <span className="sub wrap">{source.detail}</span>}
              </th>
              <td className="hide-s nowrap">{t(`source.${source.kind}`)}</td>
              <td><FreshMark freshness={source.freshness} /></td>
              <td className="num"><Age ms={source.last_ms} none={t("state.unknown")} /></td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  );
}
