#ifndef REGSWEEP_TESTS_INTEGRATION_PAGE_HPP
#define REGSWEEP_TESTS_INTEGRATION_PAGE_HPP

#include "integration/program.hpp"
#include "integration/python.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <type_traits>
#include <vector>

namespace regsweep::test {

/// What is done in a page, one step after the other, and what must come of it. tests/common/chromium.py has the steps.
class page_session
{
public:
    /// The value of a JavaScript expression is `wanted`: a text, a number or a truth.
    template<class Wanted>
    void check(const std::string& script, const Wanted& wanted)
    {
        steps_.push_back({"eval", script});
        if constexpr (std::is_convertible_v<Wanted, std::string>)
            wanted_.emplace_back(boost::json::string(std::string(wanted)));
        else
            wanted_.emplace_back(wanted);
    }
    void until(const std::string& script) { act({"until", script}); }
    void click(const std::string& what) { act({"click", what}); }
    void key(const std::string& name) { act({"key", name}); }
    void type(const std::string& text) { act({"type", text}); }
    void size(int width, int height) { act({"size", width, height}); }
    void act(boost::json::array step)
    {
        steps_.push_back(std::move(step));
        wanted_.emplace_back(true);
    }

    /// Does all of it in `page`, which must ask for nothing and have no errors.
    void run(const std::filesystem::path& page) const
    {
        const auto done = regsweep::test::run({.args = {python_with("json"), TEST_DATA_DIR "/common/chromium.py", page},
                                               .input = boost::json::serialize(steps_)});
        BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
        const auto said = boost::json::parse(done.out);
        const auto& results = said.at("results").as_array();
        BOOST_TEST_REQUIRE(results.size() == steps_.size());
        for (std::size_t i = 0; i != results.size(); ++i)
            BOOST_TEST((results[i] == wanted_[i]), boost::json::serialize(steps_[i])
                                                       << " gives " << boost::json::serialize(results[i]) << ", not "
                                                       << boost::json::serialize(wanted_[i]));
        BOOST_TEST(boost::json::serialize(said.at("requests")) == "[]");
        BOOST_TEST(boost::json::serialize(said.at("complaints")) == "[]");
    }

private:
    boost::json::array steps_;
    std::vector<boost::json::value> wanted_;
};

} // namespace regsweep::test

#endif
