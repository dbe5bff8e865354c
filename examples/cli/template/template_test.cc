#include "examples/cli/template/template.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {
namespace {

using Json = nlohmann::json;

Json Sample() {
  return Json::parse(R"({
    "Id": "abc123",
    "Name": "/web",
    "Pid": 42,
    "Ratio": 0.5,
    "Running": true,
    "Args": ["-c", "echo \"hi\""],
    "Empty": [],
    "Nothing": null,
    "State": {"Status": "running", "Health": {"Status": "healthy"}},
    "Labels": {"b": "2", "a": "1", "com.example": "x"},
    "Mounts": [{"Source": "/a", "RW": true}, {"Source": "/b", "RW": false}]
  })");
}

// The text, or "error: " and the message.
std::string Render(const std::string& text) {
  const auto parsed = Template::Parse(text);
  if (!parsed.ok()) return absl::StrCat("error: ", parsed.status().message());
  const Json root = Sample();
  const auto out = parsed->Execute({.root = &root});
  return out.ok() ? *out : absl::StrCat("error: ", out.status().message());
}

TEST(TemplateTest, PrintsFields) {
  EXPECT_EQ(Render("x{{.Name}}y"), "x/weby");
  EXPECT_EQ(Render("{{.State.Status}}"), "running");
  EXPECT_EQ(Render("{{ .State.Health.Status }}"), "healthy");
  EXPECT_EQ(Render("{{.Pid}} {{.Ratio}} {{.Running}}"), "42 0.5 true");
  EXPECT_EQ(Render("{{$.Name}}"), "/web");
  EXPECT_EQ(Render("{{.ID}}"), "abc123");
}

TEST(TemplateTest, PrintsCollectionsAsGoDoes) {
  EXPECT_EQ(Render("{{.Args}}"), "[-c echo \"hi\"]");
  EXPECT_EQ(Render("{{.Labels}}"), "map[a:1 b:2 com.example:x]");
  EXPECT_EQ(Render("{{.Empty}}"), "[]");
  EXPECT_EQ(Render("{{.Nothing}}"), "<no value>");
}

TEST(TemplateTest, PrintsJson) {
  EXPECT_EQ(Render("{{json .Args}}"), R"(["-c","echo \"hi\""])");
  EXPECT_EQ(Render("{{.State | json}}"),
            R"({"Health":{"Status":"healthy"},"Status":"running"})");
  EXPECT_EQ(Render("{{json .Nothing}}"), "null");
}

TEST(TemplateTest, MissingKeysAndFieldsDiffer) {
  EXPECT_EQ(Render("{{.Labels.nope}}"), "<no value>");
  EXPECT_EQ(Render("{{index .Labels \"nope\"}}"), "");
  EXPECT_EQ(Render("{{index .Labels \"com.example\"}}"), "x");
  EXPECT_EQ(Render("{{.Foo}}"),
            "error: template: :1:2: executing \"\" at <.Foo>: map has no "
            "entry for key \"Foo\"");
  EXPECT_EQ(Render("{{.Name.Foo}}"),
            "error: template: :1:2: executing \"\" at <.Name.Foo>: can't "
            "evaluate field Foo in type string");
  EXPECT_EQ(Render("{{.Nothing.X}}"),
            "error: template: :1:2: executing \"\" at <.Nothing.X>: nil "
            "pointer evaluating interface {}.X");
}

TEST(TemplateTest, If) {
  EXPECT_EQ(Render("{{if .Running}}up{{else}}down{{end}}"), "up");
  EXPECT_EQ(Render("{{if .Empty}}up{{else}}down{{end}}"), "down");
  EXPECT_EQ(Render("{{if .Nothing}}a{{else if eq .Pid 42}}b{{else}}c{{end}}"),
            "b");
  EXPECT_EQ(Render("{{if .Nothing}}a{{else if eq .Pid 1}}b{{else}}c{{end}}"),
            "c");
  EXPECT_EQ(Render("{{if and .Running (not .Empty)}}y{{end}}"), "y");
}

