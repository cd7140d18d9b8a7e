#include "regsweep/auth/docker_config.hpp"

#include "auth/text.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

extern char** environ; // NOLINT: the helper runs in our environment, as Docker's do

namespace regsweep {
namespace {

using namespace auth_text;
namespace json = boost::json;
using std::chrono::steady_clock;

class descriptor
{
public:
    descriptor() = default;
    explicit descriptor(int fd) noexcept : fd_(fd) {}
    descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~descriptor() { close(); }

    int get() const noexcept { return fd_; }
    bool open() const noexcept { return fd_ >= 0; }
    void close() noexcept
    {
        if (fd_ >= 0)
            ::close(std::exchange(fd_, -1));
    }

private:
    int fd_ = -1;
};

struct pipe_ends
{
    descriptor read;
    descriptor write;
};

result<pipe_ends> make_pipe()
{
    std::array<int, 2> fds{};
    if (::pipe2(fds.data(), O_CLOEXEC) != 0)
        return error(errc::io, "no pipe to a credential helper: " + std::generic_category().message(errno));
    pipe_ends out;
    out.read = descriptor(fds[0]);
    out.write = descriptor(fds[1]);
    return out;
}

// A child process with all its children; killed and reaped at the latest when it goes.
class child
{
public:
    explicit child(pid_t pid) noexcept : pid_(pid) {}
    child(const child&) = delete;
    child& operator=(const child&) = delete;
    ~child()
    {
        if (pid_ <= 0)
            return;
        ::kill(-pid_, SIGKILL);
        ::kill(pid_, SIGKILL);
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
    }

    // The wait status, or nothing at the deadline.
    std::optional<int> wait(steady_clock::time_point deadline)
    {
        while (true) {
            int status = 0;
            const pid_t got = ::waitpid(pid_, &status, WNOHANG);
            if (got == pid_ || (got < 0 && errno != EINTR)) {
                pid_ = 0;
                return got < 0 ? 0 : status; // reaped by someone else: its output has to do
            }
            if (steady_clock::now() >= deadline)
                return std::nullopt;
            ::poll(nullptr, 0, 2); // its outputs are closed already: it is about to end
        }
    }

private:
    pid_t pid_;
};

bool good_name(std::string_view name)
{
    return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
        return ascii_alnum(c) || c == '.' || c == '_' || c == '-';
    });
}

// The program's full name; empty if no absolute folder of `path` has it.
std::string find_program(const std::string& program, std::string_view path)
{
    while (!path.empty()) {
        const std::size_t end = std::min(path.find(':'), path.size());
        const std::string_view folder = path.substr(0, end);
        path.remove_prefix(std::min(end + 1, path.size()));
        if (!folder.starts_with('/'))
            continue;
        std::string full = std::string(folder) + "/" + program;
        if (::access(full.c_str(), X_OK) == 0)
            return full;
    }
    return {};
}

class spawn_setup
{
public:
    spawn_setup(int in, int out, int err)
    {
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
        posix_spawn_file_actions_adddup2(&actions, in, 0);
        posix_spawn_file_actions_adddup2(&actions, out, 1);
        posix_spawn_file_actions_adddup2(&actions, err, 2);
        sigset_t none;
        sigset_t all;
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        posix_spawnattr_setpgroup(&attributes, 0); // so that its children can be killed with it
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    }
    spawn_setup(const spawn_setup&) = delete;
    spawn_setup& operator=(const spawn_setup&) = delete;
    ~spawn_setup()
    {
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
    }

    posix_spawn_file_actions_t actions{};
    posix_spawnattr_t attributes{};
};

struct helper_output
{
    int status = 0; ///< as `waitpid` gives it
    std::string out;
    std::string err;
};

class helper_run
{
public:
    helper_run(const std::string& shown, const helper_options& options)
        : shown_(shown), options_(options), deadline_(steady_clock::now() + options.timeout)
    {}

