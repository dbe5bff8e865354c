// A store whose database was damaged: it opens or says why not, the check
// decides, and after a repair that calls itself good a second check agrees.
//
// An input is a list of changes of a good metadata.db: three bytes of offset
// and one that is put there.
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "lib/base/digest.h"
#include "lib/base/status.h"
#include "lib/store/check.h"
#include "lib/store/database.h"
#include "lib/store/store.h"
#include "lib/sys/file_util.h"
#include "tests/fuzz/check.h"

namespace {

using containerkit::Digest;
using containerkit::GetReason;
using containerkit::Reason;
using containerkit::Sha256;
namespace store = containerkit::store;
namespace sys = containerkit::sys;

constexpr size_t kMaxChanges = 256;

// One state root with a blob, an image and its name; its database as it was.
class Template {
 public:
  Template() {
    char shm[] = "/dev/shm/ck-recovery-XXXXXX";
    char tmp[] = "/tmp/ck-recovery-XXXXXX";
    const char* const made = mkdtemp(shm) != nullptr ? shm : mkdtemp(tmp);
    CK_FUZZ_CHECK(made != nullptr);
    base_ = made;
    Fill();
    auto bytes = sys::ReadFileAt(AT_FDCWD, Path(), 16 << 20);
    CK_FUZZ_CHECK(bytes.ok() && bytes->size() > 4096);
    good_ = *std::move(bytes);
  }
  ~Template() { sys::RemoveTreeAt(AT_FDCWD, base_).IgnoreError(); }

  std::string root() const { return base_ + "/root"; }

  void Damage(const uint8_t* data, size_t size) {
    std::string bytes = good_;
    for (size_t at = 0; at + 4 <= size; at += 4) {
      const size_t offset =
          data[at] | size_t{data[at + 1]} << 8 | size_t{data[at + 2]} << 16;
      bytes[offset % bytes.size()] = static_cast<char>(data[at + 3]);
    }
    for (const char* suffix : {"-wal", "-shm"}) {
      unlink((Path() + suffix).c_str());
    }
    const containerkit::UniqueFd fd(
        open(Path().c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
    CK_FUZZ_CHECK(fd.ok() && sys::WriteAll(fd.get(), bytes).ok());
  }

 private:
  std::string Path() const { return root() + "/metadata.db"; }

  void Fill() {
    auto opened = store::Store::Open(root(), {.durable = false});
    CK_FUZZ_CHECK(opened.ok());
    auto lease = (*opened)->NewLease();
    CK_FUZZ_CHECK(lease.ok());
    const auto blob = (*opened)->blobs().Put(*lease, "config", Digest(), false);
    CK_FUZZ_CHECK(blob.ok());
    store::ImageRecord image;
    image.set_id(Sha256::Of("config").str());
    image.mutable_config()->set_digest(image.id());
    image.mutable_config()->set_size_bytes(6);
    store::ReferenceRecord name;
    name.set_name("docker.io/library/image:1");
    name.set_image_id(image.id());
    CK_FUZZ_CHECK((*opened)
                      ->Transaction([&](store::Txn& txn) -> absl::Status {
                        CK_RETURN_IF_ERROR(txn.PutImage(image));
                        return txn.PutReference(name);
                      })
                      .ok());
    // All of it in the one file that is changed.
    const auto database = store::Database::Open(Path(), absl::Seconds(1));
    CK_FUZZ_CHECK(database.ok() && (*database)->Checkpoint().ok());
  }

  std::string base_;
  std::string good_;
};

void CheckReason(const absl::Status& status) {
  CK_FUZZ_CHECK(status.ok() || GetReason(status) != Reason::kUnspecified);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 4 * kMaxChanges) return 0;
  static Template state;
  state.Damage(data, size);
  const auto opened = store::Store::Open(state.root(), {.durable = false});
  CheckReason(opened.status());
  if (!opened.ok()) return 0;
  const auto report = store::CheckStore(**opened, {.repair = true});
  CheckReason(report.status());
  if (!report.ok() || !report->ok()) return 0;
  const auto again = store::CheckStore(**opened);
  CheckReason(again.status());
  CK_FUZZ_CHECK(again.ok() && again->ok());
  return 0;
}
