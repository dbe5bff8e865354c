"""ck_proto_library: a .proto compiled by the system's protoc, lite runtime."""

def ck_proto_library(name, src, visibility = None, deps = []):
    """Makes cc_library `name` with <stem>.pb.h, included by its full path."""
    stem = src[:-len(".proto")]
    native.genrule(
        name = name + "_gen",
        srcs = [src],
        outs = [stem + ".pb.h", stem + ".pb.cc"],
        cmd = "protoc --proto_path=. --cpp_out=$(GENDIR) $(location %s)" % src,
    )
    native.cc_library(
        name = name,
        srcs = [stem + ".pb.cc"],
        hdrs = [stem + ".pb.h"],
        copts = ["-w", "-fvisibility=hidden"],
        visibility = visibility,
        deps = deps + ["@system//:protobuf_lite"],
    )
