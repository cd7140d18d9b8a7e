#include "cli/details.hpp"
#include "cli/interruption.hpp"
#include "cli/lock_file.hpp"
#include "cli/metrics_file.hpp"
#include "cli/plan_file.hpp"
#include "cli/prune_options.hpp"
#include "cli/prune_output.hpp"
#include "cli/session.hpp"
#include "cli/table.hpp"
#include "regsweep/select/retention_source.hpp"
#include "regsweep/sweep/retention_plan.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>

namespace regsweep::cli {
namespace {

// What a repository alone frees is reckoned by a walk through everything, which must not take minutes.
constexpr std::uint64_t most_walked = 20'000'000; // manifests

timestamp current_time()
{
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
    return {seconds.count(),
            static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(since - seconds).count())};
}

bool is_dry(const prune_options& how)
{
    return !how.how.yes || how.how.dry_run;
}

void check_standard_input(const session& s, const prune_options& how)
{
    const int readers = (how.policy == "-" ? 1 : 0) + (how.in_use == "-" ? 1 : 0) +
                        (s.options().repos_from == "-" ? 1 : 0) + (s.options().password_stdin ? 1 : 0);
    if (readers > 1)
        throw usage_error("only one of --policy -, --in-use -, --repos-from - and --password-stdin can read standard "
                          "input");
}

std::optional<in_use_references> read_used(const session& s, const prune_options& how)
{
    if (how.in_use.empty())
        return std::nullopt;
    auto used = read_in_use(how.in_use, s.address()).value();
    if (used.references == 0 && !how.force)
        throw failure({errc::bad_argument, "none of the " + with_commas(used.elsewhere) + " references in " +
                                               printable(how.in_use) + " is of " + s.address().name +
                                               ", which may have another name there: nothing is deleted; --force goes "
                                               "on all the same"});
    return used;
}

// What the index knew before it was made anew: a manifest may have lost its tags since.
std::optional<index> older_index(const session& s, const retention_policy& policy)
{
    const bool wanted = std::ranges::any_of(policy.rules, [](const auto& rule) { return rule.when.untagged; });
    if (!wanted || s.index_file().empty())
        return std::nullopt;
    auto found = index::open(s.index_file());
    if (!found)
        return std::nullopt;
    const auto summary = found->summary();
    if (!summary || summary->registry != s.address().canonical())
        return std::nullopt;
    return *std::move(found);
}

index current_index(session& s, const prune_options& how)
{
    if (how.no_refresh)
        return s.open_index();
    terminal::standard().info("reading " + s.address().server.to_string() + s.address().prefix);
    auto fresh = s.crawl(false);
    terminal::standard().info(with_commas(fresh.report.tags) + " tags of " + with_commas(fresh.report.repositories) +
                              " repositories read");
    s.tell_problems(fresh.report);
    return std::move(fresh.made);
}

class prune_run
{
public:
    prune_run(session& s, const prune_options& how, prune_metrics& metrics)
        : s_(s), how_(how), metrics_(metrics), json_(s.options().output == output_format::json)
    {}

    int run()
    {
        retention_policy policy = read_rules();
        auto by = retention::create(std::move(policy), current_time(), summary_.in_use.value_or(in_use_references()));
        if (!by)
            throw failure(by.error());
        std::optional<lock_file> lock;
        if (!how_.lock_file.empty())
            lock.emplace(how_.lock_file);
        by_.emplace(std::move(*by));
        older_ = how_.no_refresh ? std::nullopt : older_index(s_, by_->policy());
        tags_.emplace(current_index(s_, how_));
        open_details();
        decide_all();
        if (over_limit_)
            throw failure(*over_limit_);
        metrics_.tags_kept = summary_.kept;
        metrics_.freed_bytes = summary_.freed_bytes;
        if (is_dry(how_)) {
            if (json_)
                print_prune_json(s_.address().canonical(), summary_, explained(), nullptr);
            else
                terminal::standard().info("nothing was deleted; --yes deletes");
            return s_.status();
        }
        return carry_out_plan();
    }

private:
    retention_policy read_rules()
    {
        const interruption stop = end_when_interrupted();
        retention_policy policy = policy_of(how_);
        summary_.in_use = read_used(s_, how_);
        return policy;
    }

