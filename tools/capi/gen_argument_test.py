#!/usr/bin/env python3
"""Makes a C program that calls every function of the C API with handles that
are NULL, released, of another type or garbage, and with options of sizes that
no release had. Each must answer as containerkit_c.h says, and nothing may
crash. Writes to standard output."""

import sys

import headers

PRELUDE = r"""/* Made by tools/capi/gen_argument_test.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "containerkit/containerkit_c.h"

static int failures = 0;
static int releases = 0;

static void CountRelease(void* user_data) {
  (void)user_data;
  ++releases;
}

static void Expect(int ok, const char* function, const char* what) {
  if (ok) return;
  ++failures;
  fprintf(stderr, "%s: %s\n", function, what);
}

/* What a refused call must have answered. */
static void ExpectRefused(ck_status status, ck_status wanted, ck_error** err,
                          const char* function) {
  Expect(status == wanted, function, "another status");
  Expect(*err != NULL, function, "no error");
  Expect(ck_error_code(*err) == status, function, "another code in the error");
  Expect(ck_error_message(*err)[0] != 0, function, "no message");
  if (wanted == CK_INVALID_ARGUMENT) {
    Expect(ck_error_reason(*err) == CK_REASON_INVALID_ARGUMENT, function,
           "another reason");
  } else {
    Expect(ck_error_reason(*err) == CK_REASON_UNSUPPORTED_OPTION, function,
           "another reason");
  }
  ck_error_release(*err);
  *err = NULL;
}

static int IsEmpty(const char* text) { return text == NULL || *text == 0; }
"""

MAIN = r"""
int main(void) {
  /* A released handle, live ones of two types, and no handle at all. */
  static unsigned char garbage[65536];
  ck_cancel* cancel = NULL;
  ck_filters* filters = NULL;
  ck_cancel* stale = NULL;
  ck_cancel_create(&cancel, NULL);
  ck_filters_create(&filters, NULL);
  ck_cancel_create(&stale, NULL);
  ck_cancel_release(stale);
  CallAll(NULL, NULL);
  CallAll(stale, stale);
  CallAll(filters, cancel);
  CallAll(garbage, garbage);
  CallAll(garbage + 1, garbage + 1);
  CallAll((void*)8, (void*)8);
  CallAll((void*)~(uintptr_t)0, (void*)~(uintptr_t)0);
  CallAllWithOptions();
  CheckInits();
  ck_cancel_release(cancel);
  ck_filters_release(filters);
  if (failures != 0) return 1;
  printf("%d functions\n", FUNCTIONS);
  return 0;
}
"""


def is_options(kind):
    return kind.startswith("const ck_") and kind.endswith("_options*")


def is_handle(kind, handles):
    return kind.endswith("*") and not kind.endswith("**") and \
        kind.removeprefix("const ").removesuffix("*") in handles and \
        kind != "ck_error*"


def arguments(function, handles, options="NULL"):
    """The arguments of one call, and the out-parameters among them."""
    made, outs = [], []
    for kind, name in function.parameters:
        if kind == "ck_error**":
            made.append("&err")
        elif kind.endswith("**"):
            outs.append((kind[:-1], name))
            made.append(f"&{name}_")
        elif is_options(kind):
            made.append(options)
        elif is_handle(kind, handles):
            made.append(f"({kind})" + (
                "not_cancel" if "ck_cancel*" in kind else "other"))
        elif kind == "ck_release_fn":
            made.append("CountRelease")
        elif kind.endswith("*") or kind.endswith("_fn"):
            made.append("NULL")
        elif kind == "int32_t" and name.endswith("_fd"):
            made.append("-1")
        else:
            made.append("0")
    return made, outs


def releases(function):
    return sum(kind == "ck_release_fn" for kind, _ in function.parameters)


def status_call(function, handles, options, wanted):
    """Lines that make one call which must be refused."""
    made, outs = arguments(function, handles, options)
    lines = ["    releases = 0;"]
    for kind, name in outs:
        lines.append(f"    {kind} {name}_ = ({kind})1;")
    lines.append(f"    ExpectRefused({function.name}({', '.join(made)}), "
                 f'{wanted}, &err, "{function.name}");')
    for _, name in outs:
        lines.append(f'    Expect({name}_ == NULL, "{function.name}", '
                     f'"{name} is not NULL");')
    if releases(function):
        lines.append(f"    Expect(releases == {releases(function)}, "
                     f'"{function.name}", "user_data not released once");')
    return lines


