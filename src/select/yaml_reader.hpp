#ifndef REGSWEEP_SELECT_YAML_READER_HPP
#define REGSWEEP_SELECT_YAML_READER_HPP

#include "select/yaml_tree.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>

namespace regsweep::detail {

/// A decimal number and nothing else.
std::optional<std::uint64_t> whole_number(std::string_view text) noexcept;

/// What a value is, for the end of an error: `'text'`, `a list`.
std::string found_text(const yaml_node& node);

/// Base of what reads settings out of a tree. The first mistake is thrown, to be caught before anybody sees it.
class yaml_reader
{
public:
    /// `name` is the file's; it must outlive this.
    explicit yaml_reader(std::string_view name) : name_(name) {}

    struct mistake
    {
        error why;
    };

protected:
    /// A key of a map, and what takes its value.
    using field = std::pair<std::string_view, std::function<void(const yaml_node&)>>;
    using fields = std::vector<field>;

    [[noreturn]] void fail(const yaml_node& at, const std::string& what) const;

    /// Takes the keys of `map`, which errors call `where`. A key that is not known is a mistake; the nearest is named.
    void read_fields(const yaml_node& map, const std::string& where, const fields& known) const;

    const std::string& word(const yaml_node& node, const std::string& expected) const;
    std::size_t one_of(const yaml_node& node, const std::vector<std::string_view>& choices) const;
    bool yes_or_no(const yaml_node& node) const;
    std::uint64_t number(const yaml_node& node) const;
    /// A list, or one word in place of a list of one.
    std::vector<std::string> words(const yaml_node& node, const std::string& expected) const;

    template<class T>
    T parsed(const yaml_node& node, const std::function<result<T>(std::string_view)>& parse) const
    {
        auto value = parse(word(node, "a value"));
        if (!value)
            fail(node, value.error().detail);
        return *std::move(value);
    }

    /// A list, or one value in place of a list of one. `each` checks what is in it.
    template<class Each>
    void for_each_item(const yaml_node& node, const std::string& expected, const Each& each) const
    {
        if (node.kind != yaml_kind::list) {
            each(node);
            return;
        }
        if (node.items.empty())
            fail(node, "expected " + expected + ", found an empty list");
        for (const auto& item : node.items)
            each(item);
    }

private:
    [[noreturn]] void unknown_key(const yaml_node& key, const std::string& where,
                                  std::span<const std::string_view> names) const;

    std::string_view name_;
};

} // namespace regsweep::detail

#endif
