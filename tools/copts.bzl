"""Compiler flags and layers shared by every package."""

CK_COPTS = [
    "-Wall",
    "-Wextra",
    "-Wno-missing-field-initializers",
    "-Wno-unused-parameter",
    "-Wno-sign-compare",
    "-Wnon-virtual-dtor",
    "-Woverloaded-virtual",
    "-fvisibility=hidden",
]
