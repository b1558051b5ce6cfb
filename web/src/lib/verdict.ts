/* The first screen's one answer: is anything wrong, and since when? Good is said only with
 * evidence: fresh data, rules that ran lately, every source heard from. */
import type { LiveState } from "./stream";
import type { Overview } from "./types";

export type Level = "burning" | "warning" | "unknown" | "ok";

export interface Reason {
  kind:
    | "alerts"
    | "pending"
    | "filesystem"
    | "certificate"
    | "unit"
    | "stream"
    | "rules_none"
    | "rules_unhealthy"
    | "rules_old"
    | "sources";
  level: Level;
  count: number;
  subject?: string;
  days?: number;
  since_ms?: number | null;
}

export interface Verdict {
  level: Level;
  since_ms: number | null;
  reasons: Reason[];
}

export const DAYS_TO_FULL_WARN = 7;
export const CERTIFICATE_DAYS_WARN = 14;
export const RULES_OLD_AFTER_MS = 5 * 60_000;

const ORDER: Level[] = ["burning", "warning", "unknown", "ok"];

function oldest(values: (number | null | undefined)[]): number | null {
  const known = values.filter((value): value is number => typeof value === "number");
  return known.length > 0 ? Math.min(...known) : null;
}

export function isCritical(severity: string | null): boolean {
  return severity !== null && /^(critical|page|emergency|fatal|error|high|p1|sev1)$/i.test(severity);
}

export function verdictOf(overview: Overview, state: LiveState, heardAt: number | null): Verdict {
  const reasons: Reason[] = [];
  if (state !== "live") {
    reasons.push({ kind: "stream", level: "unknown", count: 1, since_ms: heardAt });
  }
  const firing = overview.alerts.filter((alert) => alert.state === "firing" && alert.severity !== "info");
  const critical = firing.filter((alert) => isCritical(alert.severity));
  if (firing.length > 0) {
    reasons.push({
      kind: "alerts",
      level: critical.length > 0 ? "burning" : "warning",
      count: firing.length,
      since_ms: oldest((critical.length > 0 ? critical : firing).map((alert) => alert.since_ms)),
    });
  }
  const pending = overview.alerts.filter((alert) => alert.state === "pending");
  if (pending.length > 0) {
    reasons.push({
      kind: "pending",
      level: "warning",
      count: pending.length,
      since_ms: oldest(pending.map((alert) => alert.since_ms)),
    });
  }
  for (const filesystem of overview.filesystems) {
    const days = filesystem.days_to_full;
    if (days !== null && days < DAYS_TO_FULL_WARN) {
      reasons.push({ kind: "filesystem", level: "warning", count: 1, subject: filesystem.mountpoint, days });
    }
  }
  for (const certificate of overview.certificates) {
    const days = certificate.days_left;
    if (days !== null && days < CERTIFICATE_DAYS_WARN) {
      reasons.push({
        kind: "certificate",
        level: days < 0 ? "burning" : "warning",
        count: 1,
        subject: certificate.subject ?? certificate.address,
        days,
        since_ms: days < 0 ? certificate.not_after_ms : null,
      });
    }
  }
  for (const unit of overview.units) {
    if (unit.state === "failed") reasons.push({ kind: "unit", level: "warning", count: 1, subject: unit.name });
  }
  const { rules } = overview;
  if (rules.total === 0) reasons.push({ kind: "rules_none", level: "unknown", count: 1 });
  if (rules.unhealthy > 0) reasons.push({ kind: "rules_unhealthy", level: "unknown", count: rules.unhealthy });
  if (
    rules.total > 0 &&
    rules.last_evaluation_ms !== null &&
    overview.now_ms - rules.last_evaluation_ms > RULES_OLD_AFTER_MS
  ) {
    reasons.push({ kind: "rules_old", level: "unknown", count: 1, since_ms: rules.last_evaluation_ms });
  }
  const silent = overview.sources.filter((source) => source.freshness !== "ok");
  if (silent.length > 0) {
    reasons.push({
      kind: "sources",
      level: "unknown",
      count: silent.length,
      subject: silent[0]?.name,
      since_ms: oldest(silent.map((source) => source.last_ms)),
    });
  }
  reasons.sort((a, b) => ORDER.indexOf(a.level) - ORDER.indexOf(b.level));
  /* While nothing is heard, what was burning may burn still, but nobody may say that it is well. */
  const level = state !== "live" ? "unknown" : (reasons[0]?.level ?? "ok");
  return { level, since_ms: oldest(reasons.filter((r) => r.level === level).map((r) => r.since_ms)), reasons };
}
