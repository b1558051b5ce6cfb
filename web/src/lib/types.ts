/* The shapes of hinomi's own JSON API, as docs/openapi.yaml describes them. `null` means unknown
 * everywhere, and unknown is never shown as good. */

export type Labels = Record<string, string>;
export type Role = "viewer" | "editor" | "admin";
export type Scope = "read" | "write" | "admin" | "write:series" | "agent";
export type Origin = "declared" | "observed" | "overridden";
export type Freshness = "ok" | "stale" | "unknown";

export interface OverviewHost {
  name: string;
  os: string | null;
  kernel: string | null;
  architecture: string | null;
  in_container: boolean | null;
  container_kind: string | null;
  boot_ms: number | null;
  uptime_seconds: number | null;
  cpus: number | null;
}
export interface OverviewCpu {
  used_ratio: number | null;
  modes: Record<string, number>;
  load1: number | null;
  load5: number | null;
  load15: number | null;
  cores: { cpu: string; used_ratio: number | null }[];
}
export interface OverviewMemory {
  total_bytes: number | null;
  available_bytes: number | null;
  used_bytes: number | null;
  cached_bytes: number | null;
  swap_total_bytes: number | null;
  swap_used_bytes: number | null;
}
export interface Pressure {
  some_ratio: number | null;
  full_ratio: number | null;
}
export interface OverviewPsi {
  cpu: Pressure;
  memory: Pressure;
  io: Pressure;
}
export interface OverviewDisk {
  device: string;
  read_bytes_per_s: number | null;
  write_bytes_per_s: number | null;
  busy_ratio: number | null;
}
export interface OverviewNetwork {
  device: string;
  rx_bytes_per_s: number | null;
  tx_bytes_per_s: number | null;
  errors_per_s: number | null;
  up: boolean | null;
}
export interface OverviewFilesystem {
  mountpoint: string;
  device: string;
  fstype: string;
  size_bytes: number | null;
  available_bytes: number | null;
  used_ratio: number | null;
  inodes_used_ratio: number | null;
  read_only: boolean | null;
  days_to_full: number | null;
  days_to_full_reason?: "not_growing" | "too_little_history" | null;
  error?: string | null;
}
export interface OverviewProcess {
  group: string;
  count: number;
  cpu_ratio: number | null;
  rss_bytes: number | null;
}
export interface ScrapeOffer {
  job: string;
  url: string;
  yaml: string;
}
export interface OverviewListener {
  proto: "tcp" | "udp";
  address: string;
  port: number;
  process: string | null;
  kind: string;
  service: string | null;
  tls: boolean | null;
  scraped: boolean;
  scrape_offer: ScrapeOffer | null;
}
export interface AcceptedScrape {
  id: string;
  url: string;
  job: string;
  created_ms: number;
  created_by: string | null;
}
export interface OverviewContainer {
  id: string;
  name: string | null;
  runtime: string | null;
  cpu_ratio: number | null;
  memory_bytes: number | null;
}
export interface OverviewUnit {
  name: string;
  state: string | null;
  cpu_ratio: number | null;
  memory_bytes: number | null;
}
export interface OverviewCertificate {
  address: string;
  subject: string | null;
  names: string[];
  issuer: string | null;
  not_before_ms: number | null;
  not_after_ms: number | null;
  days_left: number | null;
  error?: string | null;
}
export interface OverviewAlert {
  fingerprint: string;
  name: string;
  severity: string | null;
  state: "pending" | "firing";
  since_ms: number;
  summary: string | null;
  value: string | null;
  labels: Labels;
  annotations: Labels;
}
export interface OverviewRules {
  total: number;
  unhealthy: number;
  last_evaluation_ms: number | null;
}
export type NextStepId = "connect_slack" | "add_service" | "add_check";
export interface OverviewNextStep {
  id: NextStepId;
  done: boolean;
}
export interface OverviewSource {
  name: string;
  kind: "collector" | "target" | "agent" | "remote_write";
  freshness: Freshness;
  last_ms: number | null;
  detail: string | null;
}
export interface Overview {
  now_ms: number;
  host: OverviewHost;
  cpu: OverviewCpu;
  memory: OverviewMemory;
  psi: OverviewPsi | null;
  disks: OverviewDisk[];
  network: OverviewNetwork[];
  filesystems: OverviewFilesystem[];
  processes: OverviewProcess[];
  listeners: OverviewListener[];
  containers: OverviewContainer[];
  units: OverviewUnit[];
  certificates: OverviewCertificate[];
  alerts: OverviewAlert[];
  rules: OverviewRules;
  next_steps: OverviewNextStep[];
  sources: OverviewSource[];
}
export type Column = (number | null)[];
export interface HistoryPoints {
  t_ms: number[];
  cpu_used_ratio: Column;
  memory_used_ratio: Column;
  disk_read_bytes_per_s: Column;
  disk_write_bytes_per_s: Column;
  net_rx_bytes_per_s: Column;
  net_tx_bytes_per_s: Column;
  psi_cpu_some_ratio: Column;
  psi_memory_some_ratio: Column;
  psi_io_some_ratio: Column;
  load1: Column;
}
export interface OverviewHistory {
  step_ms: number;
  points: HistoryPoints;
}

