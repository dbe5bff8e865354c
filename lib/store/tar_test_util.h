// Builds tar archives for tests, byte by byte, so that they can lie.
#ifndef CONTAINERKIT_LIB_STORE_TAR_TEST_UTIL_H_
#define CONTAINERKIT_LIB_STORE_TAR_TEST_UTIL_H_

#include <stdio.h>
#include <string.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace containerkit::store {

struct TarMember {
  std::string path;
  char type = '0';
  std::string content = {};
  std::string link = {};
  unsigned mode = 0644;
  uint64_t uid = 0;
  uint64_t gid = 0;
  int64_t mtime = 1000000000;
  unsigned major = 0;
  unsigned minor = 0;
  // PAX records that come before the member.
  std::vector<std::pair<std::string, std::string>> pax = {};
  // Size field when it is not content.size().
  int64_t size = -1;
};

class TarBuilder {
 public:
  TarBuilder& Add(const TarMember& member) {
    if (!member.pax.empty()) {
      std::string records;
      for (const auto& [key, value] : member.pax) {
        absl::StrAppend(&records, PaxRecord(key, value));
      }
      Header({.path = "PaxHeaders/x", .type = 'x'}, records.size());
      Data(records);
    }
    Header(member, member.size >= 0 ? static_cast<uint64_t>(member.size)
                                    : member.content.size());
    Data(member.content);
    return *this;
  }
  TarBuilder& File(const std::string& path, const std::string& content,
                   unsigned mode = 0644) {
    return Add({.path = path, .content = content, .mode = mode});
  }
  TarBuilder& Dir(const std::string& path, unsigned mode = 0755) {
    return Add({.path = path, .type = '5', .mode = mode});
  }
  TarBuilder& Symlink(const std::string& path, const std::string& target) {
    return Add({.path = path, .type = '2', .link = target});
  }
  TarBuilder& Hardlink(const std::string& path, const std::string& target) {
    return Add({.path = path, .type = '1', .link = target});
  }
  TarBuilder& Raw(absl::string_view bytes) {
    bytes_.append(bytes.data(), bytes.size());
    return *this;
  }

  // The archive with its end marker.
  std::string Build() const { return bytes_ + std::string(1024, '\0'); }

  static std::string PaxRecord(const std::string& key,
                               const std::string& value) {
    size_t size = key.size() + value.size() + 3;
    while (absl::StrCat(size, " ", key, "=", value, "\n").size() != size) {
      size = absl::StrCat(size, " ", key, "=", value, "\n").size();
    }
    return absl::StrCat(size, " ", key, "=", value, "\n");
  }

  // A ustar header of 512 bytes with a right checksum.
  static std::string MakeHeader(const TarMember& member, uint64_t size) {
    std::string block(512, '\0');
    const auto put = [&block](size_t at, size_t room, absl::string_view text) {
      memcpy(&block[at], text.data(), std::min(room, text.size()));
    };
    put(0, 100, member.path);
    put(100, 8, absl::StrFormat("%07o", member.mode));
    put(108, 8, absl::StrFormat("%07o", member.uid));
    put(116, 8, absl::StrFormat("%07o", member.gid));
    put(124, 12, absl::StrFormat("%011o", size));
    put(136, 12, absl::StrFormat("%011o", member.mtime));
    block[156] = member.type;
    put(157, 100, member.link);
    put(257, 8, absl::string_view("ustar\00000", 8));
    put(329, 8, absl::StrFormat("%07o", member.major));
    put(337, 8, absl::StrFormat("%07o", member.minor));
    return WithChecksum(std::move(block));
  }
  static std::string WithChecksum(std::string block) {
    memset(&block[148], ' ', 8);
    unsigned sum = 0;
    for (const char c : block) sum += static_cast<unsigned char>(c);
    snprintf(&block[148], 8, "%06o", sum);
    return block;
  }

 private:
  void Header(const TarMember& member, uint64_t size) {
    bytes_ += MakeHeader(member, size);
  }
  void Data(const std::string& content) {
    bytes_ += content;
    bytes_.append((512 - content.size() % 512) % 512, '\0');
  }

  std::string bytes_;
};

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_TAR_TEST_UTIL_H_
