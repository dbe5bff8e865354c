#!/usr/bin/env python3
"""Makes capi/include/containerkit/c/reasons.h of the reason registry.

    gen_reasons.py            writes the header
    gen_reasons.py --check A B  A: reasons.inc, B: header; differs: exit 1
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEAD = """/* What happened, as a number; docs/errors.md has a row for each.
 * Made by tools/capi/gen_reasons.py from reasons.inc: values are stable. */
#ifndef CONTAINERKIT_C_REASONS_H_
#define CONTAINERKIT_C_REASONS_H_

#include "containerkit/c/base.h"

"""
TAIL = """
#endif /* CONTAINERKIT_C_REASONS_H_ */
"""


def header(registry):
    """The header's text; clang-format agrees with it."""
    lines = []
    for value, name in re.findall(r"^CK_REASON\((\d+), (\w+)\)", registry,
                                  re.MULTILINE):
        constant = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()
        lines.append(f"#define CK_REASON_{constant} {value}\n")
    return HEAD + "".join(lines) + TAIL


def main(arguments):
    if arguments[:1] == ["--check"]:
        registry, made = (pathlib.Path(a).read_text() for a in arguments[1:3])
        if header(registry) == made:
            return 0
        print("reasons.h is not what tools/capi/gen_reasons.py makes")
        return 1
    registry = (ROOT / "include/containerkit/reasons.inc").read_text()
    target = ROOT / "capi/include/containerkit/c/reasons.h"
    target.write_text(header(registry))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
