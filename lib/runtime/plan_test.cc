#include "lib/runtime/plan.h"

#include <cstring>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace containerkit::runtime {
namespace {

TEST(LaunchPlanTest, EncodesHeaderAndFieldsInOrder) {
  LaunchPlan plan;
  plan.Add(Op::kHostname, {std::string("box")});
  plan.Add(Op::kSync);
  const std::string wire = plan.Encode();
  PlanHeader header;
  std::memcpy(&header, wire.data(), sizeof header);
  EXPECT_EQ(header.magic, kPlanMagic);
  EXPECT_EQ(header.size, wire.size());
  EXPECT_EQ(header.step_count, 2u);
  StepHeader step;
  std::memcpy(&step, wire.data() + sizeof header, sizeof step);
  EXPECT_EQ(step.op, static_cast<uint16_t>(Op::kHostname));
  EXPECT_EQ(step.size, 4u + 3u + 1u);
  EXPECT_STREQ(wire.data() + sizeof header + sizeof step + 4, "box");
}

TEST(LaunchPlanTest, DescribesStepsWithNamesAndActors) {
  LaunchPlan plan;
  plan.Add(Op::kMakeCgroup, {std::string("/sys/fs/cgroup/x")});
  plan.Add(Op::kSeccomp,
           {std::string("\0\1\2\3", 4), uint64_t{2}, std::string(),
            std::string(), std::string(), std::string()});
  plan.Add(Op::kExec,
           {std::vector<std::string>{"sh", "-c"}, std::vector<std::string>{}});
  EXPECT_EQ(plan.Describe(),
            "0 M MakeCgroup path=/sys/fs/cgroup/x\n"
            "1 C Seccomp program=<4 bytes> flags=2 listener_path= "
            "listener_metadata= state_head= state_tail=\n"
            "2 C Exec argv=[sh -c] env=[]\n");
}

TEST(LaunchPlanTest, OpsKnowTheirNames) {
  EXPECT_EQ(OpName(Op::kPivotRoot), "PivotRoot");
  EXPECT_EQ(OpActor(Op::kPivotRoot), 'C');
  EXPECT_EQ(OpName(static_cast<Op>(9999)), "?");
}

}  // namespace
}  // namespace containerkit::runtime
