// Steps on the process itself: identity, limits, security, terminal, exec.
// All return 0 or -errno with the failure noted (fail.h).
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_PROCESS_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_PROCESS_H_

#include "lib/runtime/child/child.h"

namespace containerkit::runtime::child {

// identity.cc
long StepUser(Child& child, FieldReader fields);
long StepCapabilities(FieldReader fields);
long StepBoundingSet(FieldReader fields);
long StepNoNewPrivs();
long StepSeccomp(Child& child, const StepView& step);
long StepLabel(Child& child, Op op, FieldReader fields);
long StepSessionKeyring(FieldReader fields);

// process.cc
long StepRlimit(FieldReader fields);
long StepPersonality(FieldReader fields);
long StepScheduler(FieldReader fields);
long StepIoPriority(FieldReader fields);
long StepName(Op op, FieldReader fields);
long StepUnshare(FieldReader fields);
long StepTimeOffsets(Child& child, FieldReader fields);
long StepLoopbackUp();
long StepSysctl(Child& child, FieldReader fields);
long StepSession();
long StepTerminal(Child& child, FieldReader fields);
long StepChdir(Child& child, FieldReader fields);
long StepAwaitStart(Child& child, const StepView& step);

// files.cc
long StepMkdir(Child& child, FieldReader fields);
long StepSymlink(Child& child, FieldReader fields);
long StepDevice(Child& child, FieldReader fields);
long StepWriteFile(Child& child, FieldReader fields);

// exec.cc
long StepFindExecutable(Child& child, FieldReader fields);
// Makes argv and environment of the plan's Exec; once.
long PrepareExec(const Plan& plan);
// Only returns when it failed.
long StepExec(Child& child);

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_PROCESS_H_
