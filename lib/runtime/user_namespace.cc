#include "lib/runtime/user_namespace.h"

#include <fcntl.h>
#include <linux/sched.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/runtime/id_map.h"
#include "lib/runtime/plan.h"
#include "lib/runtime/plan_wire.h"
#include "lib/sys/file_util.h"
#include "lib/sys/in_user_namespace.h"
#include "lib/sys/socket.h"

namespace containerkit::runtime {

// Somebody must be in the namespace until its descriptor is open: the helper
// itself. Executed with a socket at descriptor 3, it waits there for requests
// until the other end closes.
absl::Status UserNamespace::Make() {
  const DefaultIdMaps maps = RootlessIdMaps(*facts_);
  CK_ASSIGN_OR_RETURN(const PlannedIdMap planned,
                      PlanIdMap(maps.uids, maps.gids, *facts_));
  LaunchPlan plan;
  plan.Add(Op::kClone, {uint64_t{CLONE_NEWUSER}, std::string()});
  plan.Add(Op::kIdMap,
           {planned.uid_map, planned.gid_map, uint64_t{planned.mode}});
  plan.Add(Op::kSync);
  plan.Add(Op::kExec, {std::vector<std::string>{"/proc/self/exe"},
                       std::vector<std::string>{}});
  CK_ASSIGN_OR_RETURN(const auto pair, sys::MakeSocketPair());
  LaunchSpec spec;
  spec.plan = &plan;
  spec.extra_fds = {pair.second.get()};
  spec.preserve_fds = 1;
  CK_ASSIGN_OR_RETURN(const Launched launched, launcher_->Start(spec));
  CK_ASSIGN_OR_RETURN(
      namespace_,
      sys::OpenAt(AT_FDCWD, absl::StrCat("/proc/", launched.pid, "/ns/user"),
                  O_RDONLY));
  return absl::OkStatus();
}

absl::Status UserNamespace::Run(absl::FunctionRef<absl::Status()> body) {
  int fd = -1;
  {
    MutexLock lock(&mutex_);
    if (!namespace_.ok()) {
      CK_RETURN_IF_ERROR(Make()) << "make the user namespace of containers";
    }
    fd = namespace_.get();
  }
  return sys::InUserNamespace(fd, body);
}

}  // namespace containerkit::runtime
