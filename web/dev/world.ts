/* The made-up world behind the development double. */
import type {
  AuditEntry, Config, ConfigCheck, Delivery, Inventory, NextStepId, Overview, OverviewAlert, OverviewHistory, PromRuleGroup,
  Receiver, Role, Service, Session, Status, Target, Token, User,
} from "../src/lib/types";

export type WorldName = "full" | "empty" | "login" | "burning";
const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const DAY = 86_400_000;

function wave(now: number, period: number, low: number, high: number, shift = 0): number {
  const turn = Math.sin(((now / 1000 + shift) / period) * 2 * Math.PI);
  const noise = Math.sin(now / 1300 + shift) * Math.sin(now / 710 + shift * 3);
  return Math.max(0, low + ((turn + 1) / 2) * (high - low) + noise * (high - low) * 0.18);
}

export class World {
  name: WorldName;
  silent = false;
  private logins = new Map<string, { name: string; role: Role }>();
  private readonly begun = Date.now();
  private services: Service[] = [];
  private receivers: Receiver[] = [];
  private deliveries: Delivery[] = [];
  private accepted: { id: string; url: string; job: string }[] = [];
  private users: User[] = [];
  private tokens: Token[] = [];
  private audit: AuditEntry[] = [];
  private counter = 1;

  constructor(name: WorldName) {
    this.name = name;
    this.become(name);
  }

  become(word: string): void {
    if (word === "silence") this.silent = true;
    else if (word === "speak") this.silent = false;
    else {
      this.name = word as WorldName;
      this.logins.clear();
      this.silent = false;
      const full = word !== "empty";
      const now = Date.now();
      this.accepted = [];
      this.services = full
        ? [
            { id: "shop", name: "shop", description: "What customers buy from", owner: "shop-team", channel: "#shop-alerts", url: "https://shop.example", origin: "declared", created_ms: null, last_seen_ms: now - 2000, freshness: "ok" },
            { id: "payments", name: "payments", description: "Card payments", owner: "shop-team", channel: null, url: null, origin: "observed", created_ms: null, last_seen_ms: now - 400_000, freshness: "stale" },
            { id: "mail", name: "mail", description: null, owner: null, channel: null, url: null, origin: "overridden", created_ms: now - DAY, last_seen_ms: null, freshness: "unknown" },
          ]
        : [];
      this.receivers = full
        ? [
            { name: "slack", kind: "slack", channel: "#alerts", origin: "overridden", is_default: true, last_delivery_ms: now - 900_000, last_state: "delivered", last_error: null },
            { name: "pager", kind: "webhook", channel: null, origin: "declared", is_default: false, last_delivery_ms: now - 60_000, last_state: "waiting", last_error: "429 Too Many Requests, Retry-After 30 s" },
          ]
        : [];
      this.deliveries = full
        ? [
            { id: "3", receiver: "pager", kind: "alert", title: "[firing] HostFilesystemFillsUp web1", state: "waiting", attempts: 2, created_ms: now - 90_000, next_attempt_ms: now + 20_000, delivered_ms: null, last_error: "429 Too Many Requests, Retry-After 30 s" },
            { id: "2", receiver: "slack", kind: "alert", title: "[firing] HostFilesystemFillsUp web1", state: "delivered", attempts: 1, created_ms: now - 900_000, next_attempt_ms: null, delivered_ms: now - 899_700, last_error: null },
            { id: "1", receiver: "slack", kind: "test", title: "Test from hinomi", state: "delivered", attempts: 1, created_ms: now - DAY, next_attempt_ms: null, delivered_ms: now - DAY, last_error: null },
          ]
        : [];
      this.users = full ? [{ id: "1", name: "aoki", role: "admin", created_ms: now - 30 * DAY, last_login_ms: now - 7_200_000 }, { id: "2", name: "tanaka", role: "viewer", created_ms: now - 3 * DAY, last_login_ms: null }] : [];
      this.tokens = full ? [{ id: "1", name: "prometheus-eu", scopes: ["write:series"], prefix: "hnm_9f2c", created_ms: now - 9 * DAY, created_by: "aoki", last_used_ms: now - 3000, expires_ms: null }] : [];
      this.audit = full
        ? [
            { id: "3", at_ms: now - 60_000, actor: "aoki", role: "admin", action: "receiver.create", object: "slack", origin_address: "127.0.0.1", detail: null },
            { id: "2", at_ms: now - 3_600_000, actor: "token:prometheus-eu", role: null, action: "token.use", object: "write:series", origin_address: "10.1.2.3", detail: "first use" },
            { id: "1", at_ms: now - DAY, actor: "loopback", role: "admin", action: "config.reload", object: "hinomi.yaml", origin_address: "127.0.0.1", detail: "accepted" },
          ]
        : [];
    }
  }

