/* Ring: what burns, by which rules, and whom it told. */
import { useEffect, type JSX } from "react";
import { PageHead, Tabs } from "../../components/parts";
import { useT } from "../../i18n";
import { getProm } from "../../lib/api";
import { useLoad } from "../../lib/hooks";
import { navigate, useLocation } from "../../lib/router";
import type { PromRuleGroup } from "../../lib/types";
import { Deliveries } from "../settings/deliveries";
import { AlertsTab } from "./alerts";
import { RulesTab } from "./rules";

const TABS = ["alerts", "rules", "deliveries"] as const;
type Tab = (typeof TABS)[number];

export default function RingView(): JSX.Element {
  const { t } = useT();
  const location = useLocation();
  const wanted = location.rest[0];
  const tab: Tab = TABS.find((name) => name === wanted) ?? "alerts";
  useEffect(() => {
    if (wanted === undefined) navigate("/ring/alerts", { replace: true });
  }, [wanted]);
  const rules = useLoad(
    async (signal) => (await getProm<{ groups: PromRuleGroup[] }>("/api/v1/rules", {}, signal)).data.groups,
    "rules",
    5_000,
  );
  const active = rules.data?.flatMap((group) => group.rules.flatMap((rule) => rule.alerts ?? [])).length;
  const total = rules.data?.reduce((sum, group) => sum + group.rules.length, 0);
  return (
    <>
      <PageHead title={t("nav.ring")} sub={t("ring.sub")} />
      <Tabs
        base="/ring"
        current={tab}
        label={t("nav.ring")}
        tabs={[
          { id: "alerts", label: t("ring.alerts"), count: active },
          { id: "rules", label: t("ring.rules"), count: total },
          { id: "deliveries", label: t("ring.deliveries") },
        ]}
      />
      {tab === "alerts" && <AlertsTab groups={rules} />}
      {tab === "rules" && <RulesTab groups={rules} />}
      {tab === "deliveries" && <Deliveries />}
    </>
  );
}
