"""Test doubles of services that cannot be had on a test machine. Each enforces the real service's documented
limits, and says so here.

SlackWebhook: Slack's incoming webhooks (https://api.slack.com/messaging/webhooks and the rate limit pages): JSON
only, text at most 40,000 characters, at most 50 blocks, block text at most 3,000, at most 100 attachments; one
message a second, above that 429 with Retry-After; 400 invalid_payload / no_text, 403 action_prohibited,
404 channel_not_found, 410 channel_is_archived as plain-text bodies.
"""
import http.server
import json
import threading
import time


class Recorder(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.received = []   # (monotonic seconds, path, parsed body)
        self.refused = []    # (monotonic seconds, status)
        self.next_status = []  # statuses to answer before behaving again
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    @property
    def port(self):
        return self.server_address[1]

    def url(self, path="/services/T000/B000/XXXX"):
        return f"http://127.0.0.1:{self.port}{path}"

    def close(self):
        self.shutdown()
        self.server_close()
        self.thread.join()


class _Base(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        pass

    def answer(self, status, text, headers=()):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        if status != 200:
            with self.server.lock:
                self.server.refused.append((time.monotonic(), status))

    def read_body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))


class _Slack(_Base):
    def do_POST(self):
        raw = self.read_body()
        server = self.server
        with server.lock:
            planned = server.next_status.pop(0) if server.next_status else None
            now = time.monotonic()
            last = server.last.get(self.path, -10)
        if planned:
            return self.answer(planned, "planned", [("Retry-After", "1")] if planned == 429 else [])
        if now - last < 0.95:  # one a second; 50 ms of grace for the clock of the sender
            return self.answer(429, "rate_limited", [("Retry-After", "1")])
        try:
            message = json.loads(raw)
        except ValueError:
            return self.answer(400, "invalid_payload")
        problem = slack_problem(message)
        if problem:
            return self.answer(400, problem)
        with server.lock:
            server.last[self.path] = now
            server.received.append((now, self.path, message))
        return self.answer(200, "ok")


def slack_problem(message):
    if not isinstance(message, dict):
        return "invalid_payload"
    if not message.get("text") and not message.get("blocks") and not message.get("attachments"):
        return "no_text"
    if len(message.get("text", "")) > 40000:
        return "msg_too_long"
    attachments = message.get("attachments", [])
    if len(attachments) > 100:
        return "too_many_attachments"
    for blocks in [message.get("blocks", [])] + [a.get("blocks", []) for a in attachments]:
        if len(blocks) > 50:
            return "invalid_blocks"
        for block in blocks:
            text = block.get("text") or {}
            if len(text.get("text", "")) > 3000 or (block.get("type") == "header" and len(text.get("text", "")) > 150):
                return "invalid_blocks"
            if len(block.get("fields", [])) > 10 or any(len(f.get("text", "")) > 2000 for f in block.get("fields", [])):
                return "invalid_blocks"
    return None


def slack_webhook():
    server = Recorder(_Slack)
    server.last = {}
    return server


class _Hook(_Base):
    def do_POST(self):
        raw = self.read_body()
        with self.server.lock:
            planned = self.server.next_status.pop(0) if self.server.next_status else None
        if planned:
            return self.answer(planned, "planned", [("Retry-After", "1")] if planned == 429 else [])
        with self.server.lock:
            self.server.received.append((time.monotonic(), self.path, json.loads(raw)))
        return self.answer(200, "")


def webhook():
    return Recorder(_Hook)


class _Metrics(_Base):
    def do_GET(self):
        body, status, kind = self.server.page(self)
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        with self.server.lock:
            self.server.received.append((time.monotonic(), self.path, dict(self.headers)))


def metrics_page(page):
    """page(handler) -> (body, status, content type)."""
    server = Recorder(_Metrics)
    server.page = page
    return server
