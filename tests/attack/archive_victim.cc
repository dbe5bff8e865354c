// The library's copying and unpacking as a program that can be traced.
//
//   archive_victim out ROOT PATH      tar to stdout    (docker cp FROM)
//   archive_victim in ROOT PATH       tar from stdin   (docker cp TO)
//   archive_victim unpack ROOT        layer from stdin
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <string>

#include "absl/status/status.h"
#include "lib/base/status.h"
#include "lib/container/archive.h"
#include "lib/store/layer_writer.h"
#include "lib/store/tar_reader.h"
#include "lib/sys/root_dir.h"

namespace containerkit {
namespace {

class Stdin final : public store::ByteSource {
 public:
  absl::StatusOr<absl::string_view> Next() override {
    const ssize_t n = read(0, buffer_, sizeof(buffer_));
    if (n < 0) return SyscallError(errno, "victim", "read");
    return absl::string_view(buffer_, static_cast<size_t>(n));
  }

 private:
  char buffer_[4096];
};

absl::Status Unpack(const sys::RootDir& root) {
  Stdin source;
  store::LayerWriter writer(&root, {});
  CK_ASSIGN_OR_RETURN(const auto reader, store::TarReader::Open(&source));
  store::TarEntry entry;
  for (;;) {
    CK_ASSIGN_OR_RETURN(const bool more, reader->Next(entry));
    if (!more) return writer.Finish();
    CK_RETURN_IF_ERROR(writer.Add(entry, *reader));
  }
}

absl::Status Run(int argc, char** argv) {
  const std::string verb = argv[1];
  CK_ASSIGN_OR_RETURN(const sys::RootDir root, sys::RootDir::Open(argv[2]));
  if (verb == "unpack") return Unpack(root);
  if (verb == "in") return container::CopyIn(root, argv[3], 0, {});
  return container::CopyOut(root, argv[3], 1, {});
}

}  // namespace
}  // namespace containerkit

int main(int argc, char** argv) {
  if (argc < 3 || (argc < 4 && strcmp(argv[1], "unpack") != 0)) return 2;
  const absl::Status status = containerkit::Run(argc, argv);
  if (status.ok()) return 0;
  fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}
