/* Prometheus durations: "1h30m" <-> seconds. */

const UNIT_SECONDS: Record<string, number> = {
  ms: 0.001,
  s: 1,
  m: 60,
  h: 3600,
  d: 86400,
  w: 604800,
  y: 31536000,
};

export function parseDuration(text: string): number | null {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed);
  if (!/^(\d+(ms|[smhdwy]))+$/.test(trimmed)) return null;
  let seconds = 0;
  for (const part of trimmed.matchAll(/(\d+)(ms|[smhdwy])/g)) {
    seconds += Number(part[1]) * (UNIT_SECONDS[part[2] ?? ""] ?? 0);
  }
  return seconds;
}

export function writeDuration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)}ms`;
  let rest = Math.round(seconds);
  if (rest === 0) return "0s";
  let text = "";
  for (const unit of ["w", "d", "h", "m", "s"] as const) {
    const size = UNIT_SECONDS[unit] ?? 1;
    if (unit === "w" && rest % size !== 0) continue;
    if (rest >= size) {
      text += `${Math.floor(rest / size)}${unit}`;
      rest %= size;
    }
  }
  return text;
}

/* About one point a pixel column of a middling graph, and never more than the server allows. */
export function stepFor(rangeSeconds: number, points = 250): number {
  const raw = Math.max(rangeSeconds / points, 1);
  const nice = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
  return nice.find((step) => step >= raw * 0.999) ?? Math.ceil(raw / 86400) * 86400;
}
