// Reads a launch plan from its wire form (plan_wire.h).
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_WIRE_READER_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_WIRE_READER_H_

#include <stddef.h>
#include <stdint.h>

#include "lib/runtime/child/text.h"
#include "lib/runtime/plan_wire.h"

namespace containerkit::runtime::child {

// A list of strings on the wire.
struct List {
  uint32_t count = 0;
  const char* at = nullptr;

  // The first item; moves on. Call at most `count` times.
  Str Take();
};

// Reads a step's fields in their order. Only made for steps of a plan that
// ValidatePlan() accepted, so nothing is checked again.
class FieldReader {
 public:
  explicit FieldReader(const char* at) : at_(at) {}
  uint64_t U();
  Str S();
  List L();

 private:
  const char* at_;
};

struct StepView {
  uint16_t index = 0;
  Op op = Op::kSync;
  const char* fields = nullptr;

  FieldReader Fields() const { return FieldReader(fields); }
};

// A plan that was checked as a whole: every step known, every field inside
// its step, every string followed by its NUL. Points into the caller's bytes.
class Plan {
 public:
  // False: not a plan. `bytes` must outlive the Plan.
  //
  // Trust: the library made it, but a bug there must not become a wild read
  // in a privileged process.
  bool Init(const void* bytes, size_t size);

  uint32_t step_count() const { return step_count_; }

  // Walks the steps; start with a default Cursor.
  struct Cursor {
    uint32_t index = 0;
    uint32_t offset = sizeof(PlanHeader);
  };
  bool Next(Cursor& cursor, StepView& step) const;

  // True if a step of that kind is in the plan.
  bool Has(Op op) const;

 private:
  const char* bytes_ = nullptr;
  uint32_t step_count_ = 0;
};

// 'M', 'C', 'B', or 0 for an unknown step.
char ActorOf(uint16_t op);

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_WIRE_READER_H_
