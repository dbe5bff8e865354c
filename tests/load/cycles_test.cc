// 1500 lives of a container: what is there afterwards was there before
// (security.md L01).
#include <sys/statvfs.h>

#include <cstdint>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/integration/engine_fixture.h"

namespace containerkit::testing {
namespace {

class CyclesTest : public EngineTest {
 protected:
  // Bytes of all files in the state root, by du(1).
  int64_t StoreKib() {
    const std::string file = absl::StrCat(scratch(), "/du");
    EXPECT_EQ(system(absl::StrCat("du -sk ", root(), " > ", file).c_str()), 0);
    int64_t kib = 0;
    std::ifstream(file) >> kib;
    return kib;
  }

  static int64_t ResidentKib() {
    std::ifstream status("/proc/self/statm");
    int64_t size = 0, resident = 0;
    status >> size >> resident;
    return resident * 4;
  }

  void Cycle() {
    CK_ASSERT_OK_AND_ASSIGN(Container container,
                            engine().Create(Command({"true"})));
    CK_ASSERT_OK(container.Start());
    CK_ASSERT_OK_AND_ASSIGN(const ExitStatus exit, container.Wait());
    ASSERT_EQ(exit.code, 0);
    CK_ASSERT_OK(container.Remove());
  }
};

TEST_F(CyclesTest, LeaveEverythingAsItWas) {
  for (int i = 0; i < 100; ++i) Cycle();
  Reopen();
  const Snapshot before = Snapshot::Take();
  const int64_t store_before = StoreKib();
  const int64_t resident_before = ResidentKib();
  for (int i = 0; i < 1500 && !HasFatalFailure(); ++i) Cycle();
  EXPECT_LT(ResidentKib() - resident_before, 1024 * 4);
  Reopen();
  EXPECT_EQ(Snapshot::WaitUntilBackTo(before), "");
  // The event log grows, the write-ahead log breathes.
  EXPECT_LT(StoreKib() - store_before, 12 << 10);
}

}  // namespace
}  // namespace containerkit::testing