    result<helper_output> run(const std::string& file, std::string_view input)
    {
        auto in = make_pipe();
        auto out = make_pipe();
        auto err = make_pipe();
        for (const auto* pipe : {&in, &out, &err})
            if (!*pipe)
                return pipe->error();
        // Before the start, while we hold the pipe's other end: a helper that does not read it causes no SIGPIPE, and
        // the URL is smaller than the pipe, so that this does not block.
        if (::write(in->write.get(), input.data(), input.size()) != static_cast<ssize_t>(input.size()))
            return error(errc::io, shown_ + ": " + std::generic_category().message(errno));
        in->write.close();
        pid_t pid = 0;
        {
            const spawn_setup setup(in->read.get(), out->write.get(), err->write.get());
            std::array<char*, 3> arguments = {const_cast<char*>(file.c_str()), const_cast<char*>("get"), nullptr};
            const int failed =
                ::posix_spawn(&pid, file.c_str(), &setup.actions, &setup.attributes, arguments.data(), environ);
            if (failed != 0)
                return error(errc::not_found, shown_ +
                                                  " cannot be started: " + std::generic_category().message(failed) +
                                                  "; install it again, or give --user");
        }
        child helper(pid);
        in->read.close();
        out->write.close();
        err->write.close();

        helper_output collected;
        if (auto read = collect(out->read, err->read, collected); !read) {
            wipe(collected.out);
            return read.error();
        }
        const auto status = helper.wait(deadline_);
        if (!status)
            return timed_out();
        collected.status = *status;
        return collected;
    }

private:
    error timed_out() const
    {
        return {errc::timed_out, shown_ + " gave no answer within " + std::to_string(options_.timeout.count()) +
                                     " ms; try 'docker login', or give --user"};
    }

