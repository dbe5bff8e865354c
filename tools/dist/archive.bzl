"""Object files of cc_library targets, put together for the world outside."""

def _objects(library):
    """What a library was compiled to, position-independent if there is it."""
    return library.pic_objects or library.objects or []

def _collect(deps, direct_only):
    objects = []
    flags = []
    for dep in deps:
        for linker_input in dep[CcInfo].linking_context.linker_inputs.to_list():
            if direct_only and linker_input.owner != dep.label:
                continue
            flags += linker_input.user_link_flags
            for library in linker_input.libraries:
                objects += _objects(library)
    return depset(objects).to_list(), flags

def _unique(items):
    return {item: None for item in items}.keys()

def _cc_static_archive_impl(ctx):
    objects, flags = _collect(ctx.attr.deps, direct_only = False)
    archive = ctx.outputs.archive
    arguments = ctx.actions.args()
    arguments.add(archive)
    arguments.add_all(objects)
    arguments.use_param_file("@%s", use_always = True)

    # Several objects have the same base name: append, never replace.
    ctx.actions.run_shell(
        outputs = [archive],
        inputs = objects,
        arguments = [arguments],
        command = "rm -f {out} && ar qcsD $1".format(out = archive.path),
        mnemonic = "StaticArchive",
        use_default_shell_env = True,
    )
    libraries = [f for f in _unique(flags) if f.startswith("-l")]
    ctx.actions.write(ctx.outputs.flags, " ".join(libraries) + "\n")
    return [DefaultInfo(files = depset([archive, ctx.outputs.flags]))]

# One archive of all libraries in `deps` and below, and a file with the -l
# options that a program needs besides.
cc_static_archive = rule(
    implementation = _cc_static_archive_impl,
    attrs = {
        "deps": attr.label_list(providers = [CcInfo]),
        "archive": attr.output(mandatory = True),
        "flags": attr.output(mandatory = True),
    },
)

def _cc_interface_library_impl(ctx):
    objects, _ = _collect(ctx.attr.deps, direct_only = True)
    library = ctx.outputs.library
    arguments = ctx.actions.args()
    arguments.add_all(objects)
    ctx.actions.run_shell(
        outputs = [library],
        inputs = objects + [ctx.file.version_script],
        arguments = [arguments],
        command = ("gcc -shared -fuse-ld=bfd -Wl,--version-script={map} " +
                   "-Wl,-soname,{soname} -o {out} \"$@\"").format(
            map = ctx.file.version_script.path,
            soname = ctx.attr.soname,
            out = library.path,
        ),
        mnemonic = "InterfaceLibrary",
        use_default_shell_env = True,
    )
    return [DefaultInfo(files = depset([library]))]

# A shared library of the objects of `deps` alone, with their debugging
# information and without what they call: for tools that compare interfaces.
cc_interface_library = rule(
    implementation = _cc_interface_library_impl,
    attrs = {
        "deps": attr.label_list(providers = [CcInfo]),
        "library": attr.output(mandatory = True),
        "soname": attr.string(mandatory = True),
        "version_script": attr.label(allow_single_file = True),
    },
)
