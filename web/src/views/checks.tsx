/* Checks: until hinomi runs its own, the page says so, and gives what works today. */
import { useState, type JSX } from "react";
import { TextInput } from "@mantine/core";
import { CodeBlock, LinkButton, PageHead, Panel } from "../components/parts";
import { useT } from "../i18n";
import { exploreLink } from "../lib/explore-state";

/* The same two questions that a check asks, over what is scraped: is it there, and does it answer? */
export function checkYaml(target: string): string {
  const trimmed = target.trim().replace(/^https?:\/\//, "").replace(/["\n\r\\]/g, "");
  const scheme = /^https:\/\//.test(target.trim()) ? "https" : "http";
  const slash = trimmed.indexOf("/");
  const host = slash < 0 ? trimmed : trimmed.slice(0, slash);
  const path = slash < 0 ? "/metrics" : trimmed.slice(slash);
  const withPort = /:\d+$/.test(host) ? host : `${host || "shop.example"}:${scheme === "https" ? 443 : 80}`;
  return `scrape_configs:
  - job_name: check-${(host || "shop.example").replace(/[^A-Za-z0-9]+/g, "-")}
    scheme: ${scheme}
    metrics_path: "${path}"
    static_configs:
      - targets: ["${withPort}"]
`;
}

const RULE = `groups:
  - name: checks
    rules:
      - alert: TargetDown
        expr: up == 0
        for: 2m
        labels:
          severity: critical
        annotations:
          summary: "{{ $labels.job }} on {{ $labels.instance }} does not answer"
          summary_ja: "{{ $labels.instance }} の {{ $labels.job }} が応答しません"
`;

export default function ChecksView(): JSX.Element {
  const { t } = useT();
  const [target, setTarget] = useState("");
  return (
    <>
      <PageHead title={t("nav.checks")} sub={t("checks.sub")} />
      <div className="note">{t("checks.state")}</div>
      <Panel title={t("checks.now")} id="add">
        <div className="stack">
          <p>{t("checks.now.text")}</p>
          <TextInput
            label={t("checks.target")}
            placeholder="https://shop.example:8443/metrics"
            value={target}
            onChange={(event) => setTarget(event.currentTarget.value)}
          />
          <p className="dim">{t("checks.step1")}</p>
          <CodeBlock text={checkYaml(target)} label={t("checks.step1")} />
          <p className="dim">{t("checks.step2")}</p>
          <CodeBlock text={RULE} label={t("checks.step2")} />
          <p className="dim">{t("checks.step3")}</p>
          <CodeBlock text={"hinomi config check hinomi.yaml && kill -HUP $(pidof hinomi)"} label={t("checks.step3")} />
          <div className="row">
            <LinkButton to="/inventory/targets">{t("inv.targets")}</LinkButton>
            <LinkButton to={exploreLink("up")}>{t("checks.see_up")}</LinkButton>
            <LinkButton to="/settings/config">{t("settings.config")}</LinkButton>
          </div>
        </div>
      </Panel>
    </>
  );
}
