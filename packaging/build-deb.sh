#!/usr/bin/env bash
# Builds hinomi_VERSION_ARCH.deb and hinomi-agent_VERSION_ARCH.deb into build/packages, for the architecture of
# this machine (amd64 or arm64), with Debian's own tools. The library dependencies are what dpkg-shlibdeps finds.
set -euo pipefail
cd "$(dirname "$0")/.."
TOP=$PWD
. tools/dev/setup.sh
build release
arch=$(dpkg --print-architecture)
version=$(sed -n 's/^project(hinomi VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
out=build/packages
rm -rf "$out"
mkdir -p "$out"

package() { # NAME BINARY SUMMARY
    local name=$1 summary=$2 root=$out/$1
    mkdir -p "$root/DEBIAN" "$root/usr/bin" "$root/usr/lib/systemd/system" "$root/usr/share/doc/$name" \
        "$root/usr/share/man/man1" "$root/usr/share/bash-completion/completions" \
        "$root/usr/share/zsh/vendor-completions" "$root/usr/share/fish/vendor_completions.d"
    install -s -m 0755 "build/release/bin/$name" "$root/usr/bin/$name"
    install -m 0644 "packaging/systemd/$name.service" "$root/usr/lib/systemd/system/"
    install -m 0644 LICENSE "$root/usr/share/doc/$name/copyright"
    gzip -9nc "docs/man/$name.1" >"$root/usr/share/man/man1/$name.1.gz"
    install -m 0644 "packaging/completion/$name.bash" "$root/usr/share/bash-completion/completions/$name"
    install -m 0644 "packaging/completion/$name.zsh" "$root/usr/share/zsh/vendor-completions/_$name"
    install -m 0644 "packaging/completion/$name.fish" "$root/usr/share/fish/vendor_completions.d/$name.fish"
    if [ "$name" = hinomi ]; then
        mkdir -p "$root/etc/hinomi" "$root/usr/share/man/man5"
        install -m 0640 packaging/deb/hinomi.yml "$root/etc/hinomi/hinomi.yml"
        gzip -9nc docs/man/hinomi.yml.5 >"$root/usr/share/man/man5/hinomi.yml.5.gz"
        echo /etc/hinomi/hinomi.yml >"$root/DEBIAN/conffiles"
    fi
    for script in postinst prerm postrm; do
        install -m 0755 "packaging/deb/$name.$script" "$root/DEBIAN/$script"
    done
    local work=$out/shlibs depends
    mkdir -p "$work/debian"
    printf 'Source: hinomi\n\nPackage: %s\nArchitecture: any\n' "$name" >"$work/debian/control"
    depends=$(cd "$work" && dpkg-shlibdeps -O "$TOP/$root/usr/bin/$name" 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
    cat >"$root/DEBIAN/control" <<TXT
Package: $name
Version: $version
Architecture: $arch
Maintainer: The hinomi authors <hinomi@example.com>
Depends: $depends, adduser, ca-certificates
Section: admin
Priority: optional
Installed-Size: $(du -sk "$root/usr" | cut -f1)
Description: $summary
 hinomi (the fire lookout) is one program that watches hosts, services, logs and providers of a small team, and
 rings the right people.
TXT
    dpkg-deb --root-owner-group --build "$root" "$out/${name}_${version}_${arch}.deb" >/dev/null
    rm -rf "$root" "$work"
    echo "$out/${name}_${version}_${arch}.deb"
}

package hinomi "monitoring, alerting and on-call in one program"
package hinomi-agent "collects on a host and forwards to a hinomi server"