    // Facts are read where the policy or what is in use asks for them; those at hand tell what a plan frees.
    void open_details()
    {
        if (needs_details(by_->policy()) || (summary_.in_use && summary_.in_use->has_digests())) {
            auto read = graph_of(s_, *tags_);
            facts_.emplace(std::move(read.store));
            graph_.emplace(std::move(read.graph));
        } else {
            facts_.emplace(details_store::open(details_store::beside(s_.index_file())).value());
        }
        if (facts_->manifests().value() == 0) {
            graph_.reset();
            source_.emplace(*tags_);
            return;
        }
        if (!graph_)
            graph_.emplace(content_graph::load(*tags_, *facts_).value());
        source_.emplace(retention_source::with_details(*tags_, *graph_, *facts_, by_->policy()).value());
    }

    bool wanted(const std::string& repository) const
    {
        return how_.repositories.empty() ||
               std::ranges::any_of(how_.repositories, [&](const auto& glob) { return glob_match(glob, repository); });
    }

    void decide_all()
    {
        std::optional<plan_file> file;
        what_.header = header();
        if (!how_.plan_out.empty())
            file.emplace(how_.plan_out, what_.header);
        plan_display shown(s_, is_dry(how_));
        tags_
            ->for_each_repository([&](const repository_info& info) {
                if (wanted(info.name))
                    decide(info, shown, file ? &*file : nullptr);
                return true;
            })
            .value();
        if (summary_.repositories.empty() && !how_.repositories.empty())
            terminal::standard().warning("no repository matches -r; list-repo-names shows what there is");
        find_freed_bytes();
        if (!json_) {
            shown.finish_steps();
            print_summary(out_, summary_);
            out_.finish();
        }
        if (file && !over_limit_) {
            file->finish();
            terminal::standard().info("plan written to " + how_.plan_out + ": regsweep apply carries it out");
        }
    }

    void decide(const repository_info& info, plan_display& shown, plan_file* file)
    {
        if (!info.complete) {
            terminal::standard().warning("repository " + printable(info.name) +
                                         " is left alone, for not all of it could be read: " + info.problem);
            s_.set_partly_done();
            return;
        }
        const auto of = source_->read(info.name, held(info.name)).value();
        const auto decided = by_->decide(of).value();
        if (const auto fine = by_->check_limit(of, decided); !fine && !over_limit_)
            over_limit_ = fine.error();
        if (how_.explain && json_)
            explain_json(explained_, *by_, of, decided);
        else if (how_.explain)
            explain_text(out_, *by_, of, decided);
        count(of, decided);
        for (auto& step : make_steps(*by_, of, decided).value()) {
            if (!how_.explain)
                shown.add(step);
            if (file != nullptr)
                file->add(step);
            if (!is_dry(how_))
                what_.steps.push_back(std::move(step));
        }
        if (file != nullptr)
            for (const auto& tags : find_kept(*by_, of, decided))
                file->keep(tags);
    }

    /// What a repository holds besides what its tags lead to: what is in use, and what had tags before.
    std::vector<digest> held(const std::string& repository) const
    {
        std::vector<digest> out;
        if (summary_.in_use) {
            out.assign(summary_.in_use->anywhere.begin(), summary_.in_use->anywhere.end());
            if (const auto* names = summary_.in_use->find(repository))
                out.insert(out.end(), names->digests.begin(), names->digests.end());
        }
        if (older_)
            older_
                ->for_each_tag(repository,
                               [&](const tag_view& tag) {
                                   out.push_back(tag.digest);
                                   return true;
                               })
                .value();
        return out;
    }

    void count(const retention_repository& of, const repository_decision& decided)
    {
        pruned_repository row;
        row.name = of.name;
        row.tags = of.tags.size();
        row.kept = decided.kept;
        row.removed = decided.removed;
        row.untagged = decided.untagged;
        row.manifests = decided.manifests_removed;
        const bool some = row.removed + row.untagged + row.manifests != 0;
        summary_.planned.repositories += some ? 1U : 0U;
        summary_.planned.tags += row.removed + row.untagged;
        summary_.planned.digests += row.manifests;
        summary_.kept += row.kept;
        summary_.untimed += decided.untimed;
        summary_.repositories.push_back(std::move(row));
        if (!graph_)
            return;
        const auto here = graph_->find_repository(of.name);
        for (std::size_t m = 0; m != of.manifests.size(); ++m)
            if (!decided.manifests[m].stays)
                deletions_.push_back({here, graph_->find(of.manifests[m].id)});
    }

