#!/usr/bin/env bash
# Proves the README's two commands in a bare Debian 12 tree: mmdebstrap makes one with nothing but git, a clean
# clone of HEAD goes in, `./dev run` must show a true first screen and start within 3 s the second time, `./dev
# test` must pass. A developer's machine hides missing steps; this does not. Needs root and mmdebstrap.
#
#   ./dev fresh [run|test]   only one of the two
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
what=${1:-all}
[ "$(id -u)" = 0 ] || { echo "dev: fresh needs root (mmdebstrap, chroot)" >&2; exit 1; }
command -v mmdebstrap >/dev/null || apt-get install -y --no-install-recommends mmdebstrap
root=$(mktemp -d "${TMPDIR:-/tmp}/hinomi-fresh-XXXXXX")
mounted=()

cleanup() {
    local m i
    for ((i = ${#mounted[@]} - 1; i >= 0; i--)); do
        m=${mounted[i]}
        umount "$m" 2>/dev/null || umount -l "$m" || true
    done
    # Never delete through a mount that could not be taken away.
    grep -q " $root/" /proc/mounts || rm -rf --one-file-system "$root"
}
trap cleanup EXIT

echo "fresh: making a bare Debian 12 tree"
mmdebstrap --variant=minbase --include=git,ca-certificates bookworm "$root" >"$root.log" 2>&1 || { tail "$root.log" >&2; exit 1; }
rm -f "$root.log"
mount -t proc proc "$root/proc" && mounted+=("$root/proc")
mount -t sysfs -o ro sys "$root/sys" && mounted+=("$root/sys")
mount -t tmpfs tmpfs "$root/dev" && mounted+=("$root/dev")
mkdir -p "$root/dev/pts" "$root/dev/shm"
for d in null zero full random urandom tty; do
    cp -a "/dev/$d" "$root/dev/$d"
done
ln -s /proc/self/fd "$root/dev/fd"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts" && mounted+=("$root/dev/pts")
ln -s pts/ptmx "$root/dev/ptmx"
# How this machine reaches the package registries is the machine's affair: hand over its settings.
cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
cp -L /etc/hosts "$root/etc/hosts"
cp -Lr /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
rm -f "$root"/etc/apt/apt.conf.d/docker-* "$root"/etc/apt/apt.conf.d/20packagekit "$root"/etc/apt/apt.conf.d/50appstream
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
for f in "$HOME/.npmrc" /usr/etc/npmrc; do
    [ -e "$f" ] && grep -vE '^(nodedir|prefix)' "$f" >>"$root/root/.npmrc"
done
git clone -q --no-hardlinks . "$root/src/hinomi"
[ -d ../shared ] && cp -r ../shared "$root/src/shared"

inside() {
    chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        ${http_proxy:+http_proxy=$http_proxy} ${https_proxy:+https_proxy=$https_proxy} ${HTTPS_PROXY:+HTTPS_PROXY=$HTTPS_PROXY} \
        ${npm_config_registry:+npm_config_registry=$npm_config_registry} NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
        bash -c "cd /src/hinomi && $1"
}

first_screen() { # waits for the address, then for a true value; prints the seconds each took
    local port=$1 limit=$2 start=$EPOCHREALTIME
    python3 - "$port" "$limit" <<'PY'
import json, sys, time, urllib.request
port, limit = sys.argv[1], float(sys.argv[2])
start = time.monotonic()
ready = None
while time.monotonic() - start < limit:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/hinomi/overview", timeout=2) as r:
            o = json.load(r)
        ready = ready or time.monotonic()
        memory = o.get("memory") or {}
        if memory.get("total_bytes"):
            print(f"fresh: answered after {ready - start:.1f} s, true values {time.monotonic() - ready:.1f} s later: "
                  f"{memory['total_bytes'] / 2**30:.1f} GiB of memory on {o['host']['name']}")
            sys.exit(0 if time.monotonic() - ready < 10 else 1)
    except OSError:
        pass
    time.sleep(0.2)
sys.exit("fresh: no first screen in time")
PY
}

if [ "$what" = all ] || [ "$what" = run ]; then
    for round in first second; do
        echo "fresh: ./dev run, the $round time"
        inside "exec ./dev run --listen 127.0.0.1:11977 --data /tmp/hinomi" &
        child=$!
        limit=1800
        [ $round = second ] && limit=5
        first_screen 11977 $limit || { kill $child 2>/dev/null; exit 1; }
        pid=$(pgrep -P $child -f 'hinomi serve' || pgrep -f 'hinomi serve --listen 127.0.0.1:11977' | head -n 1)
        kill -TERM "$pid"
        wait $child || true
    done
fi
if [ "$what" = all ] || [ "$what" = test ]; then
    echo "fresh: ./dev test"
    inside "CI=true .ci/run" </dev/null
fi
echo "fresh: done"
