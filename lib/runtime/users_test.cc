#include "lib/runtime/users.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"

namespace containerkit::runtime {
namespace {

const std::optional<std::string> kPasswd =
    "# comment\n"
    "root:x:0:0:root:/root:/bin/sh\n"
    "broken\n"
    "nobody:x:65534:65534\n"
    "worker:x:1000:1001:W:/home/worker:/bin/sh\n"
    "1:x:2000:2000::/numeric:/bin/sh\n"
    "neg:x:-1:0::/:/bin/sh\n"
    "big:x:4294967296:0::/:/bin/sh\n"
    "twice:x:3000:3000::/first:\n"
    "twice:x:3001:3001::/second:\n"
    "odd:x:4000:4000::/a\tb:\n";
const std::optional<std::string> kGroup =
    "root:x:0:\n"
    "adm:x:4:root,worker\n"
    "1001:x:77:\n"
    "wheel:x:10:worker\n"
    "broken:x\n"
    "bad:x:notanumber:worker\n";

struct Case {
  const char* user;
  uint32_t uid;
  uint32_t gid;
  std::vector<uint32_t> groups;
  const char* home;
};

TEST(UsersTest, ResolvesNamesAndNumbers) {
  const Case cases[] = {
      {"", 0, 0, {0, 4}, "/root"},
      {"root", 0, 0, {0, 4}, "/root"},
      {"0", 0, 0, {0, 4}, "/root"},
      {"00", 0, 0, {0, 4}, "/root"},
      {"worker", 1000, 1001, {1001, 4, 10}, "/home/worker"},
      {"1000", 1000, 1001, {1001, 4, 10}, "/home/worker"},
      {"1000:", 1000, 1001, {1001, 4, 10}, "/home/worker"},
      {"worker:adm", 1000, 4, {4}, "/home/worker"},
      {"worker:0", 1000, 0, {0}, "/home/worker"},
      {"worker:1001", 1000, 1001, {1001}, "/home/worker"},
      {":adm", 0, 4, {4}, "/root"},
      {"nobody", 65534, 65534, {65534}, "/"},
      // Digits are an id, even where somebody has that name.
      {"1", 1, 0, {0}, "/"},
      {"2000", 2000, 2000, {2000}, "/numeric"},
      {"12345", 12345, 0, {0}, "/"},
      {"2147483647", 2147483647, 0, {0}, "/"},
      {"12345:678", 12345, 678, {678}, "/"},
      {"twice", 3000, 3000, {3000}, "/first"},
      {"odd", 4000, 4000, {4000}, "/"},
  };
  for (const Case& c : cases) {
    const auto user = ResolveUser(c.user, kPasswd, kGroup);
    ASSERT_TRUE(user.ok()) << c.user << ": " << user.status();
    EXPECT_EQ(user->uid, c.uid) << c.user;
    EXPECT_EQ(user->gid, c.gid) << c.user;
    EXPECT_EQ(user->additional_gids, c.groups) << c.user;
    EXPECT_EQ(user->home, c.home) << c.user;
  }
}

TEST(UsersTest, WhatIsNeitherIdNorNameIsRefused) {
  for (const char* text : {"-1",
                           "+1",
                           "2147483648",
                           "4294967295",
                           "4294967296",
                           "4294967297",
                           "18446744073709551616",
                           "99999999999999999999",
                           "1:1:1",
                           "root:0:0",
                           "::",
                           "-0",
                           "--1",
                           "+",
                           "-",
                           "root\n",
                           "\x01",
                           "root:-1",
                           "root:2147483648",
                           "root:4294967296",
                           "0:+0",
                           "root:\n"}) {
    const auto user = ResolveUser(text, kPasswd, kGroup);
    EXPECT_EQ(user.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_EQ(GetReason(user.status()), Reason::kInvalidArgument) << text;
  }
}

TEST(UsersTest, UnknownNamesAreNotFound) {
  for (const char* text :
       {"0x0", "0x3e8", "1e3", "1.0",   "1,000",   "१",       "\xd9\xa0",
        "１",  "10 ",   " 10", "root ", "ROOT",    "nosuch",  "broken",
        "neg", "big",   "#",   "*",     "comment", "../root", "1_000",
        "0b1", "0o7",   "nan", "0-0"}) {
    const auto user = ResolveUser(text, kPasswd, kGroup);
    EXPECT_EQ(user.status().code(), absl::StatusCode::kNotFound) << text;
    EXPECT_EQ(GetReason(user.status()), Reason::kUserNotFound) << text;
  }
  for (const char* text : {"root:nosuch", "root:bad", "root:broken", "0:0x0"}) {
    const auto user = ResolveUser(text, kPasswd, kGroup);
    EXPECT_EQ(user.status().code(), absl::StatusCode::kNotFound) << text;
    EXPECT_EQ(GetReason(user.status()), Reason::kGroupNotFound) << text;
  }
}

TEST(UsersTest, ImagesWithoutFilesHaveNumbersOnly) {
  const auto user = ResolveUser("1000:1000", std::nullopt, std::nullopt);
  ASSERT_TRUE(user.ok());
  EXPECT_EQ(user->uid, 1000u);
  EXPECT_EQ(user->additional_gids, std::vector<uint32_t>{1000});
  EXPECT_EQ(GetReason(ResolveUser("root", std::nullopt, std::nullopt).status()),
            Reason::kUserNotFound);
  EXPECT_EQ(ResolveUser("", std::nullopt, std::nullopt)->uid, 0u);
}

TEST(UsersTest, AddsGroups) {
  const auto user =
      ResolveUser("worker", kPasswd, kGroup, {"wheel", "1001", "5"});
  ASSERT_TRUE(user.ok());
  // 1001 is an id although a group has that name.
  EXPECT_EQ(user->additional_gids, (std::vector<uint32_t>{1001, 4, 10, 5}));
  EXPECT_EQ(
      GetReason(ResolveUser("worker", kPasswd, kGroup, {"nosuch"}).status()),
      Reason::kGroupNotFound);
}

TEST(UsersTest, HugeFilesAreBounded) {
  const absl::Time start = absl::Now();
  std::string long_line(kMaxUserFileLine + 1, 'a');
  absl::StrAppend(&long_line, ":x:0:0\n", *kPasswd);
  const auto user = ResolveUser("worker", long_line, kGroup);
  ASSERT_TRUE(user.ok()) << user.status();
  EXPECT_EQ(user->uid, 1000u);
  const std::string huge(kMaxUserFileBytes + 1, '\n');
  EXPECT_EQ(GetReason(ResolveUser("worker", huge, kGroup).status()),
            Reason::kLimitExceeded);
  EXPECT_EQ(GetReason(ResolveUser("root:adm", kPasswd, huge).status()),
            Reason::kLimitExceeded);
  EXPECT_LT(absl::Now() - start, absl::Seconds(30));
}

}  // namespace
}  // namespace containerkit::runtime
