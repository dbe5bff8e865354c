#!/usr/bin/env python3
"""Whether every part of the C API has all that it needs.

A function: a comment with @since and with its rule about threads, a line in
capi/containerkit.map, a C test, and a mention in CHANGELOG.md (a line tagged
[abi]; `ck_engine_*` mentions all of an object). An options struct: struct_size
first, an INIT macro, an init function, a lock on the offset of every field.
A handle type: retain and release. reasons.h: what its generator makes.
"""

import fnmatch
import re
import sys

import gen_reasons
import headers

# Released; the functions of later versions get nodes of their own.
VERSIONS = {"0.1": "CONTAINERKIT_0.1"}
# What tools/capi/gen_argument_test.py tests completely.
GENERATED = re.compile(r"_(retain|release|options_init)$")


def check_functions(functions, problems):
    symbols = headers.symbols(headers.ROOT / "capi/containerkit.map")
    tests = "".join(p.read_text() for p in
                    sorted((headers.ROOT / "tests/capi").glob("*.c")))
    tested = set(re.findall(r"\bck_\w+(?=\()", tests))
    changelog = [line for line in
                 (headers.ROOT / "CHANGELOG.md").read_text().splitlines()
                 if "[abi]" in line]
    mentioned = re.findall(r"`(ck_[\w*]+)(?:\(\))?`", " ".join(changelog))
    names = {f.name for f in functions}
    for f in functions:
        where = f"{f.header}: {f.name}"
        since = re.search(r"@since (\d+\.\d+)", f.doc)
        if since is None or since.group(1) not in VERSIONS:
            problems.append(f"{where}: no @since")
        elif symbols.get(f.name) != VERSIONS[since.group(1)]:
            problems.append(f"{where}: not in {VERSIONS[since.group(1)]}")
        if not re.search(r"Thread-safe|Exclusive\(self\)", f.doc):
            problems.append(f"{where}: says nothing about threads")
        if not GENERATED.search(f.name) and f.name not in tested:
            problems.append(f"{where}: in no test of tests/capi")
        if not any(fnmatch.fnmatch(f.name, m) for m in mentioned):
            problems.append(f"{where}: no [abi] line of CHANGELOG.md")
    for name in sorted(set(symbols) - names):
        problems.append(f"containerkit.map: {name} is in no header")


def check_options(functions, problems):
    lock = "".join(p.read_text() for p in
                   sorted((headers.ROOT / "capi/abi").glob("layout_*.c")))
    text = "".join(h.read_text() for h in headers.headers())
    names = {f.name for f in functions}
    for struct, fields in headers.options().items():
        if fields[0] != "struct_size":
            problems.append(f"{struct}: does not begin with struct_size")
        if f"#define {struct.upper()}_INIT" not in text:
            problems.append(f"{struct}: no {struct.upper()}_INIT")
        if f"{struct}_init" not in names:
            problems.append(f"{struct}: no {struct}_init()")
        for field in fields:
            if not re.search(rf"FIELD\(\s*{struct},\s*{field},", lock):
                problems.append(f"{struct}.{field}: no layout lock")


def check_handles(functions, problems):
    names = {f.name for f in functions}
    for handle in headers.handles():
        for verb in ("retain", "release"):
            if f"{handle}_{verb}" not in names:
                problems.append(f"{handle}: no {handle}_{verb}()")
    for name in names:
        if re.search(r"_(free|destroy|delete|close)$", name):
            problems.append(f"{name}: handles are released")


def check_reasons(problems):
    registry = headers.ROOT / "include/containerkit/reasons.inc"
    made = headers.INCLUDE / "containerkit/c/reasons.h"
    if gen_reasons.header(registry.read_text()) != made.read_text():
        problems.append("reasons.h: run tools/capi/gen_reasons.py")


def main():
    problems = []
    functions = headers.functions()
    check_functions(functions, problems)
    check_options(functions, problems)
    check_handles(functions, problems)
    check_reasons(problems)
    for problem in problems:
        print(problem)
    print(f"{len(functions)} functions, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
