/* The first screen's data: one snapshot, then server-sent events that replace sections of it.
 * The stream knows how old its data is. Data that is older than STALE_AFTER_MS is called stale,
 * and the screen then shows it as unknown, never as good. */
import type { HistoryPoints, Overview, OverviewHistory } from "./types";

export const STALE_AFTER_MS = 5_000;
export const RECONNECT_MIN_MS = 1_000;
export const RECONNECT_MAX_MS = 15_000;
export const HISTORY_POINTS_MAX = 300;

export type LiveState = "loading" | "live" | "stale" | "failed";

export interface Live {
  state: LiveState;
  overview: Overview | null;
  history: HistoryPoints;
  /* when the last event arrived, by this browser's clock */
  heardAt: number | null;
  error: Error | null;
  stopping: boolean;
}

export interface EventSourceLike {
  addEventListener(type: string, listener: (event: { data?: string }) => void): void;
  close(): void;
}

export interface StreamParts {
  now: () => number;
  open: (url: string) => EventSourceLike;
  fetchOverview: () => Promise<Overview>;
  fetchHistory: () => Promise<OverviewHistory>;
  setTimer: (run: () => void, ms: number) => unknown;
  clearTimer: (timer: unknown) => void;
}

export function emptyHistory(): HistoryPoints {
  return {
    t_ms: [],
    cpu_used_ratio: [],
    memory_used_ratio: [],
    disk_read_bytes_per_s: [],
    disk_write_bytes_per_s: [],
    net_rx_bytes_per_s: [],
    net_tx_bytes_per_s: [],
    psi_cpu_some_ratio: [],
    psi_memory_some_ratio: [],
    psi_io_some_ratio: [],
    load1: [],
  };
}

function sum(values: (number | null)[]): number | null {
  const known = values.filter((value): value is number => value !== null);
  return known.length > 0 ? known.reduce((a, b) => a + b, 0) : null;
}

/* Disks and network devices that lie on top of others would be counted twice. */
export function isPhysicalDisk(device: string): boolean {
  return !/^(loop|ram|dm-|md|zram|sr)\d*/.test(device);
}

export function isPhysicalNetwork(device: string): boolean {
  return !/^(lo$|docker|br-|veth|virbr|cni|flannel|cali|tun|tap|dummy|ifb)/.test(device);
}

export function physical<T extends { device: string }>(rows: T[], test: (device: string) => boolean): T[] {
  const chosen = rows.filter((row) => test(row.device));
  return chosen.length > 0 ? chosen : rows;
}

/* One point of the small graphs, as the server's own history would have it. */
export function pointOf(overview: Overview): { [Key in keyof HistoryPoints]: number | null } {
  const { memory, psi } = overview;
  const disks = physical(overview.disks, isPhysicalDisk);
  const network = physical(overview.network, isPhysicalNetwork);
  const memoryRatio =
    memory.total_bytes && memory.used_bytes !== null ? memory.used_bytes / memory.total_bytes : null;
  return {
    t_ms: overview.now_ms,
    cpu_used_ratio: overview.cpu.used_ratio,
    memory_used_ratio: memoryRatio,
    disk_read_bytes_per_s: sum(disks.map((disk) => disk.read_bytes_per_s)),
    disk_write_bytes_per_s: sum(disks.map((disk) => disk.write_bytes_per_s)),
    net_rx_bytes_per_s: sum(network.map((device) => device.rx_bytes_per_s)),
    net_tx_bytes_per_s: sum(network.map((device) => device.tx_bytes_per_s)),
    psi_cpu_some_ratio: psi?.cpu.some_ratio ?? null,
    psi_memory_some_ratio: psi?.memory.some_ratio ?? null,
    psi_io_some_ratio: psi?.io.some_ratio ?? null,
    load1: overview.cpu.load1,
  };
}

/* Appends a point. A point that is not newer than the last is left out, and a pause of more than
 * three steps becomes a gap, so that a line is never drawn over time that nobody saw. */
export function appendPoint(history: HistoryPoints, overview: Overview, stepMs: number): HistoryPoints {
  const last = history.t_ms.at(-1);
  const point = pointOf(overview);
  const at = overview.now_ms;
  if (last !== undefined && at <= last) return history;
  const gap = last !== undefined && at - last > 3 * stepMs;
  const next = {} as Record<string, (number | null)[]>;
  for (const key of Object.keys(history) as (keyof HistoryPoints)[]) {
    const column = (history[key] as (number | null)[]).slice(gap ? 2 - HISTORY_POINTS_MAX : 1 - HISTORY_POINTS_MAX);
    if (gap) column.push(key === "t_ms" ? (last ?? at) + stepMs : null);
    column.push(point[key]);
    next[key] = column;
  }
  return next as unknown as HistoryPoints;
}