  /* The password of everybody in the double is the same; aoki is the admin. */
  login(name: string, password: string): string | null {
    const user = this.users.find((one) => one.name === name);
    if (!user || (password !== "correct horse" && password !== "a long enough password")) return null;
    const cookie = String(++this.counter);
    this.logins.set(cookie, { name, role: user.role });
    return cookie;
  }

  logout(cookie: string): void {
    this.logins.delete(cookie);
  }

  session(cookie = ""): Session {
    const login = this.name === "login";
    const who = this.logins.get(cookie);
    const inside = !login || (who !== undefined && this.users.some((user) => user.name === who.name));
    return {
      auth: login ? "password" : "none",
      authenticated: inside,
      user: login && inside ? (who?.name ?? null) : null,
      role: inside ? (login ? (who?.role ?? null) : "admin") : null,
      csrf: inside ? "double-csrf" : null,
      expires_ms: null,
      first_user: false,
    };
  }

  private alerts(now: number): OverviewAlert[] {
    const start = this.begun - 840_000;
    const fills: OverviewAlert = {
      fingerprint: "a1", name: "HostFilesystemFillsUp", severity: "warning", state: "firing", since_ms: start,
      summary: "/var on web1 will be full in 4 days", value: "3.9",
      labels: { alertname: "HostFilesystemFillsUp", severity: "warning", instance: "web1", mountpoint: "/var" },
      annotations: { summary: "/var on web1 will be full in 4 days", summary_ja: "web1 の /var はあと 4 日で満杯になります" },
    };
    const down: OverviewAlert = {
      fingerprint: "b2", name: "TargetDown", severity: "critical", state: "firing", since_ms: start + 420_000,
      summary: "payments on 127.0.0.1:8081 does not answer", value: "0",
      labels: { alertname: "TargetDown", severity: "critical", job: "payments", instance: "127.0.0.1:8081" },
      annotations: { summary: "payments on 127.0.0.1:8081 does not answer", summary_ja: "127.0.0.1:8081 の payments が応答しません" },
    };
    const high: OverviewAlert = {
      fingerprint: "c3", name: "HostMemoryPressure", severity: "warning", state: "pending", since_ms: now - 45_000,
      summary: "Tasks on web1 wait for memory", value: "0.12",
      labels: { alertname: "HostMemoryPressure", severity: "warning", instance: "web1" },
      annotations: { summary: "Tasks on web1 wait for memory", summary_ja: "web1 のタスクがメモリー待ちになっています" },
    };
    if (this.name === "burning") return [down, fills, high];
    return [];
  }

