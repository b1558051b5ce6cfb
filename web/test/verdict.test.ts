import { describe, expect, it } from "vitest";
import { RULES_OLD_AFTER_MS, verdictOf } from "../src/lib/verdict";
import type { OverviewAlert } from "../src/lib/types";
import { overviewOf } from "./overview-data";

function alert(change: Partial<OverviewAlert>): OverviewAlert {
  return { fingerprint: "a", name: "A", severity: "warning", state: "firing", since_ms: 100, summary: null, value: null, labels: {}, annotations: {}, ...change };
}
const certificate = (days: number) => ({ address: "x", subject: "s", names: [], issuer: null, not_before_ms: null, not_after_ms: 77, days_left: days });

describe("the verdict", () => {
  it("is ok only with evidence", () => {
    expect(verdictOf(overviewOf(), "live", 1).level).toBe("ok");
    expect(verdictOf(overviewOf({ rules: { total: 0, unhealthy: 0, last_evaluation_ms: null } }), "live", 1).level).toBe("unknown");
    expect(verdictOf(overviewOf({ rules: { total: 5, unhealthy: 1, last_evaluation_ms: 500 } }), "live", 1).level).toBe("unknown");
    const old = overviewOf({ now_ms: RULES_OLD_AFTER_MS + 2000, rules: { total: 5, unhealthy: 0, last_evaluation_ms: 500 } });
    expect(verdictOf(old, "live", 1).level).toBe("unknown");
    const silent = overviewOf({ sources: [{ name: "cpu", kind: "collector", freshness: "stale", last_ms: 9, detail: null }] });
    expect(verdictOf(silent, "live", 1)).toMatchObject({ level: "unknown", since_ms: 9 });
  });
  it("is never ok, nor red, on old data: it is unknown since the last word", () => {
    expect(verdictOf(overviewOf(), "stale", 42)).toMatchObject({ level: "unknown", since_ms: 42 });
    const burning = verdictOf(overviewOf({ alerts: [alert({ severity: "critical" })] }), "stale", 42);
    expect(burning.level).toBe("unknown");
    expect(burning.reasons.some((reason) => reason.kind === "alerts")).toBe(true);
  });
  it("burns since the oldest critical alert", () => {
    const verdict = verdictOf(
      overviewOf({ alerts: [alert({ since_ms: 50 }), alert({ severity: "critical", since_ms: 300 }), alert({ severity: "page", since_ms: 200 })] }),
      "live", 1,
    );
    expect(verdict).toMatchObject({ level: "burning", since_ms: 200 });
  });
  it("warns of what is about to break", () => {
    const full = { mountpoint: "/", device: "d", fstype: "ext4", size_bytes: 1, available_bytes: 1, used_ratio: 0.5, inodes_used_ratio: null, read_only: false, days_to_full: 3 };
    expect(verdictOf(overviewOf({ filesystems: [full] }), "live", 1).level).toBe("warning");
    expect(verdictOf(overviewOf({ filesystems: [{ ...full, days_to_full: null }] }), "live", 1).level).toBe("ok");
    expect(verdictOf(overviewOf({ certificates: [certificate(5)] }), "live", 1).level).toBe("warning");
    expect(verdictOf(overviewOf({ certificates: [certificate(-1)] }), "live", 1)).toMatchObject({ level: "burning", since_ms: 77 });
    expect(verdictOf(overviewOf({ alerts: [alert({ state: "pending" })] }), "live", 1).level).toBe("warning");
    expect(verdictOf(overviewOf({ alerts: [alert({ severity: "info" })] }), "live", 1).level).toBe("ok");
  });
});