    void find_freed_bytes()
    {
        if (!graph_)
            return;
        const auto all = freed_by(*graph_, deletions_);
        summary_.freed_bytes = all.bytes;
        summary_.unread = all.unknown;
        if (summary_.planned.repositories * graph_->manifests() > most_walked)
            return;
        auto next = deletions_.begin();
        for (auto& row : summary_.repositories) {
            const auto here = graph_->find_repository(row.name);
            const auto begin = next;
            next = std::find_if(begin, deletions_.end(), [&](const auto& d) { return d.repository != here; });
            row.freed_bytes = begin == next ? 0 : freed_by(*graph_, {begin, next}).bytes;
        }
    }

    plan_header header() const
    {
        plan_header out;
        out.registry = s_.address().canonical();
        out.created_at = now_in_seconds();
        out.command = prune_command_text(how_);
        out.with_children = by_->policy().with_children;
        out.untag = by_->policy().untag;
        return out;
    }

    std::optional<std::string> explained() const { return how_.explain ? std::optional(explained_) : std::nullopt; }

    int carry_out_plan()
    {
        sweep_report done;
        if (!what_.steps.empty()) {
            s_.lock(*tags_);
            done = carry_out(s_, what_, sweep_settings(s_, how_.how), &*tags_, progress_line).outcome.value();
        }
        metrics_.tags_removed = done.removed_tags;
        metrics_.manifests_removed = done.removed;
        metrics_.failed = done.failed.size() + done.dropped.size();
        if (json_)
            print_prune_json(s_.address().canonical(), summary_, explained(), &done);
        else if (!what_.steps.empty())
            print_report(s_, done);
        tell_outcome(s_, done);
        return s_.status();
    }

    session& s_;
    const prune_options& how_;
    prune_metrics& metrics_;
    bool json_;
    prune_summary summary_;
    std::optional<retention> by_;
    std::optional<index> older_;
    std::optional<index> tags_;
    std::optional<details_store> facts_;
    std::optional<content_graph> graph_;
    std::optional<retention_source> source_;
    std::vector<manifest_deletion> deletions_; ///< by repository, as `summary_`
    plan what_;                                ///< without steps in a dry run
    output out_;
    std::string explained_;
    std::optional<error> over_limit_; ///< of the first repository that is
};

// The exit status of a failure, as `main` will choose it.
int status_of(const std::exception_ptr& what)
{
    try {
        std::rethrow_exception(what);
    } catch (const usage_error&) {
        return exit_usage;
    } catch (const failure& e) {
        return e.why().is(errc::cancelled) ? exit_interrupted : exit_failed;
    } catch (...) {
        return exit_failed;
    }
}

// By then all is done that was to be done: that it cannot be told of is no reason to say that it failed.
bool metrics_written(const std::string& file, const prune_metrics& what)
{
    try {
        write_metrics(file, what);
        return true;
    } catch (const failure& e) {
        const bool deleted = !what.dry_run && (what.exit_status == exit_done || what.exit_status == exit_partly);
        terminal::standard().error(std::string("--metrics-file: ") + e.what() +
                                   (deleted ? "; the deletion itself is done" : ""));
        return false;
    }
}

int prune(session& s, const prune_options& how)
{
    check_standard_input(s, how);
    if (!how.metrics_file.empty())
        check_metrics_file(how.metrics_file);
    prune_metrics metrics;
    metrics.registry = s.address().canonical();
    metrics.dry_run = is_dry(how);
    const auto begin = std::chrono::steady_clock::now();
    const auto tell = [&](int status) {
        metrics.exit_status = status;
        metrics.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        metrics.finished_at = now_in_seconds();
        return how.metrics_file.empty() || metrics_written(how.metrics_file, metrics);
    };
    int status = exit_done;
    try {
        status = prune_run(s, how, metrics).run();
    } catch (...) {
        const auto thrown = std::current_exception();
        tell(status_of(thrown));
        std::rethrow_exception(thrown);
    }
    return tell(status) || status != exit_done ? status : exit_partly;
}

} // namespace

command_runner add_prune(CLI::App& app, CLI::App*& subcommand)
{
    subcommand =
        app.add_subcommand("prune", "Delete what a policy does not keep; shows the plan unless --yes is given");
    const auto how = std::make_shared<prune_options>();
    add_prune_options(*subcommand, *how);
    return [how](session& s) { return prune(s, *how); };
}

} // namespace regsweep::cli