  overview(now = Date.now()): Overview {
    const empty = this.name === "empty";
    const burning = this.name === "burning";
    const cpu = wave(now, 90, 0.08, 0.42);
    const used = (9.1 + wave(now, 300, 0, 1.2)) * GIB;
    const step = (id: NextStepId, done: boolean): { id: NextStepId; done: boolean } => ({ id, done });
    const offered = (url: string): boolean => this.accepted.some((one) => one.url === url);
    return {
      now_ms: now,
      host: {
        name: empty ? "3f9c1d2b77aa" : "web1", os: "Debian GNU/Linux 12 (bookworm)", kernel: "6.1.0-28-amd64", architecture: "x86_64",
        in_container: empty, container_kind: empty ? "docker" : null, boot_ms: this.begun - 12.4 * DAY,
        uptime_seconds: 12.4 * 86_400 + (now - this.begun) / 1000, cpus: 4,
      },
      cpu: {
        used_ratio: cpu, modes: { user: cpu * 0.7, system: cpu * 0.2, iowait: cpu * 0.07, softirq: cpu * 0.03, idle: 1 - cpu },
        load1: 0.4 + cpu * 4, load5: 1.21, load15: 0.98,
        cores: [0, 1, 2, 3].map((core) => ({ cpu: String(core), used_ratio: wave(now, 40 + core * 11, 0.05, 0.6, core * 9) })),
      },
      memory: { total_bytes: 16 * GIB, available_bytes: 16 * GIB - used, used_bytes: used, cached_bytes: 4.2 * GIB, swap_total_bytes: empty ? 0 : 2 * GIB, swap_used_bytes: empty ? 0 : 90 * MIB },
      psi: empty ? null : {
        cpu: { some_ratio: wave(now, 70, 0, 0.08), full_ratio: null },
        memory: { some_ratio: burning ? wave(now, 30, 0.05, 0.2) : 0, full_ratio: 0 },
        io: { some_ratio: wave(now, 50, 0, 0.05, 7), full_ratio: 0.01 },
      },
      disks: [
        { device: "nvme0n1", read_bytes_per_s: wave(now, 35, 0.1 * MIB, 14 * MIB), write_bytes_per_s: wave(now, 25, 1 * MIB, 30 * MIB, 5), busy_ratio: wave(now, 25, 0.02, 0.3) },
        { device: "dm-0", read_bytes_per_s: wave(now, 35, 0.1 * MIB, 14 * MIB), write_bytes_per_s: wave(now, 25, 1 * MIB, 30 * MIB, 5), busy_ratio: 0.1 },
      ],
      network: [
        { device: "eth0", rx_bytes_per_s: wave(now, 60, 0.2 * MIB, 9 * MIB), tx_bytes_per_s: wave(now, 45, 0.1 * MIB, 3 * MIB, 3), errors_per_s: 0, up: true },
        { device: "lo", rx_bytes_per_s: 40_000, tx_bytes_per_s: 40_000, errors_per_s: 0, up: true },
      ],
      filesystems: empty
        ? [{ mountpoint: "/", device: "overlay", fstype: "overlay", size_bytes: 98 * GIB, available_bytes: 51 * GIB, used_ratio: 0.48, inodes_used_ratio: 0.1, read_only: false, days_to_full: null, days_to_full_reason: "too_little_history" }]
        : [
            { mountpoint: "/", device: "/dev/mapper/root", fstype: "ext4", size_bytes: 98 * GIB, available_bytes: 61 * GIB, used_ratio: 0.38, inodes_used_ratio: 0.1, read_only: false, days_to_full: 212, days_to_full_reason: null },
            { mountpoint: "/var", device: "/dev/mapper/var", fstype: "ext4", size_bytes: 196 * GIB, available_bytes: 18 * GIB, used_ratio: 0.91, inodes_used_ratio: 0.22, read_only: false, days_to_full: burning ? 3.9 : 31, days_to_full_reason: null },
            { mountpoint: "/srv/backup", device: "/dev/sdb1", fstype: "xfs", size_bytes: 931 * GIB, available_bytes: 500 * GIB, used_ratio: 0.46, inodes_used_ratio: 0.01, read_only: false, days_to_full: null, days_to_full_reason: "not_growing" },
            { mountpoint: "/boot", device: "/dev/nvme0n1p2", fstype: "ext4", size_bytes: 0.5 * GIB, available_bytes: 0.3 * GIB, used_ratio: 0.4, inodes_used_ratio: 0.01, read_only: null, days_to_full: null, days_to_full_reason: "too_little_history" },
          ],
      processes: [
        { group: "postgres", count: 14, cpu_ratio: wave(now, 50, 0.2, 0.9), rss_bytes: 2.4 * GIB },
        { group: "shop-api", count: 4, cpu_ratio: wave(now, 31, 0.1, 0.6, 4), rss_bytes: 1.1 * GIB },
        { group: "nginx", count: 5, cpu_ratio: wave(now, 21, 0.02, 0.12), rss_bytes: 90 * MIB },
        { group: "redis-server", count: 1, cpu_ratio: 0.031, rss_bytes: 210 * MIB },
        { group: "hinomi", count: 1, cpu_ratio: 0.004, rss_bytes: 46 * MIB },
        { group: "systemd-journald", count: 1, cpu_ratio: 0.002, rss_bytes: 60 * MIB },
        { group: "sshd", count: 3, cpu_ratio: 0, rss_bytes: 21 * MIB },
        { group: "cron", count: 1, cpu_ratio: 0, rss_bytes: 3 * MIB },
        { group: "chronyd", count: 1, cpu_ratio: null, rss_bytes: null },
      ].slice(0, empty ? 2 : 9),
      listeners: empty
        ? [{ proto: "tcp", address: "127.0.0.1", port: 11900, process: "hinomi", kind: "hinomi", service: null, tls: false, scraped: true, scrape_offer: null }]
        : [
            { proto: "tcp", address: "0.0.0.0", port: 443, process: "nginx", kind: "nginx", service: "shop", tls: true, scraped: false, scrape_offer: null },
            { proto: "tcp", address: "127.0.0.1", port: 5432, process: "postgres", kind: "postgresql", service: null, tls: false, scraped: false, scrape_offer: null },
            { proto: "tcp", address: "127.0.0.1", port: 6379, process: "redis-server", kind: "redis", service: null, tls: false, scraped: false, scrape_offer: null },
            { proto: "tcp", address: "127.0.0.1", port: 9100, process: "prometheus-node", kind: "node_exporter", service: null, tls: false, scraped: offered("http://127.0.0.1:9100/metrics"), scrape_offer: offered("http://127.0.0.1:9100/metrics") ? null : { job: "node", url: "http://127.0.0.1:9100/metrics", yaml: 'scrape_configs:\n  - job_name: node\n    static_configs:\n      - targets: ["127.0.0.1:9100"]\n' } },
            { proto: "tcp", address: "127.0.0.1", port: 8080, process: "shop-api", kind: "metrics", service: "shop", tls: false, scraped: true, scrape_offer: null },
            { proto: "tcp", address: "::1", port: 11900, process: "hinomi", kind: "hinomi", service: null, tls: false, scraped: true, scrape_offer: null },
            { proto: "udp", address: "0.0.0.0", port: 123, process: null, kind: "unknown", service: null, tls: null, scraped: false, scrape_offer: null },
          ],
      containers: empty ? [] : [
        { id: "9d1f00c2ab41", name: "shop-worker", runtime: "docker", cpu_ratio: wave(now, 33, 0.05, 0.3), memory_bytes: 420 * MIB },
        { id: "77ab10ffee21", name: null, runtime: "containerd", cpu_ratio: 0.002, memory_bytes: 31 * MIB },
      ],
      units: empty ? [] : [
        { name: "nginx.service", state: "active", cpu_ratio: 0.05, memory_bytes: 90 * MIB },
        { name: "postgresql@15-main.service", state: "active", cpu_ratio: 0.6, memory_bytes: 2.4 * GIB },
        { name: "backup.service", state: burning ? "failed" : "inactive", cpu_ratio: null, memory_bytes: null },
        { name: "ssh.service", state: "active", cpu_ratio: 0, memory_bytes: 8 * MIB },
      ],
      certificates: empty ? [] : [
        { address: "127.0.0.1:443", subject: "shop.example", names: ["shop.example", "www.shop.example"], issuer: "Let's Encrypt R11", not_before_ms: now - 60 * DAY, not_after_ms: now + (burning ? 6.2 : 61) * DAY, days_left: burning ? 6.2 : 61 },
        { address: "127.0.0.1:8443", subject: "admin.internal", names: ["admin.internal"], issuer: "Example CA", not_before_ms: null, not_after_ms: now + 340 * DAY, days_left: 340 },
      ],
      alerts: this.alerts(now),
      rules: { total: empty ? 0 : 14, unhealthy: 0, last_evaluation_ms: empty ? null : now - 12_000 },
      next_steps: [
        step("connect_slack", this.receivers.length > 0),
        step("add_service", this.services.some((service) => service.origin !== "observed")),
        step("add_check", false),
      ],
      sources: [
        ...["cpu", "memory", "disk", "filesystem", "network", "psi", "process", "cgroup", "listener"].map((name) => ({
          name, kind: "collector" as const, freshness: "ok" as const, last_ms: now - 400, detail: null,
        })),
        ...(burning ? [{ name: "payments 127.0.0.1:8081", kind: "target" as const, freshness: "stale" as const, last_ms: this.begun - 420_000, detail: "connection refused" }] : []),
      ],
    };
  }

