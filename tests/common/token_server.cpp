#include "common/token_server.hpp"

#include "common/temp_dir.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/url/url_view.hpp>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <sys/time.h>

#include <algorithm>
#include <ctime>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace regsweep::test {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = boost::json;
using tcp = asio::ip::tcp;

constexpr const char* issuer = "test issuer";
constexpr const char* service = "test registry";
constexpr std::chrono::seconds leeway{60}; // docker-registry's, on both ends of a token's life

template<class T, void (*Free)(T*)>
struct freed
{
    void operator()(T* what) const { Free(what); }
};
using key_ptr = std::unique_ptr<EVP_PKEY, freed<EVP_PKEY, EVP_PKEY_free>>;
using x509_ptr = std::unique_ptr<X509, freed<X509, X509_free>>;

void check(bool done, const char* what)
{
    if (!done)
        throw std::runtime_error(std::string("the token server cannot make ") + what);
}

std::string base64_padded(std::string_view bytes)
{
    std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    const int size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                        reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

/// RFC 7515 section 2.
std::string base64url(std::string_view bytes)
{
    std::string out = base64_padded(bytes);
    std::replace(out.begin(), out.end(), '+', '-');
    std::replace(out.begin(), out.end(), '/', '_');
    while (!out.empty() && out.back() == '=')
        out.pop_back();
    return out;
}

x509_ptr self_signed(EVP_PKEY* key)
{
    x509_ptr made(X509_new());
    check(made != nullptr, "a certificate");
    X509* x = made.get();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -86400);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, key);
    X509_NAME* name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("tokens"), -1, -1, 0);
    X509_set_issuer_name(x, name);
    check(X509_sign(x, key, EVP_sha256()) > 0, "its certificate's signature");
    return made;
}

std::string der(X509* certificate)
{
    unsigned char* bytes = nullptr;
    const int size = i2d_X509(certificate, &bytes);
    check(size > 0, "its certificate's text");
    std::string out(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    return out;
}

std::string pem(const std::string& der_text)
{
    return "-----BEGIN CERTIFICATE-----\n" + base64_padded(der_text) + "\n-----END CERTIFICATE-----\n";
}

std::string sign(EVP_PKEY* key, const std::string& text)
{
    const std::unique_ptr<EVP_MD_CTX, freed<EVP_MD_CTX, EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
    std::string out(static_cast<std::size_t>(EVP_PKEY_get_size(key)), '\0');
    std::size_t size = out.size();
    check(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
              EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                             reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1,
          "a signature");
    out.resize(size);
    return out;
}

struct parameters
{
    std::vector<std::pair<std::string, std::string>> all;

    explicit parameters(std::string_view query)
    {
        for (std::size_t from = 0; from < query.size();) {
            const std::size_t to = std::min(query.find('&', from), query.size());
            const std::string_view part = query.substr(from, to - from);
            const std::size_t equal = std::min(part.find('='), part.size());
            all.emplace_back(decode(part.substr(0, equal)), decode(part.substr(std::min(equal + 1, part.size()))));
            from = to + 1;
        }
    }

    std::string get(std::string_view name) const
    {
        const auto found = std::find_if(all.begin(), all.end(), [&](const auto& p) { return p.first == name; });
        return found == all.end() ? "" : found->second;
    }

private:
    static std::string decode(std::string_view text)
    {
        std::string out;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] == '%' && i + 2 < text.size()) {
                out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
                i += 2;
            } else {
                out += text[i] == '+' ? ' ' : text[i];
            }
        }
        return out;
    }
};

std::vector<std::string> split(const std::string& text, char at)
{
    std::vector<std::string> parts;
    for (std::size_t from = 0; from < text.size();) {
        const std::size_t to = std::min(text.find(at, from), text.size());
        if (to != from)
            parts.push_back(text.substr(from, to - from));
        from = to + 1;
    }
    return parts;
}

} // namespace

