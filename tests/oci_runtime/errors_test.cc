// Bad input: what it says, and that it leaves nothing.
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/oci_runtime/oci_fixture.h"

namespace containerkit::oci_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ErrorsTest : public OciTest {
 protected:
  // `run` must fail with a message that has `words`, and leave nothing.
  void ExpectRefused(const Json& config, const std::string& words) {
    const Result result = RunConfig(config);
    EXPECT_EQ(result.code, 1) << words;
    EXPECT_EQ(result.out, "") << words;
    EXPECT_THAT(result.err, HasSubstr(words));
    EXPECT_EQ(MustOci({"list", "-q"}), "") << words;
    EXPECT_TRUE(Oci({"state", "run-once"}).code == 1) << words;
  }
};

TEST_F(ErrorsTest, NoConfigNoJsonNoProcess) {
  const Result none = Oci({"run", "-b", bundle(), "a"});
  EXPECT_EQ(none.code, 1);
  EXPECT_THAT(none.err, HasSubstr("config.json"));
  WriteText(absl::StrCat(bundle(), "/config.json"), "{ invalid");
  EXPECT_EQ(Oci({"run", "-b", bundle(), "a"}).code, 1);
  EXPECT_EQ(Oci({"run", "-b", "/no/bundle", "a"}).code, 1);
  Json config = Config("true");
  config.erase("process");
  ExpectRefused(config, "process");
}

TEST_F(ErrorsTest, WrongValuesNameTheirPlace) {
  Json config = Config("echo ran");
  config["process"]["args"] = Json::array();
  ExpectRefused(config, "args");
  config = Config("echo ran");
  config["process"]["capabilities"]["bounding"] = {"CAP_NOT"};
  ExpectRefused(config, "CAP_NOT");
  config = Config("echo ran");
  config["process"]["rlimits"] = {
      {{"type", "RLIMIT_NOT"}, {"soft", 1}, {"hard", 2}}};
  ExpectRefused(config, "RLIMIT_NOT");
  config = Config("echo ran");
  config["linux"]["namespaces"].push_back({{"type", "stars"}});
  ExpectRefused(config, "stars");
  config = Config("echo ran");
  config["linux"]["sysctl"] = {{"kernel.hostname", "x"}};
  ExpectRefused(config, "kernel.hostname");
  config = Config("echo ran");
  config["linux"]["seccomp"] = {{"defaultAction", "SCMP_ACT_NOT"}};
  ExpectRefused(config, "SCMP_ACT_NOT");
  config = Config("echo ran");
  config["linux"]["cgroupsPath"] = "/../../up";
  ExpectRefused(config, "up");
}

TEST_F(ErrorsTest, AnyVersion1IsAccepted) {
  for (const char* version : {"1.0.0", "1.0.2-dev", "1.2.0", "1.9.0"}) {
    Json config = Config("echo ran");
    config["ociVersion"] = version;
    EXPECT_EQ(RunConfig(config).out, "ran\n") << version;
  }
  Json config = Config("echo ran");
  config["ociVersion"] = "2.0.0";
  ExpectRefused(config, "2.0.0");
}

TEST_F(ErrorsTest, MissingThingsAreNamed) {
  Json config = Config("echo ran");
  config["root"]["path"] = "no-rootfs";
  ExpectRefused(config, "no-rootfs");
  config = Config("echo ran");
  config["mounts"].push_back({{"destination", "/tmp"},
                              {"type", "bind"},
                              {"source", "/no/source"},
                              {"options", {"bind"}}});
  ExpectRefused(config, "/no/source");
  config = Config("echo ran");
  config["process"]["args"] = {"no-such-program"};
  ExpectRefused(config, "executable file not found in $PATH");
  WriteText(absl::StrCat(rootfs(), "/etc/text"), "x");
  config["process"]["args"] = {"/etc/text"};
  ExpectRefused(config, "permission denied");
}

TEST_F(ErrorsTest, IdsAreChecked) {
  WriteConfig(Config("true"));
  for (const char* id : {"../up", "a/b", "..", "with space"}) {
    const Result result = Oci({"run", "-b", bundle(), id});
    EXPECT_EQ(result.code, 1);
    EXPECT_THAT(result.err, HasSubstr("invalid container id")) << id;
  }
}

TEST_F(ErrorsTest, ThePidFileMustBeWritable) {
  WriteConfig(Config("sleep 100"));
  const Result result =
      Oci({"run", "-d", "-b", bundle(), "--pid-file", "/no/dir/pid", "a"});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("pid file"));
  EXPECT_EQ(MustOci({"list", "-q"}), "");
}

TEST_F(ErrorsTest, ErrorsGoToTheLogToo) {
  WriteConfig(Config("true"));
  const std::string log = Scratch("log.json");
  const Result result =
      Oci({"--log", log, "--log-format", "json", "state", "nobody"});
  EXPECT_EQ(result.code, 1);
  const Json line = Json::parse(ReadText(log), nullptr, false);
  EXPECT_EQ(line["level"], "error");
  EXPECT_THAT(line["msg"].get<std::string>(), HasSubstr("does not exist"));
  EXPECT_THAT(result.err, HasSubstr(line["msg"].get<std::string>()));
  EXPECT_EQ(Oci({"--log-format", "xml", "list"}).code, 1);
  EXPECT_EQ(Oci({"--log", "/no/such/log", "list"}).code, 1);
}

TEST_F(ErrorsTest, CommandLinesAreChecked) {
  EXPECT_EQ(Oci({"nonsense"}).code, 1);
  EXPECT_EQ(Oci({"state"}).code, 1);
  EXPECT_EQ(Oci({"state", "a", "b"}).code, 1);
  EXPECT_EQ(Oci({"run", "--nonsense", "a"}).code, 1);
  EXPECT_EQ(Oci({"list", "-f", "xml"}).code, 1);
  EXPECT_THAT(MustOci({"--help"}), HasSubstr("Usage:"));
  EXPECT_THAT(MustOci({"exec", "--help"}), HasSubstr("--no-new-privs"));
}

TEST_F(ErrorsTest, VersionAndFeaturesAreRuncs) {
  EXPECT_THAT(MustOci({"--version"}),
              AllOf(HasSubstr("ck-oci version "), HasSubstr("\nspec: 1.2.0")));
  EXPECT_EQ(MustOci({"-v"}), MustOci({"--version"}));
  EXPECT_EQ(Json::parse(MustOci({"features"}))["ociVersionMax"], "1.2.0");
}

TEST_F(ErrorsTest, SpecWritesAConfigThatRuns) {
  for (const Strings& flags : {Strings{}, Strings{"--rootless"}}) {
    Strings arguments = {"spec", "-b", bundle()};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    MustOci(arguments);
    EXPECT_EQ(Oci(arguments).code, 1);  // never over an existing one
    Json config = Json::parse(ReadText(absl::StrCat(bundle(), "/config.json")));
    config["process"]["terminal"] = false;
    config["process"]["args"] = {"echo", "spec"};
    config["process"]["env"] = {"PATH=/bin"};
    const Result result = RunConfig(config);
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(result.out, "spec\n");
    unlink(absl::StrCat(bundle(), "/config.json").c_str());
  }
}

}  // namespace
}  // namespace containerkit::oci_test
