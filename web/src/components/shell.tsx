/* The frame: seven places, language, colours, the account, and the keyboard. */
import { ActionIcon, Modal, Tooltip } from "@mantine/core";
import { useEffect, useRef, useState, type JSX, type ReactNode } from "react";
import { useT, type Key } from "../i18n";
import { send } from "../lib/api";
import { setPrefs, usePrefs, type ThemeChoice } from "../lib/prefs";
import { navigate, placePath, PLACES, useLocation, type Place } from "../lib/router";
import { useSession } from "../lib/session";
import { Icon, Logo, type IconName } from "./icons";
import { Link } from "./parts";

const PLACE_KEYS: Record<Place, string> = {
  overview: "o",
  explore: "e",
  services: "s",
  ring: "r",
  checks: "c",
  inventory: "i",
  settings: ",",
};

function isTyping(target: EventTarget | null): boolean {
  const element = target instanceof Element ? target : null;
  if (!element) return false;
  /* the editor lies in a shadow tree: the event is seen on its host */
  return element.closest("input, textarea, select, [contenteditable=true], .promql-editor, [role=dialog]") !== null;
}

function useShortcuts(openHelp: () => void): void {
  useEffect(() => {
    let waiting = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const onKey = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (waiting) {
        waiting = false;
        clearTimeout(timer);
        const place = PLACES.find((name) => PLACE_KEYS[name] === event.key.toLowerCase());
        if (place) {
          event.preventDefault();
          navigate(placePath(place));
          document.getElementById("main")?.focus({ preventScroll: true });
        }
        return;
      }
      if (event.key === "g") {
        waiting = true;
        timer = setTimeout(() => (waiting = false), 1200);
      } else if (event.key === "?") {
        event.preventDefault();
        openHelp();
      } else if (event.key === "/") {
        event.preventDefault();
        navigate("/explore");
        setTimeout(() => document.dispatchEvent(new CustomEvent("hinomi:focus-query")), 50);
      } else if (event.key === "t") {
        const now = document.documentElement.getAttribute("data-mantine-color-scheme");
        setPrefs({ theme: now === "dark" ? "light" : "dark" });
      }
    };
    window.addEventListener("keydown", onKey);
    return () => {
      window.removeEventListener("keydown", onKey);
      clearTimeout(timer);
    };
  }, [openHelp]);
}

export function Shell({ children }: { children: ReactNode }): JSX.Element {
  const { t } = useT();
  const location = useLocation();
  const [help, setHelp] = useState(false);
  const open = useRef(() => setHelp(true)).current;
  useShortcuts(open);
  return (
    <div className="shell">
      <a className="skip" href="#main">
        {t("nav.skip")}
      </a>
      <aside className="side">
        <Link to="/" className="brand" label={t("app.name")}>
          <Logo />
          <span className="brand-name">hinomi</span>
        </Link>
        <nav className="places" aria-label={t("nav.label")}>
          {PLACES.map((place) => (
            <Link key={place} to={placePath(place)} current={location.place === place} className="place">
              <Icon name={place} size={20} />
              <span className="place-name">{t(`nav.${place}` as Key)}</span>
              <kbd aria-hidden="true">g {PLACE_KEYS[place]}</kbd>
            </Link>
          ))}
        </nav>
        <div className="side-foot">
          <Tools openHelp={open} />
        </div>
      </aside>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      <Modal opened={help} onClose={() => setHelp(false)} title={t("keys.title")} closeButtonProps={{ "aria-label": t("action.close") }}>
        <table className="keys">
          <tbody>
            {PLACES.map((place) => (
              <tr key={place}>
                <td>
                  <kbd>g</kbd> <kbd>{PLACE_KEYS[place]}</kbd>
                </td>
                <td>{t(`nav.${place}` as Key)}</td>
              </tr>
            ))}
            <tr>
              <td><kbd>/</kbd></td>
              <td>{t("keys.query")}</td>
            </tr>
            <tr>
              <td><kbd>Enter</kbd></td>
              <td>{t("keys.run")}</td>
            </tr>
            <tr>
              <td><kbd>t</kbd></td>
              <td>{t("keys.theme")}</td>
            </tr>
            <tr>
              <td><kbd>?</kbd></td>
              <td>{t("keys.title")}</td>
            </tr>
          </tbody>
        </table>
      </Modal>
    </div>
  );
}

const THEMES: { choice: ThemeChoice; icon: IconName }[] = [
  { choice: "auto", icon: "auto" },
  { choice: "light", icon: "sun" },
  { choice: "dark", icon: "moon" },
];

export function ThemeAndLanguage(): JSX.Element {
  const { t, lang } = useT();
  const { theme } = usePrefs();
  const at = THEMES.findIndex((one) => one.choice === theme);
  const next = THEMES[(at + 1) % THEMES.length] ?? THEMES[0];
  const now = THEMES[at] ?? THEMES[0];
  const themeLabel = t("nav.theme", { theme: t(`theme.${theme}` as Key) });
  return (
    <>
      <button
        type="button"
        className="lang"
        lang={lang === "ja" ? "en" : "ja"}
        data-testid="language"
        onClick={() => setPrefs({ lang: lang === "ja" ? "en" : "ja" })}
      >
        {lang === "ja" ? "English" : "日本語"}
      </button>
      <Tooltip label={themeLabel}>
        <ActionIcon variant="subtle" aria-label={themeLabel} data-testid="theme" onClick={() => next && setPrefs({ theme: next.choice })}>
          <Icon name={now?.icon ?? "auto"} />
        </ActionIcon>
      </Tooltip>
    </>
  );
}

function Tools({ openHelp }: { openHelp: () => void }): JSX.Element {
  const { t } = useT();
  const { session, reload } = useSession();
  const logout = async (): Promise<void> => {
    await send("/api/hinomi/logout", { method: "POST" }).catch(() => undefined);
    reload();
  };
  return (
    <>
      <div className="tools">
        <ThemeAndLanguage />
        <Tooltip label={t("keys.title")}>
          <ActionIcon variant="subtle" aria-label={t("keys.title")} onClick={openHelp} className="wide-only">
            <Icon name="help" />
          </ActionIcon>
        </Tooltip>
        {session.auth === "password" && (
          <Tooltip label={t("login.out")}>
            <ActionIcon variant="subtle" aria-label={t("login.out")} onClick={() => void logout()}>
              <Icon name="out" />
            </ActionIcon>
          </Tooltip>
        )}
      </div>
      <p className="who">
        {session.auth === "none" ? t("login.loopback") : `${session.user ?? ""} (${t(`role.${session.role ?? "viewer"}`)})`}
      </p>
    </>
  );
}
