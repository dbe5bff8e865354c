#include "lib/runtime/child/wire_reader.h"

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lib/runtime/plan.h"

namespace containerkit::runtime::child {
namespace {

LaunchPlan SomePlan() {
  LaunchPlan plan;
  plan.Add(Op::kMakeCgroup, {std::string("/x")});
  plan.Add(Op::kUser, {uint64_t{1}, uint64_t{2},
                       std::vector<std::string>{"3", "", "44"}, uint64_t{5}});
  plan.Add(Op::kSync);
  return plan;
}

// In memory of exactly its size, so that a sanitizer sees every wrong read.
bool Accepts(const std::string& wire) {
  const auto copy = std::make_unique<char[]>(wire.size());
  std::memcpy(copy.get(), wire.data(), wire.size());
  Plan plan;
  return plan.Init(copy.get(), wire.size());
}

TEST(WireReaderTest, ReadsWhatTheLibraryWrote) {
  const std::string wire = SomePlan().Encode();
  Plan plan;
  ASSERT_TRUE(plan.Init(wire.data(), wire.size()));
  EXPECT_EQ(plan.step_count(), 3u);
  EXPECT_TRUE(plan.Has(Op::kSync));
  EXPECT_FALSE(plan.Has(Op::kExec));
  Plan::Cursor cursor;
  StepView step;
  ASSERT_TRUE(plan.Next(cursor, step));
  EXPECT_STREQ(step.Fields().S().c_str(), "/x");
  ASSERT_TRUE(plan.Next(cursor, step));
  EXPECT_EQ(step.index, 1);
  FieldReader fields = step.Fields();
  EXPECT_EQ(fields.U(), 1u);
  EXPECT_EQ(fields.U(), 2u);
  List groups = fields.L();
  EXPECT_EQ(fields.U(), 5u);
  ASSERT_EQ(groups.count, 3u);
  EXPECT_STREQ(groups.Take().c_str(), "3");
  EXPECT_TRUE(groups.Take().empty());
  EXPECT_STREQ(groups.Take().c_str(), "44");
  ASSERT_TRUE(plan.Next(cursor, step));
  EXPECT_EQ(step.op, Op::kSync);
  EXPECT_FALSE(plan.Next(cursor, step));
}

TEST(WireReaderTest, RefusesEveryCutPlan) {
  const std::string wire = SomePlan().Encode();
  for (size_t size = 0; size < wire.size(); ++size) {
    std::string cut = wire.substr(0, size);
    EXPECT_FALSE(Accepts(cut)) << size;
    if (size < sizeof(PlanHeader)) continue;
    // The same with a header that admits it.
    const auto claimed = static_cast<uint32_t>(size);
    std::memcpy(cut.data() + offsetof(PlanHeader, size), &claimed,
                sizeof claimed);
    EXPECT_FALSE(Accepts(cut)) << size;
  }
}

TEST(WireReaderTest, SurvivesEveryChangedByte) {
  const std::string wire = SomePlan().Encode();
  int refused = 0;
  for (size_t i = 0; i < wire.size(); ++i) {
    for (const char value : {'\0', '\x01', '\x7f', '\xff'}) {
      std::string changed = wire;
      changed[i] = value;
      const auto copy = std::make_unique<char[]>(changed.size());
      std::memcpy(copy.get(), changed.data(), changed.size());
      Plan plan;
      if (!plan.Init(copy.get(), changed.size())) {
        ++refused;
        continue;
      }
      Plan::Cursor cursor;
      StepView step;
      while (plan.Next(cursor, step)) ActorOf(static_cast<uint16_t>(step.op));
    }
  }
  EXPECT_GT(refused, 100);
}

TEST(WireReaderTest, RefusesUnknownSteps) {
  LaunchPlan plan;
  plan.Add(static_cast<Op>(9999));
  EXPECT_FALSE(Accepts(plan.Encode()));
  EXPECT_EQ(ActorOf(9999), 0);
}

}  // namespace
}  // namespace containerkit::runtime::child
