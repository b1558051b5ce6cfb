import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { catalogues, fill, translator } from "../src/i18n";

const { en, ja } = catalogues;
const names = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "").sort();

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "i18n" ? [] : sources(path);
    return /\.tsx?$/.test(entry.name) ? [readFileSync(path, "utf8")] : [];
  });
}

describe("both languages", () => {
  it("have the same keys", () => expect(Object.keys(ja).sort()).toEqual(Object.keys(en).sort()));
  it("have no empty text", () => {
    for (const [key, text] of [...Object.entries(en), ...Object.entries(ja)]) expect(text.trim(), key).not.toBe("");
  });
  it("name the same parameters", () => {
    for (const [key, text] of Object.entries(en)) expect(names(ja[key as keyof typeof ja]), key).toEqual(names(text));
  });
  it("are really translated", () => {
    /* names, and words that Japanese writes in Latin letters too */
    const same = new Set(["app.name", "vitals.cpu", "vitals.io", "vitals.steal", "recv.kind.slack", "recv.kind.webhook", "recv.url", "service.url"]);
    for (const [key, text] of Object.entries(en)) {
      if (same.has(key)) continue;
      const other = ja[key as keyof typeof ja];
      const hasJapanese = /[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u.test(other);
      expect(hasJapanese || /^[\s{}\w]*CPU[\s{}\w]*$|^OS$/.test(other), `${key}: ${text} / ${other}`).toBe(true);
    }
  });
  it("plural pairs are whole", () => {
    for (const key of Object.keys(en)) {
      if (key.endsWith("_one")) expect(en).toHaveProperty([key.replace(/_one$/, "_other")]);
    }
  });
});

describe("the sources", () => {
  const all = sources(join(import.meta.dirname, "../src")).join("\n");
  it("use every key, directly or by a pattern", () => {
    const patterns = [...all.matchAll(/`([\w.]+\.|[\w.]*)\$\{[^`]*`/g)].map((match) => match[1] ?? "").filter(Boolean);
    for (const key of Object.keys(en)) {
      const stem = key.replace(/_(one|other)$/, "");
      const used = all.includes(`"${stem}"`) || patterns.some((prefix) => key.startsWith(prefix));
      expect(used, `${key} is not used`).toBe(true);
    }
  });
  it("say nothing to people outside of the catalogues", () => {
    /* words between tags, other than names of products and single letters */
    const loose = [...all.matchAll(/>\s*([A-Z][a-z]+(?: [a-z]+)+)\s*</g)].map((match) => match[1]);
    expect(loose).toEqual([]);
  });
});

describe("the translator", () => {
  it("fills and counts", () => {
    expect(translator("en").tn("reason.alerts", 1)).toBe("1 alert firing");
    expect(translator("en").tn("reason.alerts", 2)).toBe("2 alerts firing");
    expect(translator("ja").tn("reason.alerts", 1)).toBe("発報中のアラート 1 件");
    expect(translator("en").t("time.ago", { age: "3s" })).toBe("3s ago");
    expect(fill("{a} {b}", { a: "{b}" })).toBe("{b} {b}");
  });
});
