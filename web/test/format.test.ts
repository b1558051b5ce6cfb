import { describe, expect, it } from "vitest";
import {
  formatByteRate, formatBytes, formatDays, formatDuration, formatInstant, formatLabels, formatPercent, formatSample, formatShort, UNKNOWN,
} from "../src/lib/format";
import { parseDuration, stepFor, writeDuration } from "../src/lib/duration";

describe("unknown is never a number", () => {
  it("for null, undefined, NaN and the infinities", () => {
    for (const nothing of [null, undefined, NaN, Infinity]) {
      expect(formatPercent(nothing)).toBe(UNKNOWN);
      expect(formatBytes(nothing)).toBe(UNKNOWN);
      expect(formatByteRate(nothing)).toBe(UNKNOWN);
      expect(formatDays(nothing)).toBe(UNKNOWN);
      expect(formatDuration(nothing, "en")).toBe(UNKNOWN);
      expect(formatInstant(nothing, "ja")).toBe(UNKNOWN);
    }
  });
  it("but zero is a number", () => {
    expect(formatPercent(0)).toBe("0 %");
    expect(formatBytes(0)).toBe("0 B");
    expect(formatDuration(0, "en")).toBe("0s");
    expect(formatDuration(0, "ja")).toBe("0秒");
  });
});

describe("sizes", () => {
  it.each([
    [1, "1 B"], [1023, "1023 B"], [1024, "1.0 KiB"], [1536, "1.5 KiB"], [10 * 1024 ** 2, "10.0 MiB"],
    [1023.9 * 1024, "1.0 MiB"], [214 * 1024 ** 2, "214 MiB"], [3 * 1024 ** 5, "3.0 PiB"], [5000 * 1024 ** 5, "5000 PiB"],
  ])("%d", (bytes, text) => expect(formatBytes(bytes)).toBe(text));
  it("percent", () => {
    expect(formatPercent(0.004)).toBe("0.4 %");
    expect(formatPercent(0.5)).toBe("50 %");
    expect(formatPercent(1.234)).toBe("123 %");
    expect(formatPercent(0.0042, 2)).toBe("0.42 %");
  });
});

describe("axis numbers", () => {
  it.each([
    [0, "0"], [0.00042, "4.2e-4"], [0.5, "0.5"], [1, "1"], [12.34, "12.3"], [999, "999"], [1000, "1k"], [999_999, "1M"],
    [1_234_567, "1.23M"], [-1500, "-1.5k"], [NaN, "NaN"], [Infinity, "+Inf"], [-Infinity, "-Inf"], [3e9, "3G"],
  ])("%d", (value, text) => expect(formatShort(value)).toBe(text));
  it("null is unknown, which is not NaN", () => expect(formatShort(null)).toBe(UNKNOWN));
});

describe("durations", () => {
  it.each([
    [93_784, "1d 2h", "1日2時間"], [59, "59s", "59秒"], [3600, "1h", "1時間"], [0.00011, "110 µs", "110 µs"], [0.25, "250 ms", "250 ms"],
  ])("%d", (seconds, en, ja) => {
    expect(formatDuration(seconds, "en")).toBe(en);
    expect(formatDuration(seconds, "ja")).toBe(ja);
  });
  it("Prometheus's, both ways", () => {
    for (const text of ["5m", "1h30m", "2d", "1w", "90s", "500ms"]) {
      const seconds = parseDuration(text);
      expect(seconds).not.toBeNull();
      expect(parseDuration(writeDuration(seconds ?? -1))).toBe(seconds);
    }
    expect(parseDuration("15")).toBe(15);
    for (const wrong of ["", "h", "1 h", "-5m", "1x", "1.5h"]) expect(parseDuration(wrong)).toBeNull();
  });
  it("the step grows with the range and never asks for more than 11,000 points", () => {
    let before = 0;
    for (const range of [10, 60, 300, 3600, 86_400, 604_800, 2_592_000, 31_536_000, 315_360_000]) {
      const step = stepFor(range);
      expect(step).toBeGreaterThanOrEqual(before);
      expect(range / step).toBeLessThan(11_000);
      before = step;
    }
  });
});

describe("samples and labels", () => {
  it("keeps what the server wrote", () => {
    expect(formatSample("NaN")).toBe("NaN");
    expect(formatSample("+Inf")).toBe("+Inf");
    expect(formatSample("1e3")).toBe("1000");
    expect(formatSample("0.3333333333333333")).toBe("0.333333333");
  });
  it("labels are sorted and quoted", () => {
    expect(formatLabels({ __name__: "up", job: "a\"b", instance: "x" })).toBe('up{instance="x", job="a\\"b"}');
    expect(formatLabels({ __name__: "up" })).toBe("up");
    expect(formatLabels({})).toBe("{}");
  });
  it("a time of another day bears its date", () => {
    const at = new Date(2026, 0, 2, 3, 4, 5).getTime();
    expect(formatInstant(at, "en", at + 1000)).toBe("03:04:05");
    expect(formatInstant(at, "en", at + 86_400_000 * 2)).toContain("2026");
    expect(formatInstant(at, "ja", at + 86_400_000 * 2)).toContain("2026年");
  });
});
