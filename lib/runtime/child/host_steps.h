// Steps that the monitor takes in the host's namespaces. All of them return 0
// or -errno with the failure noted (fail.h).
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_HOST_STEPS_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_HOST_STEPS_H_

#include "lib/runtime/child/wire_reader.h"

namespace containerkit::runtime::child {

// A host file that is written several times in a row stays open meanwhile.
struct OpenHostFile {
  Str path;
  int fd = -1;
};

long StepWriteHost(FieldReader fields, OpenHostFile& last);
long StepDeviceProgram(FieldReader fields);
long StepIdMap(FieldReader fields, int pid);

// Writes the maps of a process's user namespace, as a privileged process may.
long WriteIdMaps(int pid, Str uids, Str gids);
long StepWriteChildProc(FieldReader fields, int pid);

// Hands a seccomp listener to the agent at the step's listener_path, with the
// container process's state (runtime-spec "Containers using SECCOMP_RET_...").
long SendListener(const StepView& step, int listener, int pid);

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_HOST_STEPS_H_
