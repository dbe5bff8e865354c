// How a failing step says what failed.
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_FAIL_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_FAIL_H_

#include "lib/runtime/child/text.h"
#include "lib/runtime/plan_wire.h"

namespace containerkit::runtime::child {

// Where the current process (there is one thread) notes its failure: in the
// child the page shared with its monitor.
void SetFailureSlot(ChildFailure* slot);
ChildFailure* FailureSlot();

// Notes system call and subject of a failure and returns `result`, which is
// -errno. The step's number and op are added by the interpreter.
long Fail(long result, const char* call, const char* subject);
long Fail(long result, const char* call, Str subject);
long Fail(long result, const char* call, const char* subject, const char* more);

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_FAIL_H_
