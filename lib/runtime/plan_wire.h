// The launch plan on the wire: what the library hands to its static helper.
//
// Shared by lib/runtime (which encodes) and lib/runtime/child (which
// interprets): plain types only, no allocation, no library.
//
// Encoding, little endian, no alignment: PlanHeader, then step_count times
//   uint16 op, uint16 reserved, uint32 size      size of the fields, in bytes
//   fields                                       as plan_ops.inc lists them
// with U = uint64; S = uint32 length, bytes, one NUL; L = uint32 count, S...
// The helper gets it as a sealed memfd and maps it read-only.
#ifndef CONTAINERKIT_LIB_RUNTIME_PLAN_WIRE_H_
#define CONTAINERKIT_LIB_RUNTIME_PLAN_WIRE_H_

#include <stdint.h>

namespace containerkit::runtime {

enum class Op : uint16_t {
#define CK_OP(value, name, actor, fields) k##name = value,
#include "lib/runtime/plan_ops.inc"
#undef CK_OP
};

inline constexpr uint32_t kPlanMagic = 0x4e4c504b;  // "KPLN"

struct PlanHeader {
  uint32_t magic;
  uint32_t size;  // of the whole plan, this header included
  uint32_t step_count;
  uint32_t reserved;
};

struct StepHeader {
  uint16_t op;
  uint16_t reserved;
  uint32_t size;
};

inline constexpr uint64_t kNoFd = ~uint64_t{0};

// WriteHost, WriteChildProc, AttachCgroup, DeviceProgram.
enum WriteFlags : uint64_t {
  kWriteOptional = 1,  // a failure is not an error (rootless, old kernels)
};

enum IdMapMode : uint64_t {
  kIdMapDirect = 0,  // written by the monitor, which is privileged
  kIdMapHelper = 1,  // through newuidmap(1) and newgidmap(1)
  kIdMapSingle = 2,  // one id; /proc/<pid>/setgroups is set to "deny" first
};

enum MountFlags : uint64_t {
  kMountRecursive = 1,      // AT_RECURSIVE clone of the source
  kMountRecursiveAttr = 2,  // attributes for the whole tree
  kMountTargetFile = 4,     // a missing target is made as a file
  kMountOptional = 8,       // skipped when the source or file system is absent
  kMountCopyUp = 16,        // tmpcopyup: content of target first
  kMountNoCreate = 32,      // a missing target is an error
  kMountNoFollow = 64,      // source: the link itself
  kMountReadonlyFallback = 128,  // keep the flags that a user namespace locks
  kMountHostPeer = 256,  // cloned by the monitor: a peer of the host's mount
  kMountCovered = 1024,  // may be an empty directory of the tmpfs on /dev
  kMountRecursiveMap = 512,  // id maps for the whole tree
};

enum TerminalFlags : uint64_t {
  kTerminalConsole = 1,  // also bound on /dev/console
};

enum UserFlags : uint64_t {
  kUserNoSetgroups = 1,
};

// ChildFailure::call of a mount that can have no id map.
inline constexpr char kMapIdsCall[] = "mount_setattr idmap";

// Sent by a child or monitor that cannot go on.
struct ChildFailure {
  uint16_t step;  // index into the plan's steps
  uint16_t op;    // Op of that step
  int32_t os_errno;
  char call[24];      // system call, e.g. "move_mount"; NUL-terminated
  char subject[224];  // path or value it was about, cut; NUL-terminated
};

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_PLAN_WIRE_H_