  history(): OverviewHistory {
    const now = Date.now();
    const seen = this.name === "empty" ? 20 : 300;
    const points: OverviewHistory["points"] = {
      t_ms: [], cpu_used_ratio: [], memory_used_ratio: [], disk_read_bytes_per_s: [], disk_write_bytes_per_s: [],
      net_rx_bytes_per_s: [], net_tx_bytes_per_s: [], psi_cpu_some_ratio: [], psi_memory_some_ratio: [], psi_io_some_ratio: [], load1: [],
    };
    for (let back = seen; back > 0; back--) {
      const at = now - back * 1000;
      const world = this.overview(at);
      const gap = back > 150 && back < 168;
      points.t_ms.push(at);
      points.cpu_used_ratio.push(gap ? null : world.cpu.used_ratio);
      points.memory_used_ratio.push(gap ? null : (world.memory.used_bytes ?? 0) / (world.memory.total_bytes ?? 1));
      points.disk_read_bytes_per_s.push(gap ? null : (world.disks[0]?.read_bytes_per_s ?? null));
      points.disk_write_bytes_per_s.push(gap ? null : (world.disks[0]?.write_bytes_per_s ?? null));
      points.net_rx_bytes_per_s.push(gap ? null : (world.network[0]?.rx_bytes_per_s ?? null));
      points.net_tx_bytes_per_s.push(gap ? null : (world.network[0]?.tx_bytes_per_s ?? null));
      points.psi_cpu_some_ratio.push(world.psi?.cpu.some_ratio ?? null);
      points.psi_memory_some_ratio.push(world.psi?.memory.some_ratio ?? null);
      points.psi_io_some_ratio.push(world.psi?.io.some_ratio ?? null);
      points.load1.push(world.cpu.load1);
    }
    return { step_ms: 1000, points };
  }

