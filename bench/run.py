#!/usr/bin/env python3
"""Measures the engine beside its peers and writes docs/benchmarks/.

    bench/run.py [--rounds N] [--only start,exec,pull,memory,layers] [--smoke]

Needs root and, for the peers that should take part, crun, runc, bwrap, podman,
docker.io, skopeo, umoci and docker-registry from Debian. Everything it starts
has its own state in a temporary directory and ends with it. --smoke runs each
question a few times and writes nothing: it proves that the driver works.
"""

import argparse
import datetime
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
import images  # noqa: E402
import peers  # noqa: E402

ROOT = harness.ROOT
OUT = ROOT / "docs" / "benchmarks"
CACHE = os.environ.get(
    "CK_BUILD_CACHE", os.path.expanduser("~/.cache/containerkit-build"))


def build():
    targets = ["//bench:all", "//examples/cli:ck",
               "//examples/oci-runtime:ck-oci"]
    flags = ["-c", "opt", f"--disk_cache={CACHE}", "--noshow_progress"]
    subprocess.run(["bazel", "build", *flags, *targets], cwd=ROOT, check=True)
    bin_dir = subprocess.run(
        ["bazel", "info", "-c", "opt", "bazel-bin"], cwd=ROOT, check=True,
        text=True, capture_output=True).stdout.strip()
    return pathlib.Path(bin_dir)


class Context:
    """Where things are, and what was started."""

    def __init__(self, bin_dir, scratch, rounds, smoke):
        self.bin = bin_dir
        self.scratch = scratch
        self.rounds = rounds
        self.smoke = smoke
        self.sections = []

    def engine_timer(self, name, *arguments):
        return harness.Candidate(
            name, [self.bin / "bench" / "engine_timer", *arguments])

    def timer(self, name, *command, env=None):
        return harness.Candidate(
            name, [self.bin / "bench" / "timer", *command], env=env)

    def floor(self, name, lower):
        """The floor program on the layers `lower`, topmost first."""
        scratch = pathlib.Path(tempfile.mkdtemp(dir=self.scratch))
        return harness.Candidate(
            name, [self.bin / "bench" / "floor", ":".join(map(str, lower)),
                   scratch, "/bin/true"])

    def finish(self, name, title, candidates, rows, note=""):
        for candidate in candidates:
            if candidate.close() != 0:
                raise RuntimeError(f"{candidate.name} failed")
        text = f"## {title}\n\n{harness.table(candidates)}\n"
        if rows:
            text += f"\n{harness.goals(rows)}\n"
        if note:
            text += f"\n{note}\n"
        if not self.smoke:
            OUT.mkdir(parents=True, exist_ok=True)
            harness.svg(title, candidates, OUT / f"{name}.svg")
            text += f"\n![{title}]({name}.svg)\n"
        print(text, flush=True)
        self.sections.append(text)


