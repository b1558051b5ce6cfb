# Sourced by ./dev. Debian packages by name; Node.js from npm's node-linux-* package, since Debian 12's is too old
# for the UI's build.

NODE_VERSION=22.23.3
NPM_VERSION=11.19.1

PACKAGES_build=(
    build-essential cmake ninja-build pkg-config python3 ca-certificates npm
    libmicrohttpd-dev libcurl4-gnutls-dev libgnutls28-dev libc-ares-dev
    libzstd-dev zlib1g-dev libdeflate-dev libsnappy-dev libxxhash-dev libroaring-dev libpcre2-dev
    libfyaml-dev libjansson-dev libsqlite3-dev libsodium-dev nettle-dev libicu-dev
)
PACKAGES_test=(
    libcmocka-dev clang-14 libclang-rt-14-dev llvm-14 clang-format-14 ccache git
    chromium fonts-noto-cjk dpkg-dev prometheus prometheus-node-exporter nginx-light redis-server openssl man-db sqlite3
    python3-yaml
)
PACKAGES_bench=(prometheus victoria-metrics prometheus-node-exporter)

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# deps SET...: installs the packages of the sets that are missing; silent and quick when none is.
deps() {
    local set name missing=() wanted=()
    for set in $*; do
        declare -n list="PACKAGES_$set" 2>/dev/null || { echo "dev: no package set \"$set\"" >&2; exit 2; }
        wanted+=("${list[@]}")
        unset -n list
    done
    # A tool that is there already need not come from Debian (an own npm, for example).
    local have
    have=$(dpkg-query -W -f '${Package} ${Status}\n' "${wanted[@]}" 2>/dev/null | awk '$4 == "installed" {print $1}') || true
    for name in "${wanted[@]}"; do
        grep -qxF "$name" <<<"$have" && continue
        case "$name" in
        npm) command -v npm >/dev/null && continue ;;
        nginx-light) command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] && continue ;;
        esac
        missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    echo "dev: installing from Debian: ${missing[*]}"
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        echo "dev: this needs root or sudo; run as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    # A server that a test starts by hand must not also be started by its package.
    local policy=/usr/sbin/policy-rc.d made=
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod 755 $policy
        made=1
    fi
    local rc=0 log
    log=$(mktemp)
    { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 || rc=$?
    [ -n "$made" ] && as_root rm -f $policy
    if [ $rc -ne 0 ]; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        echo "dev: apt-get failed (above); after mending it, run the same command again" >&2
        exit 1
    fi
    rm -f "$log"
    hash -r
}

# node_path: puts Node.js of the pinned version on PATH (build/node), installed once, and an npm beside it: Debian's
# npm leaves out parts that its own older Node.js could not run.
node_path() {
    local arch=x64
    [ "$(uname -m)" = aarch64 ] && arch=arm64
    local dir=$TOP/build/node bin
    bin=$dir/node_modules/node-linux-$arch/bin
    if [ ! -x "$bin/node" ] || [ "$("$bin/node" --version)" != "v$NODE_VERSION" ] || [ ! -e "$dir/node_modules/npm/bin/npm-cli.js" ]; then
        echo "dev: installing node-linux-$arch $NODE_VERSION and npm $NPM_VERSION with npm"
        mkdir -p "$dir"
        [ -e "$dir/package.json" ] || echo '{"private":true}' >"$dir/package.json"
        npm install --prefix "$dir" --no-save --no-audit --no-fund --loglevel=error --ignore-scripts \
            "node-linux-$arch@$NODE_VERSION" "npm@$NPM_VERSION" >/dev/null
    fi
    case ":$PATH:" in *":$bin:"*) ;; *) export PATH=$bin:$PATH ;; esac
}

# web_modules: node_modules of web/ as the lock file says.
web_modules() {
    node_path
    local stamp=web/node_modules/.hinomi-stamp want
    want=$(sha256sum web/package.json web/package-lock.json | sha256sum)
    [ -e $stamp ] && [ "$(cat $stamp)" = "$want" ] && return 0
    echo "dev: installing the UI's packages with npm"
    (cd web && node ../build/node/node_modules/npm/bin/npm-cli.js ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null)
    echo "$want" >$stamp
}

# web_build: web/dist, when a source of it changed.
web_build() {
    [ -e web/package.json ] || return 0
    local stamp=build/web.stamp want
    mkdir -p build
    want=$(find web -path web/node_modules -prune -o -path web/dist -prune -o -type f -print0 | LC_ALL=C sort -z |
        xargs -0 sha256sum | sha256sum)
    [ -e $stamp ] && [ -e web/dist/index.html ] && [ "$(cat $stamp)" = "$want" ] && return 0
    web_modules
    echo "dev: building the UI"
    (cd web && node node_modules/typescript/bin/tsc --noEmit && node node_modules/vite/bin/vite.js build --logLevel warn)
    echo "$want" >$stamp
}

# build PRESET: configure once, then what changed. Quiet unless there is work.
build() {
    local preset=$1 dir=build/$1
    if [ ! -e "$dir/build.ninja" ]; then
        echo "dev: configuring $preset"
        mkdir -p build; cmake --preset "$preset" >"build/$preset.log" 2>&1 || { cat "build/$preset.log" >&2; exit 1; }
    fi
    # CMake's look for new files is a step of its own; say something only when there is something to build.
    if ninja -C "$dir" -n 2>/dev/null | grep -E 'Building|Linking|Generating' >/dev/null; then
        echo "dev: building $preset"
    fi
    ninja -C "$dir" --quiet | { grep -v 'no work to do' || true; }
}