export interface Service {
  id: string;
  name: string;
  description: string | null;
  owner: string | null;
  channel: string | null;
  url: string | null;
  origin: Origin;
  created_ms: number | null;
  last_seen_ms: number | null;
  freshness: Freshness;
}
export interface ServiceCreate {
  name: string;
  description?: string | null;
  owner?: string | null;
  channel?: string | null;
  url?: string | null;
}
export interface Host {
  id: string;
  name: string;
  os: string | null;
  kernel: string | null;
  architecture: string | null;
  cpus: number | null;
  memory_bytes: number | null;
  is_self: boolean;
  origin: Origin;
  last_seen_ms: number | null;
  freshness: Freshness;
}
export interface Endpoint {
  id: string;
  address: string;
  port: number;
  proto: "tcp" | "udp";
  kind: string;
  service: string | null;
  host: string | null;
  origin: Origin;
}
export interface Target {
  job: string;
  instance: string;
  url: string;
  health: "up" | "down" | "unknown";
  last_scrape_ms: number | null;
  scrape_duration_seconds: number | null;
  last_error: string | null;
  origin: Origin;
  accepted_id: string | null;
}
export interface Agent {
  id: string;
  host: string;
  version: string | null;
  enrolled_ms: number;
  last_seen_ms: number | null;
  freshness: Freshness;
  buffered_bytes: number | null;
  remote_address: string | null;
}
export interface EnrollToken {
  token: string;
  expires_ms: number;
  command: string;
}
export interface Owner {
  id: string;
  name: string;
  origin: Origin;
}
export interface Channel {
  id: string;
  name: string;
  kind: string | null;
  origin: Origin;
}
export interface Edge {
  from: string;
  kind: "runs_on" | "depends_on" | "owned_by" | "listens_on" | "notifies";
  to: string;
  origin: Origin;
}
export interface Inventory {
  now_ms: number;
  services: Service[];
  hosts: Host[];
  endpoints: Endpoint[];
  targets: Target[];
  agents: Agent[];
  owners: Owner[];
  channels: Channel[];
  edges: Edge[];
}

export interface Session {
  auth: "none" | "password";
  authenticated: boolean;
  user: string | null;
  role: Role | null;
  csrf: string | null;
  expires_ms: number | null;
  first_user: boolean;
}
export interface User {
  id: string;
  name: string;
  role: Role;
  created_ms: number;
  last_login_ms: number | null;
}
export interface Token {
  id: string;
  name: string;
  scopes: Scope[];
  prefix: string;
  created_ms: number;
  created_by: string | null;
  last_used_ms: number | null;
  expires_ms: number | null;
}

