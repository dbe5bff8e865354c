"""ck_fuzz: a libFuzzer target, and a plain test that replays its corpus."""

load("//tools:copts.bzl", "CK_COPTS")

def ck_fuzz(name, deps, size = "small", changed = 600, tags = []):
    """Makes NAME_test (any compiler) and NAME_libfuzzer (tools/fuzz runs it).

    The source is NAME.cc and defines LLVMFuzzerTestOneInput; its seeds are
    the files of corpus/<NAME without _fuzz>/, of which NAME_test changes the
    first `changed` bytes one by one.
    """
    corpus = native.glob(["corpus/%s/*" % name[:-len("_fuzz")]])
    native.cc_library(
        name = name,
        testonly = True,
        srcs = [name + ".cc"],
        copts = CK_COPTS,
        alwayslink = True,
        deps = deps,
    )
    native.cc_test(
        name = name + "_test",
        size = size,
        srcs = ["replay_main.cc"],
        args = [str(changed)] + ["$(location %s)" % seed for seed in corpus],
        copts = CK_COPTS,
        data = corpus,
        tags = tags,
        deps = [":" + name],
    )
    native.cc_binary(
        name = name + "_libfuzzer",
        testonly = True,
        linkopts = ["-fsanitize=fuzzer"],
        tags = tags + ["manual"],
        deps = [":" + name],
    )
