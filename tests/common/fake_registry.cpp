#include "common/fake_registry.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <type_traits>

namespace regsweep::test {

namespace asio = boost::asio;

namespace {

using boost::system::error_code;
using executor = asio::io_context::executor_type;
using tcp_socket = asio::basic_stream_socket<asio::ip::tcp, executor>;
using tls_stream = asio::ssl::stream<tcp_socket>;
using acceptor = asio::basic_socket_acceptor<asio::ip::tcp, executor>;
using timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, executor>;

constexpr std::array<std::string_view, 7> methods = {"GET", "HEAD", "PUT", "DELETE", "POST", "PATCH", ""};
constexpr std::size_t endpoint_count = 8;

std::size_t method_number(std::string_view method) noexcept
{
    std::size_t i = 0;
    while (i + 1 < methods.size() && methods[i] != method)
        ++i;
    return i;
}

fake_endpoint endpoint_of(std::string_view path) noexcept
{
    if (!path.starts_with("/v2/"))
        return path == "/token" ? fake_endpoint::token : fake_endpoint::other;
    if (path.size() == 4)
        return fake_endpoint::ping;
    if (path == "/v2/_catalog")
        return fake_endpoint::catalog;
    if (path.ends_with("/tags/list"))
        return fake_endpoint::tags;
    if (path.rfind("/manifests/") != std::string_view::npos)
        return fake_endpoint::manifests;
    if (path.rfind("/blobs/uploads") != std::string_view::npos)
        return fake_endpoint::uploads;
    return path.rfind("/blobs/") != std::string_view::npos ? fake_endpoint::blobs : fake_endpoint::other;
}

/// Counts up a number that only one thread writes: no locked instruction.
void count_up(std::atomic<std::size_t>& number) noexcept
{
    number.store(number.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

/// What one thread of the server owns.
struct alignas(64) loop
{
    asio::io_context io{1};
    fake_synthetic::scratch scratch;
    std::array<std::array<std::atomic<std::size_t>, endpoint_count>, methods.size()> requests{};
};

/// What all connections share.
struct server
{
    explicit server(fake_options o)
        : options(std::move(o)), synthetic(options.synthetic), api(options.api, store, synthetic), auth(options.auth)
    {}

    bool tls() const noexcept { return !options.certificate.empty(); }
    std::string url() const { return (tls() ? "https://" : "http://") + address; }

    /// Whether requests for synthetic manifests may be answered without looking at anything else.
    bool fast() const noexcept { return fast_options && rule_count.load(std::memory_order_relaxed) == 0; }

    /// Whether this request is one too many in the current second.
    bool over_rate() noexcept
    {
        const auto now =
            std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now().time_since_epoch())
                .count();
        auto known = second.load(std::memory_order_relaxed);
        if (known != now && second.compare_exchange_strong(known, now))
            in_second.store(0);
        return in_second.fetch_add(1) >= options.rate_limit;
    }

    void begin_request() noexcept
    {
        const auto now = concurrent.fetch_add(1, std::memory_order_relaxed) + 1;
        auto most = max_concurrent.load(std::memory_order_relaxed);
        while (now > most && !max_concurrent.compare_exchange_weak(most, now, std::memory_order_relaxed)) {
        }
    }

    void end_requests(std::size_t count) noexcept { concurrent.fetch_sub(count, std::memory_order_relaxed); }

    /// Makes the log entry of a request and returns its number, or `fake_unlimited` if it is not logged.
    std::size_t record(const fake_request& request, std::size_t connection, bool more)
    {
        if (!options.record)
            return fake_unlimited;
        const std::scoped_lock lock(log_mutex);
        if (log.size() >= options.record_limit) {
            log_overflow = true;
            return fake_unlimited;
        }
        fake_record made;
        made.method = request.method;
        made.target = request.target;
        made.authorization = request.header("Authorization");
        made.user_agent = request.header("User-Agent");
        made.accept = request.joined("Accept");
        made.host = request.header("Host");
        made.content_type = request.header("Content-Type");
        made.body = request.body.substr(0, 4096);
        made.connection = connection;
        made.more = more;
        log.push_back(std::move(made));
        return log_offset + log.size() - 1;
    }

    void record_status(std::size_t number, unsigned status)
    {
        const std::scoped_lock lock(log_mutex);
        if (number != fake_unlimited && number >= log_offset)
            log[number - log_offset].status = status;
    }

    fake_options options;
    fake_store store;
    fake_synthetic synthetic;
    fake_api api;
    fake_auth auth;
    fake_rule_set rules;
    std::string address;
    bool fast_options = false;
    std::unique_ptr<asio::ssl::context> tls_context;

    std::atomic<std::size_t> rule_count{0};
    std::atomic<std::size_t> connections{0};
    std::atomic<std::size_t> open_connections{0};
    std::atomic<std::size_t> handshakes{0};
    std::atomic<std::size_t> resumed{0};
    std::atomic<std::size_t> failed_handshakes{0};
    std::atomic<std::size_t> concurrent{0};
    std::atomic<std::size_t> max_concurrent{0};
    std::atomic<std::size_t> rate_limited{0};
    std::atomic<std::int64_t> second{0};
    std::atomic<std::size_t> in_second{0};

    std::array<std::array<std::size_t, endpoint_count>, methods.size()> stopped_requests{};

    std::mutex log_mutex;
    std::vector<fake_record> log;
    std::size_t log_offset = 0;
    bool log_overflow = false;
};

/// One connection. Reads requests, answers them in order, never reads while it writes.
template<class Stream>
class session : public std::enable_shared_from_this<session<Stream>>
{
    static constexpr bool is_tls = !std::is_same_v<Stream, tcp_socket>;

public:
    template<class... StreamArgs>
    session(server& s, loop& l, std::size_t number, StreamArgs&&... args)
        : server_(s), loop_(l), number_(number), stream_(std::forward<StreamArgs>(args)...), pause_timer_(l.io),
          close_timer_(l.io)
    {
        in_.resize(8192);
        server_.open_connections.fetch_add(1);
    }

    ~session()
    {
        server_.end_requests(begun_);
        server_.open_connections.fetch_sub(1);
    }

    session(const session&) = delete;
    session& operator=(const session&) = delete;

    void start()
    {
        error_code ignored;
        socket().set_option(asio::ip::tcp::no_delay(true), ignored);
        if constexpr (is_tls) {
            stream_.async_handshake(asio::ssl::stream_base::server,
                                    [self = self()](error_code failed) { self->on_handshake(failed); });
        } else {
            socket().non_blocking(true, ignored); // for the write that does not wait, in `flush`
            read();
        }
    }

private:
    auto self() { return this->shared_from_this(); }

    tcp_socket& socket()
    {
        if constexpr (is_tls)
            return stream_.next_layer();
        else
            return stream_;
    }

    void on_handshake(error_code failed)
    {
        if (failed) {
            server_.failed_handshakes.fetch_add(1);
            return;
        }
        if constexpr (is_tls) {
            server_.handshakes.fetch_add(1);
            if (SSL_session_reused(stream_.native_handle()) == 1)
                server_.resumed.fetch_add(1);
        }
        read();
    }

    void make_room()
    {
        constexpr std::size_t least = 2048;
        if (begin_ == end_)
            begin_ = end_ = 0;
        if (in_.size() - end_ >= least)
            return;
        in_.erase(0, begin_);
        end_ -= begin_;
        begin_ = 0;
        in_.resize(std::max({end_ * 2, end_ + least, std::size_t{8192}}));
    }

    void read()
    {
        make_room();
        if (server_.options.idle_timeout.count() != 0 && begin_ == end_)
            close_after(server_.options.idle_timeout);
        stream_.async_read_some(asio::buffer(in_.data() + end_, in_.size() - end_),
                                [self = self()](error_code failed, std::size_t size) {
                                    if (failed)
                                        return self->shut();
                                    self->close_timer_.cancel();
                                    self->end_ += size;
                                    self->advance();
                                });
    }

    /// Goes on with whatever is next, until something has to be waited for.
    void advance()
    {
        constexpr std::size_t much = 262144;
        for (;;) {
            if (pause_.count() != 0) {
                if (flush())
                    wait();
                return;
            }
            if (step_ != steps_.size()) {
                if (!run_step())
                    return;
                continue;
            }
            if (out_.size() > much && !flush())
                return;
            const auto parsed = next_request();
            if (parsed == fake_parse::incomplete) {
                if (flush())
                    read();
                return;
            }
            if (parsed == fake_parse::bad)
                answer_bad();
            else
                answer();
            chunks_ = {}; // the answer no longer needs the body
        }
    }

    fake_parse next_request()
    {
        constexpr std::size_t largest_head = 1 << 20;
        const std::string_view data(in_.data() + begin_, end_ - begin_);
        if (data.empty() || data.size() < needed_)
            return fake_parse::incomplete;
        std::size_t length = 0;
        const auto parsed = parse_head(data, request_, length);
        if (parsed != fake_parse::complete)
            return data.size() > largest_head ? fake_parse::bad : parsed;
        const auto body = request_.chunked ? read_chunks(data.substr(length), length) : read_plain(data, length);
        if (body != fake_parse::complete)
            return body;
        needed_ = 0;
        continued_ = false;
        begin_ += length;
        return fake_parse::complete;
    }

    fake_parse read_plain(std::string_view data, std::size_t& length)
    {
        if (request_.content_length == 0)
            return fake_parse::complete;
        if (request_.content_length > server_.options.max_body)
            return fake_parse::bad;
        const auto body = static_cast<std::size_t>(request_.content_length);
        if (data.size() < length + body) {
            needed_ = length + body;
            send_continue();
            return fake_parse::incomplete;
        }
        request_.body = data.substr(length, body);
        length += body;
        return fake_parse::complete;
    }

    fake_parse read_chunks(std::string_view data, std::size_t& length)
    {
        const auto parsed = chunks_.read(data);
        if (parsed == fake_parse::incomplete)
            send_continue();
        if (chunks_.body().size() > server_.options.max_body)
            return fake_parse::bad;
        request_.body = chunks_.body();
        length += chunks_.consumed();
        return parsed;
    }

    void send_continue()
    {
        if (request_.expects_continue && !continued_)
            out_ += "HTTP/1.1 100 Continue\r\n\r\n";
        continued_ = true;
    }

    void answer_bad()
    {
        request_.method = "GET";
        request_.keep_alive = false;
        begin();
        send(registry_error(400, "UNSUPPORTED", "not a request this server can read"), {});
    }

    void begin()
    {
        server_.begin_request();
        ++begun_;
    }

    void answer()
    {
        begin();
        ++answered_;
        const auto endpoint = static_cast<std::size_t>(endpoint_of(request_.path));
        count_up(loop_.requests[method_number(request_.method)][endpoint]);
        const auto entry = server_.record(request_, number_, begin_ != end_);
        if (server_.options.rate_limit != 0 && server_.over_rate())
            return refuse_for_rate(entry);
        if (server_.fast() && answer_fast())
            return;
        if (server_.options.on_request)
            server_.options.on_request(request_);
        const auto action = server_.rules.match(request_);
        answer_slow(entry, action.value_or(fake_action()));
    }

    bool answer_fast()
    {
        const bool head = request_.method == "HEAD";
        if ((!head && request_.method != "GET") || !request_.keep_alive || request_.http_1_0)
            return false;
        if (server_.options.latency.count() == 0) {
            if (!server_.synthetic.append_answer(request_.path, head, loop_.scratch, out_))
                return false;
            ++done_;
            return true;
        }
        fake_step step;
        if (!server_.synthetic.append_answer(request_.path, head, loop_.scratch, step.bytes))
            return false;
        steps_.push_back(std::move(step));
        pause_ = server_.options.latency;
        return true;
    }

    void refuse_for_rate(std::size_t entry)
    {
        server_.rate_limited.fetch_add(1);
        auto reply = registry_error(429, "TOOMANYREQUESTS", "too many requests");
        if (!server_.options.retry_after.empty())
            reply.set("Retry-After", server_.options.retry_after);
        server_.record_status(entry, reply.status);
        send(std::move(reply), {});
    }

    void answer_slow(std::size_t entry, fake_action action)
    {
        fake_reply reply;
        if (action.status != 0)
            reply = replaced(action);
        else if (action.effect)
            reply = right_answer();
        if (server_.options.requests_per_connection != 0 && answered_ >= server_.options.requests_per_connection)
            action.connection_close = true;
        server_.record_status(entry, reply.status);
        action.delay += server_.options.latency;
        send(std::move(reply), action);
    }

    static fake_reply replaced(const fake_action& action)
    {
        if (action.status < 400 || action.body)
            return fake_reply{action.status, {}, {}};
        return registry_error(action.status, action.status == 429 ? "TOOMANYREQUESTS" : "UNKNOWN", "by a rule");
    }

    fake_reply right_answer()
    {
        if (request_.path == "/token")
            return server_.auth.token(request_);
        if (request_.path.starts_with("/v2/"))
            if (auto refused = server_.auth.refuse(request_, server_.url()))
                return std::move(*refused);
        return server_.api.handle(request_);
    }

    void send(fake_reply reply, const fake_action& action)
    {
        for (const auto& [name, value] : server_.options.extra_headers)
            reply.set(name, value);
        steps_ = make_steps(request_, std::move(reply), action, server_.address);
        if (steps_.empty())
            ++done_;
    }

    /// Returns false if the work goes on in a handler.
    bool run_step()
    {
        auto& step = steps_[step_];
        switch (step.what) {
        case fake_step::kind::pause:
            pause_ = step.interval;
            end_step();
            return true;
        case fake_step::kind::endless:
            out_ += step.bytes;
            pause_ = step.interval;
            return pause_.count() != 0 || flush(true);
        case fake_step::kind::end:
            if (!flush())
                return false;
            end_connection(step.ending);
            return false;
        case fake_step::kind::send: break;
        }
        const auto size = std::min(step.piece, step.bytes.size() - sent_of_step_);
        out_.append(step.bytes, sent_of_step_, size);
        sent_of_step_ += size;
        if (sent_of_step_ == step.bytes.size())
            end_step();
        else
            pause_ = step.interval;
        return true;
    }

    void end_step()
    {
        sent_of_step_ = 0;
        if (++step_ != steps_.size())
            return;
        steps_.clear();
        step_ = 0;
        ++done_;
    }

    void wait()
    {
        pause_timer_.expires_after(std::exchange(pause_, std::chrono::milliseconds(0)));
        pause_timer_.async_wait([self = self()](error_code failed) {
            if (!failed)
                self->advance();
        });
    }

    /// Sends what is collected. Returns false if that goes on, or ended, elsewhere; `advance` is called after it.
    bool flush(bool always_later = false)
    {
        std::size_t sent = 0;
        if (out_.empty())
            return true;
        if constexpr (!is_tls) {
            error_code failed;
            if (!always_later)
                sent = stream_.write_some(asio::buffer(out_), failed);
            if (failed && failed != asio::error::would_block) {
                shut();
                return false;
            }
            if (sent == out_.size()) {
                settle();
                return true;
            }
        }
        asio::async_write(stream_, asio::buffer(out_) + sent, [self = self()](error_code failed, std::size_t) {
            if (failed)
                return self->shut();
            self->settle();
            self->advance();
        });
        return false;
    }

    /// Everything collected is sent.
    void settle()
    {
        out_.clear();
        server_.end_requests(done_);
        begun_ -= done_;
        done_ = 0;
    }

    void end_connection(fake_ending ending)
    {
        ++done_;
        settle();
        error_code ignored;
        if (ending == fake_ending::reset) {
            socket().set_option(asio::socket_base::linger(true, 0), ignored);
            return shut();
        }
        close_after(std::chrono::seconds(2)); // for peers that do not close their end
        if constexpr (is_tls) {
            if (ending == fake_ending::close) {
                stream_.async_shutdown([self = self()](error_code) { self->shut(); });
                return;
            }
        }
        socket().shutdown(asio::socket_base::shutdown_send, ignored);
        drain();
    }

    /// Reads and drops what still comes: closing with unread input would send RST and destroy the answer.
    void drain()
    {
        socket().async_read_some(asio::buffer(in_), [self = self()](error_code failed, std::size_t) {
            if (failed)
                return self->shut();
            self->drain();
        });
    }

    void close_after(std::chrono::milliseconds time)
    {
        close_timer_.expires_after(time);
        close_timer_.async_wait([self = self()](error_code failed) {
            if (!failed)
                self->shut();
        });
    }

    void shut()
    {
        error_code ignored;
        close_timer_.cancel();
        pause_timer_.cancel();
        socket().close(ignored);
    }

    server& server_;
    loop& loop_;
    std::size_t number_;
    Stream stream_;
    timer pause_timer_;
    timer close_timer_;

    std::string in_; // read and not yet consumed: [begin_, end_)
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t needed_ = 0; // bytes that make the request complete, if known
    bool continued_ = false;
    fake_request request_;
    fake_chunks chunks_;

    std::string out_;
    std::vector<fake_step> steps_;
    std::size_t step_ = 0;
    std::size_t sent_of_step_ = 0;
    std::chrono::milliseconds pause_{0};

    std::size_t answered_ = 0; // since the connection was accepted
    std::size_t begun_ = 0;    // requests taken whose answers are not all sent
    std::size_t done_ = 0;     // of those, the ones whose answers are in out_
};

int set_session_context(asio::ssl::context& context)
{
    static constexpr unsigned char id[] = "fake_registry";
    return SSL_CTX_set_session_id_context(context.native_handle(), id, sizeof id - 1);
}

std::unique_ptr<asio::ssl::context> make_tls_context(const fake_options& options)
{
    auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
    context->use_certificate_chain(asio::buffer(options.certificate));
    context->use_private_key(asio::buffer(options.key), asio::ssl::context::pem);
    if (set_session_context(*context) != 1)
        throw std::runtime_error("OpenSSL refuses the session id context");
    if (options.tls_1_2_only)
        SSL_CTX_set_max_proto_version(context->native_handle(), TLS1_2_VERSION);
    if (!options.client_ca.empty()) {
        context->add_certificate_authority(asio::buffer(options.client_ca));
        context->set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
    }
    return context;
}

bool allows_fast_path(const fake_options& options)
{
    return options.synthetic.repositories != 0 && !options.synthetic.remember_deletes && !options.record &&
           options.auth.kind == fake_auth_kind::none && options.extra_headers.empty() &&
           options.requests_per_connection == 0;
}

} // namespace

struct fake_registry::state
{
    explicit state(fake_options options)
    {
        for (unsigned i = 0; i < std::max(options.threads, 1U); ++i)
            loops.push_back(std::make_unique<loop>());
        const asio::ip::tcp::endpoint local(asio::ip::address_v4::loopback(), options.port);
        listening.emplace(loops.front()->io, local); // sets SO_REUSEADDR: a test can restart a server on its port
        port = listening->local_endpoint().port();
        const auto address = "127.0.0.1:" + std::to_string(port);
        auto& base = options.api.link_base;
        if (const auto at = base.find("{address}"); at != std::string::npos)
            base.replace(at, std::string_view("{address}").size(), address);
        shared = std::make_unique<server>(std::move(options));
        shared->address = address;
        shared->fast_options = allows_fast_path(shared->options);
        if (shared->tls())
            shared->tls_context = make_tls_context(shared->options);
    }

