import { TextInput } from "@mantine/core";
import { useState, type JSX } from "react";
import { Age, Empty, Failure, Link, Mark, Panel, Table, WithData } from "../../components/parts";
import { useT } from "../../i18n";
import { exploreLink } from "../../lib/explore-state";
import { formatDuration } from "../../lib/format";
import type { Loaded } from "../../lib/hooks";
import type { PromRule, PromRuleGroup } from "../../lib/types";
import { alertLevel, annotation } from "../overview/panels-care";

/* Go's zero time means that it never was. */
export function evaluatedAt(text: string): number | null {
  const ms = Date.parse(text);
  return Number.isFinite(ms) && ms > 0 ? ms : null;
}

export function RulesTab({ groups }: { groups: Loaded<PromRuleGroup[]> }): JSX.Element {
  const { t } = useT();
  const [filter, setFilter] = useState("");
  const wanted = filter.trim().toLowerCase();
  return (
    <WithData from={groups}>
      {(data) => {
        if (data.length === 0) {
          return (
            <Panel title={t("ring.rules")}>
              <Empty title={t("ring.norules")}>{t("ring.norules.why")}</Empty>
            </Panel>
          );
        }
        const matches = (rule: PromRule): boolean => `${rule.name} ${rule.query}`.toLowerCase().includes(wanted);
        const shown = data
          .map((group) => ({ ...group, rules: group.rules.filter(matches) }))
          .filter((group) => group.rules.length > 0);
        return (
          <>
            <TextInput
              className="filter"
              placeholder={t("action.filter")}
              aria-label={t("action.filter")}
              value={filter}
              onChange={(event) => setFilter(event.currentTarget.value)}
            />
            {shown.length === 0 && <Empty title={t("state.nomatch")} />}
            {shown.map((group) => (
              <Panel
                key={`${group.file} ${group.name}`}
                title={group.name}
                count={group.rules.length}
                flush
                aside={
                  <span className="dim">
                    {t("rule.every")} <Interval seconds={group.interval} /> · <span className="mono">{group.file}</span>
                  </span>
                }
              >
                <Table
                  label={group.name}
                  head={
                    <>
                      <th scope="col" className="grow">{t("rule.rule")}</th>
                      <th scope="col">{t("rule.state")}</th>
                      <th scope="col">{t("rule.health")}</th>
                      <th scope="col" className="num hide-s">{t("rule.evaluated")}</th>
                    </>
                  }
                >
                  {group.rules.map((rule, index) => (
                    <RuleRow key={`${rule.name} ${index}`} rule={rule} />
                  ))}
                </Table>
              </Panel>
            ))}
          </>
        );
      }}
    </WithData>
  );
}

function Interval({ seconds }: { seconds: number }): JSX.Element {
  const { lang } = useT();
  return <>{formatDuration(seconds, lang)}</>;
}

function RuleRow({ rule }: { rule: PromRule }): JSX.Element {
  const { t, lang } = useT();
  const [open, setOpen] = useState(false);
  const severity = rule.labels?.["severity"] ?? null;
  const state = (): JSX.Element => {
    if (rule.type === "recording") return <span className="dim">{t("rule.recording")}</span>;
    if (rule.health !== "ok") return <Mark level="unknown">{t("state.unknown")}</Mark>;
    if (rule.state === "firing") return <Mark level={alertLevel({ state: "firing", severity })}>{t("alert.firing")}</Mark>;
    if (rule.state === "pending") return <Mark level="warning">{t("alert.pending")}</Mark>;
    return <Mark level="ok" plain>{t("alert.inactive")}</Mark>;
  };
  const told = rule.annotations ?? {};
  const why = annotation(told, "description", lang) ?? annotation(told, "summary", lang);
  const what = annotation(told, "runbook", lang);
  return (
    <>
      <tr>
        <th scope="row" className="grow">
          <button type="button" className="row-toggle" aria-expanded={open} onClick={() => setOpen(!open)}>
            {rule.name}
          </button>
          {severity && <span className="tag">{severity}</span>}
          {!open && <span className="sub mono ellipsis">{rule.query}</span>}
        </th>
        <td>{state()}</td>
        <td>
          {rule.health === "ok" ? <Mark level="ok" plain>{t("rule.ok")}</Mark> : <Mark level="unknown">{t(rule.health === "err" ? "rule.err" : "state.unknown")}</Mark>}
        </td>
        <td className="num hide-s">
          <Age ms={evaluatedAt(rule.lastEvaluation)} />
          <span className="sub">{formatDuration(rule.evaluationTime, lang)}</span>
        </td>
      </tr>
      {open && (
        <tr className="row-more">
          <td colSpan={4}>
            {rule.lastError && <Failure error={new Error(rule.lastError)} />}
            <pre className="query-text">{rule.query}</pre>
            {rule.duration ? <p className="dim">{t("rule.for", { time: formatDuration(rule.duration, lang) })}</p> : null}
            {why && <p className="wrap">{why}</p>}
            {what && (
              <p className="wrap">
                <span className="dim">{t("alert.runbook")}:</span> {what}
              </p>
            )}
            <Link to={exploreLink(rule.query)}>{t("alert.explore")}</Link>
          </td>
        </tr>
      )}
    </>
  );
}
