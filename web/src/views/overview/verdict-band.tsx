import type { JSX } from "react";
import { Icon, type IconName } from "../../components/icons";
import { Age, Link } from "../../components/parts";
import { useT, type Translator } from "../../i18n";
import { formatDays, formatInstant } from "../../lib/format";
import type { Live } from "../../lib/stream";
import type { NextStepId, Overview, OverviewNextStep } from "../../lib/types";
import { verdictOf, type Level, type Reason } from "../../lib/verdict";

const BAND_ICON: Record<Level, IconName> = { burning: "burning", warning: "warning", unknown: "unknown", ok: "ok" };
const REASONS_SHOWN = 6;

export function VerdictBand({ live, overview }: { live: Live; overview: Overview }): JSX.Element {
  const translate = useT();
  const { t, tn, lang } = translate;
  const verdict = verdictOf(overview, live.state, live.heardAt);
  const rest = verdict.reasons.length - REASONS_SHOWN;
  return (
    <section className={`verdict verdict-${verdict.level}`} aria-label={t("verdict.label")} data-level={verdict.level}>
      <span className="verdict-icon">
        <Icon name={BAND_ICON[verdict.level]} size={30} />
      </span>
      <div className="verdict-words">
        <p className="verdict-line">
          {/* only the verdict is read out when it changes; ages change every second */}
          <strong aria-live="polite">{t(`verdict.${verdict.level}`)}</strong>
          {verdict.since_ms !== null && (
            <span className="verdict-since">
              {t("verdict.since", { clock: formatInstant(verdict.since_ms, lang) })} (<Age ms={verdict.since_ms} />)
            </span>
          )}
        </p>
        {verdict.reasons.length > 0 ? (
          <ul className="reasons">
            {verdict.reasons.slice(0, REASONS_SHOWN).map((reason, index) => (
              <li key={`${reason.kind}-${reason.subject ?? index}`} className={`reason reason-${reason.level}`}>
                <Link to={reasonLink(reason)}>
                  <Icon name={BAND_ICON[reason.level]} size={15} />
                  {reasonText(reason, translate)}
                </Link>
              </li>
            ))}
            {rest > 0 && <li className="reason">{tn("verdict.more", rest)}</li>}
          </ul>
        ) : (
          <p className="verdict-proof">
            {t("verdict.proof", { rules: overview.rules.total, sources: overview.sources.length })}
          </p>
        )}
      </div>
    </section>
  );
}

export function reasonText(reason: Reason, { t, tn }: Translator): string {
  switch (reason.kind) {
    case "alerts":
      return tn("reason.alerts", reason.count);
    case "pending":
      return tn("reason.pending", reason.count);
    case "filesystem":
      return t("reason.filesystem", { name: reason.subject ?? "", days: formatDays(reason.days) });
    case "certificate":
      return reason.days !== undefined && reason.days < 0
        ? t("reason.certificate_over", { name: reason.subject ?? "" })
        : t("reason.certificate", { name: reason.subject ?? "", days: formatDays(reason.days) });
    case "unit":
      return t("reason.unit", { name: reason.subject ?? "" });
    case "stream":
      return t("reason.stream");
    case "rules_none":
      return t("reason.rules_none");
    case "rules_unhealthy":
      return tn("reason.rules_unhealthy", reason.count);
    case "rules_old":
      return t("reason.rules_old");
    case "sources":
      return tn("reason.sources", reason.count, { name: reason.subject ?? "" });
  }
}

function reasonLink(reason: Reason): string {
  switch (reason.kind) {
    case "alerts":
    case "pending":
      return "/ring/alerts";
    case "rules_none":
    case "rules_unhealthy":
    case "rules_old":
      return "/ring/rules";
    case "filesystem":
      return "/#filesystems";
    case "certificate":
      return "/#certificates";
    case "unit":
      return "/#units";
    case "sources":
      return "/#sources";
    case "stream":
      return "/settings/status";
  }
}

const STEP_LINK: Record<NextStepId, string> = {
  connect_slack: "/settings/receivers?add=slack",
  add_service: "/services?add=1",
  add_check: "/checks?add=1",
};
const STEP_ICON: Record<NextStepId, IconName> = { connect_slack: "ring", add_service: "services", add_check: "checks" };

export function NextSteps({ steps }: { steps: OverviewNextStep[] }): JSX.Element | null {
  const { t } = useT();
  const open = steps.filter((step) => !step.done);
  if (open.length === 0) return null;
  return (
    <section className="next" aria-labelledby="next-heading">
      <h2 id="next-heading">{t("next.title")}</h2>
      <ul>
        {open.map((step) => (
          <li key={step.id}>
            <Link to={STEP_LINK[step.id]} className="step">
              <Icon name={STEP_ICON[step.id]} size={20} />
              <span className="step-words">
                <b>{t(`next.${step.id}`)}</b>
                <span>{t(`next.${step.id}.why`)}</span>
              </span>
              <Icon name="arrow" size={16} />
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}