export type DeliveryState = "waiting" | "sending" | "delivered" | "failed" | "muted";
export interface Receiver {
  name: string;
  kind: "slack" | "webhook";
  channel: string | null;
  origin: Origin;
  is_default: boolean;
  last_delivery_ms: number | null;
  last_state: DeliveryState | null;
  last_error: string | null;
}
export interface Delivery {
  id: string;
  receiver: string;
  kind: "alert" | "resolved" | "test";
  title: string;
  state: DeliveryState;
  attempts: number;
  created_ms: number;
  next_attempt_ms: number | null;
  delivered_ms: number | null;
  last_error: string | null;
}

export interface Diagnostic {
  level: "error" | "warning";
  file: string | null;
  line: number | null;
  column: number | null;
  message: string;
  hint: string | null;
}
export interface ConfigPart {
  path: string;
  value: string | null;
  origin: "default" | "file" | "environment" | "flag" | "screen";
  file?: string | null;
  line?: number | null;
}
export interface Config {
  yaml: string;
  files: string[];
  loaded_ms: number;
  last_reload_ok: boolean | null;
  last_reload_ms: number | null;
  last_reload_error: Diagnostic | null;
  parts: ConfigPart[];
}
export interface ConfigCheck {
  valid: boolean;
  diagnostics: Diagnostic[];
}

export interface Status {
  version: string;
  revision: string | null;
  built: string | null;
  started_ms: number;
  now_ms: number;
  uptime_seconds: number;
  listen: string[];
  data_dir: string;
  process: {
    cpu_ratio: number | null;
    rss_bytes: number | null;
    open_files: number | null;
    threads: number | null;
  };
  store: {
    series: number | null;
    samples_per_s: number | null;
    samples_total: number | null;
    head_min_ms: number | null;
    head_max_ms: number | null;
    blocks: number | null;
    blocks_bytes: number | null;
    oldest_ms: number | null;
    retention_seconds: number | null;
    wal_bytes: number | null;
    wal_last_fsync_ms: number | null;
    wal_fsync_seconds: number | null;
    wal_error: string | null;
    quarantined: number | null;
  };
  disk: { size_bytes: number | null; available_bytes: number | null; days_to_full: number | null };
  queues: { name: string; length: number; capacity: number; dropped_total: number }[];
  limits: {
    limit: string;
    source: string | null;
    metric: string | null;
    label: string | null;
    value: number | null;
    maximum: number | null;
    rejected_total: number;
    last_ms: number;
  }[];
}
export interface AuditEntry {
  id: string;
  at_ms: number;
  actor: string;
  role: string | null;
  action: string;
  object: string | null;
  origin_address: string | null;
  detail: string | null;
}

/* Prometheus's own API, as far as the screen uses it. */
export interface PromSeries {
  metric: Labels;
  value?: [number, string];
  values?: [number, string][];
  histogram?: [number, PromHistogram];
  histograms?: [number, PromHistogram][];
}
export interface PromHistogram {
  count: string;
  sum: string;
  buckets?: [number, string, string, string][];
}
export type PromResult =
  | { resultType: "vector"; result: PromSeries[] }
  | { resultType: "matrix"; result: PromSeries[] }
  | { resultType: "scalar"; result: [number, string] }
  | { resultType: "string"; result: [number, string] };
export interface PromAnswer<T> {
  data: T;
  warnings: string[];
  infos: string[];
}
export interface PromRuleAlert {
  labels: Labels;
  annotations: Labels;
  state: string;
  activeAt: string;
  value: string;
}
export interface PromRule {
  type: "alerting" | "recording";
  name: string;
  query: string;
  duration?: number;
  keepFiringFor?: number;
  labels?: Labels;
  annotations?: Labels;
  alerts?: PromRuleAlert[];
  state?: "firing" | "pending" | "inactive" | "unknown";
  health: "ok" | "err" | "unknown";
  lastError?: string;
  evaluationTime: number;
  lastEvaluation: string;
}
export interface PromRuleGroup {
  name: string;
  file: string;
  interval: number;
  rules: PromRule[];
  evaluationTime: number;
  lastEvaluation: string;
}