  private inventory(): Inventory {
    const now = Date.now();
    const empty = this.name === "empty";
    const target = (job: string, instance: string, health: Target["health"], error: string | null, id: string | null = null): Target => ({
      job, instance, url: `http://${instance}/metrics`, health, last_scrape_ms: now - 4000, scrape_duration_seconds: 0.0042, last_error: error,
      origin: id ? "overridden" : "declared", accepted_id: id,
    });
    return {
      now_ms: now,
      services: this.services,
      hosts: [
        { id: "web1", name: "web1", os: "Debian GNU/Linux 12 (bookworm)", kernel: "6.1.0-28-amd64", architecture: "x86_64", cpus: 4, memory_bytes: 16 * GIB, is_self: true, origin: "observed", last_seen_ms: now - 500, freshness: "ok" as const },
        { id: "db1", name: "db1", os: null, kernel: null, architecture: null, cpus: null, memory_bytes: null, is_self: false, origin: "declared" as const, last_seen_ms: now - 700_000, freshness: "stale" as const },
      ].slice(0, empty ? 1 : 2) as Inventory["hosts"],
      endpoints: empty ? [] : [
        { id: "e1", address: "0.0.0.0", port: 443, proto: "tcp", kind: "nginx", service: "shop", host: "web1", origin: "observed" },
        { id: "e2", address: "127.0.0.1", port: 5432, proto: "tcp", kind: "postgresql", service: null, host: "web1", origin: "observed" },
      ],
      targets: empty ? [] : [
        target("shop", "127.0.0.1:8080", "up", null),
        target("payments", "127.0.0.1:8081", "down", "connect to 127.0.0.1:8081: connection refused"),
        ...this.accepted.map((one) => target(one.job, new URL(one.url).host, "unknown", null, one.id)),
      ],
      agents: empty ? [] : [{ id: "1", host: "db1", version: "0.1.0", enrolled_ms: now - 5 * DAY, last_seen_ms: now - 700_000, freshness: "stale", buffered_bytes: 3 * MIB, remote_address: "10.1.2.4" }],
      owners: empty ? [] : [{ id: "shop-team", name: "shop-team", origin: "declared" }],
      channels: empty ? [] : [{ id: "shop-alerts", name: "#shop-alerts", kind: "slack", origin: "declared" }],
      edges: empty ? [] : [
        { from: "service:shop", kind: "runs_on", to: "host:web1", origin: "observed" },
        { from: "service:shop", kind: "depends_on", to: "service:payments", origin: "declared" },
        { from: "service:shop", kind: "owned_by", to: "owner:shop-team", origin: "declared" },
      ],
    };
  }

