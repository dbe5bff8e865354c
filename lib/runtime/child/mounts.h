// Steps that build the container's file system tree. All of them return 0 or
// -errno with the failure noted (fail.h).
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_MOUNTS_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_MOUNTS_H_

#include "lib/runtime/child/child.h"

namespace containerkit::runtime::child {

long StepPropagation(Child& child, FieldReader fields);
long StepRootBind(Child& child, const StepView& step);
long StepMount(Child& child, const StepView& step);
long StepBind(Child& child, const StepView& step);
long StepSetMountAttr(Child& child, FieldReader fields);
long StepMaskPath(Child& child, FieldReader fields);
long StepReadonlyPath(Child& child, FieldReader fields);
long StepReadonlyRoot(Child& child);
long StepPivotRoot(Child& child);
long StepMoveRoot(Child& child);

// A detached clone of the mount source of a RootOverlay, RootBind or Bind
// step, for a child that may not reach it itself. -errno: not possible; unless
// the step NeedsMonitor(), the child will try (and report).
long PrepareMount(const StepView& step, SharedPage& shared);

// True for steps that a child cannot do by itself, whatever it may.
constexpr bool NeedsMonitor(Op op) {
  return op == Op::kBindMapped || op == Op::kRootOverlayMapped;
}

// True for a source that only the monitor can clone, even for a child that
// has all privileges.
bool IsClonedByMonitor(const StepView& step);

// fsconfig(2) of one value, and of "key=value" or "flag".
long FsConfig(int fs, unsigned command, const char* key, const char* value);
long SetOption(int fs, Str option);

// A detached mount of a new file system; *call names what failed.
long MakeMount(const char* fstype, const char* source, List options,
               uint64_t attr, const char** call);

// Standard streams that are the host's /dev/null become the container's: with
// the host's node a container could change its mode for everybody.
void ReopenNull(Child& child);

// Puts a detached mount at a target inside the root.
long Place(Child& child, int mount, Str target, uint64_t propagation,
           uint64_t flags, bool file, bool procfs);

// move_mount of a detached mount onto a directory's or file's descriptor.
long Attach(int mount, int target);

// Attaches the root's tree at a host path and makes it the child's root.
long AttachRoot(Child& child, int mount, Str mount_point);

// mount_setattr on what the descriptor refers to.
long SetAttr(int fd, uint64_t set, uint64_t clear, uint64_t propagation,
             bool recursive);

// A procfs of the child's pid namespace, made by the child itself: the one
// that it mounted on /proc, else a private one; kept for later steps.
long OwnProcfs(Child& child);

// Opens a file in it, across no mount: nothing that a volume or a shared
// mount put below /proc is ever written instead (CVE-2025-52881).
long OpenInProcfs(int procfs, const char* path, uint64_t flags);
long WriteInProcfs(int procfs, const char* path, const void* data, size_t size);

// Copies a directory's content; `from` and `to` are open directories.
// Trust: `from` is the image's; nothing is followed.
long CopyTree(int from, int to, int depth = 0);

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_MOUNTS_H_