TEST(TemplateTest, Range) {
  EXPECT_EQ(Render("{{range .Mounts}}{{.Source}};{{end}}"), "/a;/b;");
  EXPECT_EQ(Render("{{range $i, $m := .Mounts}}{{$i}}{{$m.Source}} {{end}}"),
            "0/a 1/b ");
  EXPECT_EQ(Render("{{range $k, $v := .Labels}}{{$k}}={{$v}} {{end}}"),
            "a=1 b=2 com.example=x ");
  EXPECT_EQ(Render("{{range .Empty}}x{{else}}none{{end}}"), "none");
  EXPECT_EQ(Render("{{range .Nothing}}x{{else}}none{{end}}"), "none");
  EXPECT_EQ(Render("{{range .Args}}{{$.Pid}}{{end}}"), "4242");
  EXPECT_EQ(Render("{{range .Mounts}}{{if .RW}}{{continue}}{{end}}"
                   "{{.Source}}{{break}}{{end}}"),
            "/b");
  EXPECT_EQ(Render("{{range .Pid}}{{end}}"),
            "error: template: :1:8: executing \"\" at <.Pid>: range can't "
            "iterate over 42");
}

TEST(TemplateTest, VariablesAndWith) {
  EXPECT_EQ(Render("{{$x := .Name}}{{$x}}"), "/web");
  EXPECT_EQ(Render("{{$x := 1}}{{range .Args}}{{$x = 5}}{{end}}{{$x}}"), "5");
  EXPECT_EQ(Render("{{$x := 1}}{{if true}}{{$x := 2}}{{end}}{{$x}}"), "1");
  EXPECT_EQ(Render("{{with .State}}{{.Status}}{{end}}"), "running");
  EXPECT_EQ(Render("{{with $s := .State}}{{$s.Status}}{{end}}"), "running");
  EXPECT_EQ(Render("{{with .Empty}}x{{else}}y{{end}}"), "y");
  EXPECT_EQ(Render("{{$y}}"), "error: template: :1: undefined variable \"$y\"");
}

TEST(TemplateTest, TrimsAndComments) {
  EXPECT_EQ(Render("a  {{- .Pid -}}  b"), "a42b");
  EXPECT_EQ(Render("a {{/* note */}} b"), "a  b");
  EXPECT_EQ(Render("a {{- /* note */ -}} b"), "ab");
  EXPECT_EQ(Render("{{-1}}"), "-1");
  EXPECT_EQ(Render("a\n{{- \"x\" }}\n"), "ax\n");
}

TEST(TemplateTest, Functions) {
  EXPECT_EQ(Render("{{len .Args}} {{len .Name}} {{len .Labels}}"), "2 4 3");
  EXPECT_EQ(Render("{{index .Args 0}}"), "-c");
  EXPECT_EQ(Render("{{(index .Mounts 1).Source}}"), "/b");
  EXPECT_EQ(Render("{{index .Mounts 0 \"Source\"}}"), "/a");
  EXPECT_EQ(Render("{{printf \"%s-%d-%q\" .Name .Pid \"a\"}}"),
            "/web-42-\"a\"");
  EXPECT_EQ(Render("{{.Name | printf \"%-6s|\"}}"), "/web  |");
  EXPECT_EQ(Render("{{println .Name 1}}"), "/web 1\n");
  EXPECT_EQ(Render("{{print 1 2 \"a\" 3}}"), "1 2a3");
  EXPECT_EQ(Render("{{join .Args \",\"}}"), "-c,echo \"hi\"");
  EXPECT_EQ(Render("{{split \"a/b/c\" \"/\"}}"), "[a b c]");
  EXPECT_EQ(Render("{{upper .Name}} {{lower \"AB\"}} {{title \"ab cd\"}}"),
            "/WEB ab Ab Cd");
  EXPECT_EQ(Render("[{{pad \"x\" 1 2}}]"), "[ x  ]");
  EXPECT_EQ(Render("{{truncate .Name 2}}"), "/w");
  EXPECT_EQ(Render("{{slice .Name 1 3}}"), "we");
  EXPECT_EQ(Render("{{.Name | lower | upper | printf \"%.3s\"}}"), "/WE");
}

TEST(TemplateTest, Comparisons) {
  EXPECT_EQ(Render("{{eq .Pid 1 2 42}} {{ne .Pid 42}} {{lt .Pid 50}}"),
            "true false true");
  EXPECT_EQ(Render("{{le 1 1}} {{gt \"b\" \"a\"}} {{ge 1.5 2.5}}"),
            "true true false");
  EXPECT_EQ(Render("{{eq .Pid \"42\"}}"),
            "error: template: :1:2: executing \"\" at <eq>: error calling "
            "eq: incompatible types for comparison");
  EXPECT_EQ(Render("{{or .Empty \"dflt\"}} {{and .Pid .Name}}"), "dflt /web");
  EXPECT_EQ(Render("{{or .Running (index .Args 9)}}"), "true");
}

