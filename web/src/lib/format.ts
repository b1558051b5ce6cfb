/* Numbers and times as people read them. Everything takes `null` for unknown and then answers
 * UNKNOWN, so that no view can turn a missing value into a zero. */

export type Lang = "en" | "ja";
export const UNKNOWN = "–";

export function known(value: number | null | undefined): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function digits(value: number): number {
  const size = Math.abs(value);
  return size >= 100 ? 0 : size >= 10 ? 1 : 2;
}

export function formatPercent(ratio: number | null | undefined, places?: number): string {
  if (!known(ratio)) return UNKNOWN;
  const percent = ratio * 100;
  return `${percent.toFixed(places ?? (Math.abs(percent) >= 10 || percent === 0 ? 0 : 1))} %`;
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function formatBytes(bytes: number | null | undefined): string {
  if (!known(bytes)) return UNKNOWN;
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1023.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(unit === 0 ? 0 : digits(value) > 1 ? 1 : digits(value))} ${BYTE_UNITS[unit]}`;
}

export function formatByteRate(bytesPerSecond: number | null | undefined): string {
  return known(bytesPerSecond) ? `${formatBytes(bytesPerSecond)}/s` : UNKNOWN;
}

const SI_UNITS = ["", "k", "M", "G", "T", "P", "E"];

/* Short: for axes and cells. 1234567 -> 1.23M, 0.00042 -> 4.2e-4. */
export function formatShort(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 0.001) return value.toExponential(1);
  if (size < 1000) return trimZeros(value.toFixed(size < 1 ? 3 : digits(value)));
  let unit = 0;
  let scaled = value;
  while (Math.abs(scaled) >= 999.5 && unit < SI_UNITS.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return `${trimZeros(scaled.toFixed(digits(scaled)))}${SI_UNITS[unit]}`;
}

function trimZeros(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

export function formatCount(value: number | null | undefined, lang: Lang): string {
  return known(value) ? new Intl.NumberFormat(locale(lang)).format(value) : UNKNOWN;
}

/* Days as a person plans with them: 3.94 -> "3.9", 12.3 -> "12". */
export function formatDays(days: number | null | undefined): string {
  if (!known(days)) return UNKNOWN;
  return Math.abs(days) < 10 ? trimZeros(days.toFixed(1)) : String(Math.floor(days));
}

const DURATION_WORDS: Record<Lang, { d: string; h: string; m: string; s: string; gap: string }> = {
  en: { d: "d", h: "h", m: "m", s: "s", gap: " " },
  ja: { d: "日", h: "時間", m: "分", s: "秒", gap: "" },
};

/* The two largest units: 93784 -> "1d 2h". */
export function formatDuration(seconds: number | null | undefined, lang: Lang): string {
  if (!known(seconds)) return UNKNOWN;
  const words = DURATION_WORDS[lang];
  if (seconds > 0 && seconds < 1) {
    const ms = seconds * 1000;
    return ms < 1 ? `${(ms * 1000).toFixed(0)} µs` : `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
  }
  const whole = Math.max(0, Math.floor(seconds));
  const parts: [number, string][] = [
    [Math.floor(whole / 86400), words.d],
    [Math.floor((whole % 86400) / 3600), words.h],
    [Math.floor((whole % 3600) / 60), words.m],
    [whole % 60, words.s],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) return `0${words.s}`;
  return parts
    .slice(first, first + 2)
    .filter(([amount], index) => index === 0 || amount > 0)
    .map(([amount, word]) => `${amount}${word}`)
    .join(words.gap);
}

export function locale(lang: Lang): string {
  return lang === "ja" ? "ja-JP" : "en-GB";
}

export function formatClock(ms: number | null | undefined, lang: Lang): string {
  if (!known(ms)) return UNKNOWN;
  return new Intl.DateTimeFormat(locale(lang), {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  }).format(ms);
}

export function formatDate(ms: number | null | undefined, lang: Lang): string {
  if (!known(ms)) return UNKNOWN;
  return new Intl.DateTimeFormat(locale(lang), { year: "numeric", month: "short", day: "numeric" }).format(ms);
}

/* The clock alone for today, with the date otherwise. */
export function formatInstant(ms: number | null | undefined, lang: Lang, now = Date.now()): string {
  if (!known(ms)) return UNKNOWN;
  const sameDay = new Date(ms).toDateString() === new Date(now).toDateString();
  return sameDay ? formatClock(ms, lang) : `${formatDate(ms, lang)} ${formatClock(ms, lang)}`;
}

/* A sample's value as the server wrote it, without losing its digits but short enough to read. */
export function formatSample(text: string): string {
  const value = Number(text);
  if (text === "NaN" || text.endsWith("Inf") || Number.isNaN(value)) return text;
  const exact = String(value);
  return exact.length <= 12 ? exact : String(Number(value.toPrecision(9)));
}

export function formatLabels(labels: Record<string, string>): string {
  const name = labels["__name__"] ?? "";
  const rest = Object.entries(labels)
    .filter(([key]) => key !== "__name__")
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return rest.length > 0 || !name ? `${name}{${rest.join(", ")}}` : name;
}
