/* The small parts that every view is made of: panels, states, marks, ages, links, copyable text. */
import { ActionIcon, Button, Loader, Tooltip } from "@mantine/core";
import { useEffect, useRef, useState, type JSX, type MouseEvent, type ReactNode } from "react";
import { useT } from "../i18n";
import { ApiError } from "../lib/api";
import { formatClock, formatDuration, formatInstant } from "../lib/format";
import { useNow, type Loaded } from "../lib/hooks";
import { navigate } from "../lib/router";
import type { Freshness, Origin } from "../lib/types";
import type { Level } from "../lib/verdict";
import { Icon, type IconName } from "./icons";

export function Link({
  to,
  children,
  className,
  current,
  label,
}: {
  to: string;
  children: ReactNode;
  className?: string;
  current?: boolean;
  label?: string;
}): JSX.Element {
  const follow = (event: MouseEvent<HTMLAnchorElement>): void => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
  };
  return (
    <a href={to} onClick={follow} className={className} aria-current={current ? "page" : undefined} aria-label={label}>
      {children}
    </a>
  );
}

export function LinkButton({ to, children, variant = "default", icon }: { to: string; children: ReactNode; variant?: string; icon?: IconName }): JSX.Element {
  return (
    <Button
      component="a"
      href={to}
      size="xs"
      variant={variant}
      leftSection={icon ? <Icon name={icon} size={15} /> : undefined}
      onClick={(event: MouseEvent<HTMLAnchorElement>) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
        event.preventDefault();
        navigate(to);
      }}
    >
      {children}
    </Button>
  );
}

export function PageHead({ title, sub, children }: { title: string; sub?: ReactNode; children?: ReactNode }): JSX.Element {
  useEffect(() => {
    document.title = title === "hinomi" ? "hinomi" : `${title} – hinomi`;
  }, [title]);
  return (
    <header className="page-head">
      <div className="page-head-text">
        <h1 tabIndex={-1} id="page-title">
          {title}
        </h1>
        {sub && <p className="page-sub">{sub}</p>}
      </div>
      {children && <div className="page-actions">{children}</div>}
    </header>
  );
}

export function Panel({
  title,
  count,
  aside,
  children,
  id,
  flush,
}: {
  title: string;
  count?: number | string;
  aside?: ReactNode;
  children: ReactNode;
  id?: string;
  flush?: boolean;
}): JSX.Element {
  const headingId = `${id ?? title.replace(/\W+/g, "-")}-heading`;
  return (
    <section className="panel" id={id} aria-labelledby={headingId}>
      <div className="panel-head">
        <h2 id={headingId}>{title}</h2>
        {count !== undefined && <span className="panel-count">{count}</span>}
        {aside && <div className="panel-aside">{aside}</div>}
      </div>
      <div className={flush ? "panel-body flush" : "panel-body"}>{children}</div>
    </section>
  );
}

const LEVEL_ICON: Record<Level, IconName> = { burning: "burning", warning: "warning", unknown: "unknown", ok: "ok" };

export function Mark({ level, children, plain }: { level: Level | "none"; children: ReactNode; plain?: boolean }): JSX.Element {
  return (
    <span className={`mark mark-${level}${plain ? " mark-plain" : ""}`}>
      {level !== "none" && <Icon name={LEVEL_ICON[level]} size={14} />}
      <span>{children}</span>
    </span>
  );
}

export function FreshMark({ freshness }: { freshness: Freshness }): JSX.Element {
  const { t } = useT();
  if (freshness === "ok") return <Mark level="ok" plain>{t("fresh.ok")}</Mark>;
  return <Mark level="unknown">{t(freshness === "stale" ? "fresh.stale" : "fresh.unknown")}</Mark>;
}

export function OriginTag({ origin }: { origin: Origin }): JSX.Element {
  const { t } = useT();
  return (
    <span className={`tag tag-${origin}`} title={t(`origin.${origin}.help`)}>
      {t(`origin.${origin}`)}
    </span>
  );
}

export function Age({ ms, none }: { ms: number | null; none?: string }): JSX.Element {
  const { t, lang } = useT();
  const now = useNow(1000);
  if (ms === null) return <span className="dim">{none ?? t("time.never")}</span>;
  const seconds = Math.max(0, (now - ms) / 1000);
  return (
    <time dateTime={new Date(ms).toISOString()} title={formatInstant(ms, lang, 0)}>
      {seconds < 2 ? t("time.now") : t("time.ago", { age: formatDuration(Math.floor(seconds), lang) })}
    </time>
  );
}

export function Loading({ lines = 4 }: { lines?: number }): JSX.Element {
  const { t } = useT();
  return (
    <div className="loading" role="status" aria-live="polite">
      <span className="visually-hidden">{t("state.loading")}</span>
      {Array.from({ length: lines }, (_, index) => (
        <div key={index} className={`bone bone-${index % 4}`} />
      ))}
    </div>
  );
}