TEST(TemplateTest, Literals) {
  EXPECT_EQ(Render("{{\"a\\tb\\u00e9\"}}{{`r\\w`}}{{'a'}}"), "a\tbér\\w97");
  EXPECT_EQ(Render("{{0x1f}} {{010}} {{1_000}} {{1e2}}"), "31 8 1000 100");
  EXPECT_EQ(Render("{{true}} {{false}}"), "true false");
}

TEST(TemplateTest, ParseErrorsInGosWords) {
  EXPECT_EQ(Render("{{.Foo"), "error: template: :1: unclosed action");
  EXPECT_EQ(Render("{{if .A}}"), "error: template: :1: unexpected EOF");
  EXPECT_EQ(Render("{{end}}"), "error: template: :1: unexpected {{end}}");
  EXPECT_EQ(Render("{{else}}"), "error: template: :1: unexpected {{else}}");
  EXPECT_EQ(Render("\n{{foo}}"),
            "error: template: :2: function \"foo\" not defined");
  EXPECT_EQ(Render("{{}}"), "error: template: :1: missing value for command");
  EXPECT_EQ(Render("{{\"a}}"),
            "error: template: :1: unterminated quoted string");
  EXPECT_EQ(Render("{{(.A}}"), "error: template: :1: unclosed left paren");
  EXPECT_EQ(Render("{{.A)}}"), "error: template: :1: unexpected right paren");
  EXPECT_EQ(Render("{{@}}"),
            "error: template: :1: unrecognized character in action: U+0040 "
            "'@'");
  EXPECT_EQ(Render("{{break}}"),
            "error: template: :1: {{break}} outside {{range}}");
  EXPECT_EQ(Render("{{.Name | 3}}"),
            "error: template: :1: non executable command in pipeline stage 2");
  EXPECT_EQ(Render("{{len}}"),
            "error: template: :1:2: executing \"\" at <len>: wrong number of "
            "args for len: want 1 got 0");
}

TEST(TemplateTest, NestsOnlySoDeep) {
  std::string deep;
  for (int i = 0; i < 5000; ++i) deep += "{{if true}}";
  EXPECT_EQ(Render(deep), "error: template: :1: template is nested too deeply");
  EXPECT_EQ(Render("{{" + std::string(5000, '(')),
            "error: template: :1: unclosed action");
  EXPECT_EQ(
      Render("{{" + std::string(5000, '(') + std::string(5000, ')') + "}}"),
      "error: template: :1: template is nested too deeply");
}

TEST(TemplateTest, MethodsOfTheRoot) {
  const Json root = {{"Name", "web"}};
  const std::map<std::string, TemplateMethod> methods = {
      {"Label", [](std::span<const Json> arguments) -> absl::StatusOr<Json> {
         if (arguments.size() != 1) {
           return absl::InvalidArgumentError("want 1");
         }
         return Json("value of " + arguments[0].get<std::string>());
       }}};
  const TemplateData data = {
      .root = &root, .methods = &methods, .type_name = "*ctx"};
  EXPECT_EQ(*Template::Parse("{{.Label \"k\"}}")->Execute(data), "value of k");
  EXPECT_EQ(*Template::Parse("{{range split \"a\" \",\"}}{{$.Label .}}{{end}}")
                 ->Execute(data),
            "value of a");
  EXPECT_EQ(*Template::Parse("{{\"z\" | .Label}}")->Execute(data),
            "value of z");
  EXPECT_EQ(Template::Parse("{{.Foo}}")->Execute(data).status().message(),
            "template: :1:2: executing \"\" at <.Foo>: can't evaluate field "
            "Foo in type *ctx");
  EXPECT_EQ(Template::Parse("{{.Name 1}}")->Execute(data).status().message(),
            "template: :1:2: executing \"\" at <.Name>: Name is not a method "
            "but has arguments");
}

TEST(TemplateTest, HeaderKeepsNames) {
  const Json root = {{"Name", "NAMES"}};
  EXPECT_EQ(*Template::Parse("{{lower .Name}}\t{{truncate .Name 2}}")
                 ->Execute({.root = &root, .header = true}),
            "NAMES\tNAMES");
}

}  // namespace
}  // namespace containerkit::cli
