import { SegmentedControl } from "@mantine/core";
import type { JSX } from "react";
import { Panel } from "../../components/parts";
import { useT } from "../../i18n";
import { setPrefs, usePrefs, type LangChoice, type ThemeChoice } from "../../lib/prefs";

export function AppearanceTab(): JSX.Element {
  const { t } = useT();
  const prefs = usePrefs();
  return (
    <Panel title={t("settings.appearance")}>
      <div className="stack">
        <div className="choice">
          <span id="choose-lang">{t("look.lang")}</span>
          <SegmentedControl
            aria-labelledby="choose-lang"
            value={prefs.lang}
            onChange={(lang) => setPrefs({ lang: lang as LangChoice })}
            data={[{ value: "auto", label: t("theme.auto") }, { value: "en", label: "English" }, { value: "ja", label: "日本語" }]}
          />
        </div>
        <div className="choice">
          <span id="choose-theme">{t("look.theme")}</span>
          <SegmentedControl
            aria-labelledby="choose-theme"
            value={prefs.theme}
            onChange={(theme) => setPrefs({ theme: theme as ThemeChoice })}
            data={[{ value: "auto", label: t("theme.auto") }, { value: "light", label: t("theme.light") }, { value: "dark", label: t("theme.dark") }]}
          />
        </div>
        <p className="dim">{t("look.text")}</p>
      </div>
    </Panel>
  );
}
