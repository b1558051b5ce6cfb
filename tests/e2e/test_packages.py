#!/usr/bin/env python3
"""The .deb packages, units, completions, man pages and container files, as far as they can be checked without installing."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import cases  # noqa: E402
from support.server import TOP, free_port, Process, request, wait_until  # noqa: E402


def run(*command, **kwargs):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=600, **kwargs)


def packages():
    if not shutil.which("dpkg-shlibdeps"):
        raise cases.Skip("dpkg-dev is not installed")
    if not hasattr(packages, "built"):
        p = run(TOP / "packaging/build-deb.sh")
        assert p.returncode == 0, p.stdout + p.stderr
        packages.built = [pathlib.Path(line) for line in p.stdout.split("\n") if line.endswith(".deb")]
    return [TOP / p for p in packages.built]


def test_packages_are_whole():
    built = packages()
    assert [p.name.split("_")[0] for p in built] == ["hinomi", "hinomi-agent"], built
    for deb in built:
        name = deb.name.split("_")[0]
        control = run("dpkg-deb", "--field", deb).stdout
        assert f"Package: {name}\n" in control and "libc6" in control, control
        files = run("dpkg-deb", "--contents", deb).stdout
        for path in (f"/usr/bin/{name}", f"/usr/lib/systemd/system/{name}.service", f"/usr/share/man/man1/{name}.1.gz",
                     f"/usr/share/bash-completion/completions/{name}"):
            assert path in files, f"{path} is missing in {deb.name}"
        assert " root/root " in files and "hinomi-test" not in files
    hinomi = run("dpkg-deb", "--field", built[0]).stdout
    agent = run("dpkg-deb", "--field", built[1]).stdout
    assert "libsqlite3" in hinomi and "libmicrohttpd" in hinomi, hinomi
    assert "duckdb" not in agent


def test_the_packaged_program_runs():
    deb = packages()[0]
    with tempfile.TemporaryDirectory() as d:
        assert run("dpkg-deb", "--extract", deb, d).returncode == 0
        binary = pathlib.Path(d) / "usr/bin/hinomi"
        conf = pathlib.Path(d) / "etc/hinomi/hinomi.yml"
        assert run(binary, "config", "check", conf).returncode == 0
        port = free_port()
        p = Process([binary, "serve", "--config", conf, "--data", pathlib.Path(d) / "data", "--listen", f"127.0.0.1:{port}"])
        try:
            def ready():
                try:
                    return request(port, "GET", "/-/ready").status == 200
                except OSError:
                    return False
            wait_until(ready, 20, "ready")
            page = request(port, "GET", "/")
            assert page.status == 200 and "<title>" in page.text, "the UI is in the executable"
        finally:
            assert p.stop() == 0


def test_maintainer_scripts_are_sound():
    for script in sorted((TOP / "packaging/deb").glob("*.p*")):
        assert run("sh", "-n", script).returncode == 0, script
        text = script.read_text()
        assert text.startswith("#!/bin/sh\nset -e"), script


def test_units_are_hardened_and_valid():
    for unit in sorted((TOP / "packaging/systemd").glob("*.service")):
        text = unit.read_text()
        for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "SystemCallFilter=@system-service"):
            assert line in text, (unit.name, line)
    if not shutil.which("systemd-analyze"):
        raise cases.Skip("systemd-analyze is not installed: the units were checked as text only")
    with tempfile.TemporaryDirectory() as d:
        for unit in sorted((TOP / "packaging/systemd").glob("*.service")):
            copy = pathlib.Path(d) / unit.name
            copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.M))
            p = run("systemd-analyze", "verify", "--man=no", copy)
            wrong = [line for line in p.stderr.split("\n") if unit.name in line and "not found" not in line]
            assert not wrong, wrong


def test_completions_parse():
    for script in sorted((TOP / "packaging/completion").glob("*.bash")):
        assert run("bash", "-n", script).returncode == 0, script
    for shell, ending in (("zsh", "zsh"), ("fish", "fish")):
        for script in sorted((TOP / "packaging/completion").glob(f"*.{ending}")):
            assert script.stat().st_size > 200, script
            if shutil.which(shell):
                assert run(shell, "-n", script).returncode == 0, script
    p = run("bash", "-c", f"source {TOP}/packaging/completion/hinomi.bash; COMP_WORDS=(hinomi ser); COMP_CWORD=1; "
            "$(complete -p hinomi | sed 's/.*-F \\([^ ]*\\).*/\\1/'); echo ${COMPREPLY[*]}")
    assert "serve" in p.stdout, p.stdout + p.stderr


def test_man_pages_render_without_warnings():
    if not shutil.which("man"):
        raise cases.Skip("man-db is not installed")
    pages = sorted((TOP / "docs/man").glob("*.[15]"))
    assert len(pages) >= 3, pages
    for page in pages:
        p = run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page, env={**os.environ, "MANWIDTH": "80"})
        assert p.returncode == 0 and not p.stderr.strip(), (page.name, p.stderr)


def test_container_files_name_what_exists():
    text = (TOP / "packaging/container/Dockerfile").read_text()
    assert "FROM debian:12" in text and "USER hinomi" in text
    compose = (TOP / "docs/compose.md").read_text()
    assert "packaging/container/Dockerfile" in compose


if __name__ == "__main__":
    sys.exit(cases.main())
