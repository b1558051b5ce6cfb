// Holds the server's answers to docs/openapi.yaml: every GET that needs no parameter, and the shape of errors.
import { readFileSync } from "node:fs";
import { base, check, repository, requireFromWeb, test } from "./support.mjs";

/* As much of JSON Schema as the document uses. Returns what is wrong, with the place. */
export function violations(document, schema, value, at = "$") {
  if (schema.$ref) {
    const target = schema.$ref.split("/").slice(1).reduce((node, name) => node[name], document);
    return violations(document, target, value, at);
  }
  if (schema.oneOf) {
    const tries = schema.oneOf.map((one) => violations(document, one, value, at));
    return tries.some((one) => one.length === 0) ? [] : tries.sort((a, b) => a.length - b.length)[0];
  }
  const wrong = [];
  const kind = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  if (schema.type) {
    const allowed = [schema.type].flat();
    const fits = allowed.includes(kind) || (kind === "number" && allowed.includes("integer") && Number.isInteger(value));
    if (!fits) return [`${at}: expected ${allowed.join(" or ")}, found ${JSON.stringify(value)?.slice(0, 60)}`];
  }
  if (schema.enum && !schema.enum.includes(value)) wrong.push(`${at}: ${JSON.stringify(value)} is not one of ${schema.enum.join(", ")}`);
  if (kind === "number" && schema.minimum !== undefined && value < schema.minimum) wrong.push(`${at}: ${value} is below ${schema.minimum}`);
  if (kind === "number" && schema.maximum !== undefined && value > schema.maximum) wrong.push(`${at}: ${value} is above ${schema.maximum}`);
  if (kind === "array") {
    if (schema.maxItems !== undefined && value.length > schema.maxItems) wrong.push(`${at}: ${value.length} items, at most ${schema.maxItems}`);
    value.forEach((item, index) => schema.items && wrong.push(...violations(document, schema.items, item, `${at}[${index}]`)));
  }
  if (kind === "object") {
    for (const name of schema.required ?? []) if (!(name in value)) wrong.push(`${at}.${name}: required, but absent`);
    for (const [name, item] of Object.entries(value)) {
      const part = schema.properties?.[name] ?? (typeof schema.additionalProperties === "object" ? schema.additionalProperties : null);
      if (part) wrong.push(...violations(document, part, item, `${at}.${name}`));
    }
  }
  return wrong;
}

export async function contract() {
  const document = requireFromWeb("yaml").parse(readFileSync(`${repository}docs/openapi.yaml`, "utf8"));
  for (const [path, operations] of Object.entries(document.paths)) {
    const schema = operations.get?.responses?.["200"]?.content?.["application/json"]?.schema;
    if (!schema || path.includes("{")) continue;
    await test(`contract: GET ${path}`, async () => {
      const response = await fetch(base + path);
      check(response.status === 200, `status ${response.status}: ${(await response.clone().text()).slice(0, 200)}`);
      check(/^application\/json\b/.test(response.headers.get("content-type") ?? ""), `content type ${response.headers.get("content-type")}`);
      const wrong = violations(document, schema, await response.json());
      check(wrong.length === 0, wrong.slice(0, 8).join("\n"));
    });
  }
  await test("contract: errors have their shape", async () => {
    const response = await fetch(`${base}/api/hinomi/no-such-thing`);
    check(response.status === 404, `status ${response.status}`);
    const wrong = violations(document, document.components.schemas.Error, await response.json());
    check(wrong.length === 0, wrong.join("\n"));
  });
  await test("contract: the event stream begins with the whole snapshot and goes on once a second", async () => {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), 8000);
    try {
      const response = await fetch(`${base}/api/hinomi/overview/stream`, { signal: abort.signal });
      check(/^text\/event-stream/.test(response.headers.get("content-type") ?? ""), `content type ${response.headers.get("content-type")}`);
      const decoder = new TextDecoder();
      const events = [];
      let text = "";
      for await (const chunk of response.body) {
        text += decoder.decode(chunk, { stream: true });
        for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
          const block = text.slice(0, end);
          text = text.slice(end + 2);
          const data = block.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("\n");
          if (/^event: ?overview$/m.test(block)) events.push({ at: Date.now(), data: JSON.parse(data) });
        }
        if (events.length >= 3) break;
      }
      check(events.length >= 3, `only ${events.length} events in 8 s`);
      const wrong = violations(document, document.components.schemas.Overview, events[0].data);
      check(wrong.length === 0, wrong.slice(0, 8).join("\n"));
      check(events[2].data.now_ms > events[1].data.now_ms, "now_ms does not go on");
      const apart = events[2].at - events[1].at;
      check(apart > 500 && apart < 2500, `events are ${apart} ms apart`);
    } finally {
      clearTimeout(timer);
      abort.abort();
    }
  });
}
