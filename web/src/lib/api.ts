/* Talks to the server. One place knows the CSRF header, the error shape and what to do when the
 * session has ended. */
import type { PromAnswer } from "./types";

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string | null;

  constructor(status: number, code: string, message: string, hint: string | null = null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

let csrf: string | null = null;
let onSessionEnded: () => void = () => {};

export function setCsrf(value: string | null): void {
  csrf = value;
}

export function setSessionEndedHandler(handler: () => void): void {
  onSessionEnded = handler;
}

export interface RequestOptions {
  method?: "GET" | "POST" | "DELETE";
  json?: unknown;
  text?: { body: string; type: string };
  form?: URLSearchParams;
  signal?: AbortSignal;
}

export async function send(path: string, options: RequestOptions = {}): Promise<Response> {
  const method = options.method ?? "GET";
  const headers: Record<string, string> = { Accept: "application/json" };
  let body: string | undefined;
  if (options.json !== undefined) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(options.json);
  } else if (options.text) {
    headers["Content-Type"] = options.text.type;
    headers["Accept"] = "application/json, application/yaml";
    body = options.text.body;
  } else if (options.form) {
    headers["Content-Type"] = "application/x-www-form-urlencoded";
    body = options.form.toString();
  }
  if (method !== "GET" && csrf) headers["X-Hinomi-CSRF"] = csrf;
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body,
      signal: options.signal,
      credentials: "same-origin",
      cache: "no-store",
    });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new ApiError(0, "unreachable", "", null);
  }
  if (response.ok) return response;
  const error = await readError(response);
  if (response.status === 401 && path !== "/api/hinomi/login") onSessionEnded();
  throw error;
}

/* hinomi's errors and Prometheus's are both understood; anything else keeps its status line. */
export async function readError(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  try {
    const parsed: unknown = JSON.parse(text);
    if (parsed && typeof parsed === "object") {
      const own = (parsed as { error?: unknown }).error;
      if (own && typeof own === "object") {
        const { code, message, hint } = own as { code?: string; message?: string; hint?: string | null };
        return new ApiError(response.status, code ?? "unknown", message ?? "", hint ?? null);
      }
      if (typeof own === "string") {
        const type = (parsed as { errorType?: string }).errorType ?? "unknown";
        return new ApiError(response.status, type, own, null);
      }
    }
  } catch {
    /* not JSON: fall through to what the status line says */
  }
  const line = `${response.status} ${response.statusText}`.trim();
  return new ApiError(response.status, "unknown", text.length > 0 && text.length < 300 ? text : line);
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await send(path, { signal });
  return (await response.json()) as T;
}

export async function postJson<T>(path: string, json: unknown): Promise<T> {
  const response = await send(path, { method: "POST", json });
  if (response.status === 204) return undefined as T;
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

export async function remove(path: string): Promise<void> {
  await send(path, { method: "DELETE" });
}

/* Prometheus's API: `data`, with the warnings and infos beside it. */
export async function getProm<T>(
  path: string,
  params: Record<string, string | undefined> = {},
  signal?: AbortSignal,
): Promise<PromAnswer<T>> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value !== undefined) query.set(name, value);
  const long = query.toString().length > 1500;
  const response = long
    ? await send(path, { method: "POST", form: query, signal })
    : await send(query.size > 0 ? `${path}?${query}` : path, { signal });
  const body = (await response.json()) as { data: T; warnings?: string[]; infos?: string[] };
  return { data: body.data, warnings: body.warnings ?? [], infos: body.infos ?? [] };
}
