"""Reads the C headers: functions, options structs, handle types.

The headers are regular enough for regular expressions; what is not, the
checker refuses.
"""

import collections
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "capi/include"

# result: "ck_status", "const char*", ...; parameters: [(type, name), ...];
# doc: the comment that it stands under; header: the file's name.
Function = collections.namedtuple(
    "Function", "name result parameters doc header")


def _parameter(text):
    text = " ".join(text.split())
    match = re.fullmatch(r"(.+?)\s*(\w+)(\[\])?", text)
    kind = match.group(1).replace(" *", "*")
    return kind, match.group(2)


def _functions(header):
    doc = ""
    pattern = re.compile(
        r"(?P<doc>/\*\*.*?\*/)|(?P<blank>\n\s*\n)|"
        r"CK_EXPORT\s+(?P<result>[\w\s]+?[\s*]+)(?P<name>ck_\w+)\s*"
        r"\((?P<args>[^;]*?)\);", re.DOTALL)
    for match in pattern.finditer(header.read_text()):
        if match.group("doc"):
            doc = match.group("doc")
        elif match.group("blank"):
            doc = ""
        else:
            args = " ".join(match.group("args").split())
            parameters = [] if args == "void" else \
                [_parameter(a) for a in args.split(",")]
            result = " ".join(match.group("result").split())
            yield Function(match.group("name"), result.replace(" *", "*"),
                           parameters, doc, header.name)


def headers(include=INCLUDE):
    """All headers but the umbrella."""
    return sorted((include / "containerkit/c").glob("*.h"))


def functions(include=INCLUDE):
    """Every exported function, in the order of the headers."""
    return [f for header in headers(include) for f in _functions(header)]


def options(include=INCLUDE):
    """{struct: [field, ...]}"""
    found = {}
    for header in headers(include):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.DOTALL)
        for name, body in re.findall(
                r"typedef struct (\w+) \{(.*?)\} \1;", text, re.DOTALL):
            found[name] = re.findall(r"(\w+)(?:\[\d+\])?;", body)
    return found


def handles(include=INCLUDE):
    """Names of the opaque types."""
    found = []
    for header in headers(include):
        found += re.findall(r"typedef struct (\w+) \1;", header.read_text())
    return found


def symbols(version_map):
    """{symbol: node} of a version script that lists them all."""
    found = {}
    for node, body in re.findall(r"(\w+(?:\.\w+)*) \{(.*?)\}",
                                 version_map.read_text(), re.DOTALL):
        section = body.split("local:")[0].replace("global:", "")
        for name in re.findall(r"([\w*?]+);", section):
            found[name] = node
    return found