  private status(): Status {
    const now = Date.now();
    const full = this.name !== "empty";
    return {
      version: "0.1.0", revision: "4f1c2d9", built: "gcc 12.2 release", started_ms: this.begun, now_ms: now, uptime_seconds: (now - this.begun) / 1000,
      listen: ["127.0.0.1:11900"], data_dir: "/var/lib/hinomi",
      process: { cpu_ratio: 0.0042, rss_bytes: 46 * MIB, open_files: 61, threads: 9 },
      store: {
        series: 4182, samples_per_s: 3120, samples_total: 48_120_331, head_min_ms: now - 7_200_000, head_max_ms: now, blocks: full ? 18 : 0, blocks_bytes: full ? 214 * MIB : 0,
        oldest_ms: now - (full ? 12 * DAY : 60_000), retention_seconds: 30 * 86_400, wal_bytes: 18 * MIB, wal_last_fsync_ms: now - 300, wal_fsync_seconds: 0.00011, wal_error: null, quarantined: 0,
      },
      disk: { size_bytes: 196 * GIB, available_bytes: 18 * GIB, days_to_full: full ? 31 : null },
      queues: [{ name: "ingest", length: 0, capacity: 1024, dropped_total: 0 }, { name: "outbox", length: full ? 1 : 0, capacity: 10_000, dropped_total: 0 }],
      limits: full ? [{ limit: "series_per_source", source: "scrape shop 127.0.0.1:8080", metric: "http_requests_total", label: "path", value: 50_412, maximum: 50_000, rejected_total: 412, last_ms: now - 45_000 }] : [],
    };
  }

  private config(): Config {
    const file = this.name !== "empty";
    return {
      yaml: "server:\n  listen: 127.0.0.1:11900\nstore:\n  series:\n    retention: 30d\nreceivers:\n  - name: slack\n    slack_configs:\n      - api_url: <secret>\n",
      files: file ? ["/etc/hinomi/hinomi.yaml"] : [], loaded_ms: this.begun, last_reload_ok: file ? true : null, last_reload_ms: file ? this.begun : null, last_reload_error: null,
      parts: [
        { path: "server.listen", value: "127.0.0.1:11900", origin: "default" },
        { path: "store.series.retention", value: "30d", origin: file ? "file" : "default", file: file ? "/etc/hinomi/hinomi.yaml" : null, line: file ? 4 : null },
        { path: "receivers[slack].slack_configs[0].api_url", value: "<secret>", origin: "screen" },
      ],
    };
  }

  check(text: string): ConfigCheck {
    const line = text.split("\n").findIndex((one) => one.includes("scrape_confgs"));
    return line >= 0
      ? { valid: false, diagnostics: [{ level: "error", file: null, line: line + 1, column: 1, message: "unknown key scrape_confgs", hint: "did you mean scrape_configs?" }] }
      : { valid: true, diagnostics: [] };
  }

  exported(): string {
    const names = this.services.filter((service) => service.origin === "overridden").map((service) => `  - name: ${service.name}\n`);
    return names.length > 0 ? `services:\n${names.join("")}` : "# nothing was added in the screen\n";
  }

  get(part: string): unknown {
    switch (part) {
      case "overview": return this.overview();
      case "overview/history": return this.history();
      case "inventory": return this.inventory();
      case "status": return this.status();
      case "config": return this.config();
      case "users": return { users: this.users };
      case "tokens": return { tokens: this.tokens };
      case "audit": return { entries: this.audit };
      case "agents": return { agents: this.inventory().agents };
      case "notify/receivers": return { receivers: this.receivers };
      case "notify/outbox": return { deliveries: this.deliveries };
      case "scrape-offers/accepted": return { accepted: this.accepted };
    }
    return undefined;
  }

