#include "lib/runtime/child/fail.h"

namespace containerkit::runtime::child {
namespace {

ChildFailure first_slot;
ChildFailure* current_slot = &first_slot;

}  // namespace

void SetFailureSlot(ChildFailure* slot) { current_slot = slot; }
ChildFailure* FailureSlot() { return current_slot; }

long Fail(long result, const char* call, const char* subject,
          const char* more) {
  current_slot->os_errno = int32_t(-result);
  Text(current_slot->call, sizeof current_slot->call).Add(call);
  Text(current_slot->subject, sizeof current_slot->subject)
      .Add(subject)
      .Add(more);
  return result;
}

long Fail(long result, const char* call, const char* subject) {
  return Fail(result, call, subject, "");
}

long Fail(long result, const char* call, Str subject) {
  return Fail(result, call, subject.c_str(), "");
}

}  // namespace containerkit::runtime::child