export class OverviewStream {
  private live: Live = {
    state: "loading",
    overview: null,
    history: emptyHistory(),
    heardAt: null,
    error: null,
    stopping: false,
  };
  private readonly parts: StreamParts;
  private readonly listeners = new Set<() => void>();
  private source: EventSourceLike | null = null;
  private watch: unknown = null;
  private retry: unknown = null;
  private retryMs = RECONNECT_MIN_MS;
  private stepMs = 1000;
  private connectedAt = 0;
  private running = false;

  constructor(parts: StreamParts) {
    this.parts = parts;
  }

  get = (): Live => this.live;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    if (this.listeners.size === 1) this.start();
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) this.stop();
    };
  };

  /* A view that changed something asks for the truth at once. */
  refresh = async (): Promise<void> => {
    try {
      this.heard(await this.parts.fetchOverview());
    } catch (error) {
      this.failed(error);
    }
  };

  private set(change: Partial<Live>): void {
    this.live = { ...this.live, ...change };
    for (const listener of this.listeners) listener();
  }

  private start(): void {
    this.running = true;
    void this.loadHistory();
    this.connect();
    this.watchAge();
  }

  private stop(): void {
    this.running = false;
    this.source?.close();
    this.source = null;
    this.parts.clearTimer(this.watch);
    this.parts.clearTimer(this.retry);
  }

  private async loadHistory(): Promise<void> {
    try {
      const past = await this.parts.fetchHistory();
      if (!this.running) return;
      this.stepMs = past.step_ms > 0 ? past.step_ms : 1000;
      let history = past.points;
      if (this.live.overview) history = appendPoint(history, this.live.overview, this.stepMs);
      this.set({ history });
    } catch {
      /* the small graphs then begin now; the snapshot's own error is the one to show */
    }
  }

  private connect(): void {
    if (!this.running) return;
    this.source?.close();
    void this.refresh();
    const source = this.parts.open("/api/hinomi/overview/stream");
    this.source = source;
    this.connectedAt = this.parts.now();
    source.addEventListener("overview", (event) => {
      if (source !== this.source || !event.data) return;
      try {
        this.heard(JSON.parse(event.data) as Partial<Overview>);
        this.retryMs = RECONNECT_MIN_MS;
      } catch (error) {
        this.failed(error);
      }
    });
    source.addEventListener("goodbye", () => this.set({ stopping: true }));
    source.addEventListener("error", () => {
      if (source !== this.source) return;
      source.close();
      this.source = null;
      this.reconnectLater();
    });
  }

  private reconnectLater(): void {
    if (!this.running) return;
    this.parts.clearTimer(this.retry);
    this.retry = this.parts.setTimer(() => this.connect(), this.retryMs);
    this.retryMs = Math.min(this.retryMs * 2, RECONNECT_MAX_MS);
  }

  private heard(change: Partial<Overview>): void {
    if (!this.running) return;
    const before = this.live.overview;
    if (!before && !change.host) return;
    if (before && change.now_ms !== undefined && change.now_ms < before.now_ms) {
      /* a server whose clock went back: believe it, but begin the graphs anew */
      if (before.now_ms - change.now_ms < 2000) return;
      this.live = { ...this.live, history: emptyHistory() };
    }
    const overview = { ...(before ?? {}), ...change } as Overview;
    this.set({
      state: "live",
      overview,
      history: appendPoint(this.live.history, overview, this.stepMs),
      heardAt: this.parts.now(),
      error: null,
      stopping: false,
    });
  }

  private failed(error: unknown): void {
    if (!this.running) return;
    const shown = error instanceof Error ? error : new Error(String(error));
    this.set({ error: shown, state: this.live.overview ? this.live.state : "failed" });
  }

  private watchAge(): void {
    this.watch = this.parts.setTimer(() => {
      if (!this.running) return;
      const now = this.parts.now();
      const heardAt = this.live.heardAt ?? 0;
      if (this.live.state === "live" && now - heardAt > STALE_AFTER_MS) this.set({ state: "stale" });
      /* a connection that says nothing for so long is dead, whatever the browser thinks */
      if (this.source && now - Math.max(heardAt, this.connectedAt) > STALE_AFTER_MS) {
        this.source.close();
        this.source = null;
        this.reconnectLater();
      }
      this.watchAge();
    }, 1000);
  }
}
