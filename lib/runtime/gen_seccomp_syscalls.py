#!/usr/bin/env python3
"""Writes seccomp_syscalls.inc: syscall names and numbers by architecture.

Sources: the kernel's exported headers of Debian's linux-libc-dev, and below
the numbers given out since then (uapi headers of Linux 6.18). Run it on a
machine with those headers; the result is committed.
"""
import re
import sys

INCLUDE = "/usr/include/x86_64-linux-gnu/asm/"

# Since Linux 5.1 all architectures give a new call the same number.
NEWER = {
    451: "cachestat", 452: "fchmodat2", 453: "map_shadow_stack",
    454: "futex_wake", 455: "futex_wait", 456: "futex_requeue",
    457: "statmount", 458: "listmount", 459: "lsm_get_self_attr",
    460: "lsm_set_self_attr", 461: "lsm_list_modules", 462: "mseal",
    463: "setxattrat", 464: "getxattrat", 465: "listxattrat",
    466: "removexattrat", 467: "open_tree_attr", 468: "file_getattr",
    469: "file_setattr",
}
ONLY_X86_64 = {335: "uretprobe", 336: "uprobe"}
# Calls of x86_64 that x32 does not have (arch/x86/entry/syscalls, abi "64")
# are left out by its own header.

X32_BIT = 0x40000000


def read(path, base=0):
    table = {}
    for line in open(path, encoding="ascii"):
        match = re.match(r"#define __NR(?:3264)?_(\w+)\s+(.+)$", line)
        if not match:
            continue
        name, value = match.groups()
        value = value.replace("__X32_SYSCALL_BIT", str(base))
        value = re.sub(r"/\*.*\*/", "", value).strip()
        if re.fullmatch(r"[()\d+ ]+", value):
            table[name] = eval(value)
    return table


def aarch64():
    """The generic table as a 64-bit architecture sees it."""
    table = {}
    names3264 = {}
    path = "/usr/include/asm-generic/unistd.h"
    text = open(path, encoding="ascii").read()
    for name, value in re.findall(r"#define __NR_(\w+)\s+(\d+)\n", text):
        table[name] = int(value)
    for name, value in re.findall(r"#define __NR3264_(\w+)\s+(\d+)\n", text):
        names3264[name] = int(value)
    block = text.split("#if __BITS_PER_LONG == 64 && !defined(__SYSCALL_COMPAT)")
    sixty_four = block[-1].split("#else")[0]
    for name, other in re.findall(
            r"#define __NR_(\w+)\s+__NR3264_(\w+)", sixty_four):
        if other in names3264:
            table[name] = names3264[other]
    for name in ("syscalls", "arch_specific_syscall", "sync_file_range2"):
        table.pop(name, None)
    # The 32-bit only half of the table.
    for name in list(table):
        if 403 <= table[name] <= 423:
            del table[name]
    return table


def main():
    x86_64 = read(INCLUDE + "unistd_64.h")
    i386 = read(INCLUDE + "unistd_32.h")
    x32 = {k: v for k, v in
           read(INCLUDE + "unistd_x32.h", X32_BIT).items()}
    arm64 = aarch64()
    for number, name in NEWER.items():
        x86_64[name] = i386[name] = arm64[name] = number
        x32[name] = X32_BIT + number
    for number, name in ONLY_X86_64.items():
        x86_64[name] = number
        x32[name] = X32_BIT + number
    names = sorted(set(x86_64) | set(i386) | set(x32) | set(arm64))
    out = open(sys.argv[1], "w", encoding="ascii")
    out.write("// CK_SYSCALL(name, x86_64, i386, x32, aarch64): -1 = not there."
              " Made by\n// gen_seccomp_syscalls.py, sorted by name.\n")
    for name in names:
        numbers = [t.get(name, -1) for t in (x86_64, i386, x32, arm64)]
        if numbers[2] >= 0:
            numbers[2] -= X32_BIT  # the bit is implied
        out.write("CK_SYSCALL(%s, %d, %d, %d, %d)\n" % (name, *numbers))


main()
