#!/usr/bin/env python3
"""Runs what CI runs, in the order of cost, and adds up the results.

Every stage runs even when an earlier one failed, so that one run tells all.
The last line is `N passed, N failed, N skipped`: test cases of gtest
binaries, one each for other tests and checks.
"""

import collections
import os
import pathlib
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = os.environ.get(
    "CK_BUILD_CACHE", os.path.expanduser("~/.cache/containerkit-build"))


class Tally:
    """Passed, failed and skipped things, with the reasons of skips."""

    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = collections.Counter()

    def check(self, name, ok):
        if ok:
            self.passed += 1
        else:
            self.failed.append(name)

    def add_xml(self, target, path, ok):
        """Adds a gtest report; a test without one counts as one case."""
        try:
            cases = ElementTree.parse(path).getroot().findall(".//testcase")
        except (OSError, ElementTree.ParseError):
            cases = []
        failed = 0
        gtest = any(c.get("result") for c in cases)
        for case in cases if gtest else []:
            name = f"{target} {case.get('classname')}.{case.get('name')}"
            skip = case.find("skipped")
            if case.find("failure") is not None:
                failed += 1
                self.failed.append(name)
            elif skip is not None:
                text = (skip.get("message") or "").strip().splitlines()
                self.skipped[text[-1] if text else "no reason given"] += 1
            elif case.get("status") != "notrun":
                self.passed += 1
        if not gtest:
            skip = self.skip_in_log(path)
            if ok and skip:
                self.skipped[skip] += 1
            else:
                self.check(target, ok)
        elif not ok and not failed:
            self.failed.append(f"{target} (ended badly)")


    @staticmethod
    def skip_in_log(report):
        """The reason in a line "skipped: reason" of a script's output."""
        try:
            log = report.with_name("test.log").read_text(errors="replace")
        except OSError:
            return None
        return next((line[len("skipped: "):] for line in log.splitlines()
                     if line.startswith("skipped: ")), None)


def run(stage, command, tally, env=None):
    """Runs one check; its output shows only what went wrong."""
    start = time.monotonic()
    result = subprocess.run(command, cwd=ROOT, env=env, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    seconds = time.monotonic() - start
    ok = result.returncode == 0
    print(f"{'ok  ' if ok else 'FAIL'} {stage} ({seconds:.0f} s)", flush=True)
    if not ok:
        print(result.stdout[-20000:], flush=True)
    skip = next((line[len("skipped: "):] for line in result.stdout.splitlines()
                 if line.startswith("skipped: ")), None)
    if ok and skip:
        tally.skipped[skip] += 1
    else:
        tally.check(stage, ok)
    return ok


def bazel(arguments):
    base = ["bazel", arguments[0], f"--disk_cache={CACHE}",
            "--noshow_progress", "--curses=no", "--color=no"]
    return base + arguments[1:]


def bazel_test(stage, flags, targets, tally):
    """Builds and runs tests, and reads every test's own report."""
    start = time.monotonic()
    # One test at a time: tests on the kernel look for leaks machine-wide.
    command = bazel(["test", "--keep_going", "--nocache_test_results",
                     "--local_test_jobs=1",
                     "--test_env=CK_MUST_HAVE", "--test_env=PATH",
                     "--test_env=CI", "--test_env=CK_BUILD_CACHE", *flags, "--", *targets])
    result = subprocess.run(command, cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    seconds = time.monotonic() - start
    print(f"{'ok  ' if result.returncode == 0 else 'FAIL'} {stage} "
          f"({seconds:.0f} s)", flush=True)
    if result.returncode != 0:
        print(result.stdout[-20000:], flush=True)
    logs = ROOT / "bazel-testlogs"
    seen = False
    for line in result.stdout.splitlines():
        words = line.split()
        if len(words) < 2 or not words[0].startswith("//"):
            continue
        verdict = words[1] if words[1] != "(cached)" else words[2]
        if verdict not in ("PASSED", "FAILED", "TIMEOUT", "FLAKY", "NO"):
            continue
        seen = True
        target = words[0]
        report = logs / target[2:].replace(":", "/") / "test.xml"
        tally.add_xml(f"[{stage}] {target}", report,
                      verdict in ("PASSED", "FLAKY"))
    if result.returncode != 0 and not seen:
        tally.failed.append(f"{stage} (did not build)")


def checks(tally):
    for script in sorted((ROOT / "tools" / "checks").glob("*")):
        if os.access(script, os.X_OK) and script.is_file():
            run(f"check {script.name}", [str(script)], tally)


def main():
    os.chdir(ROOT)
    tally = Tally()
    if len(sys.argv) > 1:
        bazel_test("gcc", [], sys.argv[1:], tally)
    else:
        checks(tally)
        bazel_test("gcc", ["--config=ci"], ["//..."], tally)
        if shutil.which("clang"):
            run("clang build",
                bazel(["build", "--config=ci", "--config=clang", "//lib/...",
                       "//capi/...", "//examples/..."]), tally)
        else:
            tally.skipped["no clang here"] += 1
        bazel_test("asan", ["--config=asan", "--build_tests_only",
                            "--test_tag_filters=asan"],
                   ["//..."], tally)
        bazel_test("tsan", ["--config=tsan", "--build_tests_only",
                            "--test_tag_filters=tsan"],
                   ["//..."], tally)
        run("fuzz", ["tools/fuzz"], tally)
    for name in tally.failed:
        print(f"failed: {name}")
    for reason, count in sorted(tally.skipped.items()):
        print(f"skipped {count}: {reason}")
    print(f"{tally.passed} passed, {len(tally.failed)} failed, "
          f"{sum(tally.skipped.values())} skipped", flush=True)
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