    void accept()
    {
        auto& next = *loops[accepted % loops.size()];
        listening->async_accept(next.io, [this, &next](error_code failed, tcp_socket socket) {
            if (failed)
                return accept_later();
            begin_session(next, std::move(socket));
            accept();
        });
    }

    /// Out of file descriptors, most likely: trying again at once would burn the processor.
    void accept_later()
    {
        auto pause = std::make_shared<timer>(loops.front()->io, std::chrono::milliseconds(20));
        pause->async_wait([this, pause](error_code) { accept(); });
    }

    void begin_session(loop& on, tcp_socket socket)
    {
        const auto number = accepted++;
        shared->connections.fetch_add(1);
        asio::post(on.io, [this, &on, number, moved = std::move(socket)]() mutable {
            if (shared->tls())
                std::make_shared<session<tls_stream>>(*shared, on, number, std::move(moved), *shared->tls_context)
                    ->start();
            else
                std::make_shared<session<tcp_socket>>(*shared, on, number, std::move(moved))->start();
        });
    }

    /// So that they can be read after the loops are gone.
    void keep_requests()
    {
        for (const auto& l : loops)
            for (std::size_t m = 0; m < methods.size(); ++m)
                for (std::size_t e = 0; e < endpoint_count; ++e)
                    shared->stopped_requests[m][e] += l->requests[m][e].load();
    }

