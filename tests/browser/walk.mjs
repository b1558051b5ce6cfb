// Walks every page in both languages, both colour schemes and four widths, and looks for what nobody should see.
import { readFileSync } from "node:fs";
import { check, equal, openPage, requireFromWeb, test, visit } from "./support.mjs";

export const PAGES = [
  "/", "/explore", "/explore?q=up&range=15m", "/explore?q=up&tab=table", "/services", "/ring/alerts", "/ring/rules", "/ring/deliveries",
  "/checks", "/inventory/hosts", "/inventory/targets", "/inventory/agents", "/inventory/endpoints", "/inventory/people", "/inventory/edges",
  "/settings/status", "/settings/receivers", "/settings/config", "/settings/users", "/settings/tokens", "/settings/audit", "/settings/appearance",
];

async function sound(page, errors, lang, theme) {
  equal(await page.evaluate(() => document.documentElement.lang), lang, "language of the page");
  equal(await page.evaluate(() => document.documentElement.getAttribute("data-mantine-color-scheme")), theme, "colour scheme");
  const text = await page.evaluate(() => document.body.innerText);
  check(text.length > 40, "the page is empty");
  for (const wrong of ["undefined", "[object Object]", "NaN %", "Invalid Date"]) check(!text.includes(wrong), `the page says "${wrong}"`);
  if (lang === "ja") check(/[\u3040-\u30ff]/.test(text), "the page is not in Japanese");
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(over <= 0, `the page is ${over} px wider than the window`);
  const failures = await page.evaluate(() => [...document.querySelectorAll(".failure")].map((one) => one.innerText));
  check(failures.length === 0, `the page shows an error: ${failures[0]}`);
  const seen = errors.splice(0);
  check(seen.length === 0, `console errors:\n${seen.join("\n")}`);
}

export async function walk(browser) {
  for (const lang of ["en", "ja"]) {
    for (const theme of ["light", "dark"]) {
      const { page, errors, close } = await openPage(browser, { lang, theme });
      for (const path of PAGES) {
        await test(`walk: ${lang} ${theme} 1280 ${path}`, async () => {
          await visit(page, path);
          await sound(page, errors, lang, theme);
        });
      }
      await close();
    }
  }
  for (const [width, height, lang, theme] of [[360, 740, "ja", "light"], [360, 740, "en", "dark"], [768, 1024, "ja", "dark"], [1920, 1080, "en", "light"]]) {
    const { page, errors, close } = await openPage(browser, { lang, theme, width, height });
    for (const path of PAGES) {
      await test(`walk: ${lang} ${theme} ${width} ${path}`, async () => {
        await visit(page, path);
        await sound(page, errors, lang, theme);
      });
    }
    await close();
  }
}

/* axe's rules, as far as a program can tell: nothing serious on any page, in both colour schemes. */
export async function accessible(browser) {
  const source = readFileSync(requireFromWeb.resolve("axe-core/axe.min.js"), "utf8");
  for (const theme of ["light", "dark"]) {
    const { page, close } = await openPage(browser, { theme });
    for (const path of PAGES) {
      await test(`axe: ${theme} ${path}`, async () => {
        await visit(page, path);
        await page.evaluate(source);
        const found = await page.evaluate(async () => {
          const result = await window.axe.run(document, { resultTypes: ["violations"] });
          return result.violations
            .filter((one) => one.impact === "serious" || one.impact === "critical")
            .map((one) => `${one.id}: ${one.help} (${one.nodes.length}) ${one.nodes[0].html.slice(0, 160)} ${one.nodes[0].any?.[0]?.message ?? ""}`);
        });
        check(found.length === 0, found.join("\n"));
      });
    }
    await close();
  }
}
