/* Settings: how hinomi is doing, what it was told, whom it tells, who may do what. */
import { lazy, useEffect, type JSX } from "react";
import { PageHead, Tabs } from "../../components/parts";
import { useT } from "../../i18n";
import { navigate, useLocation } from "../../lib/router";
import { AppearanceTab } from "./appearance";
import { AuditTab } from "./audit";
import { ReceiversTab } from "./receivers";
import { StatusTab } from "./status";
import { TokensTab } from "./tokens";
import { UsersTab } from "./users";

const ConfigTab = lazy(() => import("./config"));
const TABS = ["status", "receivers", "config", "users", "tokens", "audit", "appearance"] as const;
type Tab = (typeof TABS)[number];

export default function SettingsView(): JSX.Element {
  const { t } = useT();
  const location = useLocation();
  const wanted = location.rest[0];
  const tab: Tab = TABS.find((name) => name === wanted) ?? "status";
  useEffect(() => {
    if (wanted === undefined) navigate("/settings/status", { replace: true });
  }, [wanted]);
  return (
    <>
      <PageHead title={t("nav.settings")} sub={t(`settings.${tab}.sub`)} />
      <Tabs base="/settings" current={tab} label={t("nav.settings")} tabs={TABS.map((id) => ({ id, label: t(`settings.${id}`) }))} />
      {tab === "status" && <StatusTab />}
      {tab === "receivers" && <ReceiversTab />}
      {tab === "config" && <ConfigTab />}
      {tab === "users" && <UsersTab />}
      {tab === "tokens" && <TokensTab />}
      {tab === "audit" && <AuditTab />}
      {tab === "appearance" && <AppearanceTab />}
    </>
  );
}
