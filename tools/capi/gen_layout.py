#!/usr/bin/env python3
"""Makes the layout locks of a release of the C ABI, from the headers.

Run once, before a release: what it wrote is then frozen. Writes
capi/abi/layout_0_1.c (offsets of every field of every options struct) and
capi/src/sizes_0_1.h (the smallest struct_size that a caller may pass).
"""

import pathlib
import subprocess
import sys
import tempfile

import headers

ROOT = headers.ROOT


def measure(found):
    """{struct: (size, [(field, offset, size), ...])}"""
    lines = ["#include <stdio.h>", '#include "containerkit/containerkit_c.h"',
             "int main(void) {"]
    for name, fields in found.items():
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        for field in fields:
            lines.append(f'printf("{name} {field} %zu %zu\\n", '
                         f"offsetof({name}, {field}), "
                         f"sizeof((({name}*)0)->{field}));")
    lines += ["return 0;", "}"]
    with tempfile.TemporaryDirectory() as temp:
        source = pathlib.Path(temp, "layout.c")
        source.write_text("\n".join(lines))
        subprocess.run(["cc", "-std=c11", "-I", headers.INCLUDE, source, "-o",
                        f"{temp}/layout"], check=True)
        printed = subprocess.run([f"{temp}/layout"], check=True, text=True,
                                 capture_output=True).stdout
    result = {}
    for line in printed.splitlines():
        words = line.split()
        if len(words) == 2:
            result[words[0]] = (int(words[1]), [])
        else:
            result[words[0]][1].append(
                (words[1], int(words[2]), int(words[3])))
    return result


def main():
    layout = measure(headers.options())
    lock = ["/* Frozen: where release 0.1 has every field of its options. A",
            " * field that moved breaks programs that were built with 0.1. */",
            '#include "containerkit/containerkit_c.h"', "",
            "#define FIELD(type, field, offset, size) \\",
            "  _Static_assert(offsetof(type, field) == (offset) && \\",
            "                     sizeof(((type*)0)->field) == (size), \\",
            '                 #type "." #field " moved")',
            "#define SIZE(type, size) \\",
            '  _Static_assert(sizeof(type) >= (size), #type " shrank")', ""]
    sizes = ["// Frozen: the sizes of the options structs of release 0.1.",
             "#ifndef CONTAINERKIT_CAPI_SRC_SIZES_0_1_H_",
             "#define CONTAINERKIT_CAPI_SRC_SIZES_0_1_H_", "",
             "#define CK_SIZE_0_1(type) CK_SIZE_0_1_##type", ""]
    for name, (size, fields) in layout.items():
        lock.append(f"SIZE({name}, {size});")
        lock += [f"FIELD({name}, {field}, {offset}, {width});"
                 for field, offset, width in fields]
        lock.append("")
        sizes.append(f"#define CK_SIZE_0_1_{name} {size}")
    sizes += ["", "#endif  // CONTAINERKIT_CAPI_SRC_SIZES_0_1_H_"]
    lock_file = ROOT / "capi/abi/layout_0_1.c"
    sizes_file = ROOT / "capi/src/sizes_0_1.h"
    lock_file.write_text("\n".join(lock).rstrip() + "\n")
    sizes_file.write_text("\n".join(sizes) + "\n")
    subprocess.run(["clang-format", "-i", lock_file, sizes_file], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
