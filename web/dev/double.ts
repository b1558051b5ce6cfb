/* A development double of the server: made-up but coherent data in the shapes of docs/openapi.yaml, so
 * that the screen can be worked on without building hinomi. It is part of `vite dev` and `vite preview`
 * only; nothing of it is in the build. Prometheus's own API is passed on to a real Prometheus.
 *
 *   HINOMI_DOUBLE=full|empty|login|burning   which world to show
 *   HINOMI_DOUBLE_PROMETHEUS=http://...      where /api/v1 is answered (default 127.0.0.1:9090)
 *   GET /__double/<world>                    changes the world while it runs
 *   GET /__double/silence, /__double/speak   stops and resumes the event stream */
import { request, type IncomingMessage, type ServerResponse } from "node:http";
import type { Plugin } from "vite";
import { World, type WorldName } from "./world.ts";

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; " +
  "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/* Sizes in bytes are whole, as the document has them. */
function text(body: unknown): string {
  return JSON.stringify(body, (name, value: unknown) =>
    typeof value === "number" && name.endsWith("_bytes") ? Math.round(value) : value,
  );
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "Content-Type": "application/json", "Cache-Control": "no-store" });
  response.end(body === undefined ? "" : text(body));
}

function failure(response: ServerResponse, status: number, code: string, message: string, hint: string | null = null): void {
  json(response, status, { error: { code, message, hint } });
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of incoming) text += String(chunk);
  return text;
}

function pass(incoming: IncomingMessage, response: ServerResponse, upstream: string): void {
  const target = new URL(incoming.url ?? "/", upstream);
  const onward = request(target, { method: incoming.method, headers: { ...incoming.headers, host: target.host } }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  onward.on("error", () => failure(response, 502, "unavailable", `no Prometheus answers at ${upstream}`));
  incoming.pipe(onward);
}

function stream(world: World, incoming: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  const tell = (): void => {
    if (world.silent) return;
    const overview = world.overview();
    response.write(`event: overview\nid: ${overview.now_ms}\ndata: ${text(overview)}\n\n`);
  };
  tell();
  const timer = setInterval(tell, 1000);
  incoming.on("close", () => clearInterval(timer));
}

async function answer(world: World, incoming: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
  const method = incoming.method ?? "GET";
  const path = url.pathname;
  const given = method === "POST" ? await bodyOf(incoming) : "";
  if (path === "/-/reload") return json(response, 200, {});
  const part = path.slice("/api/hinomi/".length);
  const cookie = /hinomi_session=(\w+)/.exec(incoming.headers.cookie ?? "")?.[1] ?? "";
  if (part === "session") return json(response, 200, world.session(cookie));
  if (part === "login") {
    const { name, password } = JSON.parse(given) as { name: string; password: string };
    const made = world.login(name, password);
    if (!made) return failure(response, 401, "login_failed", "wrong name or password");
    response.setHeader("Set-Cookie", `hinomi_session=${made}; HttpOnly; SameSite=Strict; Path=/`);
    return json(response, 200, world.session(made));
  }
  if (part === "logout") {
    world.logout(cookie);
    response.writeHead(204).end();
    return;
  }
  const session = world.session(cookie);
  if (!session.authenticated) return failure(response, 401, "unauthorized", "a login is needed");
  if (session.role !== "admin" && /^(users|tokens|audit)/.test(part)) return failure(response, 403, "forbidden", "this needs the role admin", "Ask an admin.");
  if (part === "overview/stream") return stream(world, incoming, response);
  if (part === "config/check") return json(response, 200, world.check(given));
  if (part === "config/export") {
    response.writeHead(200, { "Content-Type": "application/yaml" }).end(world.exported());
    return;
  }
  const found = method === "GET" ? world.get(part) : world.change(method, part, given === "" ? null : JSON.parse(given));
  if (found === undefined) return failure(response, 404, "not_found", `nothing at ${path}`, "See docs/openapi.yaml.");
  if (found === null) {
    response.writeHead(204).end();
    return;
  }
  json(response, method === "POST" && part !== "notify/test" ? 201 : 200, found);
}

export function developmentDouble(): Plugin {
  const world = new World((process.env["HINOMI_DOUBLE"] ?? "full") as WorldName);
  const upstream = process.env["HINOMI_DOUBLE_PROMETHEUS"] ?? "http://127.0.0.1:9090";
  const handle =
    (strict: boolean) =>
    (incoming: IncomingMessage, response: ServerResponse, next: () => void): void => {
      const url = new URL(incoming.url ?? "/", "http://localhost");
      if (strict) response.setHeader("Content-Security-Policy", POLICY);
      if (url.pathname.startsWith("/__double/")) {
        world.become(url.pathname.slice("/__double/".length));
        return json(response, 200, {});
      }
      if (url.pathname.startsWith("/api/v1/")) {
        if (url.pathname === "/api/v1/rules") return json(response, 200, { status: "success", data: world.rules() });
        return pass(incoming, response, upstream);
      }
      if (url.pathname.startsWith("/api/hinomi/") || url.pathname.startsWith("/-/")) {
        void answer(world, incoming, response, url).catch((error: unknown) =>
          failure(response, 500, "internal", String(error)),
        );
        return;
      }
      next();
    };
  return {
    name: "hinomi-development-double",
    configureServer: (server) => {
      server.middlewares.use(handle(false));
    },
    configurePreviewServer: (server) => {
      server.middlewares.use(handle(true));
    },
  };
}
