#include "select/yaml_tree.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <sstream>

namespace regsweep::detail {
namespace {

constexpr std::size_t size_limit = 1024 * 1024;
constexpr std::size_t depth_limit = 32;
constexpr std::size_t value_limit = 100'000;

/// Thrown through yaml-cpp, which has no other way to stop it.
struct refusal
{
    error why;
};

std::size_t from_one(int place) noexcept
{
    return place < 0 ? 1 : static_cast<std::size_t>(place) + 1;
}

class tree_builder final : public YAML::EventHandler
{
public:
    explicit tree_builder(std::string_view name) : name_(name) {}

    yaml_node take() { return std::move(root_); }
    bool has_document() const noexcept { return documents_ != 0; }

    void OnDocumentStart(const YAML::Mark& mark) override
    {
        if (++documents_ > 1)
            refuse(mark, "a second document begins here: expected one");
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(mark, {}, anchor, yaml_kind::null); }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override
    {
        refuse(mark, "aliases (*name) are not allowed: write the value itself");
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override
    {
        add(mark, tag, anchor, yaml_kind::scalar).text = value;
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value /*style*/) override
    {
        open_.push_back(&add(mark, tag, anchor, yaml_kind::list));
    }
    void OnSequenceEnd() override { open_.pop_back(); }

    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value /*style*/) override
    {
        open_.push_back(&add(mark, tag, anchor, yaml_kind::map));
    }
    void OnMapEnd() override { open_.pop_back(); }

private:
    [[noreturn]] void refuse(const YAML::Mark& mark, const std::string& what) const
    {
        throw refusal{yaml_error(name_, from_one(mark.line), from_one(mark.column), what)};
    }

    yaml_node& add(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, yaml_kind kind)
    {
        if (anchor != YAML::NullAnchor)
            refuse(mark, "anchors (&name) are not allowed: write the value wherever it is needed");
        if (!tag.empty() && tag != "?" && tag != "!")
            refuse(mark, "explicit types (!type) are not allowed: write the value alone");
        if (++values_ > value_limit)
            refuse(mark, "more than " + std::to_string(value_limit) + " values");
        if (open_.size() >= depth_limit)
            refuse(mark, "nested more than " + std::to_string(depth_limit) + " levels deep");
        yaml_node& made = place();
        made.kind = kind;
        made.line = from_one(mark.line);
        made.column = from_one(mark.column);
        if (kind == yaml_kind::null && !open_.empty() && open_.back()->kind == yaml_kind::map)
            place_at_key(made);
        return made;
    }

    // yaml-cpp finds that a value is missing where the next token is, lines below.
    void place_at_key(yaml_node& value) const
    {
        const auto& items = open_.back()->items;
        if (items.size() % 2 != 0)
            return;
        value.line = items[items.size() - 2].line;
        value.column = items[items.size() - 2].column;
    }

    // Pointers to what is open stay good: only the innermost list grows.
    yaml_node& place()
    {
        if (open_.empty())
            return root_;
        open_.back()->items.emplace_back();
        return open_.back()->items.back();
    }

    std::string_view name_;
    yaml_node root_;
    std::vector<yaml_node*> open_;
    std::size_t values_ = 0;
    std::size_t documents_ = 0;
};

void check_keys(const yaml_node& node, std::string_view name)
{
    if (node.kind == yaml_kind::map) {
        std::vector<const yaml_node*> keys;
        for (std::size_t i = 0; i < node.items.size(); i += 2)
            keys.push_back(&node.items[i]);
        std::ranges::stable_sort(keys, {}, &yaml_node::text);
        for (const auto* key : keys)
            if (key->kind != yaml_kind::scalar)
                throw refusal{yaml_error(name, key->line, key->column, "expected a word as a key")};
        const auto twice = std::ranges::adjacent_find(keys, {}, &yaml_node::text);
        if (twice != keys.end())
            throw refusal{yaml_error(name, twice[1]->line, twice[1]->column,
                                     "'" + printable(twice[1]->text, 100) + "' is given a second time, first in line " +
                                         std::to_string(twice[0]->line))};
    }
    for (const auto& item : node.items)
        check_keys(item, name);
}

error place_error(std::string_view name, std::string_view text, std::size_t offset, const std::string& what)
{
    const std::string_view before = text.substr(0, offset);
    const auto lines = static_cast<std::size_t>(std::ranges::count(before, '\n'));
    const std::size_t begin = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    return yaml_error(name, lines + 1, offset - begin + 1, what);
}

} // namespace

error yaml_error(std::string_view name, std::size_t line, std::size_t column, const std::string& what)
{
    return {errc::bad_file, printable(name) + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + what};
}

result<yaml_node> read_yaml(std::string_view text, std::string_view name)
{
    if (text.size() > size_limit)
        return yaml_error(name, 1, 1, "larger than 1 MiB, which is the limit");
    if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos)
        return place_error(name, text, nul, "a NUL byte: expected YAML in UTF-8");
    try {
        std::istringstream in{std::string(text)};
        YAML::Parser parser(in);
        tree_builder builder(name);
        while (parser.HandleNextDocument(builder)) {
        }
        if (!builder.has_document())
            return yaml_error(name, 1, 1, "the file is empty: expected 'version: 1' and rules");
        yaml_node root = builder.take();
        check_keys(root, name);
        return root;
    } catch (const refusal& e) {
        return e.why;
    } catch (const YAML::Exception& e) {
        return yaml_error(name, from_one(e.mark.line), from_one(e.mark.column),
                          "this is no YAML: " + printable(e.msg, 200));
    } catch (const std::exception& e) {
        return yaml_error(name, 1, 1, std::string("this cannot be read as YAML: ") + e.what());
    }
}

} // namespace regsweep::detail