def plain_call(function, handles):
    """Lines that make one call whose own handle is dead."""
    if function.result == "ck_status" and function.name != "ck_error_code":
        if any(is_handle(k, handles) for k, _ in function.parameters):
            return status_call(function, handles, "NULL",
                               "CK_INVALID_ARGUMENT")
        made = ["NULL"] * (len(function.parameters) - 1) + ["&err"]
        return [f"    ExpectRefused({function.name}({', '.join(made)}), "
                f'CK_INVALID_ARGUMENT, &err, "{function.name}");']
    made, _ = arguments(function, handles)
    # Errors are handles here, not results.
    made = [m if m != "NULL" or not k.startswith("const ck_error") else
            f"({k})other" for m, (k, _) in zip(made, function.parameters)]
    call = f"{function.name}({', '.join(made)})"
    if function.result == "void":
        return [f"    {call};"]
    if function.result == "const char*":
        test = f"IsEmpty({call})"
    elif function.name.endswith("_fd"):
        test = f"{call} == -1"
    else:
        test = f"{call} == 0"
    return [f'    Expect({test}, "{function.name}", "not empty");']


def main():
    handles = set(headers.handles())
    tested = [f for f in headers.functions()
              if not f.name.endswith("_options_init") and
              f.name not in ("ck_version", "ck_abi_version")]
    out = [PRELUDE, f"#define FUNCTIONS {len(tested)}", ""]
    out.append("static void CallAll(void* other, void* not_filters) {")
    out.append("  void* not_cancel = other;")
    out.append("  ck_error* err = NULL;")
    for function in tested:
        lines = plain_call(function, handles)
        if function.name.startswith("ck_filters_"):
            lines = [l.replace(")other", ")not_filters") for l in lines]
        out += ["  {"] + lines + ["  }"]
    out += ["}", "", "static void CallAllWithOptions(void) {",
            "  void* other = NULL;", "  ck_error* err = NULL;"]
    for function in tested:
        kinds = [k for k, _ in function.parameters if is_options(k)]
        if not kinds:
            continue
        kind = kinds[0].removeprefix("const ").removesuffix("*")
        pointer = f"({kinds[0]})(void*)memory"
        out += ["  {", f"    union {{ {kind} o; unsigned char "
                f"bytes[sizeof({kind}) + 64]; }} room;",
                "    unsigned char* memory = room.bytes;",
                "    const size_t sizes[] = {0, 1, sizeof(size_t), "
                f"sizeof({kind}) - 1, 1 << 20, ~(size_t)0}};",
                "    size_t i;",
                "    memset(memory, 0, sizeof room);",
                f"    {kind}_init(&room.o, sizeof room);",
                "    room.o.struct_size = sizeof room;",
                "    room.bytes[sizeof room - 1] = 1;"]
        out += ["    {"] + status_call(function, handles, pointer,
                                       "CK_UNIMPLEMENTED") + ["    }"]
        out += ["    for (i = 0; i < sizeof sizes / sizeof sizes[0]; ++i) {",
                "      room.o.struct_size = sizes[i];"]
        out += status_call(function, handles, pointer, "CK_INVALID_ARGUMENT")
        out += ["    }"]
        if "reserved" in headers.options()[kind]:
            out += [f"    {kind}_init(&room.o, sizeof room.o);",
                    "    memset(&room.o.reserved, 1, sizeof room.o.reserved);",
                    "    {"]
            out += status_call(function, handles, pointer,
                               "CK_INVALID_ARGUMENT")
            out += ["    }"]
        out += ["  }"]
    out += ["}", "", "static void CheckInits(void) {"]
    for kind in headers.options():
        out += ["  {", f"    const {kind} wanted = {kind.upper()}_INIT;",
                f"    {kind} made;", "    memset(&made, 0xee, sizeof made);",
                f"    {kind}_init(&made, sizeof made);",
                "    Expect(memcmp(&made, &wanted, sizeof made) == 0, "
                f'"{kind}_init", "not what INIT says");',
                f"    {kind}_init(NULL, sizeof made);",
                "    memset(&made, 0xee, sizeof made);",
                f"    {kind}_init(&made, sizeof(size_t));",
                "    Expect(made.struct_size == sizeof(size_t) && "
                "((unsigned char*)&made)[sizeof(size_t)] == 0xee, "
                f'"{kind}_init", "wrote too much");', "  }"]
    out += ["}", MAIN]
    print("\n".join(out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
