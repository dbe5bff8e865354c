#include "lib/runtime/sysctls.h"

#include <string>

#include "gtest/gtest.h"
#include "lib/base/status.h"

namespace containerkit::runtime {
namespace {

constexpr SysctlScope kAll = {true, true, true, true};

TEST(SysctlsTest, NamespacedOnesAreAllowedInOwnNamespaces) {
  for (const char* key :
       {"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
        "kernel.shmall", "kernel.shmmax", "kernel.shmmni",
        "kernel.shm_rmid_forced", "kernel/shmmax", "fs.mqueue.msg_max",
        "net.ipv4.ip_forward", "net/ipv4/ip_forward",
        "net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding",
        "net.core.somaxconn", "kernel.domainname"}) {
    EXPECT_TRUE(CheckSysctl(key, "1", kAll).ok()) << key;
    const absl::Status refused = CheckSysctl(key, "1", {});
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << key;
    EXPECT_EQ(GetReason(refused), Reason::kSysctlRefused) << key;
  }
  EXPECT_TRUE(
      CheckSysctl("net.ipv4.ping_group_range", "0 2147483647", kAll).ok());
  EXPECT_TRUE(CheckSysctl("net.ipv4.tcp_rmem", "1\t2\t3", kAll).ok());
}

TEST(SysctlsTest, EverythingElseIsRefused) {
  for (const char* key : {"",
                          ".",
                          "/",
                          "..",
                          "net",
                          "net.",
                          ".net.ipv4.ip_forward",
                          "/net/ipv4/ip_forward",
                          "net..ipv4",
                          "net//ipv4/x",
                          "net/../kernel/x",
                          "net.ipv4/../../kernel/core_pattern",
                          "net/ipv4/../../kernel/panic",
                          "kernel.core_pattern",
                          "kernel.hostname",
                          "kernel.panic",
                          "kernel.modprobe",
                          "kernel.shmmaxx",
                          "kernel.sem.x",
                          "vm.swappiness",
                          "fs.file-max",
                          "fs.mqueue",
                          "fs.mqueuex.y",
                          "user.max_user_namespaces",
                          "netx.y",
                          "kernel.msgmax+kernel.panic",
                          "kernel.msgmax=1",
                          "kernel.msgmax\n",
                          "kernel.msgmax kernel.panic",
                          "net.ipv4.x\ny",
                          "net.ipv4.*",
                          "sys/net/ipv4",
                          "proc.sys.net",
                          "net\\ipv4",
                          "dev.x"}) {
    const absl::Status status = CheckSysctl(key, "1", kAll);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << key;
    EXPECT_EQ(GetReason(status), Reason::kSysctlRefused) << key;
  }
}

TEST(SysctlsTest, ValuesAreOneLine) {
  for (const std::string& value :
       {std::string("1\n2"), std::string("1\0", 2), std::string("\r"),
        std::string("1\x7f"), std::string(901, '1'), std::string("\xff")}) {
    EXPECT_EQ(GetReason(CheckSysctl("kernel.msgmax", value, kAll)),
              Reason::kSysctlRefused);
  }
  // Separators of other people's formats are plain text here.
  EXPECT_TRUE(CheckSysctl("kernel.msgmax", "1+kernel.panic=2", kAll).ok());
}

}  // namespace
}  // namespace containerkit::runtime
