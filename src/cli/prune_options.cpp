#include "cli/prune_options.hpp"

#include "cli/choices.hpp"
#include "cli/plan_file.hpp"
#include "regsweep/select/matcher.hpp"

#include <utility>

namespace regsweep::cli {
namespace {

template<class T>
T understood(const char* option, result<T> value)
{
    if (!value)
        throw usage_error(std::string(option) + ": " + value.error().detail);
    return *std::move(value);
}

bool has_rules(const prune_options& how)
{
    return !how.keep.empty() || !how.remove.empty() || how.keep_newest || !how.group_by.empty() ||
           !how.keep_younger_than.empty();
}

void add_rule(retention_policy& to, rule_action action, rule_conditions when)
{
    retention_rule rule;
    rule.action = action;
    rule.when = std::move(when);
    to.rules.push_back(std::move(rule));
}

// What is kept comes first, then what is removed.
retention_policy policy_of_options(const prune_options& how)
{
    if (!has_rules(how))
        throw usage_error("what is to be kept and removed? Name a file with --policy, or say it with --keep-newest N, "
                          "--keep-younger-than TIME, --keep GLOB and --remove GLOB");
    if (how.remove.empty())
        throw usage_error("nothing is to be removed: say with --remove GLOB what is, '*' for all that is not kept");
    if (!how.group_by.empty() && !how.keep_newest)
        throw usage_error("--group-by makes groups for --keep-newest N, which is missing");
    retention_policy made;
    rule_conditions when;
    if (!how.keep.empty()) {
        when.tags = how.keep;
        add_rule(made, rule_action::keep, std::exchange(when, {}));
    }
    if (how.keep_newest) {
        when.newest = newest_condition{*how.keep_newest, how.group_by, newest_order::created};
        if (!how.group_by.empty())
            understood("--group-by", regex_matcher::create(how.group_by, regex_matcher::extent::beginning));
        add_rule(made, rule_action::keep, std::exchange(when, {}));
    }
    if (!how.keep_younger_than.empty()) {
        when.younger_than = understood("--keep-younger-than", parse_duration(how.keep_younger_than));
        add_rule(made, rule_action::keep, std::exchange(when, {}));
    }
    when.tags = how.remove;
    add_rule(made, rule_action::remove, std::move(when));
    return made;
}

} // namespace

void add_prune_options(CLI::App& subcommand, prune_options& into)
{
    const std::string policy = "Policy";
    const auto list = [&](const char* names, std::vector<std::string>& target, const char* type, const char* text) {
        subcommand.add_option(names, target, text)->type_name(type)->expected(1, -1)->group(policy);
    };
    subcommand.add_option("--policy", into.policy, "What to keep and what to remove, in YAML; - is standard input")
        ->type_name("FILE")
        ->check(file_name())
        ->group(policy);
    list("--repo,-r", into.repositories, "GLOB", "Only repositories that match one of these");
    list("--keep", into.keep, "GLOB", "Keep tags that match one of these");
    subcommand.add_option("--keep-newest", into.keep_newest, "Keep the newest tags of each repository, or group")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40).description(""))
        ->type_name("N")
        ->group(policy);
    subcommand.add_option("--group-by", into.group_by, "What its groups match makes the group of a tag, e.g. '^(.+)-'")
        ->type_name("REGEX")
        ->group(policy);
    subcommand.add_option("--keep-younger-than", into.keep_younger_than, "Keep what was made since: 12h, 30d, 4w, 1y")
        ->type_name("TIME")
        ->group(policy);
    list("--remove", into.remove, "GLOB", "Remove tags that match one of these and are not kept");
    list("--protect", into.protect, "GLOB", "Keep these tags whatever else is said");
    subcommand
        .add_option("--in-use", into.in_use,
                    "Keep the images that this file names, as kubectl prints them; - is standard input")
        ->type_name("FILE")
        ->check(file_name())
        ->group(policy);
    subcommand.add_flag("--untag", into.untag, "Take tags off manifests that other tags keep")->group(policy);
    subcommand
        .add_flag("--with-children", into.with_children,
                  "Delete also the manifests that a deleted multi-arch index lists and nothing else uses")
        ->group(policy);
    subcommand
        .add_option("--max-remove", into.max_remove,
                    "Stop if more tags of one repository would go, a number or a part [50%]")
        ->type_name("N|P%")
        ->group(policy);
    subcommand
        .add_flag("--force", into.force, "Go on however many tags would go, and if no image in use is of this registry")
        ->group(policy);

    add_sweep_flags(subcommand, into.how);
    subcommand.get_option("--yes")->description("Delete; without it the plan is only shown");
    subcommand.get_option("--dry-run")->description("Show the plan and stop, as without --yes");
    const std::string deletion = "Deletion";
    subcommand.add_flag("--explain", into.explain, "Say for every tag which rule decided, and why")->group(deletion);
    subcommand.add_option("--plan-out", into.plan_out, "Write the plan as JSON, for regsweep apply")
        ->type_name("FILE")
        ->check(file_name())
        ->group(deletion);
    subcommand.add_flag("--no-refresh", into.no_refresh, "Trust the index instead of crawling the registry first")
        ->group(deletion);
    subcommand.add_option("--lock-file", into.lock_file, "Do nothing while another run holds this file")
        ->type_name("FILE")
        ->check(file_name())
        ->group(deletion);
    subcommand.add_option("--metrics-file", into.metrics_file, "Write what was done in Prometheus' text format")
        ->type_name("FILE")
        ->check(file_name())
        ->group(deletion);
}

retention_policy policy_of(const prune_options& how)
{
    if (!how.policy.empty() && has_rules(how))
        throw usage_error("--policy FILE has the rules: give no --keep..., --remove or --group-by beside it");
    retention_policy made = how.policy.empty() ? policy_of_options(how) : read_policy(how.policy).value();
    made.protect.insert(made.protect.end(), how.protect.begin(), how.protect.end());
    made.untag = made.untag || how.untag;
    made.with_children = made.with_children || how.with_children;
    if (!how.max_remove.empty())
        made.max_remove = understood("--max-remove", removal_limit::parse(how.max_remove));
    if (how.force)
        made.max_remove = {100, true};
    return made;
}

std::string prune_command_text(const prune_options& how)
{
    std::string text = "prune";
    const auto word = [&](const char* option, const std::string& value) {
        if (!value.empty())
            text += std::string(" ") + option + " " + quoted(value);
    };
    const auto list = [&](const char* option, const std::vector<std::string>& values) {
        if (values.empty())
            return;
        text += std::string(" ") + option;
        for (const auto& value : values)
            text += " " + quoted(value);
    };
    word("--policy", how.policy);
    list("-r", how.repositories);
    list("--keep", how.keep);
    word("--keep-newest", how.keep_newest ? std::to_string(*how.keep_newest) : "");
    word("--group-by", how.group_by);
    word("--keep-younger-than", how.keep_younger_than);
    list("--remove", how.remove);
    list("--protect", how.protect);
    word("--in-use", how.in_use);
    text += how.untag ? " --untag" : "";
    text += how.with_children ? " --with-children" : "";
    word("--max-remove", how.max_remove);
    text += how.force ? " --force" : "";
    return text;
}

} // namespace regsweep::cli
