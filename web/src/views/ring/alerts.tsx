import type { JSX } from "react";
import { Age, Empty, Link, LinkButton, Mark, Panel, WithData } from "../../components/parts";
import { useT } from "../../i18n";
import { exploreLink } from "../../lib/explore-state";
import { formatSample } from "../../lib/format";
import type { Loaded } from "../../lib/hooks";
import type { PromRule, PromRuleAlert, PromRuleGroup } from "../../lib/types";
import { isCritical } from "../../lib/verdict";
import { alertLevel, annotation } from "../overview/panels-care";

interface Active {
  rule: PromRule;
  group: string;
  alert: PromRuleAlert;
}

/* The rules' own words for what to do, under the names that people use. */
const WORDS = ["description", "impact", "action", "runbook", "runbook_url"] as const;

export function activeAlerts(groups: PromRuleGroup[]): Active[] {
  return groups
    .flatMap((group) =>
      group.rules.flatMap((rule) => (rule.alerts ?? []).map((alert) => ({ rule, group: group.name, alert }))),
    )
    .sort((a, b) => {
      const firing = Number(b.alert.state === "firing") - Number(a.alert.state === "firing");
      const critical = Number(isCritical(b.alert.labels["severity"] ?? null)) - Number(isCritical(a.alert.labels["severity"] ?? null));
      return firing || critical || Date.parse(a.alert.activeAt) - Date.parse(b.alert.activeAt);
    });
}

export function AlertsTab({ groups }: { groups: Loaded<PromRuleGroup[]> }): JSX.Element {
  const { t } = useT();
  return (
    <WithData from={groups}>
      {(data) => {
        const active = activeAlerts(data);
        const rules = data.reduce((sum, group) => sum + group.rules.length, 0);
        if (active.length === 0) {
          return (
            <Panel title={t("ring.alerts")}>
              {rules === 0 ? (
                <Empty title={t("ring.norules")} action={<LinkButton to="/ring/rules">{t("ring.rules")}</LinkButton>}>
                  {t("ring.norules.why")}
                </Empty>
              ) : (
                <Empty title={t("alerts.none")}>{t("ring.none.why", { rules })}</Empty>
              )}
            </Panel>
          );
        }
        return (
          <ul className="cards">
            {active.map((one) => (
              <AlertCard key={`${one.group} ${one.rule.name} ${JSON.stringify(one.alert.labels)}`} {...one} />
            ))}
          </ul>
        );
      }}
    </WithData>
  );
}

function AlertCard({ rule, alert, group }: Active): JSX.Element {
  const { t, lang } = useT();
  const severity = alert.labels["severity"] ?? null;
  const level = alertLevel({ state: alert.state, severity });
  const words = WORDS.flatMap((name) => {
    const text = annotation(alert.annotations, name, lang);
    return text ? [{ name, text }] : [];
  });
  return (
    <li className={`card card-${level}`}>
      <div className="alert-top">
        <Mark level={level}>{t(alert.state === "firing" ? "alert.firing" : "alert.pending")}</Mark>
        <h2>{rule.name}</h2>
        {severity && <span className="tag">{severity}</span>}
        <span className="alert-age"><Age ms={Date.parse(alert.activeAt)} /></span>
      </div>
      <p className="alert-text strong">{annotation(alert.annotations, "summary", lang) ?? ""}</p>
      {words.length > 0 && (
        <dl className="alert-words">
          {words.map(({ name, text }) => (
            <div key={name}>
              <dt>{t(`alert.${name}`)}</dt>
              <dd>
                {name === "runbook_url" && /^https?:\/\//.test(text) ? (
                  <a href={text} target="_blank" rel="noreferrer noopener">{text}</a>
                ) : (
                  text
                )}
              </dd>
            </div>
          ))}
        </dl>
      )}
      <p className="alert-labels">
        {Object.entries(alert.labels)
          .filter(([name]) => name !== "alertname" && name !== "severity")
          .map(([name, value]) => (
            <span className="chip" key={name}>{name}={value}</span>
          ))}
      </p>
      <p className="alert-foot">
        <span className="dim">{t("alert.value")}</span> <b>{formatSample(alert.value)}</b>
        <span className="dim">{group}</span>
        <Link to={exploreLink(rule.query)}>{t("alert.explore")}</Link>
      </p>
    </li>
  );
}
