#include "cli/choices.hpp"
#include "cli/interruption.hpp"
#include "cli/plan_file.hpp"
#include "cli/selection_options.hpp"
#include "cli/session.hpp"
#include "cli/sweeping.hpp"
#include "cli/table.hpp"

#include <memory>
#include <optional>

namespace regsweep::cli {
namespace {

struct remove_options
{
    selection_options what;
    sweep_flags how;
    std::string plan_out;
    bool with_children = false;
    bool untag = false;
};

// What was asked for, for plan and journal: the selection, nothing of the connection.
std::string command_text(const remove_options& how, bool tags, bool keep_intersecting)
{
    std::string text = tags ? "remove-tags" : "remove-repos";
    const auto list = [&](const char* option, const std::vector<std::string>& values) {
        if (values.empty())
            return;
        text += std::string(" ") + option;
        for (const auto& value : values)
            text += " " + quoted(value);
    };
    list("-r", how.what.repositories);
    list("-t", how.what.tags);
    list("-re", how.what.regexes);
    list("-x", how.what.exclude);
    list("-xre", how.what.exclude_regexes);
    text += how.what.match_all_tags ? "" : " --no-match-all-tags";
    text += how.what.raise_intersecting_tag ? " --raise-intersecting-tag" : "";
    text += keep_intersecting ? " --no-raise-intersecting-repo" : "";
    text += how.with_children ? " --with-children" : "";
    text += how.untag ? " --untag" : "";
    return text;
}

void refuse_incomplete(const selection& chosen)
{
    const auto list = chosen.incomplete_repositories();
    if (list.empty())
        return;
    throw failure({errc::incomplete, "the index does not know all of repository '" + list.front().name + "'" +
                                         (list.size() > 1 ? " and " + std::to_string(list.size() - 1) + " more" : "") +
                                         " (" + list.front().problem +
                                         "): nothing is deleted, refresh the index first"});
}

plan_header header_of(session& s, const remove_options& how, bool tags)
{
    plan_header header;
    header.registry = s.address().canonical();
    header.created_at = now_in_seconds();
    header.command = command_text(how, tags, s.options().keep_intersecting_repo);
    header.untag = how.untag;
    return header;
}

void tell_of_children(const plan_display& shown, const remove_options& how)
{
    if (shown.has_indexes() && !how.with_children)
        terminal::standard().info("the plan has multi-arch indexes; --with-children takes the manifests that only they "
                                  "list, too");
}

void tell_of_file(const remove_options& how)
{
    if (!how.plan_out.empty())
        terminal::standard().info("plan written to " + how.plan_out + ": regsweep apply carries it out");
}

// Why a plan is empty is not to be seen in it.
void tell_nothing_selected(const selection& chosen, bool tags)
{
    const auto counts = chosen.counts();
    if (counts.in != 0)
        return;
    terminal::standard().info(counts.out == 0
                                  ? "nothing in the index matches: look with list-tag-names"
                                  : "what matches has to stay: " + std::string(tags ? "query-tags" : "query-repos") +
                                        " with the same options and --explain says why");
}

// Shows and writes the steps as they come: a plan of millions of tags need not fit into memory to be looked at.
int preview(session& s, const selection& chosen, const plan_header& header, const remove_options& how, bool tags)
{
    plan_display shown(s, true);
    std::optional<plan_file> file;
    if (!how.plan_out.empty())
        file.emplace(how.plan_out, header);
    make_steps(chosen, how.untag, [&](plan_step step) -> result<void> {
        shown.add(step);
        if (file)
            file->add(step);
        return {};
    }).value();
    shown.finish();
    if (shown.counts().digests + shown.counts().tags == 0)
        tell_nothing_selected(chosen, tags);
    tell_of_children(shown, how);
    if (file)
        file->finish();
    tell_of_file(how);
    tell_counts(s, shown.counts());
    return s.status();
}

plan add_children(session& s, const remove_options& how, plan what)
{
    sweeper look(sweep_settings(s, how.how));
    const interruption stop([&] { look.cancel(); });
    if (const auto done = look.add_children(what); !done)
        throw failure(explain_interruption(done.error(), "nothing was deleted"));
    return what;
}

int remove(session& s, const remove_options& how, bool tags)
{
    index from = s.open_index();
    plan what;
    {
        const selection chosen = select(s, from, how.what, tags);
        refuse_incomplete(chosen);
        const plan_header header = header_of(s, how, tags);
        if (how.how.dry_run && !how.with_children)
            return preview(s, chosen, header, how, tags);
        what = make_plan(chosen, header).value();
        if (what.steps.empty())
            tell_nothing_selected(chosen, tags);
    }
    if (how.with_children)
        what = add_children(s, how, std::move(what));
    plan_display shown(s, how.how.dry_run);
    for (const auto& step : what.steps)
        shown.add(step);
    shown.finish();
    tell_of_children(shown, how);
    if (!how.plan_out.empty())
        write_plan(how.plan_out, what).value();
    tell_of_file(how);
    if (how.how.dry_run) {
        tell_counts(s, shown.counts());
        return s.status();
    }
    if (what.steps.empty())
        return nothing_to_sweep(s);
    if (!confirmed(s, shown.counts(), how.how))
        throw failure({errc::bad_argument, "not confirmed: nothing was deleted; answer y, or give --yes"});
    s.lock(from);
    return sweep(s, what, how.how, &from);
}

command_runner add_remove(CLI::App* subcommand, bool tags)
{
    const auto how = std::make_shared<remove_options>();
    add_repository_selection(*subcommand, how->what);
    if (tags)
        add_tag_selection(*subcommand, how->what);
    add_sweep_flags(*subcommand, how->how);
    subcommand->add_option("--plan-out", how->plan_out, "Write the plan as JSON, for regsweep apply")
        ->type_name("FILE")
        ->check(file_name())
        ->group("Deletion");
    subcommand
        ->add_flag("--with-children", how->with_children,
                   "Delete also the manifests that a deleted multi-arch index lists and nothing else uses")
        ->group("Deletion");
    if (tags)
        subcommand
            ->add_flag("--untag", how->untag,
                       "Take only the tags away; what another tag still uses stays in the registry")
            ->group("Deletion");
    return [how, tags](session& s) { return remove(s, *how, tags); };
}

} // namespace

command_runner add_remove_repos(CLI::App& app, CLI::App*& subcommand)
{
    subcommand = app.add_subcommand("remove-repos", "Delete the digests of repositories that nothing else uses");
    return add_remove(subcommand, false);
}

command_runner add_remove_tags(CLI::App& app, CLI::App*& subcommand)
{
    subcommand = app.add_subcommand("remove-tags", "Delete the digests of tags that nothing else uses");
    return add_remove(subcommand, true);
}

command_runner add_apply(CLI::App& app, CLI::App*& subcommand)
{
    subcommand = app.add_subcommand("apply", "Carry out a plan that --plan-out has written, with the same checks");
    struct apply_options
    {
        std::string file;
        sweep_flags how;
    };
    const auto how = std::make_shared<apply_options>();
    subcommand->add_option("plan", how->file, "The plan")->type_name("FILE")->check(file_name())->required();
    add_sweep_flags(*subcommand, how->how);
    return [how](session& s) {
        const plan what = read_plan_of(s, how->file);
        plan_display shown(s, how->how.dry_run);
        for (const auto& step : what.steps)
            shown.add(step);
        shown.finish();
        if (how->how.dry_run) {
            tell_counts(s, shown.counts());
            return s.status();
        }
        if (what.steps.empty())
            return nothing_to_sweep(s);
        if (!confirmed(s, shown.counts(), how->how))
            throw failure({errc::bad_argument, "not confirmed: nothing was deleted; answer y, or give --yes"});
        auto known = s.index_to_change();
        return sweep(s, what, how->how, known ? &*known : nullptr);
    };
}

} // namespace regsweep::cli
