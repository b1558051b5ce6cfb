import { createTheme, MantineProvider, type MantineColorsTuple } from "@mantine/core";
import { lazy, Suspense, useEffect, useMemo, type JSX } from "react";
import { Boundary } from "./components/boundary";
import { Failure, Loading } from "./components/parts";
import { Shell } from "./components/shell";
import { translator, TranslatorContext, useT } from "./i18n";
import { getJson, setCsrf, setSessionEndedHandler } from "./lib/api";
import { useLoad } from "./lib/hooks";
import { resolveLang, useColorScheme, usePrefs } from "./lib/prefs";
import { useLocation, type Place } from "./lib/router";
import { SessionContext } from "./lib/session";
import type { Session } from "./lib/types";
import { LoginView } from "./views/login";
import { NotFoundView } from "./views/not-found";
import { OverviewView } from "./views/overview/overview";

const ExploreView = lazy(() => import("./views/explore/explore"));
const ServicesView = lazy(() => import("./views/services"));
const RingView = lazy(() => import("./views/ring/ring"));
const ChecksView = lazy(() => import("./views/checks"));
const InventoryView = lazy(() => import("./views/inventory/inventory"));
const SettingsView = lazy(() => import("./views/settings/settings"));

/* The colours themselves are in styles/theme.css: the provider writes no style element, so that
 * the page can forbid inline styles. */
const INK: MantineColorsTuple = [
  "#eef1f6", "#dde3ec", "#b8c4d8", "#90a3c2", "#6f87b0", "#5975a5", "#4d6ca0", "#3d5a8b", "#33507d", "#27436e",
];
const theme = createTheme({
  primaryColor: "ink",
  colors: { ink: INK },
  cursorType: "pointer",
  respectReducedMotion: true,
  components: {
    Modal: { defaultProps: { lockScroll: false, centered: true, transitionProps: { duration: 0 }, overlayProps: { blur: 0 } } },
    Tooltip: { defaultProps: { openDelay: 300, transitionProps: { duration: 0 }, withArrow: false } },
    Button: { defaultProps: { size: "xs" } },
    TextInput: { defaultProps: { size: "sm" } },
  },
});

export function App(): JSX.Element {
  const prefs = usePrefs();
  const scheme = useColorScheme();
  const lang = resolveLang(prefs.lang, navigator.languages);
  const translate = useMemo(() => translator(lang), [lang]);
  useEffect(() => {
    document.documentElement.lang = lang;
  }, [lang]);
  useEffect(() => {
    for (const meta of document.querySelectorAll('meta[name="theme-color"]')) {
      meta.setAttribute("content", scheme === "dark" ? "#14171c" : "#f6f5f2");
    }
  }, [scheme]);
  return (
    <TranslatorContext value={translate}>
      <MantineProvider
        theme={theme}
        forceColorScheme={scheme}
        withCssVariables={false}
        withGlobalClasses={false}
        deduplicateCssVariables={false}
      >
        <Doors />
      </MantineProvider>
    </TranslatorContext>
  );
}

/* Who is there decides what is drawn: the login, or the seven places. */
function Doors(): JSX.Element {
  const { t } = useT();
  const loaded = useLoad((signal) => getJson<Session>("/api/hinomi/session", signal), "session");
  const { data: session, reload } = loaded;
  useEffect(() => setSessionEndedHandler(reload), [reload]);
  if (session) setCsrf(session.csrf);
  const value = useMemo(() => (session ? { session, reload } : null), [session, reload]);
  if (!value) {
    return (
      <main className="doors">
        {loaded.error ? <Failure error={loaded.error} retry={reload} /> : <Loading lines={3} />}
        <p className="visually-hidden">{t("app.name")}</p>
      </main>
    );
  }
  if (!value.session.authenticated) return <LoginView session={value.session} onDone={reload} />;
  return (
    <SessionContext value={value}>
      <Shell>
        <PlaceView />
      </Shell>
    </SessionContext>
  );
}

function PlaceView(): JSX.Element {
  const { place, path } = useLocation();
  return (
    <Boundary place={place ?? path}>
      <Suspense fallback={<Loading lines={6} />}>{viewOf(place, path)}</Suspense>
    </Boundary>
  );
}

function viewOf(place: Place | null, path: string): JSX.Element {
  switch (place) {
    case "overview":
      return <OverviewView />;
    case "explore":
      return <ExploreView />;
    case "services":
      return <ServicesView />;
    case "ring":
      return <RingView />;
    case "checks":
      return <ChecksView />;
    case "inventory":
      return <InventoryView />;
    case "settings":
      return <SettingsView />;
    case null:
      return <NotFoundView path={path} />;
  }
}