  change(method: string, part: string, body: unknown): unknown {
    const given = (body ?? {}) as Record<string, never>;
    const now = Date.now();
    const id = String(++this.counter + 100);
    const [family = "", name = "", third] = part.split("/");
    if (method === "DELETE") {
      const last = decodeURIComponent(part.split("/").at(-1) ?? "");
      this.services = this.services.filter((one) => family !== "services" || one.id !== last);
      this.receivers = this.receivers.filter((one) => family !== "notify" || one.name !== last);
      this.users = this.users.filter((one) => family !== "users" || one.id !== last);
      this.tokens = this.tokens.filter((one) => family !== "tokens" || one.id !== last);
      if (name === "accepted" && third) this.accepted = this.accepted.filter((one) => one.id !== third);
      return null;
    }
    switch (part) {
      case "scrape-offers/accept":
        this.accepted.push({ id, url: given["url"] ?? "", job: given["job"] ?? "" });
        return { ...this.accepted.at(-1), created_ms: now, created_by: "loopback" };
      case "services": {
        const made: Service = { id: String(given["name"]).toLowerCase(), name: given["name"] ?? "", description: given["description"] ?? null, owner: given["owner"] ?? null, channel: given["channel"] ?? null, url: given["url"] ?? null, origin: "overridden", created_ms: now, last_seen_ms: null, freshness: "unknown" };
        this.services.push(made);
        return made;
      }
      case "notify/receivers": {
        const made: Receiver = { name: given["name"] ?? "", kind: given["kind"] ?? "slack", channel: given["channel"] ?? null, origin: "overridden", is_default: this.receivers.length === 0, last_delivery_ms: null, last_state: null, last_error: null };
        this.receivers.push(made);
        return made;
      }
      case "notify/test": {
        const made: Delivery = { id, receiver: given["receiver"] ?? "", kind: "test", title: "Test from hinomi", state: "delivered", attempts: 1, created_ms: now, next_attempt_ms: null, delivered_ms: now, last_error: null };
        this.deliveries.unshift(made);
        return made;
      }
      case "users":
        this.users.push({ id, name: given["name"] ?? "", role: given["role"] ?? "viewer", created_ms: now, last_login_ms: null });
        return this.users.at(-1);
      case "tokens": {
        const made: Token = { id, name: given["name"] ?? "", scopes: given["scopes"] ?? [], prefix: "hnm_0000", created_ms: now, created_by: "loopback", last_used_ms: null, expires_ms: given["expires_ms"] ?? null };
        this.tokens.push(made);
        return { token: made, secret: "hnm_0000_made_up_by_the_double" };
      }
      case "agents/enroll-token":
        return { token: "made-up", expires_ms: now + 3_600_000, command: "hinomi-agent enroll --server https://hinomi.example:11900 --token made-up" };
    }
    return undefined;
  }

  rules(): { groups: PromRuleGroup[] } {
    if (this.name === "empty") return { groups: [] };
    const now = Date.now();
    const at = new Date(now - 12_000).toISOString();
    const rule = (name: string, query: string, severity: string, why: string): PromRuleGroup["rules"][number] => {
      const alerts = this.alerts(now).filter((alert) => alert.name === name).map((alert) => ({
        labels: alert.labels, annotations: { ...alert.annotations, description: why, action: "Look at what grew, and make room." }, state: alert.state, activeAt: new Date(alert.since_ms).toISOString(), value: alert.value ?? "",
      }));
      const state = alerts.some((alert) => alert.state === "firing") ? "firing" : alerts.length > 0 ? "pending" : "inactive";
      return { type: "alerting", name, query, duration: 300, labels: { severity }, annotations: { description: why }, alerts, state, health: "ok", evaluationTime: 0.0004, lastEvaluation: at };
    };
    return {
      groups: [
        {
          name: "host", file: "built-in", interval: 60, evaluationTime: 0.002, lastEvaluation: at,
          rules: [
            rule("HostFilesystemFillsUp", "predict_linear(node_filesystem_avail_bytes[6h], 4 * 86400) < 0", "warning", "A full disk stops databases and logs at once."),
            rule("HostMemoryPressure", "rate(node_pressure_memory_waiting_seconds_total[1m]) > 0.1", "warning", "Tasks that wait for memory make every answer slow."),
            { ...rule("HostClockSkew", "abs(node_timex_offset_seconds) > 0.05", "warning", "Clocks that differ break logins and certificates."), health: "err", lastError: "found duplicate series for the match group" },
          ],
        },
        {
          name: "targets", file: "/etc/hinomi/rules/targets.yaml", interval: 60, evaluationTime: 0.001, lastEvaluation: at,
          rules: [
            rule("TargetDown", "up == 0", "critical", "Nothing is known about it while it is down."),
            { type: "recording", name: "job:up:avg", query: "avg by (job) (up)", health: "ok", evaluationTime: 0.0002, lastEvaluation: at },
          ],
        },
      ],
    };
  }
}