def start(context):
    """Start to exit of a static `true` in a full box."""
    state = context.scratch / "start"
    archive = images.true_rootfs(context)
    tree = context.scratch / "true-rootfs"
    ck = context.bin / "examples/cli/ck"
    subprocess.run([ck, "--root", state, "import", archive, "true"],
                   check=True, stdout=subprocess.DEVNULL)
    flags = ["--network", "none", "-m", "64m", "--pids-limit", "64"]
    ours = context.engine_timer("containerkit in-process", "start", state,
                                "true")
    floor = context.floor("floor (bare system calls)", [tree])
    ck_run = context.timer("ck run --rm", ck, "--root", state, "run", "--rm",
                           *flags, "true", "/bin/true")
    candidates = [ours, floor, ck_run]
    bundle = images.bundle(context, tree)
    oci = context.timer(
        "ck-oci run", context.bin / "examples/oci-runtime/ck-oci", "--root",
        context.scratch / "ck-oci", "run", "-b", bundle, "b{}")
    candidates.append(oci)
    by_name = {}
    for name in ("crun", "runc"):
        if shutil.which(name):
            by_name[name] = context.timer(
                f"{name} run", name, "--root", context.scratch / name, "run",
                "-b", bundle, "b{}")
    if shutil.which("bwrap"):
        by_name["bwrap"] = context.timer(
            "bwrap --unshare-all", "bwrap", "--unshare-all", "--bind", tree,
            "/", "--proc", "/proc", "--dev", "/dev", "/bin/true")
    docker = peers.docker(context)
    if docker:
        docker.load(archive, "true")
        by_name["docker"] = context.timer(
            "docker run --rm", *docker.command, "run", "--rm", *flags, "true",
            "/bin/true")
    podman = peers.podman(context)
    if podman:
        podman.load(archive, "true")
        by_name["podman"] = context.timer(
            "podman run --rm", *podman.command, "run", "--rm", *flags,
            "localhost/true", "/bin/true", env=podman.env)
    candidates += by_name.values()
    slow = [by_name[n] for n in ("docker", "podman") if n in by_name]
    fast = [c for c in candidates if c not in slow]
    harness.interleave(candidates, max(3, context.rounds // 10), warm_up=2)
    harness.interleave(fast, context.rounds)
    crun = by_name.get("crun")
    context.finish("start", "Start to exit of a static true", candidates, [
        ("in-process / crun run", ours, crun, 0.35),
        ("in-process / floor", ours, floor, 1.6),
        ("ck-oci run / crun run", oci, crun, 0.7),
        ("ck run --rm / crun run", ck_run, crun, 0.8),
        ("ck run --rm / docker run", ck_run, by_name.get("docker"), 0.05),
    ])
    for peer in (docker, podman):
        if peer:
            peer.stop()


def exec_true(context):
    """exec of `true` in a running container."""
    state = context.scratch / "exec"
    archive = images.true_rootfs(context)
    ck = context.bin / "examples/cli/ck"
    subprocess.run([ck, "--root", state, "import", archive, "true"],
                   check=True, stdout=subprocess.DEVNULL)
    ours = context.engine_timer("containerkit exec", "exec", state, "true")
    candidates = [ours]
    bundle = images.bundle(context, context.scratch / "true-rootfs",
                           ["/bin/sleep", "1000000"])
    crun = None
    root = context.scratch / "crun-exec"
    if shutil.which("crun"):
        subprocess.run(["crun", "--root", root, "run", "-d", "-b", bundle,
                        "sleeper"], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)
        crun = context.timer("crun exec", "crun", "--root", root, "exec",
                             "sleeper", "/bin/true")
        candidates.append(crun)
    harness.interleave(candidates, context.rounds)
    context.finish("exec", "exec of a static true", candidates,
                   [("in-process exec / crun exec", ours, crun, 0.3)])
    if crun:
        subprocess.run(["crun", "--root", root, "delete", "-f", "sleeper"],
                       check=True)


def growth(context):
    """Start time against what the host process and the root hold."""
    state = context.scratch / "growth"
    archive = images.true_rootfs(context)
    ck = context.bin / "examples/cli/ck"
    subprocess.run([ck, "--root", state, "import", archive, "true"],
                   check=True, stdout=subprocess.DEVNULL)
    live = 50 if context.smoke else 1000
    ballast = 256 if context.smoke else 4096
    small = context.engine_timer("containerkit, small host process", "start",
                                 state, "true")
    big = context.engine_timer(f"containerkit, {ballast} MiB resident",
                               "start", state, "true",
                               f"ballast_mib={ballast}")
    harness.interleave([small, big], context.rounds)
    context.finish("ballast", "Start beside a large host process",
                   [small, big], [("large / small host", big, small, 1.05)])
    alone = context.engine_timer("containerkit, nothing else runs", "start",
                                 state, "true")
    tree = context.scratch / "true-rootfs"
    floor_alone = context.floor("floor, nothing else runs", [tree])
    harness.interleave([alone, floor_alone], context.rounds)
    crowd_state = context.scratch / "crowd"
    subprocess.run([ck, "--root", crowd_state, "import", archive, "true"],
                   check=True, stdout=subprocess.DEVNULL)
    crowd = context.engine_timer(f"containerkit, {live} containers live",
                                 "start", crowd_state, "true", f"live={live}")
    floor_crowd = context.floor(f"floor, {live} containers live", [tree])
    harness.interleave([crowd, floor_crowd], context.rounds)
    context.finish("live", "Start beside live containers",
                   [alone, crowd, floor_alone, floor_crowd],
                   [("crowd / alone", crowd, alone, 1.25),
                    ("floor: crowd / alone", floor_crowd, floor_alone, None)],
                   "First both that run alone, in turns; then both beside the "
                   "live containers, which belong to the engine that is "
                   "measured.")


def layers(context):
    """What a layer costs at start."""
    state = context.scratch / "layers"
    counts = [1, 32, 120]
    archive = images.layered(context, counts)
    ck = context.bin / "examples/cli/ck"
    subprocess.run([ck, "--root", state, "load", "-i", archive], check=True,
                   stdout=subprocess.DEVNULL)
    candidates = [context.engine_timer(f"containerkit, {n} layers", "start",
                                       state, f"layers:{n}") for n in counts]
    floors = [context.floor(f"floor, {n} layers", images.layer_trees(context, n))
              for n in (counts[0], counts[-1])]
    harness.interleave(candidates + floors, context.rounds)

    def slope(few, many):
        return (many.median - few.median) / 1e3 / (counts[-1] - counts[0])

    ours = slope(candidates[0], candidates[-1])
    verdict = "met" if ours <= 8 else "**missed**"
    context.finish("layers", "Start against the number of layers",
                   candidates + floors, [],
                   f"Slope: {ours:.1f} us a layer (goal 8: {verdict}); "
                   f"of the floor program: {slope(*floors):.1f} us.")


def pull(context):
    """Pull of a Debian image from a registry on loopback, ready to run."""
    registry = peers.registry(context)
    if not registry:
        print("pull: no docker-registry and skopeo here")
        return
    images.debian(context, registry)
    rounds = 2 if context.smoke else max(5, context.rounds // 20)
    root = context.scratch / "pull"
    root.mkdir()
    one = context.engine_timer("containerkit pull, 1 layer", "pull", root,
                               registry.name("debian:one"))
    many = context.engine_timer("containerkit pull, 40 layers", "pull", root,
                                registry.name("debian:many"))
    candidates = [one, many]
    docker = peers.docker(context, registry)
    podman = peers.podman(context)
    best = []
    name = registry.name("debian:one")
    if docker:
        best.append(context.timer(
            "docker pull", "sh", "-c",
            f"{docker.line} pull -q {name} >&2 && {docker.line} rmi {name}"))
    if podman:
        best.append(context.timer(
            "podman pull", "sh", "-c",
            f"{podman.line} pull --tls-verify=false -q {name} && "
            f"{podman.line} rmi {name}", env=podman.env))
    if shutil.which("umoci"):
        oci = context.scratch / "oci{}"
        best.append(context.timer(
            "skopeo + umoci", "sh", "-c",
            f"skopeo copy -q --src-tls-verify=false docker://{name} "
            f"oci:$0:x && umoci unpack --image $0:x $0-bundle && "
            f"rm -rf $0 $0-bundle", oci))
    candidates += best
    harness.interleave(candidates, rounds, warm_up=1)
    fastest = min(best, key=lambda c: c.median, default=None)
    context.finish("pull", "Pull, ready to run", candidates, [
        (f"1 layer / {fastest.name}" if fastest else "", one, fastest, 0.25),
        ("40 layers / 1 layer of the same bytes", many, one, 1.3),
    ], f"{registry.bytes >> 20} MiB of files, gzip. docker's and podman's "
       "times include removing the image again.")
    for peer in (docker, podman, registry):
        if peer:
            peer.stop()


def memory(context):
    """Resident memory beside a running container."""
    state = context.scratch / "memory"
    archive = images.true_rootfs(context)
    count = 10 if context.smoke else 100
    ck = context.bin / "examples/cli/ck"
    subprocess.run([ck, "--root", state, "import", archive, "true"],
                   check=True, stdout=subprocess.DEVNULL)
    idle = context.engine_timer("monitors", "idle", state, "true", count)
    per_container = idle.once() / count
    idle.close()
    verdict = "met" if per_container <= 512 * 1024 else "**missed**"
    text = (f"## Memory beside a running container\n\n{count} idle "
            f"containers: {per_container / 1024:.0f} KiB proportional set "
            f"size a monitor (goal 512 KiB: {verdict}).\n")
    print(text, flush=True)
    context.sections.append(text)


QUESTIONS = {"start": start, "exec": exec_true, "growth": growth,
             "layers": layers, "pull": pull, "memory": memory}


def header(rounds):
    cpu = next((line.split(":")[1].strip()
                for line in open("/proc/cpuinfo", encoding="utf-8")
                if line.startswith("model name")), "unknown")
    return (f"# Benchmarks\n\nPrinted by `bench/run.py` on "
            f"{datetime.date.today()}: {os.cpu_count()} CPUs ({cpu}), kernel "
            f"{platform.release()}, {rounds} rounds, all candidates of a "
            "table in turns. Peers are Debian 12's packages, with their "
            "daemons started and warm. Times are whole: for commands from "
            "spawn to collected exit, in-process from the call to the "
            "collected exit and removal. Goals that are missed, with the "
            "reasons: missed.md.\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--only", default=",".join(QUESTIONS))
    parser.add_argument("--smoke", action="store_true")
    arguments = parser.parse_args()
    rounds = 3 if arguments.smoke else arguments.rounds
    bin_dir = build()
    with tempfile.TemporaryDirectory(
            prefix="ck-bench-", ignore_cleanup_errors=True) as scratch:
        context = Context(bin_dir, pathlib.Path(scratch), rounds,
                          arguments.smoke)
        with peers.HugetlbHierarchy():
            for name in arguments.only.split(","):
                QUESTIONS[name](context)
    if not arguments.smoke:
        OUT.mkdir(parents=True, exist_ok=True)
        (OUT / "README.md").write_text(
            "\n".join([header(rounds), *context.sections]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
