// config.json -> plan: what is accepted means the same after a round trip,
// and every plan that comes out keeps the order that security needs.
#include <stddef.h>
#include <stdint.h>

#include <string>

#include "absl/strings/string_view.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/plan.h"
#include "lib/runtime/planner.h"
#include "lib/runtime/planner_testing.h"
#include "tests/fuzz/check.h"

namespace {

namespace oci = containerkit::oci;
namespace runtime = containerkit::runtime;
using runtime::Op;

int Last(const runtime::LaunchPlan& plan, Op op) {
  int last = -1;
  for (size_t i = 0; i < plan.steps().size(); ++i) {
    if (plan.steps()[i].op == op) last = static_cast<int>(i);
  }
  return last;
}

void CheckPlan(const runtime::LaunchPlan& plan) {
  const int end = static_cast<int>(plan.steps().size()) - 1;
  const int user = Last(plan, Op::kUser);
  const int pivot = Last(plan, Op::kPivotRoot);
  const int seccomp = Last(plan, Op::kSeccomp);
  CK_FUZZ_CHECK(plan.steps()[end].op == Op::kExec);
  CK_FUZZ_CHECK(pivot > Last(plan, Op::kMount));
  CK_FUZZ_CHECK(pivot > Last(plan, Op::kBind));
  CK_FUZZ_CHECK(pivot > Last(plan, Op::kDevice));
  CK_FUZZ_CHECK(user > pivot);
  CK_FUZZ_CHECK(Last(plan, Op::kBoundingSet) < user);
  CK_FUZZ_CHECK(Last(plan, Op::kCapabilities) > user);
  CK_FUZZ_CHECK(Last(plan, Op::kMaskPath) < user);
  CK_FUZZ_CHECK(Last(plan, Op::kCloseFds) < Last(plan, Op::kChdir));
  if (Last(plan, Op::kMaskPath) >= 0) {
    CK_FUZZ_CHECK(Last(plan, Op::kSysctl) < Last(plan, Op::kMaskPath));
  }
  if (seccomp >= 0) {
    for (const Op op : {Op::kSysctl, Op::kMaskPath, Op::kReadonlyPath,
                        Op::kApparmorProfile, Op::kMount, Op::kChdir}) {
      CK_FUZZ_CHECK(Last(plan, op) < seccomp);
    }
  }
  CK_FUZZ_CHECK(!plan.Encode().empty());
  CK_FUZZ_CHECK(!plan.Describe().empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 1 << 16) return 0;
  const auto spec = oci::ParseRuntimeSpec(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!spec.ok()) return 0;
  const auto again = oci::ParseRuntimeSpec(oci::SerializeRuntimeSpec(*spec));
  CK_FUZZ_CHECK(again.ok() && *again == *spec);
  static const runtime::PlanOptions* const options = [] {
    auto* made = new runtime::PlanOptions(runtime::testing::Options());
    made->bundle = "/bundle";
    return made;
  }();
  static const runtime::HostFacts* const hosts[] = {
      new runtime::HostFacts(runtime::testing::HybridHost()),
      new runtime::HostFacts(runtime::testing::RootlessHost())};
  const auto planned = runtime::PlanLaunch(*spec, *hosts[size % 2], *options);
  if (planned.ok()) CheckPlan(planned->plan);
  return 0;
}
