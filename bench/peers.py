"""Daemons of other engines, each with its own state, ended by pid."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import time


def _wait(probe, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if probe():
            return True
        time.sleep(0.1)
    return False


def _free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class HugetlbHierarchy:
    """Debian's crun wants every v1 controller mounted, hugetlb too."""

    PATH = pathlib.Path("/sys/fs/cgroup/hugetlb")

    def __enter__(self):
        controllers = pathlib.Path("/proc/cgroups").read_text()
        self.made = "hugetlb" in controllers and not self.PATH.exists()
        if self.made:
            self.PATH.mkdir()
            subprocess.run(["mount", "-t", "cgroup", "-o", "hugetlb", "cgroup",
                            self.PATH], check=True)

    def __exit__(self, *unused):
        if self.made:
            subprocess.run(["umount", self.PATH], check=True)
            self.PATH.rmdir()


class Docker:
    """A dockerd of our own; overlay2, no bridge."""

    def __init__(self, scratch, registry):
        base = scratch / "docker"
        base.mkdir(exist_ok=True)
        sock = base / "docker.sock"
        self.command = ["docker", "-H", f"unix://{sock}"]
        self.line = " ".join(self.command)
        self.data = base / "data"
        config = base / "daemon.json"
        config.write_text(json.dumps({}))
        extra = ["--insecure-registry", registry.host] if registry else []
        self.process = subprocess.Popen(
            ["dockerd", "--config-file", config, "--data-root", base / "data",
             "--exec-root", base / "exec", "-H", f"unix://{sock}", "-p",
             base / "pid", "--bridge=none", "--iptables=false",
             "--ip-forward=false", *extra],
            stdout=subprocess.DEVNULL, stderr=open(base / "log", "w"))
        self.ok = _wait(lambda: subprocess.run(
            [*self.command, "version"], capture_output=True,
            check=False).returncode == 0)

    def load(self, archive, name):
        subprocess.run([*self.command, "import", archive, name], check=True,
                       stdout=subprocess.DEVNULL)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        subprocess.run(["umount", self.data], capture_output=True,
                       check=False)


class Podman:
    """Podman with its own roots; no daemon."""

    def __init__(self, scratch):
        base = scratch / "podman"
        base.mkdir(exist_ok=True)
        conf = base / "containers.conf"
        conf.write_text('[containers]\ndefault_ulimits='
                        '["nofile=1024:1024","nproc=1024:1024"]\n')
        policy = base / "policy.json"
        policy.write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
        self.env = dict(os.environ, CONTAINERS_CONF=str(conf))
        self.command = ["podman", "--root", str(base / "root"), "--runroot",
                        str(base / "run"), "--tmpdir", str(base / "tmp"),
                        "--cgroup-manager", "cgroupfs"]
        self.line = " ".join(self.command)
        self.base = base

    def load(self, archive, name):
        subprocess.run([*self.command, "import", "-q", archive, name],
                       check=True, env=self.env, stdout=subprocess.DEVNULL)

    def stop(self):
        subprocess.run([*self.command, "rmi", "-af"], env=self.env,
                       capture_output=True, check=False)
        subprocess.run(["umount", self.base / "root" / "overlay"],
                       capture_output=True, check=False)


class Registry:
    """docker-registry on loopback."""

    def __init__(self, scratch):
        base = scratch / "registry"
        base.mkdir(exist_ok=True)
        port = _free_port()
        self.host = f"127.0.0.1:{port}"
        self.bytes = 0
        config = base / "config.yml"
        config.write_text(
            "version: 0.1\nlog: {level: error}\nstorage: {filesystem: "
            f"{{rootdirectory: {base}/data}}}}\nhttp: {{addr: "
            f'"{self.host}"}}\n')
        self.process = subprocess.Popen(
            ["docker-registry", "serve", config], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)

        def answers():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        self.ok = _wait(answers)

    def name(self, reference):
        return f"{self.host}/{reference}"

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def docker(context, with_registry=None):
    if not (shutil.which("dockerd") and os.geteuid() == 0):
        return None
    peer = Docker(context.scratch, with_registry)
    return peer if peer.ok else None


def podman(context):
    return Podman(context.scratch) if shutil.which("podman") else None


def registry(context):
    if not (shutil.which("docker-registry") and shutil.which("skopeo")):
        return None
    peer = Registry(context.scratch)
    return peer if peer.ok else None