struct token_server::state
{
    explicit state(token_server_options o)
        : options(std::move(o)), key(EVP_RSA_gen(2048)),
          acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0))
    {
        check(key != nullptr, "a key");
        certificate = der(self_signed(key.get()).get());
        write_file(folder / "bundle.pem", pem(certificate));
        worker = std::thread([this] { serve(); });
    }

    ~state()
    {
        boost::system::error_code ignored;
        ::shutdown(acceptor.native_handle(), SHUT_RDWR); // wakes the thread that accepts
        worker.join();
        acceptor.close(ignored);
    }

    // One after the other: an answer ends its connection.
    void serve()
    {
        while (true) {
            boost::system::error_code ec;
            tcp::socket socket(io);
            acceptor.accept(socket, ec);
            if (ec)
                return;
            const timeval limit{5, 0};
            setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
            boost::beast::flat_buffer buffer;
            http::request<http::string_body> asked;
            http::read(socket, buffer, asked, ec);
            if (ec)
                continue;
            auto answer = handle(asked);
            answer.keep_alive(false);
            answer.prepare_payload();
            http::write(socket, answer, ec);
            socket.shutdown(tcp::socket::shutdown_both, ec);
        }
    }

    static http::response<http::string_body> reply(http::status status, const json::value& body)
    {
        http::response<http::string_body> out(status, 11);
        out.set(http::field::content_type, "application/json");
        out.body() = json::serialize(body);
        return out;
    }

    /// Who it is: a user, empty for nobody, or nothing if the credentials are wrong.
    std::optional<std::string> user_of(const http::request<http::string_body>& asked, const parameters& form) const
    {
        if (asked.method() == http::verb::post && form.get("grant_type") == "refresh_token")
            return !options.identity_token.empty() && form.get("refresh_token") == options.identity_token
                       ? std::optional<std::string>("identity")
                       : std::nullopt;
        const std::string given(asked[http::field::authorization]);
        if (given.empty() && asked.method() == http::verb::get)
            return std::string();
        for (const auto& [user, password] : options.users)
            if (given == "Basic " + base64_padded(user + ":" + password) ||
                (form.get("username") == user && form.get("password") == password))
                return user;
        return std::nullopt;
    }

    http::response<http::string_body> handle(const http::request<http::string_body>& asked)
    {
        const std::string target(asked.target());
        const bool post = asked.method() == http::verb::post;
        const parameters given(
            post ? asked.body() : std::string_view(target).substr(std::min(target.find('?'), target.size() - 1) + 1));
        const auto who = user_of(asked, given);
        const std::scoped_lock lock(guard);
        if (!who || (who->empty() && !options.anonymous_pull)) {
            ++refused;
            return reply(http::status::unauthorized, {{"details", "incorrect username or password"}});
        }
        json::array access;
        issued_token made{std::string(asked.method_string()), *who, {}};
        for (const auto& [name, value] : given.all) {
            if (name != "scope")
                continue;
            for (const auto& scope : split(value, ' ')) {
                made.scopes.push_back(scope);
                add_access(access, scope, who->empty());
            }
        }
        issued.push_back(made);
        return reply(http::status::ok,
                     {{post ? "access_token" : "token", token(*who, access)}, {"expires_in", options.life.count()}});
    }

    /// `repository:a/b:pull,delete`: the name may hold colons, what is around it cannot.
    void add_access(json::array& access, const std::string& scope, bool anonymous) const
    {
        const std::size_t first = scope.find(':');
        const std::size_t last = scope.rfind(':');
        if (first == std::string::npos || first == last)
            return;
        json::array actions;
        for (const auto& action : split(scope.substr(last + 1), ',')) {
            const auto& no = options.refused_actions;
            if ((!anonymous || action == "pull") && std::find(no.begin(), no.end(), action) == no.end())
                actions.emplace_back(action);
        }
        access.push_back({{"type", scope.substr(0, first)},
                          {"name", scope.substr(first + 1, last - first - 1)},
                          {"actions", std::move(actions)}});
    }

    std::string token(const std::string& user, const json::array& access)
    {
        const std::int64_t now = std::time(nullptr);
        const json::object header{{"typ", "JWT"}, {"alg", "RS256"}, {"x5c", json::array{base64_padded(certificate)}}};
        const json::object claims{{"iss", issuer},
                                  {"sub", user},
                                  {"aud", service},
                                  {"exp", now + options.life.count() - leeway.count()},
                                  {"nbf", now - 3600},
                                  {"iat", now},
                                  {"jti", std::to_string(issued.size())},
                                  {"access", access}};
        const std::string text = base64url(json::serialize(header)) + "." + base64url(json::serialize(claims));
        return text + "." + base64url(sign(key.get(), text));
    }

    token_server_options options;
    key_ptr key;
    std::string certificate; // DER
    temp_dir folder;
    asio::io_context io;
    tcp::acceptor acceptor;
    mutable std::mutex guard;
    std::vector<issued_token> issued;
    std::size_t refused = 0;
    std::thread worker;
};

token_server::token_server(token_server_options options) : state_(std::make_unique<state>(std::move(options))) {}

token_server::~token_server() = default;

std::string token_server::realm() const
{
    return "http://127.0.0.1:" + std::to_string(state_->acceptor.local_endpoint().port()) + "/token";
}

std::string token_server::registry_auth() const
{
    return "  token:\n    realm: " + realm() + "\n    service: " + service + "\n    issuer: " + issuer +
           "\n    rootcertbundle: " + (state_->folder / "bundle.pem").string();
}

std::vector<issued_token> token_server::issued() const
{
    const std::scoped_lock lock(state_->guard);
    return state_->issued;
}

std::size_t token_server::refused() const
{
    const std::scoped_lock lock(state_->guard);
    return state_->refused;
}

} // namespace regsweep::test
