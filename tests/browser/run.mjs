// Browser tests. HINOMI_URL=http://127.0.0.1:11900 node tests/browser/run.mjs [contract|flows|walk|axe|doors|screenshots ...]
// HINOMI_AUTH_URL, HINOMI_AUTH_USER, HINOMI_AUTH_PASSWORD: also the tests of a server that asks for a login (doors.mjs).
// HINOMI_SCREENSHOTS=1 also takes the README's pictures into docs/images/.
import { contract } from "./contract.mjs";
import { authUrl, doors } from "./doors.mjs";
import { flows } from "./flows.mjs";
import { screenshots } from "./screenshots.mjs";
import { base, finish, launch } from "./support.mjs";
import { accessible, walk } from "./walk.mjs";

if (!base) {
  console.error("HINOMI_URL is not set: expected the address of a running hinomi, such as http://127.0.0.1:11900");
  process.exit(2);
}
const wanted = process.argv.slice(2);
const want = (name) => wanted.length === 0 || wanted.includes(name);
const browser = await launch();
try {
  if (want("contract")) await contract();
  if (want("flows")) await flows(browser);
  if (want("walk")) await walk(browser);
  if (want("axe")) await accessible(browser);
  if (authUrl && want("doors")) await doors();
  if (process.env.HINOMI_SCREENSHOTS === "1" || wanted.includes("screenshots")) await screenshots(browser);
} finally {
  await browser.close();
}
finish();