    // Both outputs until the helper has closed them.
    result<void> collect(descriptor& out, descriptor& err, helper_output& into)
    {
        into.out.reserve(options_.max_output + 1);
        while (out.open() || err.open()) {
            std::array<pollfd, 2> fds = {pollfd{out.get(), POLLIN, 0}, pollfd{err.get(), POLLIN, 0}};
            const auto left =
                std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - steady_clock::now()).count();
            if (left <= 0)
                return timed_out();
            const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(std::min<std::int64_t>(left, 60'000)));
            if (ready < 0 && errno != EINTR)
                return error(errc::io, shown_ + ": " + std::generic_category().message(errno));
            if (ready <= 0)
                continue;
            if (fds[0].revents != 0)
                read_some(out, into.out);
            if (fds[1].revents != 0)
                read_some(err, into.err);
            if (into.out.size() > options_.max_output || into.err.size() > options_.max_output)
                return error(errc::too_large, shown_ + " writes more than " + std::to_string(options_.max_output) +
                                                  " bytes, which is no answer; give --user");
        }
        return {};
    }

    static void read_some(descriptor& from, std::string& into)
    {
        std::array<char, 4096> buffer{};
        const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
        if (got > 0)
            into.append(buffer.data(), static_cast<std::size_t>(got));
        else if (got == 0 || (errno != EAGAIN && errno != EINTR))
            from.close();
        OPENSSL_cleanse(buffer.data(), buffer.size());
    }

    std::string shown_;
    helper_options options_;
    steady_clock::time_point deadline_;
};

// Takes out what looks like a secret: long runs of letters mixed with digits, and what follows words for secrets.
std::string without_secrets(std::string_view text)
{
    static constexpr std::array<std::string_view, 5> words = {"secret", "password", "passwd", "token", "bearer"};
    std::string out;
    bool after_word = false;
    std::size_t at = 0;
    const auto in_run = [](char c) {
        return ascii_alnum(c) || c == '+' || c == '_' || c == '=' || c == '-' || (c & 0x80) != 0;
    };
    while (at != text.size()) {
        if (!in_run(text[at])) {
            // Only what separates a name from its value keeps the two together.
            if (std::string_view(" \t:\"'").find(text[at]) == std::string_view::npos)
                after_word = false;
            out += text[at++];
            continue;
        }
        const std::size_t start = at;
        while (at != text.size() && in_run(text[at]))
            ++at;
        const std::string_view run = text.substr(start, at - start);
        const bool digits = run.find_first_of("0123456789") != std::string_view::npos;
        const std::size_t equals = run.find('=');
        const std::string lower = ascii_lower(run.substr(0, equals));
        const bool word = std::any_of(words.begin(), words.end(), [&](auto w) { return lower.ends_with(w); });
        if (word) {
            out += run.substr(0, equals);
            if (equals != std::string_view::npos)
                out += equals + 1 == run.size() ? "=" : "=***";
        } else if (after_word || (run.size() >= 20 && digits)) {
            out += "***";
        } else {
            out += run;
        }
        after_word = word && (equals == std::string_view::npos || equals + 1 == run.size());
    }
    return out;
}

// The helper's own words, one line. Helpers explain failures on their standard output, as Docker wants it, or on the
// other; what looks like a credential's JSON is not shown at all.
std::string explanation(const helper_output& o)
{
    const bool json_like = o.out.find('{') != std::string::npos;
    std::string_view text = !json_like && !o.out.empty() ? o.out : o.err;
    text = text.substr(0, 4096);
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
        text.remove_suffix(1);
    std::string out = without_secrets(text);
    std::replace(out.begin(), out.end(), '\n', ' ');
    return printable(out);
}

bool says_not_found(const helper_output& o)
{
    for (const std::string* text : {&o.out, &o.err})
        if (ascii_lower(*text).find("credentials not found") != std::string::npos)
            return true;
    return false;
}

std::string ending(int status)
{
    if (WIFSIGNALED(status))
        return "ended by signal " + std::to_string(WTERMSIG(status));
    return "failed with exit code " + std::to_string(WEXITSTATUS(status));
}

std::string text_member(const json::object& object, std::string_view name)
{
    const json::value* v = object.if_contains(name);
    const json::string* s = v ? v->if_string() : nullptr;
    return s ? std::string(s->data(), s->size()) : std::string();
}

result<std::optional<credentials>> read_answer(const helper_output& output, const std::string& shown,
                                               const std::string& source)
{
    json::error_code failed;
    const json::value parsed = json::parse(output.out, failed);
    const json::object* object = failed ? nullptr : parsed.if_object();
    if (!object)
        return error(errc::bad_response, shown + " answered with something that is no JSON object; is it a Docker "
                                                 "credential helper? Give --user to do without");
    credentials out;
    out.source = source;
    out.user = text_member(*object, "Username");
    out.secret = secret(text_member(*object, "Secret"));
    if (out.secret.empty())
        return std::optional<credentials>(); // Docker takes an empty answer for "not known" as well
    out.kind = credential_kind::basic;
    if (out.user == "<token>") {
        out.kind = credential_kind::identity_token;
        out.user.clear();
    } else if (out.user.empty()) {
        return error(errc::bad_response,
                     shown + " answered with a secret without a user name; log in again, or give --user");
    }
    return std::optional<credentials>(std::move(out));
}

} // namespace

result<std::optional<credentials>> ask_credential_helper(const std::string& name, const std::string& server_url,
                                                         const std::string& source, const std::string& path,
                                                         const helper_options& options)
{
    const std::string named = source.empty() ? "" : " (named by " + source + ")";
    if (!good_name(name))
        return error(errc::bad_argument, "'" + printable(name, 100) + "' is no name of a credential helper" + named);
    if (has_control(server_url) || server_url.size() > 2048)
        return error(errc::bad_argument, "a server URL with control characters or over 2048 bytes is not given to a "
                                         "credential helper" +
                                             named);
    const std::string program = "docker-credential-" + name;
    const std::string shown = "the credential helper " + program + named;
    const std::string file = find_program(program, path);
    if (file.empty())
        return error(errc::not_found, shown + " is not in the folders of PATH; install it, or give --user");
    auto output = helper_run(shown, options).run(file, server_url);
    if (!output)
        return output.error();
    if (output->status != 0) {
        if (says_not_found(*output))
            return std::optional<credentials>();
        const std::string why = explanation(*output);
        wipe(output->out);
        return error(errc::unauthorized, shown + " " + ending(output->status) + (why.empty() ? "" : ": " + why));
    }
    auto answer = read_answer(*output, shown, program + " for " + server_url + named);
    wipe(output->out);
    return answer;
}

} // namespace regsweep
