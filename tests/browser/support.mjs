// What the browser tests share: Chromium, a page that keeps its errors, counting.
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

export const repository = fileURLToPath(new URL("../../", import.meta.url));
export const requireFromWeb = createRequire(new URL("../../web/package.json", import.meta.url));
export const base = (process.env.HINOMI_URL ?? "").replace(/\/$/, "");

const ARGUMENTS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function launch() {
  const { chromium } = requireFromWeb("playwright-core");
  return chromium.launch({ executablePath: process.env.HINOMI_CHROMIUM ?? "/usr/bin/chromium", args: ARGUMENTS });
}

const counts = { passed: 0, failed: 0 };

export async function test(name, run) {
  const begun = Date.now();
  try {
    await run();
    counts.passed++;
    console.log(`ok    ${name} (${Date.now() - begun} ms)`);
  } catch (error) {
    counts.failed++;
    console.log(`FAIL  ${name}\n      ${String(error?.message ?? error).split("\n").slice(0, 12).join("\n      ")}`);
  }
}

export function finish() {
  console.log(`\n${counts.passed} passed, ${counts.failed} failed`);
  process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1;
}

export function check(condition, message) {
  if (!condition) throw new Error(message);
}

export function equal(found, expected, what) {
  check(Object.is(found, expected), `${what}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`);
}

/* A page of its own, with language, colours and size; `errors` holds all that the console called an error. */
export async function openPage(browser, { lang = "en", theme = "light", width = 1280, height = 900, path } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, permissions: ["clipboard-read", "clipboard-write"] });
  await context.addInitScript(
    ([language, colours]) => {
      if (!localStorage.getItem("hinomi.prefs")) localStorage.setItem("hinomi.prefs", JSON.stringify({ lang: language, theme: colours }));
    },
    [lang, theme],
  );
  const page = await context.newPage();
  const errors = [];
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(`${message.text()} ${message.location().url ?? ""}`.trim());
  });
  page.on("pageerror", (error) => errors.push(`uncaught: ${error.message}`));
  page.setDefaultTimeout(10_000);
  if (path) await visit(page, path);
  return { page, errors, close: () => context.close() };
}

/* Goes there and waits until nothing says that it is loading. */
export async function visit(page, path) {
  await page.goto(base + path, { waitUntil: "load" });
  await settled(page);
}

export async function settled(page) {
  await page.waitForSelector("h1");
  await page.waitForFunction(() => document.querySelector(".loading, [aria-busy=true]") === null);
}
