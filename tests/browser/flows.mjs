// What people do, from end to end, in a real browser against the real server.
import { createServer } from "node:http";
import { gzipSync } from "node:zlib";
import { base, check, equal, openPage, settled, test, visit } from "./support.mjs";

const FIRST_VIEW_BYTES_MAX = 250_000;

async function flow(browser, name, options, run) {
  await test(`flow: ${name}`, async () => {
    const opened = await openPage(browser, options);
    try {
      await run(opened.page, opened.errors);
      if (!options.errorsExpected) check(opened.errors.length === 0, `console errors:\n${opened.errors.join("\n")}`);
    } finally {
      await opened.close();
    }
  });
}

async function writeQuery(page, expression, index = 0) {
  const editor = page.locator(".promql-editor .cm-content").nth(index);
  await editor.click();
  await page.keyboard.press("Control+a");
  await page.keyboard.type(expression, { delay: 5 });
  await page.keyboard.press("Escape");
}

export async function flows(browser) {
  await flow(browser, "the first screen is live and says how things are", { path: "/" }, async (page) => {
    await page.waitForSelector('.overview[data-live="live"]');
    const level = await page.locator(".verdict").getAttribute("data-level");
    check(["ok", "warning", "burning", "unknown"].includes(level), `verdict ${level}`);
    check(/%/.test(await page.locator(".tile").first().innerText()), "the CPU tile has no value");
    const clock = page.locator(".live-clock");
    const before = await clock.innerText();
    await page.waitForFunction((old) => document.querySelector(".live-clock")?.textContent !== old, before);
  });

  await flow(browser, "the first view's JavaScript stays in its budget", {}, async (page) => {
    const scripts = [];
    page.on("response", (response) => {
      if (/\.js(\?|$)/.test(response.url())) scripts.push(response);
    });
    await visit(page, "/");
    let total = 0;
    for (const script of scripts) total += gzipSync(await script.body(), { level: 6 }).length;
    check(scripts.length > 0 && total < FIRST_VIEW_BYTES_MAX, `${scripts.length} scripts, ${total} bytes compressed; at most ${FIRST_VIEW_BYTES_MAX}`);
    check(!scripts.some((script) => script.url().includes("explore")), "the editor is loaded before it is needed");
  });

  await flow(browser, "when the server falls silent the screen says unknown, since when, and never green", { errorsExpected: true }, async (page) => {
    let silent = false;
    await page.route("**/api/hinomi/overview/stream", (route) => route.abort());
    await page.route("**/api/hinomi/overview", (route) => (silent ? route.abort() : route.continue()));
    await visit(page, "/");
    await page.waitForSelector('.overview[data-live="live"]');
    silent = true;
    await page.waitForSelector('.overview[data-live="stale"]', { timeout: 15_000 });
    equal(await page.locator(".verdict").getAttribute("data-level"), "unknown", "verdict on old data");
    check(/\d\d:\d\d:\d\d/.test(await page.locator(".live-off").innerText()), "it does not say since when");
    silent = false;
    await page.waitForSelector('.overview[data-live="live"]', { timeout: 30_000 });
  });

  await flow(browser, "an error of the server is shown with a way to try again", { errorsExpected: true }, async (page) => {
    let broken = true;
    await page.route("**/api/hinomi/inventory", (route) =>
      broken
        ? route.fulfill({ status: 503, contentType: "application/json", body: '{"error":{"code":"unavailable","message":"the store is opening","hint":"Try again in a moment."}}' })
        : route.continue(),
    );
    await page.goto(`${base}/inventory/hosts`);
    const failure = page.locator(".failure");
    await failure.waitFor();
    check(/the store is opening/.test(await failure.innerText()), "the message is not shown");
    broken = false;
    await failure.locator("button").click();
    await page.locator(".table tbody tr").first().waitFor();
  });

  await flow(browser, "Explore: ask, graph, table, share, go back", { path: "/explore" }, async (page) => {
    /* a series that every hinomi has from its first second: this host's load */
    await writeQuery(page, "node_load1");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/explore\?q=node_load1$/);
    await page.waitForSelector(".uplot canvas");
    await page.locator(".legend tbody tr").first().waitFor();
    const inked = await page.evaluate(() => {
      const canvas = document.querySelector(".uplot canvas");
      const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      let count = 0;
      for (let at = 3; at < data.length; at += 4) if (data[at] > 0) count++;
      return count;
    });
    check(inked > 500, `the graph is blank (${inked} pixels)`);
    await page.locator(".results-head").getByText("Table", { exact: true }).click();
    await page.waitForURL(/tab=table/);
    const rows = page.locator(".results table tbody tr");
    await rows.first().waitFor();
    check(/node_load1/.test(await rows.first().innerText()), "the table does not show the metric");
    await page.getByRole("button", { name: "Copy link" }).click();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    equal(link, page.url(), "copied link");
    const other = await page.context().newPage();
    await other.goto(link);
    await other.locator(".results table tbody tr").first().waitFor();
    equal(await other.locator(".results table tbody tr").count(), await rows.count(), "rows behind the shared link");
    await other.close();
    await page.goBack();
    await page.waitForSelector(".uplot canvas");
    await page.goBack();
    await page.waitForURL(/\/explore$/);
  });

  await flow(browser, "Explore: several queries, one hidden, one removed", { path: "/explore?q=node_load1&q=vector(2)" }, async (page) => {
    await page.locator(".legend tbody tr").nth(1).waitFor();
    const all = await page.locator(".legend tbody tr").count();
    await page.getByRole("button", { name: "Hide this query" }).nth(1).click();
    await page.waitForURL(/hide=1/);
    await page.waitForFunction((count) => document.querySelectorAll(".legend tbody tr").length === count - 1, all);
    await page.getByRole("button", { name: "Remove this query" }).nth(1).click();
    await page.waitForURL((url) => url.searchParams.getAll("q").length === 1);
    await page.getByRole("button", { name: "Add query" }).click();
    await page.waitForFunction(() => document.querySelectorAll(".promql-editor").length === 2);
  });

  await flow(browser, "Explore: a range, a step, a drag that zooms", { path: "/explore?q=vector(1)&range=15m" }, async (page) => {
    await page.waitForSelector(".uplot canvas");
    await page.getByTestId("range").selectOption("300");
    await page.waitForURL(/range=5m/);
    await page.waitForSelector(".uplot .u-over");
    await settled(page);
    const box = await page.locator(".uplot .u-over").boundingBox();
    await page.mouse.move(box.x + box.width * 0.3, box.y + 60);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 70, { steps: 6 });
    await page.mouse.up();
    await page.waitForURL(/end=/);
  });

  await flow(browser, "Explore: completion offers functions, and a wrong query says why", { path: "/explore", errorsExpected: true }, async (page) => {
    await page.locator(".promql-editor .cm-content").click();
    await page.keyboard.type("hist", { delay: 30 });
    await page.locator(".cm-tooltip-autocomplete li").first().waitFor();
    await page.keyboard.press("Escape");
    await writeQuery(page, "sum(");
    await page.getByTestId("run").click();
    const failure = page.locator(".query .failure");
    await failure.waitFor();
    check((await failure.innerText()).length > 10, "the error has no words");
  });

  await flow(browser, "language and colours change at once and are kept", { path: "/settings/appearance" }, async (page) => {
    await page.getByTestId("language").click();
    await page.waitForFunction(() => document.documentElement.lang === "ja" && /設定/.test(document.body.innerText));
    await page.getByTestId("theme").click();
    await page.waitForFunction(() => document.documentElement.getAttribute("data-mantine-color-scheme") === "dark");
    await page.reload();
    await settled(page);
    equal(await page.evaluate(() => document.documentElement.lang), "ja", "language after reload");
    equal(await page.evaluate(() => document.documentElement.getAttribute("data-mantine-color-scheme")), "dark", "colours after reload");
    check(/hinomi$/.test(await page.title()), `title ${await page.title()}`);
  });

  await flow(browser, "a page that the browser has kept is drawn again (304 must not change its policy)", { path: "/settings/appearance" }, async (page) => {
    for (let round = 0; round < 2; round++) {
      await page.reload();
      await settled(page);
    }
  });

  await flow(browser, "everything by keyboard: skip link, places, help, query line", { path: "/" }, async (page) => {
    await page.keyboard.press("Tab");
    equal(await page.evaluate(() => document.activeElement.className), "skip", "first stop of Tab");
    await page.keyboard.press("Enter");
    equal(await page.evaluate(() => document.activeElement.id), "main", "focus after the skip link");
    for (const [key, path] of [["i", "/inventory/hosts"], ["r", "/ring/alerts"], [",", "/settings/status"], ["s", "/services"], ["c", "/checks"], ["o", "/"]]) {
      await page.keyboard.press("g");
      await page.keyboard.press(key);
      await page.waitForURL(base + path);
    }
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.keyboard.press("g");
    await page.keyboard.press("e");
    await page.locator(".promql-editor .cm-content").first().waitFor();
    await page.keyboard.press("/");
    await page.waitForFunction(() => document.activeElement?.shadowRoot?.activeElement?.classList.contains("cm-content") ?? false);
    await page.keyboard.type("gi?");
    check(page.url().startsWith(`${base}/explore`), "typing in the editor must not leave the page");
  });

  await flow(browser, "add a service, see where it comes from, take it out as YAML, remove it", { path: "/services?add=1" }, async (page) => {
    const name = `browser-test-${Date.now()}`;
    const dialog = page.getByRole("dialog");
    await dialog.locator("input[name=name]").fill(name);
    await dialog.locator("input[name=owner]").fill("browser-team");
    await dialog.locator("button[type=submit]").click();
    await dialog.waitFor({ state: "detached" });
    const row = page.locator("tbody tr", { hasText: name });
    await row.waitFor();
    check(/Set here/.test(await row.innerText()), "its origin is not shown");
    await visit(page, "/settings/config");
    await page.locator(".query-text", { hasText: name }).waitFor();
    await visit(page, "/services");
    await row.getByRole("button", { name: `Remove ${name}` }).click();
    await dialog.locator("button[type=submit]").click();
    await row.waitFor({ state: "detached" });
  });

  await flow(browser, "connect a receiver, get the test, see the delivery", { path: "/settings/receivers" }, async (page) => {
    const received = [];
    const sink = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => (body += chunk));
      request.on("end", () => {
        received.push(body);
        response.end("ok");
      });
    });
    await new Promise((ready) => sink.listen(0, "127.0.0.1", ready));
    const name = `browser-${Date.now()}`;
    try {
      await page.getByRole("button", { name: "Connect a receiver" }).first().click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText("Webhook", { exact: true }).click();
      await dialog.locator("input[name=url]").fill(`http://127.0.0.1:${sink.address().port}/hook`);
      await dialog.locator("input[name=name]").fill(name);
      await dialog.locator("button[type=submit]").click();
      await dialog.waitFor({ state: "detached", timeout: 20_000 });
      const result = page.getByTestId("test-result");
      await result.waitFor({ timeout: 20_000 });
      check(/reached/.test(await result.innerText()), `the test: ${await result.innerText()}`);
      if (!process.env.HINOMI_DOUBLE_SERVER) check(received.length > 0, "nothing arrived at the webhook");
      const row = page.locator("tbody tr", { hasText: name }).first();
      await row.getByRole("button", { name: "Send test" }).click();
      await page.getByTestId("test-result").waitFor({ timeout: 20_000 });
      check(!(await page.content()).includes(`:${sink.address().port}/hook`), "the secret URL is shown");
      await row.getByRole("button", { name: `Remove ${name}` }).click();
      await dialog.locator("button[type=submit]").click();
      await page.getByRole("button", { name: `Remove ${name}` }).waitFor({ state: "detached" });
    } finally {
      sink.close();
    }
  });

  await flow(browser, "make a token, see it once, revoke it", { path: "/settings/tokens" }, async (page) => {
    const name = `browser-${Date.now()}`;
    await page.getByRole("button", { name: "Make a token" }).first().click();
    const dialog = page.getByRole("dialog");
    await dialog.locator("input[name=name]").fill(name);
    await dialog.locator("button[type=submit]").click();
    const secret = await dialog.locator(".code-block code").innerText();
    check(secret.length >= 16, `secret "${secret}"`);
    await dialog.locator("button[type=submit]").click();
    await dialog.waitFor({ state: "detached" });
    const row = page.locator("tbody tr", { hasText: name });
    await row.waitFor();
    check(!(await page.content()).includes(secret), "the secret is still on the page");
    await row.getByRole("button", { name: `Remove ${name}` }).click();
    await dialog.locator("button[type=submit]").click();
    await row.waitFor({ state: "detached" });
  });

  await flow(browser, "try a configuration: wrong, then right", { path: "/settings/config" }, async (page) => {
    await page.locator("textarea").fill("scrape_confgs:\n  - job_name: shop\n");
    await page.getByRole("button", { name: "Check", exact: true }).click();
    const result = page.getByTestId("check-result");
    await result.waitFor();
    check(/scrape_confgs/.test(await result.innerText()), "the unknown key is not named");
    check(/scrape_configs/.test(await result.innerText()), "nothing is suggested");
    await page.locator("textarea").fill('scrape_configs:\n  - job_name: shop\n    static_configs:\n      - targets: ["127.0.0.1:8080"]\n');
    await page.getByRole("button", { name: "Check", exact: true }).click();
    await page.getByText("It is valid").waitFor();
  });

  await flow(browser, "a metrics page found on this machine is scraped with one click", { path: "/" }, async (page) => {
    const sink = createServer((request, response) => {
      response.setHeader("Content-Type", "text/plain; version=0.0.4");
      response.end(request.url === "/metrics" ? "# TYPE browser_test_up gauge\nbrowser_test_up 1\n" : "");
    });
    await new Promise((ready) => sink.listen(0, "127.0.0.1", ready));
    try {
      const port = sink.address().port;
      const double = Boolean(process.env.HINOMI_DOUBLE_SERVER);
      const row = page.locator("#listeners tbody tr", { hasText: double ? "Scrape it" : `127.0.0.1:${port}` });
      await row.getByRole("button", { name: "Scrape it" }).click({ timeout: 45_000 });
      const dialog = page.getByRole("dialog");
      check(/scrape_configs|job_name/.test(await dialog.locator(".code-block").innerText()), "the configuration line is not offered");
      await dialog.getByRole("button", { name: "Scrape it" }).click();
      await dialog.waitFor({ state: "detached" });
      await visit(page, "/inventory/targets");
      const target = page.locator("tbody tr", { hasText: double ? "9100" : String(port) });
      await target.waitFor();
      if (!double) await target.getByText("Answers", { exact: true }).waitFor({ timeout: 90_000 });
      await target.getByRole("button", { name: /^Remove/ }).click();
      await dialog.locator("button[type=submit]").click();
      await target.waitFor({ state: "detached", timeout: 20_000 });
    } finally {
      sink.closeAllConnections();
      sink.close();
    }
  });

  await flow(browser, "a part that is gone after an upgrade says so instead of a blank page", { path: "/", errorsExpected: true }, async (page) => {
    await page.route("**/assets/*.js", (route) => route.abort());
    await page.keyboard.press("g");
    await page.keyboard.press("s");
    await page.getByText("hinomi was upgraded").waitFor();
    await page.keyboard.press("g");
    await page.keyboard.press("o");
    await page.waitForSelector('.overview[data-live="live"]');
  });

  await flow(browser, "rules open, and lead to Explore", { path: "/ring/rules" }, async (page) => {
    await page.locator(".row-toggle").first().click();
    await page.locator(".row-more pre").first().waitFor();
    await page.getByRole("link", { name: "Open in Explore" }).first().click();
    await page.waitForURL(/\/explore\?q=/);
  });

  await flow(browser, "an address that is not there says so", { path: "/no/such/page" }, async (page) => {
    check(/No such page/.test(await page.locator("h1").innerText()), "no words about it");
  });
}
