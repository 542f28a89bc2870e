#include <string>
#include <tuple>
#include <vector>

#include "config/forwarder_config.h"
#include "config/projects_config.h"
#include "tests/unit/config/config_fixture.h"

namespace culvert::config {
namespace {

using Action = ProjectsConfig::Action;
using Args = std::vector<std::string>;
using Output = ProjectsConfig::Output;

struct ProjectsFixture : ConfigFixture {
  absl::StatusOr<Parsed<ForwarderConfig>> Parse(Args args) const {
    args.insert(args.begin(), "projects");
    return ParseForwarderCommand(args, environment);
  }
  ProjectsConfig Projects(const Args& args) const {
    const auto parsed = Parse(args);
    INFO(MessageOf(parsed));
    REQUIRE(parsed.ok());
    REQUIRE(parsed->config);
    CHECK(parsed->config->command == ForwarderConfig::Command::kProjects);
    return parsed->config->projects;
  }
};

TEST_CASE_METHOD(ProjectsFixture, "culvert projects list takes a filter, an order and pages",
                 "[projects_commands]") {
  const ProjectsConfig all = Projects({"list"});
  CHECK(all.action == Action::kList);
  CHECK_FALSE(all.output);
  CHECK(all.headers);
  CHECK(all.page_size == 0);
  const ProjectsConfig some =
      Projects({"list", "--filter", "metadata.labels.env = \"prod\"", "--order-by=name desc",
                "--page-size", "10", "--limit", "3", "--no-headers"});
  CHECK(some.filter == "metadata.labels.env = \"prod\"");
  CHECK(some.order_by == "name desc");
  CHECK(some.page_size == 10);
  CHECK(some.limit == 3);
  CHECK_FALSE(some.headers);
  CHECK(Projects({"list", "--filter", "", "--page-size=0"}).filter.empty());
}

TEST_CASE_METHOD(ProjectsFixture, "culvert projects takes -o as kubectl does",
                 "[projects_commands]") {
  using Row = std::tuple<std::string, Output>;
  const auto [text, output] = GENERATE(table<std::string, Output>({
      Row{"table", Output::kTable},
      Row{"wide", Output::kWide},
      Row{"json", Output::kJson},
      Row{"yaml", Output::kYaml},
      Row{"name", Output::kName},
  }));
  for (const Args& flags : {Args{"-o", text}, Args{"-o" + text}, Args{"-o=" + text},
                            Args{"--output", text}, Args{"--output=" + text}}) {
    CAPTURE(flags);
    Args args = {"list"};
    args.insert(args.end(), flags.begin(), flags.end());
    CHECK(Projects(args).output == output);
  }
}

TEST_CASE_METHOD(ProjectsFixture, "culvert projects prints JSON where the file or variable says so",
                 "[projects_commands]") {
  const std::string file = Write("forward.toml", "json = true\n");
  CHECK(Projects({"list", "--config", file}).output == Output::kJson);
  CHECK(Projects({"list", "--config", file, "-o", "yaml"}).output == Output::kYaml);
  CHECK(Projects({"list", "--json"}).output == Output::kJson);
  environment.variables["CULVERT_JSON"] = "true";
  CHECK(Projects({"list"}).output == Output::kJson);
}

TEST_CASE_METHOD(ProjectsFixture, "culvert projects takes names with and without projects/",
                 "[projects_commands]") {
  CHECK(Projects({"get", "lab", "projects/test"}).names == Args{"projects/lab", "projects/test"});
  CHECK(Projects({"create", "lab"}).names == Args{"projects/lab"});
  CHECK(Projects({"delete", "lab", "-y"}).yes);
}

TEST_CASE_METHOD(ProjectsFixture, "culvert projects create and update take what a project has",
                 "[projects_commands]") {
  const ProjectsConfig made =
      Projects({"create", "lab", "-f", "-", "--label", "env=prod", "--label=a=b=c", "--annotation",
                "n=", "--region", "east", "--region", "west", "--control-region", "east"});
  CHECK(made.action == Action::kCreate);
  CHECK(made.files == Args{"-"});
  CHECK(made.edit.labels == std::vector<ProjectsConfig::Entry>{{"env", "prod"}, {"a", "b=c"}});
  CHECK(made.edit.annotations == std::vector<ProjectsConfig::Entry>{{"n", ""}});
  CHECK(made.edit.regions == Args{"east", "west"});
  CHECK(made.edit.control_region == "east");
  const ProjectsConfig changed = Projects(
      {"update", "lab", "--remove-label", "env", "--remove-annotation", "n", "--update-mask",
       "metadata.labels,metadata.tags", "--resource-version", "7", "--allow-missing"});
  CHECK(changed.edit.removed_labels == Args{"env"});
  CHECK(changed.edit.removed_annotations == Args{"n"});
  CHECK(changed.update_mask == Args{"metadata.labels,metadata.tags"});
  CHECK(changed.resource_version == "7");
  CHECK(changed.allow_missing);
  CHECK_FALSE(changed.edit.empty());
  CHECK(Projects({"update", "-f", "lab.yaml"}).edit.empty());
}

TEST_CASE_METHOD(ProjectsFixture, "culvert projects says in one line what to do instead",
                 "[projects_commands]") {
  using Row = std::tuple<Args, std::string>;
  const auto [args, expected] = GENERATE(table<Args, std::string>({
      Row{{"list", "lab"}, "list takes no NAME: 'culvert projects get projects/lab' shows one"},
      Row{{"get"}, "NAME is missing: which project? 'culvert projects list' shows all of them"},
      Row{{"get", "a", "projects/a"},
          "projects/a is given twice; see 'culvert projects get --help'"},
      Row{{"get", "a b"},
          "NAME \"a b\": expected ID or projects/ID, an ID being 1 to 128 of A-Z, a-z, 0-9, '_', "
          "'.', '-', not starting with '.' or '-'; see 'culvert projects get --help'"},
      Row{{"watch", "--resume-token", "t", "--starting-time", "2026-01-31T08:00:00Z"},
          "--resume-token and --starting-time exclude each other"},
      Row{{"watch", "--resume-token", "t", "--page-size", "3"},
          "--order-by and --page-size watch a page, which cannot be resumed: leave them out, or "
          "--resume-token and --starting-time"},
      Row{{"watch", "--starting-time", "noon"},
          "--starting-time \"noon\": expected a time such as 2026-01-31T08:00:00Z"},
      Row{{"create", "a", "b"}, "expected one NAME: several projects can be in a file (-f)"},
      Row{{"update", "a"}, "nothing to change: give -f FILE or flags such as --label KEY=VALUE"},
      Row{{"update"}, "NAME or -f FILE is missing"},
      Row{{"delete"}, "NAME or -f FILE is missing: which project?"},
      Row{{"create", "--label", "env"}, "--label \"env\": expected KEY=VALUE"},
      Row{{"create", "--label", "=x"}, "--label \"=x\": expected KEY=VALUE"},
      Row{{"list", "-o", "xml"}, "-o \"xml\": expected table, wide, json, yaml or name"},
      Row{{"list", "--page-size", "x"},
          "--page-size \"x\": expected a number from 0 to 4294967295"},
      Row{{"list", "--what"}, "unknown option --what; see 'culvert projects list --help'"},
      Row{{"lst"}, "unknown command \"projects lst\"; see 'culvert projects --help'"},
      Row{Args{}, "projects needs to be followed by a command; see 'culvert projects --help'"},
  }));
  CAPTURE(args);
  CHECK(MessageOf(Parse(args)) == expected);
}

}  // namespace
}  // namespace culvert::config
