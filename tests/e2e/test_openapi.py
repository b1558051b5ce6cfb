#!/usr/bin/env python3
"""docs/openapi.yaml is what the running server answers: every operation that reads, with data behind it, and what
the writes answer; unknown fields in the answers are named too."""
import http.server
import json
import pathlib
import sys
import threading

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import cases  # noqa: E402
from support.server import TOP, Hinomi, request, wait_until  # noqa: E402

DOCUMENT = yaml.safe_load((TOP / "docs/openapi.yaml").read_text(encoding="utf-8"))
KINDS = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def resolve(schema):
    while "$ref" in schema:
        node = DOCUMENT
        for name in schema["$ref"].split("/")[1:]:
            node = node[name]
        schema = node
    return schema


def is_kind(value, kind):
    if kind in ("number", "integer"):
        return not isinstance(value, bool) and isinstance(value, (int, float)) and (kind == "number" or value == int(value))
    return isinstance(value, KINDS[kind])


def wrong(schema, value, at="$"):
    """As much of JSON Schema as the document uses: what is wrong, with the place."""
    schema = resolve(schema)
    for key in ("oneOf", "anyOf"):
        if key in schema:
            tries = [wrong(one, value, at) for one in schema[key]]
            return [] if [] in tries else min(tries, key=len)
    found = []
    for one in schema.get("allOf", []):
        found += wrong(one, value, at)
    kinds = schema.get("type")
    if kinds and not any(is_kind(value, k) for k in ([kinds] if isinstance(kinds, str) else kinds)):
        return found + [f"{at}: expected {kinds}, found {json.dumps(value)[:60]}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is not one of {schema['enum']}")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < schema.get("minimum", value) or value > schema.get("maximum", value):
            found.append(f"{at}: {value} is out of its range")
    if isinstance(value, list):
        if len(value) > schema.get("maxItems", len(value)):
            found.append(f"{at}: {len(value)} items")
        for i, item in enumerate(value):
            found += wrong(schema.get("items", {}), item, f"{at}[{i}]")
    if isinstance(value, dict):
        found += [f"{at}.{name}: required, but absent" for name in schema.get("required", []) if name not in value]
        more = schema.get("additionalProperties")
        for name, item in value.items():
            part = schema.get("properties", {}).get(name)
            if part is None and isinstance(more, dict):
                part = more
            if part is None and "properties" in schema and more is not True:
                found.append(f"{at}.{name}: not described")
            found += wrong(part or {}, item, f"{at}.{name}")
    return found


def answer_schema(path, method, status):
    answer = resolve(DOCUMENT["paths"][path][method]["responses"][str(status)])
    return answer.get("content", {}).get("application/json", {}).get("schema")


def holds(reply, path, method, status):
    assert reply.status == status, f"{method} {path}: {reply.status} {reply.text[:300]}"
    schema = answer_schema(path, method, status)
    if schema is None:
        return None
    assert reply.headers["content-type"].startswith("application/json"), reply.headers
    found = wrong(schema, reply.json())
    assert not found, f"{method} {path}:\n" + "\n".join(found[:10])
    return reply.json()


