// What Engine::Options takes from the environment.
#include <stdlib.h>

#include <string>

#include "containerkit/engine.h"
#include "gtest/gtest.h"

namespace containerkit {
namespace {

class EnvironmentTest : public ::testing::Test {
 protected:
  EnvironmentTest() {
    for (const char* name :
         {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY",
          "no_proxy", "REQUEST_METHOD"}) {
      unsetenv(name);
    }
  }
};

TEST_F(EnvironmentTest, ProxiesInEitherCase) {
  Engine::Options options = Engine::Options::FromEnvironment();
  EXPECT_EQ(options.http_proxy, "");
  EXPECT_EQ(options.https_proxy, "");
  EXPECT_EQ(options.no_proxy, "");
  setenv("http_proxy", "small", 1);
  setenv("https_proxy", "small-s", 1);
  setenv("no_proxy", "small-no", 1);
  options = Engine::Options::FromEnvironment();
  EXPECT_EQ(options.http_proxy, "small");
  EXPECT_EQ(options.https_proxy, "small-s");
  EXPECT_EQ(options.no_proxy, "small-no");
  setenv("HTTP_PROXY", "capitals", 1);
  setenv("HTTPS_PROXY", "capitals-s", 1);
  setenv("NO_PROXY", "capitals-no", 1);
  options = Engine::Options::FromEnvironment();
  EXPECT_EQ(options.http_proxy, "capitals");
  EXPECT_EQ(options.https_proxy, "capitals-s");
  EXPECT_EQ(options.no_proxy, "capitals-no");
}

// CVE-2016-5385: there the client of a web server chooses it.
TEST_F(EnvironmentTest, CgiProgramsIgnoreHttpProxyInCapitals) {
  setenv("HTTP_PROXY", "evil", 1);
  setenv("HTTPS_PROXY", "mine", 1);
  setenv("REQUEST_METHOD", "GET", 1);
  const Engine::Options options = Engine::Options::FromEnvironment();
  EXPECT_EQ(options.http_proxy, "");
  EXPECT_EQ(options.https_proxy, "mine");
}

}  // namespace
}  // namespace containerkit
