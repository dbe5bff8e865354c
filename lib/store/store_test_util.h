// A state root for a test, gone with it.
#ifndef CONTAINERKIT_LIB_STORE_STORE_TEST_UTIL_H_
#define CONTAINERKIT_LIB_STORE_STORE_TEST_UTIL_H_

#include <fcntl.h>
#include <stdlib.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/store/store.h"
#include "lib/sys/file_util.h"

namespace containerkit::store {

// mkdtemp() below TEST_TMPDIR, removed at the end.
class TempRoot {
 public:
  TempRoot() {
    const char* base = getenv("TEST_TMPDIR");
    path_ = absl::StrCat(base != nullptr ? base : "/tmp", "/ck-store-XXXXXX");
    if (mkdtemp(&path_[0]) == nullptr) abort();
  }
  ~TempRoot() { sys::RemoveTreeAt(AT_FDCWD, path_).IgnoreError(); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A store in a TempRoot; not durable, for speed.
class StoreTest : public testing::Test {
 protected:
  void SetUp() override { Reopen(); }

  void Reopen(StoreOptions options = {.durable = false}) {
    store_.reset();
    auto store = Store::Open(root(), options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  std::string root() const { return temp_.path() + "/state"; }

  // Names in a directory of the store.
  std::vector<std::string> List(const std::string& dir) const {
    return sys::ListDirAt(AT_FDCWD, root() + "/" + dir).value();
  }

  TempRoot temp_;
  std::unique_ptr<Store> store_;
};

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_STORE_TEST_UTIL_H_
