#include "common/fake_rules.hpp"

#include <zlib.h>

#include <charconv>
#include <stdexcept>

namespace regsweep::test {

namespace {

std::string gzipped(const std::string& text)
{
    constexpr int gzip_window = 15 + 16;
    z_stream stream{};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        throw std::runtime_error("cannot start zlib");
    std::string out(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

std::string chunk(std::string_view data)
{
    char size[20];
    const auto [end, failed] = std::to_chars(size, size + sizeof size, data.size(), 16);
    (void)failed; // 20 characters hold any size
    return std::string(size, end) + "\r\n" + std::string(data) + "\r\n";
}

/// In several chunks, so that a reader that takes the first one for the whole is found out.
std::string chunked(std::string_view body)
{
    std::string out;
    const auto part = body.size() / 3 + 1;
    for (; !body.empty(); body.remove_prefix(std::min(part, body.size())))
        out += chunk(body.substr(0, part));
    return out + "0\r\n\r\n";
}

void replace_all(std::string& text, std::string_view what, std::string_view with)
{
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
        text.replace(at, what.size(), with);
}

void apply_headers(fake_reply& reply, const fake_action& action, const fake_request& request,
                   const std::string& address)
{
    for (const auto& name : action.remove_headers)
        reply.remove(name);
    for (auto [name, value] : action.set_headers) {
        replace_all(value, "{target}", request.target);
        replace_all(value, "{address}", address);
        reply.set(name, std::move(value));
    }
    if (action.huge_header != 0)
        reply.set("X-Padding", std::string(action.huge_header, 'p'));
}

bool bodiless(unsigned status)
{
    return status == 204 || status == 304 || (status >= 100 && status < 200);
}

/// Sets the headers that frame the body and returns the body's bytes on the wire.
std::string frame(fake_reply& reply, const fake_request& request, const fake_action& action)
{
    const bool no_body = request.method == "HEAD" || bodiless(reply.status);
    if (action.chunked) {
        reply.set("Transfer-Encoding", "chunked");
        if (no_body || action.endless_body)
            return {};
        return chunked(reply.body);
    }
    if (!action.no_length && !action.endless_body && !bodiless(reply.status) && reply.get("Content-Length").empty()) {
        const auto length = static_cast<long>(reply.body.size()) + action.length_error;
        reply.set("Content-Length", std::to_string(std::max(length, 0L)));
    }
    return no_body ? std::string() : std::move(reply.body);
}

fake_step send(std::string bytes, std::size_t piece, std::chrono::milliseconds interval)
{
    fake_step step;
    step.bytes = std::move(bytes);
    step.interval = interval;
    step.piece = interval.count() == 0 ? fake_unlimited : std::max<std::size_t>(piece, 1);
    return step;
}

fake_step end(fake_ending ending)
{
    fake_step step;
    step.what = fake_step::kind::end;
    step.ending = ending;
    return step;
}

fake_step endless(const fake_action& action)
{
    fake_step step;
    step.what = fake_step::kind::endless;
    step.interval = action.body_interval;
    const std::string text(action.body_interval.count() == 0 ? 16384 : action.piece, ' ');
    step.bytes = action.chunked ? chunk(text) : text;
    return step;
}

} // namespace

fake_action fake_action::answer(unsigned status, fake_headers headers, std::string body)
{
    fake_action action;
    action.status = status;
    action.set_headers = std::move(headers);
    if (!body.empty())
        action.body = std::move(body);
    return action;
}

fake_action fake_action::reset_after(std::size_t bytes)
{
    fake_action action;
    action.cut_after = bytes;
    action.ending = fake_ending::reset;
    return action;
}

fake_action fake_action::close_after(std::size_t bytes)
{
    fake_action action;
    action.cut_after = bytes;
    action.ending = fake_ending::close;
    return action;
}

fake_action fake_action::redirect(unsigned status, std::string location)
{
    return answer(status, {{"Location", std::move(location)}});
}

fake_action fake_action::wait(std::chrono::milliseconds delay)
{
    fake_action action;
    action.delay = delay;
    return action;
}

fake_rule_set::entry::entry(fake_rule r) : rule(std::move(r)), random(rule.seed)
{
    if (!rule.regex.empty())
        pattern.assign(rule.regex);
}

bool fake_rule_set::entry::fits(const fake_request& request) const
{
    if (!rule.method.empty() && request.method != rule.method)
        return false;
    if (request.target.find(rule.path) == std::string_view::npos)
        return false;
    return rule.regex.empty() || std::regex_search(request.target.begin(), request.target.end(), pattern);
}

std::size_t fake_rule_set::add(fake_rule rule)
{
    entry made(std::move(rule));
    const std::scoped_lock lock(mutex_);
    entries_.push_back(std::move(made));
    return entries_.size() - 1;
}

void fake_rule_set::clear()
{
    const std::scoped_lock lock(mutex_);
    entries_.clear();
}

std::size_t fake_rule_set::hits(std::size_t rule) const
{
    const std::scoped_lock lock(mutex_);
    return rule < entries_.size() ? entries_[rule].hits : 0;
}

bool fake_rule_set::empty() const
{
    const std::scoped_lock lock(mutex_);
    return entries_.empty();
}

std::optional<fake_action> fake_rule_set::match(const fake_request& request)
{
    const std::scoped_lock lock(mutex_);
    for (auto& e : entries_) {
        if (e.hits >= e.rule.count || !e.fits(request) || e.seen++ < e.rule.skip)
            continue;
        if (e.rule.probability < 1 && std::generate_canonical<double, 53>(e.random) >= e.rule.probability)
            continue;
        ++e.hits;
        return e.rule.action;
    }
    return std::nullopt;
}

std::vector<fake_step> make_steps(const fake_request& request, fake_reply reply, const fake_action& action,
                                  const std::string& address)
{
    std::vector<fake_step> steps;
    if (action.delay.count() != 0) {
        fake_step pause;
        pause.what = fake_step::kind::pause;
        pause.interval = action.delay;
        steps.push_back(std::move(pause));
    }
    if (action.body)
        reply.body = *action.body;
    apply_headers(reply, action, request, address);
    if (action.gzip) {
        reply.body = gzipped(reply.body);
        reply.set("Content-Encoding", "gzip");
    }
    auto body = frame(reply, request, action);
    const bool closes = action.connection_close || action.http_1_0 || action.no_length || !request.keep_alive;
    if (closes)
        reply.set("Connection", "close");
    else if (request.http_1_0)
        reply.set("Connection", "keep-alive");
    auto head = head_text(reply, action.http_1_0);
    if (action.interim)
        head.insert(0, "HTTP/1.1 100 Continue\r\n\r\n");
    if (action.raw) {
        head = *action.raw;
        body.clear();
    }
    const bool cut = action.cut_after < head.size() + body.size();
    if (cut) {
        body.resize(action.cut_after > head.size() ? action.cut_after - head.size() : 0);
        head.resize(std::min(head.size(), action.cut_after));
    }
    if (!head.empty())
        steps.push_back(send(std::move(head), action.piece, action.header_interval));
    if (!body.empty())
        steps.push_back(send(std::move(body), action.piece, action.body_interval));
    if (action.endless_body && request.method != "HEAD")
        steps.push_back(endless(action));
    if (action.ending != fake_ending::keep)
        steps.push_back(end(action.ending));
    else if (closes)
        steps.push_back(end(fake_ending::close));
    return steps;
}

} // namespace regsweep::test