export function Empty({ title, children, action, compact }: { title: string; children?: ReactNode; action?: ReactNode; compact?: boolean }): JSX.Element {
  return (
    <div className={compact ? "empty compact" : "empty"}>
      <p className="empty-title">{title}</p>
      {children && <div className="empty-text">{children}</div>}
      {action && <div className="empty-action">{action}</div>}
    </div>
  );
}

export function useErrorText(): (error: Error) => { title: string; hint: string | null } {
  const { t } = useT();
  return (error) => {
    if (error instanceof ApiError) {
      if (error.code === "unreachable") return { title: t("error.unreachable"), hint: t("error.unreachable.hint") };
      if (error.status === 403) return { title: t("error.forbidden"), hint: error.hint ?? error.message };
      return { title: error.message || t("error.unknown"), hint: error.hint };
    }
    return { title: error.message || t("error.unknown"), hint: null };
  };
}

export function Failure({ error, retry }: { error: Error; retry?: () => void }): JSX.Element {
  const { t } = useT();
  const { title, hint } = useErrorText()(error);
  return (
    <div className="failure" role="alert">
      <Icon name="warning" />
      <div>
        <p className="failure-title">{title}</p>
        {hint && <p className="failure-hint">{hint}</p>}
        {retry && (
          <Button size="compact-xs" variant="default" onClick={retry}>
            {t("action.retry")}
          </Button>
        )}
      </div>
    </div>
  );
}

/* Draws what was loaded; says so when it is old. */
export function WithData<T>({ from, lines, children }: { from: Loaded<T>; lines?: number; children: (data: T) => ReactNode }): JSX.Element {
  const { t, lang } = useT();
  if (from.data === null) {
    if (from.error) return <Failure error={from.error} retry={from.reload} />;
    return <Loading lines={lines} />;
  }
  return (
    <>
      {from.error && (
        <div className="stale-note" role="status">
          <Icon name="unknown" size={16} />
          <span>{t("state.old", { clock: formatClock(from.loadedAt, lang) })}</span>
          <Button size="compact-xs" variant="subtle" onClick={from.reload}>
            {t("action.retry")}
          </Button>
        </div>
      )}
      {children(from.data)}
    </>
  );
}

export function Table({ head, children, label, dense }: { head: ReactNode; children: ReactNode; label: string; dense?: boolean }): JSX.Element {
  return (
    <div className="table-wrap" role="region" aria-label={label} tabIndex={0}>
      <table className={dense ? "table dense" : "table"}>
        <thead>
          <tr>{head}</tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

export function Meter({ ratio, level, label }: { ratio: number | null; level: Level; label: string }): JSX.Element {
  const { t } = useT();
  /* A meter has a value; without one this is a picture that says so. */
  if (ratio === null) return <span className="meter meter-unknown" role="img" aria-label={`${label}: ${t("state.unknown")}`} />;
  const percent = Math.min(100, Math.max(0, ratio * 100));
  return (
    <span
      className={`meter meter-${level}`}
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(percent)}
    >
      <span className="meter-fill" style={{ width: `${percent}%` }} />
    </span>
  );
}

export function CopyButton({ text, label }: { text: string; label?: string }): JSX.Element {
  const { t } = useT();
  const [copied, setCopied] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    setCopied(true);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setCopied(false), 1500);
  };
  const words = copied ? t("action.copied") : (label ?? t("action.copy"));
  if (label) {
    return (
      <Button size="xs" variant="default" onClick={() => void copy()} leftSection={<Icon name={copied ? "check" : "copy"} size={15} />}>
        {words}
      </Button>
    );
  }
  return (
    <Tooltip label={words}>
      <ActionIcon variant="subtle" onClick={() => void copy()} aria-label={words}>
        <Icon name={copied ? "check" : "copy"} size={16} />
      </ActionIcon>
    </Tooltip>
  );
}

export function CodeBlock({ text, label }: { text: string; label: string }): JSX.Element {
  return (
    <div className="code-block">
      <pre tabIndex={0} role="region" aria-label={label}>
        <code>{text}</code>
      </pre>
      <CopyButton text={text} />
    </div>
  );
}

export function Busy({ label }: { label: string }): JSX.Element {
  return (
    <span className="busy" role="status">
      <Loader size={14} /> {label}
    </span>
  );
}

export function Tabs<T extends string>({ tabs, current, base, label }: { tabs: { id: T; label: string; count?: number }[]; current: T; base: string; label: string }): JSX.Element {
  return (
    <nav className="tabs" aria-label={label}>
      {tabs.map((tab) => (
        <Link key={tab.id} to={`${base}/${tab.id}`} current={tab.id === current} className="tab">
          {tab.label}
          {tab.count !== undefined && <span className="tab-count">{tab.count}</span>}
        </Link>
      ))}
    </nav>
  );
}

export function Facts({ rows }: { rows: [string, ReactNode][] }): JSX.Element {
  return (
    <dl className="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
