#!/usr/bin/env python3
"""Prints what a new object of the C API needs, to be filled in.

    new_object.py ck_volume create inspect remove

The header (capi/include/containerkit/c/volume.h), the bodies
(capi/src/volume.cc), the lines of the map and those of the changelog.
"""

import sys

HEADER = """/* {what}s. */
#ifndef CONTAINERKIT_C_{guard}_H_
#define CONTAINERKIT_C_{guard}_H_

#include "containerkit/c/engine.h"

#ifdef __cplusplus
extern "C" {{
#endif

/** What it is. */
typedef struct {name} {name};

/** One more, one less reference to the handle. NULL is fine. Thread-safe.
 *  @since {since} */
CK_EXPORT {name}* {name}_retain(const {name}* self);
CK_EXPORT void {name}_release(const {name}* self);
{verbs}
#ifdef __cplusplus
}}
#endif

#endif /* CONTAINERKIT_C_{guard}_H_ */
"""

VERB = """
typedef struct {name}_{verb}_options {{
  size_t struct_size; /* set by {upper}_{shout}_OPTIONS_INIT */
  uint64_t reserved;  /* must be 0 */
}} {name}_{verb}_options;
#define {upper}_{shout}_OPTIONS_INIT \\
  {{ sizeof({name}_{verb}_options), 0 }}
/** Fills in the defaults, at most `size` bytes. Thread-safe.
 *  @since {since} */
CK_EXPORT void {name}_{verb}_options_init({name}_{verb}_options* options,
                                          size_t size);

/** Contract. Errors: ... Blocks ... Thread-safe. @since {since} */
CK_EXPORT ck_status {name}_{verb}({name}* self,
                                  const {name}_{verb}_options* options,
                                  ck_error** err);
"""

BODY = """
CK_DEFINE_OPTIONS({name}_{verb}_options, {upper}_{shout}_OPTIONS_INIT)

ck_status {name}_{verb}({name}* self, const {name}_{verb}_options* options,
                        ck_error** err) {{
  return Guard(err, [&]() -> absl::Status {{
    CK_ASSIGN_OR_RETURN(const {name}_{verb}_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<{name}> pinned, Pin(self));
    return pinned->{method}();
  }});
}}
"""


def main(arguments):
    if len(arguments) < 2 or not arguments[0].startswith("ck_"):
        print(__doc__)
        return 2
    name, verbs = arguments[0], arguments[1:]
    what = name[3:]
    common = {"name": name, "upper": name.upper(), "since": "0.1"}

    def each(template):
        return "".join(
            template.format(verb=v, shout=v.upper(),
                            method=v.title().replace("_", ""), **common)
            for v in verbs)

    print(HEADER.format(what=what.capitalize(), guard=what.upper(),
                        verbs=each(VERB), **common))
    print(f"/* capi/src/{what}.cc */\nCK_DEFINE_HANDLE({name}){each(BODY)}")
    print("/* capi/containerkit.map, sorted */")
    functions = [f"{name}_retain", f"{name}_release"]
    for verb in verbs:
        functions += [f"{name}_{verb}", f"{name}_{verb}_options_init"]
    for function in sorted(functions):
        print(f"    {function};")
    print(f"/* CHANGELOG.md */\n- capi: [abi] `{name}_*`: ...")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
