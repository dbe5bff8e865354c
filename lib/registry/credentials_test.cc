#include "lib/registry/credentials.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/testing/matchers.h"

namespace containerkit::registry {
namespace {

using ::containerkit::testing::IsOk;
using ::containerkit::testing::StatusIs;

std::string Auth(absl::string_view plain) {
  return absl::StrCat("\"auth\":\"", absl::Base64Escape(plain), "\"");
}

class HelperTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string path = absl::StrCat(::testing::TempDir(), "/helperXXXXXX");
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    dir_ = path;
    options_.search_dirs = {"/nonexistent", dir_};
    options_.timeout = absl::Seconds(10);
  }
  void TearDown() override {
    for (const std::string& file : files_) unlink(file.c_str());
    rmdir(dir_.c_str());
  }
  void Write(const std::string& name, const std::string& script) {
    const std::string path = absl::StrCat(dir_, "/docker-credential-", name);
    const int fd = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
    const std::string text = absl::StrCat("#!/bin/sh\n", script);
    ASSERT_EQ(write(fd, text.data(), text.size()), text.size());
    close(fd);
    files_.push_back(path);
  }

  std::string dir_;
  std::vector<std::string> files_;
  HelperOptions options_;
};

TEST(DockerConfigTest, FindsAuthsByHost) {
  const auto config = DockerConfig::Parse(absl::StrCat(
      R"({"auths":{"https://index.docker.io/v1/":{)", Auth("hub:p:w"),
      R"(},"quay.io":{)", Auth("q:x"), R"(},"https://quay.io/v2/":{)",
      Auth("other:x"), R"(},"tok.io":{"identitytoken":"idt"},
      "<bad":{},"reg.io:5000":{"registrytoken":"rt"},
      "az.io":{)",
      Auth("<token>:refresh"), R"(}},
      "HttpHeaders":{"X-Meta":"1","User-Agent":"no"},"detachKeys":"x"})"));
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ((*config->Lookup("docker.io"))->username, "hub");
  EXPECT_EQ((*config->Lookup("docker.io"))->password, "p:w");
  EXPECT_EQ((*config->Lookup("quay.io"))->username, "q");
  EXPECT_EQ((*config->Lookup("tok.io"))->identity_token, "idt");
  EXPECT_EQ((*config->Lookup("reg.io:5000"))->registry_token, "rt");
  EXPECT_EQ((*config->Lookup("az.io"))->identity_token, "refresh");
  EXPECT_EQ(*config->Lookup("reg.io"), std::nullopt);
  EXPECT_EQ(*config->Lookup("example.io"), std::nullopt);
  ASSERT_EQ(config->http_headers().size(), 1);
  EXPECT_EQ(config->http_headers()[0].first, "X-Meta");
}

TEST(DockerConfigTest, MissingFileIsAnonymous) {
  const auto config = DockerConfig::Load("/nonexistent/config.json");
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(*config->Lookup("docker.io"), std::nullopt);
  EXPECT_THAT(DockerConfig::Parse(" \n"), IsOk());
}

// security.md I11: no value of the file in an error.
TEST(DockerConfigTest, RefusesMalformedFilesWithoutQuotingThem) {
  for (const char* json :
       {"{", "[]", R"({"auths":{"a":{"auth":"c2VjcmV0"}}})",
        R"({"auths":{"a":{"auth":"!secret!"}}})",
        R"({"auths":{"a":{"username":"secret","password":7}}})",
        R"({"credHelpers":["secret"]})",
        "{\"HttpHeaders\":{\"X\":\"secret\\r\\nA: b\"}}"}) {
    const auto config = DockerConfig::Parse(json);
    ASSERT_THAT(config, StatusIs(absl::StatusCode::kInvalidArgument,
                                 Reason::kConfigFileInvalid))
        << json;
    EXPECT_EQ(config.status().ToString().find("secret"), std::string::npos);
  }
}

TEST_F(HelperTest, AsksTheHelperForTheHost) {
  Write("one",
        "read s; echo \"{\\\"ServerURL\\\":\\\"$s\\\",\\\"Username\\\":"
        "\\\"$1-$s\\\",\\\"Secret\\\":\\\"pw\\\"}\"\n");
  Write("two", "echo '{\"Username\":\"<token>\",\"Secret\":\"idt\"}'\n");
  const auto config = DockerConfig::Parse(
      absl::StrCat(R"({"credsStore":"one","credHelpers":{"b.io":"two"},
                       "auths":{"b.io":{)",
                   Auth("u:p"), "}}}"),
      options_);
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ((*config->Lookup("a.io"))->username, "get-a.io");
  EXPECT_EQ((*config->Lookup("a.io"))->password, "pw");
  EXPECT_EQ((*config->Lookup("docker.io"))->username,
            "get-https://index.docker.io/v1/");
  EXPECT_EQ((*config->Lookup("b.io"))->identity_token, "idt");
}

TEST_F(HelperTest, FallsBackToAuthsWhenTheHelperHasNone) {
  Write("none", "echo 'credentials not found in native keychain'; exit 1\n");
  const auto config = DockerConfig::Parse(
      absl::StrCat(R"({"credsStore":"none","auths":{"a.io":{)", Auth("u:p"),
                   "}}}"),
      options_);
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ((*config->Lookup("a.io"))->username, "u");
  EXPECT_EQ(*config->Lookup("b.io"), std::nullopt);
}

TEST_F(HelperTest, FailsWithoutQuotingSecrets) {
  Write("rude", "echo topsecret; exit 3\n");
  Write("chatty", "echo '{\"Secret\":\"topsecret\"'\n");
  Write("endless", "while :; do echo topsecrettopsecrettopsecret; done\n");
  Write("killed", "kill -9 $$\n");
  for (const char* name :
       {"rude", "chatty", "endless", "killed", "missing", "../rude", ""}) {
    const auto found =
        RunCredentialHelper(name, "a.io", options_, CancelToken());
    ASSERT_THAT(found, StatusIs(absl::StatusCode::kUnavailable,
                                Reason::kCredentialHelperFailed))
        << name;
    EXPECT_EQ(found.status().ToString().find("topsecret"), std::string::npos);
  }
}

TEST_F(HelperTest, EndsByTimeoutAndToken) {
  Write("slow", "exec sleep 1000\n");
  options_.timeout = absl::Milliseconds(50);
  EXPECT_THAT(RunCredentialHelper("slow", "a.io", options_, CancelToken()),
              StatusIs(absl::StatusCode::kUnavailable,
                       Reason::kCredentialHelperFailed));
  options_.timeout = absl::Hours(1);
  const CancelToken cancel;
  std::thread other([&] { cancel.Cancel(); });
  EXPECT_THAT(RunCredentialHelper("slow", "a.io", options_, cancel),
              StatusIs(absl::StatusCode::kCancelled, Reason::kCancelled));
  other.join();
}

}  // namespace
}  // namespace containerkit::registry