    std::unique_ptr<server> shared; // outlives the loops, whose pending handlers hold sessions
    std::vector<std::unique_ptr<loop>> loops;
    std::optional<acceptor> listening;
    std::uint16_t port = 0;
    std::size_t accepted = 0;
    std::vector<std::thread> threads;
};

fake_registry::fake_registry(fake_options options) : state_(std::make_unique<state>(std::move(options))) {}

fake_registry::~fake_registry()
{
    stop();
}

void fake_registry::start()
{
    state_->accept();
    for (auto& l : state_->loops)
        state_->threads.emplace_back([&io = l->io] {
            const auto work = asio::make_work_guard(io);
            io.run();
        });
}

void fake_registry::stop()
{
    for (auto& l : state_->loops)
        l->io.stop();
    for (auto& thread : state_->threads)
        thread.join();
    state_->threads.clear();
    state_->listening.reset();
    state_->keep_requests();
    state_->loops.clear();
}

std::uint16_t fake_registry::port() const noexcept
{
    return state_->port;
}

std::string fake_registry::address() const
{
    return state_->shared->address;
}

std::string fake_registry::url() const
{
    return state_->shared->url();
}

fake_store& fake_registry::store() noexcept
{
    return state_->shared->store;
}

fake_synthetic& fake_registry::synthetic() noexcept
{
    return state_->shared->synthetic;
}

fake_auth& fake_registry::auth() noexcept
{
    return state_->shared->auth;
}

std::string fake_registry::put_manifest(const std::string& repository, std::string bytes, std::string media_type)
{
    return store().put_manifest(repository, std::move(bytes), std::move(media_type));
}

std::string fake_registry::put_image(const std::string& repository, const std::string& tag, const std::string& text)
{
    return store().put_image(repository, tag, text);
}

void fake_registry::tag(const std::string& repository, const std::string& tag, const std::string& digest)
{
    store().tag(repository, tag, digest);
}

bool fake_registry::remove_tag(const std::string& repository, const std::string& tag)
{
    return store().remove_tag(repository, tag);
}

fake_snapshot fake_registry::snapshot() const
{
    return state_->shared->store.snapshot();
}

std::size_t fake_registry::add_rule(fake_rule rule)
{
    const auto number = state_->shared->rules.add(std::move(rule));
    state_->shared->rule_count.store(number + 1);
    return number;
}

std::size_t fake_registry::add_rule(std::string method, std::string path, fake_action action, std::size_t count)
{
    fake_rule rule;
    rule.method = std::move(method);
    rule.path = std::move(path);
    rule.count = count;
    rule.action = std::move(action);
    return add_rule(std::move(rule));
}

void fake_registry::clear_rules()
{
    state_->shared->rules.clear();
    state_->shared->rule_count.store(0);
}

std::size_t fake_registry::rule_hits(std::size_t rule) const
{
    return state_->shared->rules.hits(rule);
}

fake_counts fake_registry::counts() const
{
    const auto& s = *state_->shared;
    fake_counts all;
    for (const auto& row : s.stopped_requests)
        for (const auto number : row)
            all.requests += number;
    for (const auto& l : state_->loops)
        for (const auto& row : l->requests)
            for (const auto& number : row)
                all.requests += number.load(std::memory_order_relaxed);
    all.connections = s.connections;
    all.open_connections = s.open_connections;
    all.handshakes = s.handshakes;
    all.resumed = s.resumed;
    all.failed_handshakes = s.failed_handshakes;
    all.max_concurrent = s.max_concurrent;
    all.rate_limited = s.rate_limited;
    return all;
}

std::size_t fake_registry::requests(std::string_view method, fake_endpoint endpoint) const
{
    std::size_t count = 0;
    for (std::size_t m = 0; m < methods.size(); ++m) {
        if (!method.empty() && m != method_number(method))
            continue;
        count += state_->shared->stopped_requests[m][static_cast<std::size_t>(endpoint)];
        for (const auto& l : state_->loops)
            count += l->requests[m][static_cast<std::size_t>(endpoint)].load(std::memory_order_relaxed);
    }
    return count;
}

std::size_t fake_registry::requests(std::string_view method, std::string_view prefix) const
{
    auto& s = *state_->shared;
    const std::scoped_lock lock(s.log_mutex);
    if (!s.options.record || s.log_overflow)
        throw std::logic_error("the log of the fake registry is off or full: raise record_limit, or count by endpoint");
    return static_cast<std::size_t>(std::count_if(s.log.begin(), s.log.end(), [&](const fake_record& r) {
        return (method.empty() || r.method == method) && r.target.starts_with(prefix);
    }));
}

std::vector<fake_record> fake_registry::log() const
{
    const std::scoped_lock lock(state_->shared->log_mutex);
    return state_->shared->log;
}

void fake_registry::clear_log()
{
    auto& s = *state_->shared;
    const std::scoped_lock lock(s.log_mutex);
    s.log_offset += s.log.size();
    s.log.clear();
    s.log_overflow = false;
}

} // namespace regsweep::test
