import { describe, expect, it } from "vitest";
import { appendPoint, emptyHistory, HISTORY_POINTS_MAX, OverviewStream, STALE_AFTER_MS, type EventSourceLike } from "../src/lib/stream";
import type { Overview } from "../src/lib/types";
import { sparkPath } from "../src/components/spark";
import { overviewOf } from "./overview-data";

class FakeSource implements EventSourceLike {
  closed = false;
  private readonly on = new Map<string, (event: { data?: string }) => void>();
  addEventListener(type: string, listener: (event: { data?: string }) => void): void {
    this.on.set(type, listener);
  }
  close(): void {
    this.closed = true;
  }
  tell(type: string, data?: unknown): void {
    this.on.get(type)?.(data === undefined ? {} : { data: JSON.stringify(data) });
  }
}

/* A clock that the test turns. */
class Clock {
  now = 1_000_000;
  private timers: { at: number; run: () => void }[] = [];
  set = (run: () => void, ms: number): unknown => {
    const timer = { at: this.now + ms, run };
    this.timers.push(timer);
    return timer;
  };
  clear = (timer: unknown): void => {
    this.timers = this.timers.filter((one) => one !== timer);
  };
  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      const next = this.timers.filter((one) => one.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.now = next.at;
      this.timers = this.timers.filter((one) => one !== next);
      next.run();
      await Promise.resolve();
    }
    this.now = end;
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  }
}

function world(fetchOverview: () => Promise<Overview>) {
  const clock = new Clock();
  const opened: FakeSource[] = [];
  const stream = new OverviewStream({
    now: () => clock.now,
    open: () => {
      const source = new FakeSource();
      opened.push(source);
      return source;
    },
    fetchOverview,
    fetchHistory: () => Promise.resolve({ step_ms: 1000, points: emptyHistory() }),
    setTimer: clock.set,
    clearTimer: clock.clear,
  });
  return { clock, opened, stream };
}

describe("the live stream", () => {
  it("shows the snapshot, then replaces whole sections", async () => {
    const { clock, opened, stream } = world(() => Promise.resolve(overviewOf({ now_ms: 5000 })));
    const stop = stream.subscribe(() => undefined);
    expect(stream.get().state).toBe("loading");
    await clock.pass(10);
    expect(stream.get().state).toBe("live");
    opened[0]?.tell("overview", { now_ms: 6000, disks: [] });
    expect(stream.get().overview?.now_ms).toBe(6000);
    expect(stream.get().overview?.disks).toEqual([]);
    expect(stream.get().overview?.host.name).toBe("web1");
    expect(stream.get().history.t_ms).toEqual([5000, 6000]);
    stop();
    expect(opened[0]?.closed).toBe(true);
  });

  it("turns stale when nothing is heard, reconnects, and is live again", async () => {
    let answers = true;
    const { clock, opened, stream } = world(() => (answers ? Promise.resolve(overviewOf({ now_ms: clock.now })) : Promise.reject(new Error("gone"))));
    const stop = stream.subscribe(() => undefined);
    await clock.pass(10);
    const heard = stream.get().heardAt;
    answers = false;
    await clock.pass(STALE_AFTER_MS + 2000);
    expect(stream.get().state).toBe("stale");
    expect(stream.get().heardAt).toBe(heard);
    expect(stream.get().overview).not.toBeNull();
    await clock.pass(30_000);
    expect(opened.length).toBeGreaterThan(2);
    expect(stream.get().state).toBe("stale");
    answers = true;
    for (let second = 0; second < 20 && stream.get().state !== "live"; second++) await clock.pass(1000);
    expect(stream.get().state).toBe("live");
    expect(stream.get().error).toBeNull();
    stop();
  });

  it("says failed, with the reason, when there was never anything", async () => {
    const { clock, stream } = world(() => Promise.reject(new Error("no such thing")));
    const stop = stream.subscribe(() => undefined);
    await clock.pass(10);
    expect(stream.get().state).toBe("failed");
    expect(stream.get().error?.message).toBe("no such thing");
    stop();
  });

  it("waits longer between tries that fail, up to a limit", async () => {
    const { clock, opened, stream } = world(() => Promise.reject(new Error("gone")));
    const stop = stream.subscribe(() => undefined);
    const tries: number[] = [];
    for (let second = 0; second < 120; second++) {
      opened.at(-1)?.tell("error");
      await clock.pass(1000);
      tries[second] = opened.length;
    }
    expect((tries[9] ?? 0) - 1).toBeLessThanOrEqual(4);
    expect(tries[119]).toBeLessThan(20);
    stop();
  });

  it("tells of a server that says goodbye, and ignores an old connection", async () => {
    const { clock, opened, stream } = world(() => Promise.resolve(overviewOf({ now_ms: 5000 })));
    const stop = stream.subscribe(() => undefined);
    await clock.pass(10);
    opened[0]?.tell("goodbye", {});
    expect(stream.get().stopping).toBe(true);
    opened[0]?.tell("error");
    opened[0]?.tell("overview", { now_ms: 9000 });
    expect(stream.get().overview?.now_ms).toBe(5000);
    stop();
  });
});

describe("the short past", () => {
  it("opens a gap over time that nobody saw", () => {
    let history = appendPoint(emptyHistory(), overviewOf({ now_ms: 1000 }), 1000);
    history = appendPoint(history, overviewOf({ now_ms: 2000 }), 1000);
    history = appendPoint(history, overviewOf({ now_ms: 60_000 }), 1000);
    expect(history.t_ms).toEqual([1000, 2000, 3000, 60_000]);
    expect(history.cpu_used_ratio).toEqual([0.25, 0.25, null, 0.25]);
  });
  it("leaves out what is not newer, and stays bounded", () => {
    let history = emptyHistory();
    for (let second = 1; second <= HISTORY_POINTS_MAX + 50; second++) history = appendPoint(history, overviewOf({ now_ms: second * 1000 }), 1000);
    expect(history.t_ms.length).toBe(HISTORY_POINTS_MAX);
    expect(appendPoint(history, overviewOf({ now_ms: 3000 }), 1000)).toBe(history);
  });
  it("unknown stays unknown", () => {
    const unknown = overviewOf({ now_ms: 1000, psi: null, disks: [], network: [] });
    unknown.memory.total_bytes = null;
    const history = appendPoint(emptyHistory(), unknown, 1000);
    for (const key of ["psi_cpu_some_ratio", "disk_read_bytes_per_s", "net_rx_bytes_per_s", "memory_used_ratio"] as const) {
      expect(history[key]).toEqual([null]);
    }
  });
  it("the line breaks at gaps", () => {
    const path = sparkPath([0, 1000, 2000, 3000], [0.5, 0.5, null, 0.5], 3000, 1, false);
    expect(path.match(/M/g)?.length).toBe(2);
    expect(sparkPath([0, 1000], [null, null], 1000, 1, true)).toBe("");
    expect(sparkPath([0], [NaN], 0, 1, false)).toBe("");
  });
});