class Metrics(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"# TYPE x_total counter\nx_total 1\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


CONFIG = """
scrape_configs:
  - job_name: page
    scrape_interval: 1s
    static_configs: [{targets: ["127.0.0.1:%d"]}]
  - job_name: nobody
    scrape_interval: 1s
    static_configs: [{targets: ["127.0.0.1:1"]}]
"""


def test_reads():
    page = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    threading.Thread(target=page.serve_forever, daemon=True).start()
    with Hinomi(CONFIG % page.server_port) as h:
        wait_until(lambda: h.query('up{job="page"} == 1') and h.query('up{job="nobody"} == 0'), 20, "two scrapes")
        wait_until(lambda: (h.get("/api/hinomi/overview").json().get("cpu") or {}).get("used_ratio") is not None, 10, "rates")
        seen = 0
        for path, operations in DOCUMENT["paths"].items():
            if "get" not in operations or "{" in path or path.endswith("/stream"):
                continue
            holds(h.get(path), path, "get", 200)
            seen += 1
        assert seen > 12, seen
        queues = {q["name"]: q for q in h.get("/api/hinomi/status").json()["queues"]}
        assert queues["http-query"]["capacity"] > 0 and queues["http-query"]["length"] == 0, queues
    page.shutdown()


def test_writes():
    with Hinomi("collect: {enabled: false}\n") as h:
        def done(method, path, body, status, **names):
            real = path
            for name, value in names.items():
                real = real.replace("{" + name + "}", value)
            headers = {"Content-Type": "application/json"} if body is not None else {}
            data = json.dumps(body).encode() if body is not None else None
            return holds(request(h.port, method.upper(), real, data, headers), path, method, status)

        service = done("post", "/api/hinomi/services", {"name": "Shop"}, 201)
        done("delete", "/api/hinomi/services/{id}", None, 204, id=service["id"])
        token = done("post", "/api/hinomi/tokens", {"name": "ci", "scopes": ["read"]}, 201)
        done("delete", "/api/hinomi/tokens/{id}", None, 204, id=token["token"]["id"])
        scrape = done("post", "/api/hinomi/scrape-offers/accept", {"url": "http://127.0.0.1:1/metrics", "job": "x"}, 201)
        holds(h.get("/api/hinomi/scrape-offers/accepted"), "/api/hinomi/scrape-offers/accepted", "get", 200)
        done("delete", "/api/hinomi/scrape-offers/accepted/{id}", None, 204, id=scrape["id"])
        hook = {"name": "ops", "kind": "slack", "url": "http://127.0.0.1:1/services/T/B/X", "channel": "#ops"}
        done("post", "/api/hinomi/notify/receivers", hook, 201)
        holds(h.get("/api/hinomi/notify/receivers"), "/api/hinomi/notify/receivers", "get", 200)
        done("post", "/api/hinomi/notify/test", {"receiver": "ops"}, 200)
        holds(h.get("/api/hinomi/notify/outbox"), "/api/hinomi/notify/outbox", "get", 200)
        done("delete", "/api/hinomi/notify/receivers/{name}", None, 204, name="ops")
        done("post", "/api/hinomi/agents/enroll-token", {}, 201)
        checked = request(h.port, "POST", "/api/hinomi/config/check", b"nonsense: 1\n", {"Content-Type": "application/yaml"})
        assert holds(checked, "/api/hinomi/config/check", "post", 200)["valid"] is False
        holds(h.get("/api/hinomi/audit"), "/api/hinomi/audit", "get", 200)
        # An account, last: from here on a login is needed.
        user = done("post", "/api/hinomi/users", {"name": "ada", "password": "correct horse battery", "role": "admin"}, 201)
        assert user["role"] == "admin", user
        done("post", "/api/hinomi/login", {"name": "ada", "password": "correct horse battery"}, 200)


def test_errors():
    error = DOCUMENT["components"]["schemas"]["Error"]
    with Hinomi("collect: {enabled: false}\n") as h:
        for method, path, body, status in (
                ("GET", "/api/hinomi/nothing", None, 404), ("DELETE", "/api/hinomi/status", None, 405),
                ("POST", "/api/hinomi/services", b"{", 400), ("GET", "/api/hinomi/audit?limit=0", None, 400),
                ("DELETE", "/api/hinomi/tokens/999", None, 404), ("DELETE", "/api/hinomi/agents/none", None, 404)):
            r = request(h.port, method, path, body, {"Content-Type": "application/json"} if body else {})
            assert r.status == status, f"{method} {path}: {r.status} {r.text[:200]}"
            found = wrong(error, r.json())
            assert not found, f"{method} {path}: {found}"


if __name__ == "__main__":
    sys.exit(cases.main())
