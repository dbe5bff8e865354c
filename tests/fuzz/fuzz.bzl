"""ck_fuzz: a libFuzzer target, and a plain test that replays its corpus."""

load("//tools:copts.bzl", "CK_COPTS")

def ck_fuzz(name, deps, size = "small", tags = []):
    """Makes NAME_test (any compiler) and NAME_libfuzzer (--config=clang).

    The source is NAME.cc and defines LLVMFuzzerTestOneInput; its seeds are
    the files of corpus/<NAME without _fuzz>/.
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
        args = ["$(location %s)" % seed for seed in corpus],
        copts = CK_COPTS,
        data = corpus,
        tags = tags,
        deps = [":" + name],
    )
    native.cc_binary(
        name = name + "_libfuzzer",
        testonly = True,
        copts = ["-fsanitize=fuzzer-no-link"],
        linkopts = ["-fsanitize=fuzzer"],
        tags = tags + ["manual"],
        deps = [":" + name],
    )
