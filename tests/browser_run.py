#!/usr/bin/env python3
"""Starts the real server on a free port and drives it with the browser tests of tests/browser (Playwright in
Debian's Chromium); a second server, which asks for a login, for the tests of the door.

With HINOMI_SCREENSHOTS=1 the README's pictures are taken too, into docs/images: of a server in name spaces of its
own (unshare, needs root), with some neighbours to watch, so that they show a host and not the developer's machine.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests"))
from support.server import BIN, Hinomi, Process, free_port, request, wait_until  # noqa: E402

RUNNER = TOP / "tests/browser/run.mjs"
ADMIN, PASSWORD = "ada", "a long and private sentence"

# A host of its own for the pictures: own process, mount and host names; nginx with TLS, Redis and node_exporter where
# Debian's packages are there; mounts that only this machine has are taken away.
STAGE = r"""
set -eu
hostname tokyo-1
mount -t proc proc /proc
awk '{print $2}' /proc/mounts | grep -vE '^/(proc|sys|dev|run|tmp)?(/|$)' | sort -r | xargs -r -n1 umount -l 2>/dev/null || true
awk '{print $2}' /proc/mounts | grep -E '^/(tmp|mnt)/' | sort -r | xargs -r -n1 umount -l 2>/dev/null || true
cd "$1"
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 60 -subj /CN=shop.example.com >/dev/null 2>&1
cat >nginx.conf <<TXT
pid $1/nginx.pid; error_log $1/error.log; daemon on;
events {}
http { access_log off; server { listen 127.0.0.1:8443 ssl; ssl_certificate $1/cert.pem; ssl_certificate_key $1/key.pem; } }
TXT
/usr/sbin/nginx -c "$1/nginx.conf" 2>/dev/null || true
redis-server --port 6379 --bind 127.0.0.1 --save '' --daemonize yes >/dev/null 2>&1 || true
prometheus-node-exporter --web.listen-address=127.0.0.1:9100 --log.level=error >/dev/null 2>&1 &
exec "$2" serve --data "$1/data" --listen "127.0.0.1:$3"
"""


class Stage(Process):
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hinomi-stage-"))
        self.port = free_port()
        super().__init__(["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child=SIGTERM", "bash", "-c", STAGE, "stage",
                          self.folder, BIN, self.port])

        def ready():
            try:
                return request(self.port, "GET", "/-/ready").status == 200
            except OSError:
                return False
        wait_until(ready, 30, "the stage")

    def close(self):
        self.kill9()  # of unshare, which then sends SIGTERM to hinomi; with its first process the whole stage ends
        shutil.rmtree(self.folder, ignore_errors=True)


def drive(url, *suites, **env):
    command = ["node", str(RUNNER), *suites]
    p = subprocess.run(command, cwd=TOP, env={**os.environ, "HINOMI_URL": url, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(p.stdout, end="", flush=True)
    return p.returncode


def main():
    if not os.path.exists("/usr/bin/chromium"):
        print("SKIPPED: browser: Debian's chromium is not installed\n0 passed, 0 failed, 1 skipped")
        return 0
    if os.environ.pop("HINOMI_SCREENSHOTS", "") == "1":
        if os.geteuid() != 0 or not shutil.which("unshare"):
            print("the pictures need root (unshare)\n0 passed, 1 failed")
            return 1
        stage = Stage()
        try:
            import time
            time.sleep(90)  # the pictures show a history
            return drive(f"http://127.0.0.1:{stage.port}", "screenshots", HINOMI_SCREENSHOTS="1")
        finally:
            stage.close()
    with Hinomi() as h, Hinomi("server: {require_accounts: true}\n") as door:
        p = subprocess.run([BIN, "user", "add", ADMIN, "--role", "admin", "--data", door.data, "--password-stdin"], input=PASSWORD + "\n",
                           capture_output=True, text=True)
        assert p.returncode == 0, p.stderr
        wait_until(lambda: h.scalar("count(node_cpu_seconds_total)"), 15, "the first samples")
        return drive(f"http://127.0.0.1:{h.port}", HINOMI_AUTH_URL=f"http://127.0.0.1:{door.port}", HINOMI_AUTH_USER=ADMIN,
                     HINOMI_AUTH_PASSWORD=PASSWORD)


if __name__ == "__main__":
    sys.exit(main())
