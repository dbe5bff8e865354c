#include "capi/src/options.h"

#include <cstring>

#include "containerkit/c/container.h"
#include "gtest/gtest.h"

namespace containerkit::capi {
namespace {

using Stop = ck_container_stop_options;
constexpr Stop kDefaults = CK_CONTAINER_STOP_OPTIONS_INIT;
constexpr size_t kMin = CK_SIZE_0_1(ck_container_stop_options);

// A struct as a later version of the headers would have it.
struct LargerStop {
  Stop stop = CK_CONTAINER_STOP_OPTIONS_INIT;
  uint64_t later = 0;
};

TEST(AdoptOptions, NullMeansDefaults) {
  const absl::StatusOr<Stop> adopted =
      AdoptOptions<Stop>(nullptr, kDefaults, kMin);
  ASSERT_TRUE(adopted.ok());
  EXPECT_EQ(adopted->timeout_ns, CK_TIMEOUT_DEFAULT);
}

TEST(AdoptOptions, CopiesWhatIsSet) {
  Stop stop = CK_CONTAINER_STOP_OPTIONS_INIT;
  stop.signal = 15;
  const absl::StatusOr<Stop> adopted = AdoptOptions(&stop, kDefaults, kMin);
  ASSERT_TRUE(adopted.ok());
  EXPECT_EQ(adopted->signal, 15);
}

TEST(AdoptOptions, SmallerStructLeavesTheRestAtDefaults) {
  Stop stop = CK_CONTAINER_STOP_OPTIONS_INIT;
  stop.struct_size = offsetof(Stop, signal);
  stop.timeout_ns = 7;
  stop.signal = 99;
  const absl::StatusOr<Stop> adopted =
      AdoptOptions(&stop, kDefaults, /*min_size=*/sizeof(size_t));
  ASSERT_TRUE(adopted.ok());
  EXPECT_EQ(adopted->timeout_ns, 7);
  EXPECT_EQ(adopted->signal, 0);
  EXPECT_EQ(adopted->struct_size, sizeof(Stop));
}

TEST(AdoptOptions, LargerStructWithZeroTailIsFine) {
  LargerStop larger;
  larger.stop.struct_size = sizeof larger;
  larger.stop.signal = 3;
  const absl::StatusOr<Stop> adopted =
      AdoptOptions(&larger.stop, kDefaults, kMin);
  ASSERT_TRUE(adopted.ok());
  EXPECT_EQ(adopted->signal, 3);
}

TEST(AdoptOptions, UnknownFieldThatIsSetIsUnimplemented) {
  LargerStop larger;
  larger.stop.struct_size = sizeof larger;
  larger.later = 1;
  const absl::StatusOr<Stop> adopted =
      AdoptOptions(&larger.stop, kDefaults, kMin);
  EXPECT_EQ(adopted.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(GetReason(adopted.status()), Reason::kUnsupportedOption);
}

TEST(AdoptOptions, SizesThatNoReleaseHadAreRefused) {
  Stop stop = CK_CONTAINER_STOP_OPTIONS_INIT;
  for (const size_t size :
       {size_t{0}, size_t{1}, kMin - 1, kMaxOptionsBytes + 1, ~size_t{0}}) {
    stop.struct_size = size;
    const absl::StatusOr<Stop> adopted = AdoptOptions(&stop, kDefaults, kMin);
    EXPECT_EQ(adopted.status().code(), absl::StatusCode::kInvalidArgument)
        << size;
    EXPECT_EQ(GetReason(adopted.status()), Reason::kInvalidArgument);
    EXPECT_FALSE(IsReadable(&stop, kMin));
  }
}

TEST(AdoptOptions, ReservedFieldsMustBeZero) {
  Stop stop = CK_CONTAINER_STOP_OPTIONS_INIT;
  stop.reserved = 1;
  EXPECT_EQ(AdoptOptions(&stop, kDefaults, kMin).status().code(),
            absl::StatusCode::kInvalidArgument);
  ck_container_remove_options remove = CK_CONTAINER_REMOVE_OPTIONS_INIT;
  const ck_container_remove_options defaults = remove;
  remove.reserved[5] = 1;
  EXPECT_EQ(
      AdoptOptions(&remove, defaults, CK_SIZE_0_1(ck_container_remove_options))
          .status()
          .code(),
      absl::StatusCode::kInvalidArgument);
}

TEST(InitOptions, WritesAtMostTheSize) {
  unsigned char memory[sizeof(Stop) + 8];
  std::memset(memory, 0xee, sizeof memory);
  InitOptions(reinterpret_cast<Stop*>(memory), offsetof(Stop, signal),
              kDefaults);
  Stop stop;
  std::memcpy(&stop, memory, sizeof stop);
  EXPECT_EQ(stop.struct_size, offsetof(Stop, signal));
  EXPECT_EQ(stop.timeout_ns, CK_TIMEOUT_DEFAULT);
  EXPECT_EQ(memory[offsetof(Stop, signal)], 0xee);

  InitOptions(reinterpret_cast<Stop*>(memory), sizeof memory, kDefaults);
  std::memcpy(&stop, memory, sizeof stop);
  EXPECT_EQ(stop.struct_size, sizeof stop);
  EXPECT_EQ(memory[sizeof stop], 0xee);

  InitOptions<Stop>(nullptr, sizeof stop, kDefaults);
}

}  // namespace
}  // namespace containerkit::capi
