// LaunchPlan: the ordered list of small steps that makes a container out of a
// process. Pure data: made by the planner, printed by a dry run, executed by
// the helper (lib/runtime/child).
#ifndef CONTAINERKIT_LIB_RUNTIME_PLAN_H_
#define CONTAINERKIT_LIB_RUNTIME_PLAN_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "lib/runtime/plan_wire.h"

namespace containerkit::runtime {

// A field of a step, in plan_ops.inc's letters: U, S, L.
using Field = std::variant<uint64_t, std::string, std::vector<std::string>>;

struct Step {
  Op op;
  std::vector<Field> fields;
};

// An ordered list of steps. Value type; not thread-safe.
class LaunchPlan {
 public:
  // Appends a step. The fields must be those that plan_ops.inc lists.
  void Add(Op op, std::vector<Field> fields = {});

  // Appends all steps of `other`.
  void Append(const LaunchPlan& other);

  const std::vector<Step>& steps() const { return steps_; }

  // The wire form (plan_wire.h).
  std::string Encode() const;

  // One line a step: "17 C Mount fstype=proc target=/proc ...". Binary fields
  // are shown by their size.
  std::string Describe() const;

 private:
  std::vector<Step> steps_;
};

// "Mount", "RootOverlay", ...; "?" for unknown values.
absl::string_view OpName(Op op);
// 'M', 'C' or 'B'.
char OpActor(Op op);

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_PLAN_H_
