import type { Overview } from "../src/lib/types";

export function overviewOf(change: Partial<Overview> = {}): Overview {
  return {
    now_ms: 1000,
    host: { name: "web1", os: null, kernel: null, architecture: null, in_container: false, container_kind: null, boot_ms: null, uptime_seconds: null, cpus: 4 },
    cpu: { used_ratio: 0.25, modes: {}, load1: 1, load5: 1, load15: 1, cores: [] },
    memory: { total_bytes: 100, available_bytes: 60, used_bytes: 40, cached_bytes: null, swap_total_bytes: 0, swap_used_bytes: 0 },
    psi: { cpu: { some_ratio: 0, full_ratio: null }, memory: { some_ratio: 0, full_ratio: 0 }, io: { some_ratio: 0, full_ratio: 0 } },
    disks: [{ device: "sda", read_bytes_per_s: 1, write_bytes_per_s: 2, busy_ratio: 0.1 }],
    network: [{ device: "eth0", rx_bytes_per_s: 3, tx_bytes_per_s: 4, errors_per_s: 0, up: true }],
    filesystems: [], processes: [], listeners: [], containers: [], units: [], certificates: [], alerts: [],
    rules: { total: 5, unhealthy: 0, last_evaluation_ms: 500 },
    next_steps: [],
    sources: [{ name: "cpu", kind: "collector", freshness: "ok", last_ms: 900, detail: null }],
    ...change,
  };
}
