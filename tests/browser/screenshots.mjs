// The README's pictures, taken from the running server.
import { mkdirSync } from "node:fs";
import { openPage, repository, test } from "./support.mjs";

const EXPLORE = `/explore?q=${encodeURIComponent('sum by (mode) (rate(node_cpu_seconds_total{mode!="idle"}[1m]))')}&range=15m`;

const PICTURES = [
  { name: "overview-en-light", path: "/", lang: "en", theme: "light", width: 1440, height: 900 },
  { name: "overview-en-dark", path: "/", lang: "en", theme: "dark", width: 1440, height: 900 },
  { name: "overview-ja-light", path: "/", lang: "ja", theme: "light", width: 1440, height: 900 },
  { name: "overview-ja-phone", path: "/", lang: "ja", theme: "dark", width: 390, height: 844 },
  { name: "explore-en-light", path: EXPLORE, lang: "en", theme: "light", width: 1440, height: 800 },
  { name: "explore-ja-dark", path: EXPLORE, lang: "ja", theme: "dark", width: 1440, height: 800 },
  { name: "ring-en-light", path: "/ring/rules", lang: "en", theme: "light", width: 1440, height: 800 },
];

export async function screenshots(browser) {
  const folder = process.env.HINOMI_SCREENSHOTS_DIR ?? `${repository}docs/images`;
  mkdirSync(folder, { recursive: true });
  for (const { name, ...options } of PICTURES) {
    await test(`screenshot: ${name}`, async () => {
      const { page, close } = await openPage(browser, options);
      if (options.path === "/") await page.waitForSelector('.overview[data-live="live"]');
      if (options.path === EXPLORE) await page.waitForSelector(".uplot canvas");
      /* the small graphs want a few points more than the first */
      await page.waitForFunction(() => document.fonts.status === "loaded");
      await page.screenshot({ path: `${folder}/${name}.png` });
      await close();
    });
  }
}
