// With accounts: HINOMI_AUTH_URL, HINOMI_AUTH_USER and HINOMI_AUTH_PASSWORD name a hinomi that asks for a login (an admin's).
import { check, launch, settled, test } from "./support.mjs";

export const authUrl = (process.env.HINOMI_AUTH_URL ?? "").replace(/\/$/, "");
const admin = process.env.HINOMI_AUTH_USER ?? "admin";
const password = process.env.HINOMI_AUTH_PASSWORD ?? "";

async function login(page, name, secret) {
  await page.goto(authUrl);
  await page.locator("input[name=username]").fill(name);
  await page.locator("input[name=password]").fill(secret);
  await page.locator("button[type=submit]").click();
}

export async function doors() {
  const browser = await launch();
  const open = async () => (await browser.newContext({ locale: "en-GB", ignoreHTTPSErrors: true })).newPage();
  try {
    await test("doors: a wrong password is refused, with words", async () => {
      const page = await open();
      await login(page, admin, "certainly not this");
      await page.getByText("The name or the password is not right.").waitFor();
    });
    await test("doors: log in, add a viewer, log out", async () => {
      const page = await open();
      await login(page, admin, password);
      await page.getByRole("navigation", { name: "Places" }).waitFor();
      const viewer = `viewer-${Date.now()}`;
      await page.goto(`${authUrl}/settings/users`);
      await settled(page);
      await page.getByRole("button", { name: "Add user" }).first().click();
      const dialog = page.getByRole("dialog");
      await dialog.locator("input[name=name]").fill(viewer);
      await dialog.locator("input[name=password]").fill("a long enough password");
      await dialog.locator("button[type=submit]").click();
      await page.locator("tbody tr", { hasText: viewer }).waitFor();
      await page.getByRole("button", { name: "Log out" }).click();
      await page.locator("input[name=username]").waitFor();

      const other = await open();
      await login(other, viewer, "a long enough password");
      await other.getByRole("navigation", { name: "Places" }).waitFor();
      await other.goto(`${authUrl}/services`);
      await settled(other);
      check(await other.getByRole("button", { name: "Add service" }).first().isDisabled(), "a viewer is offered to add a service");
      await other.goto(`${authUrl}/settings/users`);
      await other.locator(".failure").waitFor();
      check(/role/.test(await other.locator(".failure").innerText()), "a viewer is not told why");

      await login(page, admin, password);
      await page.getByRole("navigation", { name: "Places" }).waitFor();
      await page.goto(`${authUrl}/settings/users`);
      await page.getByRole("button", { name: `Remove ${viewer}` }).click();
      await page.getByRole("dialog").locator("button[type=submit]").click();
      await page.locator("tbody tr", { hasText: viewer }).waitFor({ state: "detached" });
      await other.goto(authUrl);
      await other.locator("input[name=username]").waitFor();
    });
  } finally {
    await browser.close();
  }
}
