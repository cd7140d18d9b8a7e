#include "regsweep/core/error.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>

using namespace regsweep;

BOOST_AUTO_TEST_SUITE(errors)

BOOST_AUTO_TEST_CASE(every_code_has_its_own_words)
{
    std::set<std::string> texts;
    for (int i = 1; i <= static_cast<int>(errc::cancelled); ++i) {
        const auto code = make_error_code(static_cast<errc>(i));
        BOOST_TEST(code.failed());
        BOOST_TEST(code.message() != "unknown error");
        BOOST_TEST(texts.insert(code.message()).second, code.message() << " stands for two codes");
    }
    BOOST_TEST(category().message(9999) == "unknown error");
    BOOST_TEST(category().name() == std::string("regsweep"));
}

BOOST_AUTO_TEST_CASE(message_holds_all_that_is_known)
{
    error e(errc::not_found, "look elsewhere", "GET /v2/a/tags/list");
    e.http_status = 404;
    e.registry_code = "NAME_UNKNOWN";
    e.registry_message = "no such name";
    BOOST_TEST(e.message() == "GET /v2/a/tags/list: not found (HTTP 404): NAME_UNKNOWN, no such name: look elsewhere");
    BOOST_TEST(error(errc::cancelled, {}).message() == "interrupted");
    BOOST_TEST(e.is(errc::not_found));
    BOOST_TEST(!e.is(errc::forbidden));
}

BOOST_AUTO_TEST_CASE(a_registry_cannot_write_on_the_terminal)
{
    error e(errc::http_status, "a\x1b[2Jb\nc", "GET /\r\n");
    e.registry_code = "X\x07";
    e.registry_message = "\xc2\x9b"
                         "31m red \x9b"
                         "31m";
    for (const char c : e.message()) {
        const auto byte = static_cast<unsigned char>(c);
        BOOST_TEST((byte >= 0x20 && byte < 0x7f));
    }
}

BOOST_AUTO_TEST_CASE(printable_text)
{
    BOOST_TEST(printable("plain text, with {all} \"kinds\" of \\ signs") ==
               "plain text, with {all} \"kinds\" of \\ signs");
    BOOST_TEST(printable("a\tb\n") == "a\\x09b\\x0a");
    BOOST_TEST(printable(std::string_view("\0\x7f", 2)) == "\\x00\\x7f");
    BOOST_TEST(printable("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xb3") == "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xb3");
    // C1 controls, by themselves and in UTF-8.
    BOOST_TEST(printable("\x9b") == "\\x9b");
    BOOST_TEST(printable("\xc2\x9b") == "\\xc2\\x9b");
    BOOST_TEST(printable("\xc2\xa0") == "\xc2\xa0");
    // No UTF-8: cut, overlong, surrogate, above the last.
    BOOST_TEST(printable("\xe2\x82") == "\\xe2\\x82");
    BOOST_TEST(printable("\xc0\x80") == "\\xc0\\x80");
    BOOST_TEST(printable("\xe0\x80\x80") == "\\xe0\\x80\\x80");
    BOOST_TEST(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");
    BOOST_TEST(printable("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");
    BOOST_TEST(printable("\xff") == "\\xff");
    // Marks that turn the rest of the line around.
    BOOST_TEST(printable("\xe2\x80\xae") == "\\xe2\\x80\\xae");
}

BOOST_AUTO_TEST_CASE(printable_text_is_cut_between_characters)
{
    BOOST_TEST(printable("abcdef", 3) == "abc...");
    BOOST_TEST(printable("abc", 3) == "abc");
    BOOST_TEST(printable("ab\xc3\xa4", 3) == "ab...");
    BOOST_TEST(printable("ab\xc3\xa4", 4) == "ab\xc3\xa4");
    BOOST_TEST(printable("", 0) == "");
    BOOST_TEST(printable(std::string(1000, 'x')).size() == 303U);
}

BOOST_AUTO_TEST_CASE(results_throw_failure)
{
    const result<int> bad = error(errc::io, "disk full");
    BOOST_CHECK_EXCEPTION(bad.value(), failure, [](const failure& f) {
        return f.why().is(errc::io) && std::string(f.what()) == "file error: disk full";
    });
    const result<int> good = 7;
    BOOST_TEST(good.value() == 7);
}

BOOST_AUTO_TEST_SUITE_END()
