#include "examples/cli/flags.h"

#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace containerkit::cli {
namespace {

struct Inner {
  std::string host;
};

struct Options {
  bool interactive = false;
  bool tty = false;
  bool remove = false;
  std::string name;
  std::vector<std::string> env;
  std::optional<int64_t> count;
  int64_t memory_bytes = 0;
  std::optional<absl::Duration> timeout;
  std::multimap<std::string, std::string> filters;
  Inner inner;
};

constexpr Flag kFlags[] = {
    {"count", 'n', "int", "How many", Set<&Options::count>, "-1"},
    {"env", 'e', "list", "Set environment variables", Set<&Options::env>},
    {"filter", 'f', "filter", "Filter", SetFilter<&Options::filters>},
    {"host", '\0', "string", "Name", Set<&Options::inner, &Inner::host>},
    {"interactive", 'i', "", "Keep it open", Set<&Options::interactive>},
    {"memory", 'm', "bytes", "Limit", SetBytes<&Options::memory_bytes>},
    {"name", '\0', "string", "Name", Set<&Options::name>},
    {"rm", '\0', "", "Remove", Set<&Options::remove>},
    {"timeout", '\0', "int", "Wait", SetSeconds<&Options::timeout>},
    {"tty", 't', "", "Terminal", Set<&Options::tty>},
};

struct Outcome {
  Options options;
  ParsedFlags parsed;
  std::string error;
};

Outcome Parse(std::vector<const char*> words, bool interspersed = false) {
  Outcome outcome;
  auto parsed = ParseFlags(kFlags, words, interspersed, &outcome.options);
  if (parsed.ok()) {
    outcome.parsed = *std::move(parsed);
  } else {
    outcome.error = std::string(parsed.status().message());
  }
  return outcome;
}

using Words = std::vector<std::string>;

TEST(FlagsTest, StopsAtTheFirstArgument) {
  const Outcome o = Parse({"-it", "--name", "web", "alpine", "ls", "--rm"});
  EXPECT_TRUE(o.options.interactive);
  EXPECT_TRUE(o.options.tty);
  EXPECT_FALSE(o.options.remove);
  EXPECT_EQ(o.options.name, "web");
  EXPECT_EQ(o.parsed.arguments, Words({"alpine", "ls", "--rm"}));
}

TEST(FlagsTest, Interspersed) {
  const Outcome o = Parse({"a", "--rm", "b", "--", "--tty"}, true);
  EXPECT_TRUE(o.options.remove);
  EXPECT_FALSE(o.options.tty);
  EXPECT_EQ(o.parsed.arguments, Words({"a", "b", "--tty"}));
}

TEST(FlagsTest, ValuesInAllSpellings) {
  const Outcome o = Parse({"-eA=1", "-e", "B=2", "-e=C=3", "--env", "-d",
                           "--env=", "-ite", "X", "--host=h", "--timeout=-1"});
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.options.env, Words({"A=1", "B=2", "C=3", "-d", "", "X"}));
  EXPECT_EQ(o.options.inner.host, "h");
  EXPECT_EQ(o.options.timeout, absl::InfiniteDuration());
  EXPECT_TRUE(o.options.interactive && o.options.tty);
}

TEST(FlagsTest, SwitchesTakeValuesOnlyBehindEquals) {
  EXPECT_FALSE(Parse({"-t", "--tty=false"}).options.tty);
  EXPECT_FALSE(Parse({"-it", "-t=0"}).options.tty);
  EXPECT_EQ(Parse({"--rm", "false"}).parsed.arguments, Words({"false"}));
}

TEST(FlagsTest, TypedValues) {
  const Outcome o = Parse({"-n", "-5", "-m", "2k", "-f", "Label=a=b"});
  EXPECT_EQ(o.options.count, -5);
  EXPECT_EQ(o.options.memory_bytes, 2048);
  EXPECT_EQ(o.options.filters.begin()->first, "label");
  EXPECT_EQ(o.options.filters.begin()->second, "a=b");
}

TEST(FlagsTest, ErrorsInDockersWords) {
  EXPECT_EQ(Parse({"--x"}).error, "unknown flag: --x");
  EXPECT_EQ(Parse({"--nam=x"}).error, "unknown flag: --nam");
  EXPECT_EQ(Parse({"-itZ"}).error, "unknown shorthand flag: 'Z' in -itZ");
  EXPECT_EQ(Parse({"--name"}).error, "flag needs an argument: --name");
  EXPECT_EQ(Parse({"-n"}).error, "flag needs an argument: 'n' in -n");
  EXPECT_EQ(Parse({"--="}).error, "bad flag syntax: --=");
  EXPECT_EQ(Parse({"-n", "x"}).error,
            "invalid argument \"x\" for \"-n, --count\" flag: "
            "strconv.ParseInt: parsing \"x\": invalid syntax");
  EXPECT_EQ(Parse({"-n", "99999999999999999999"}).error,
            "invalid argument \"99999999999999999999\" for \"-n, --count\" "
            "flag: strconv.ParseInt: parsing \"99999999999999999999\": value "
            "out of range");
  EXPECT_EQ(Parse({"--rm=maybe"}).error,
            "invalid argument \"maybe\" for \"--rm\" flag: "
            "strconv.ParseBool: parsing \"maybe\": invalid syntax");
  EXPECT_EQ(Parse({"-m", "1x"}).error,
            "invalid argument \"1x\" for \"-m, --memory\" flag: invalid "
            "suffix: 'x'");
  EXPECT_EQ(Parse({"-f", "x"}).error,
            "invalid argument \"x\" for \"-f, --filter\" flag: bad format of "
            "filter (expected name=value)");
}

TEST(FlagsTest, HelpEndsParsing) {
  EXPECT_TRUE(Parse({"--help", "--x"}).parsed.help);
  EXPECT_TRUE(Parse({"-h"}).parsed.help);
  EXPECT_FALSE(Parse({"--help=false", "a"}).parsed.help);
}

TEST(FlagsTest, Usage) {
  EXPECT_EQ(FlagUsage(std::span(kFlags).first(2)),
            "  -n, --count int   How many (default -1)\n"
            "  -e, --env list    Set environment variables\n");
}

}  // namespace
}  // namespace containerkit::cli
