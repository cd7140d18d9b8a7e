#include "common/temp_dir.hpp"
#include "unit/http/run.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>
#include <thread>

using namespace regsweep;
using namespace regsweep::test;

namespace {

struct tls_setup
{
    tls_setup(fake_options fake, http::client_options options)
        : registry(std::move(fake)), client(io, std::move(options))
    {
        registry.start();
    }
    exchange ask(const std::string& host = "127.0.0.1")
    {
        return run(io, send(client, {true, host, registry.port()}, get("/v2/")));
    }
    fake_registry registry;
    boost::asio::io_context io{1};
    http::client client;
};

// A server's certificate and the file of the authority that made it.
struct identity
{
    explicit identity(const fake_certificate_options& options = {}) : made(make_certificates(options))
    {
        write_file(ca(), made.ca);
        write_file(folder / "client.pem", made.client_certificate);
        write_file(folder / "client.key", made.client_key);
        write_file(folder / "both.pem", made.client_certificate + made.client_key);
    }
    std::filesystem::path ca() const { return folder / "ca.pem"; }
    fake_options server() const
    {
        fake_options fake;
        fake.certificate = made.server_certificate;
        fake.key = made.server_key;
        return fake;
    }
    http::client_options client() const
    {
        http::client_options options = quick_options();
        options.retry.retries = 0;
        options.tls.system_trust = false;
        options.tls.trusted = {ca()};
        return options;
    }
    temp_dir folder;
    fake_certificates made;
};

void check_answer(const exchange& e)
{
    BOOST_TEST_REQUIRE(e.sent.has_value(), (e.sent ? "" : e.sent.error().message()));
    BOOST_TEST(e.answer.status == 200U);
}

void check_refused(const exchange& e, const std::string& words)
{
    BOOST_TEST_REQUIRE(e.sent.has_error());
    BOOST_TEST(e.sent.error().is(errc::tls_failed), e.sent.error().message());
    const std::string text = e.sent.error().message();
    BOOST_TEST(text.find(words) != std::string::npos, text);
    BOOST_TEST(text.find('\n') == std::string::npos);
}

// Certificate and key as PEM, signed by the key itself and no authority.
std::pair<std::string, std::string> self_signed()
{
    const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    const std::unique_ptr<X509, void (*)(X509*)> x(X509_new(), X509_free);
    X509_set_version(x.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(x.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x.get()), 86400);
    X509_set_pubkey(x.get(), key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("127.0.0.1"), -1, -1, 0);
    X509_set_issuer_name(x.get(), X509_get_subject_name(x.get()));
    X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
    X509_add_ext(x.get(), names, -1);
    X509_EXTENSION_free(names);
    X509_sign(x.get(), key.get(), EVP_sha256());
    const auto text = [](auto write) {
        const std::unique_ptr<BIO, int (*)(BIO*)> bio(BIO_new(BIO_s_mem()), BIO_free);
        write(bio.get());
        char* data = nullptr;
        const long size = BIO_get_mem_data(bio.get(), &data);
        return std::string(data, static_cast<std::size_t>(size));
    };
    return {text([&](BIO* b) { PEM_write_bio_X509(b, x.get()); }),
            text([&](BIO* b) { PEM_write_bio_PrivateKey(b, key.get(), nullptr, nullptr, 0, nullptr, nullptr); })};
}

} // namespace

BOOST_AUTO_TEST_SUITE(tls)

BOOST_AUTO_TEST_CASE(a_trusted_authority)
{
    const identity id;
    tls_setup s(id.server(), id.client());
    for (int i = 0; i != 5; ++i)
        check_answer(s.ask());
    check_answer(s.ask("localhost")); // by name, with SNI
    BOOST_TEST(s.client.stats().handshakes == 2U);
    BOOST_TEST(s.client.stats().connections == 2U);
}

BOOST_AUTO_TEST_CASE(sessions_are_resumed)
{
    for (const bool old_version : {false, true}) {
        const identity id;
        fake_options fake = id.server();
        fake.requests_per_connection = 1;
        fake.tls_1_2_only = old_version;
        tls_setup s(fake, id.client());
        for (int i = 0; i != 6; ++i)
            check_answer(s.ask());
        BOOST_TEST(s.client.stats().connections == 6U);
        BOOST_TEST(s.client.stats().handshakes == 1U);
        BOOST_TEST(s.client.stats().resumptions == 5U);
        BOOST_TEST(s.registry.counts().resumed == 5U);
    }
}

BOOST_AUTO_TEST_CASE(refusals_have_a_sentence_each)
{
    {
        fake_certificate_options old;
        old.valid_from = -7200;
        old.valid_until = -3600;
        const identity id(old);
        tls_setup s(id.server(), id.client());
        check_refused(s.ask(), "has expired");
    }
    {
        fake_certificate_options young;
        young.valid_from = 3600;
        young.valid_until = 7200;
        const identity id(young);
        tls_setup s(id.server(), id.client());
        check_refused(s.ask(), "not valid yet");
    }
    {
        fake_certificate_options other;
        other.names = {"other.example.com"};
        const identity id(other);
        tls_setup s(id.server(), id.client());
        check_refused(s.ask(), "not made for 127.0.0.1 but for other.example.com");
        check_refused(s.ask("localhost"), "not made for localhost but for other.example.com");
    }
    {
        const identity id;
        const identity stranger;
        tls_setup s(id.server(), stranger.client());
        check_refused(s.ask(), "unknown authority");
        BOOST_TEST(s.client.stats().requests == 0U);
    }
    {
        const identity id;
        fake_options fake;
        std::tie(fake.certificate, fake.key) = self_signed();
        tls_setup s(fake, id.client());
        check_refused(s.ask(), "self-signed");
    }
}

BOOST_AUTO_TEST_CASE(a_self_signed_certificate_can_be_trusted_itself)
{
    const temp_dir folder;
    fake_options fake;
    std::tie(fake.certificate, fake.key) = self_signed();
    write_file(folder / "server.pem", fake.certificate);
    http::client_options options = quick_options();
    options.tls.trusted = {folder / "server.pem"};
    tls_setup s(fake, options);
    check_answer(s.ask());
}

BOOST_AUTO_TEST_CASE(verification_can_be_turned_off)
{
    const identity id;
    http::client_options options = quick_options();
    options.tls.system_trust = false;
    options.tls.verify = false;
    tls_setup s(id.server(), options);
    check_answer(s.ask());
}

BOOST_AUTO_TEST_CASE(failures_are_not_repeated)
{
    const identity id;
    const identity stranger;
    http::client_options options = stranger.client();
    options.retry.retries = 5;
    tls_setup s(id.server(), options);
    check_refused(s.ask(), "unknown authority");
    BOOST_TEST(s.client.stats().retries == 0U);
}

BOOST_AUTO_TEST_CASE(client_certificates_are_shown_to_the_first_host_only)
{
    const identity id;
    fake_options fake = id.server();
    fake.client_ca = id.made.ca;
    fake_registry registry(fake);
    registry.start();
    const origin here{true, "127.0.0.1", registry.port()};
    http::client_options options = id.client();
    options.tls.client_cert = id.folder / "both.pem";
    for (const bool elsewhere_first : {false, true}) {
        boost::asio::io_context io{1};
        http::client client(io, options);
        if (elsewhere_first)
            client.at({true, "registry.invalid", 443});
        BOOST_TEST(run(io, send(client, here, get("/v2/"))).sent.has_error() == elsewhere_first);
    }
}

BOOST_AUTO_TEST_CASE(client_certificates)
{
    const identity id;
    fake_options fake = id.server();
    fake.client_ca = id.made.ca;
    for (const bool one_file : {false, true}) {
        http::client_options options = id.client();
        options.tls.client_cert = id.folder / (one_file ? "both.pem" : "client.pem");
        if (!one_file)
            options.tls.client_key = id.folder / "client.key";
        tls_setup s(fake, options);
        check_answer(s.ask());
    }
    tls_setup without(fake, id.client());
    BOOST_TEST(without.ask().sent.has_error());
    fake.tls_1_2_only = true;
    tls_setup old(fake, id.client());
    check_refused(old.ask(), "client certificate");
}

BOOST_AUTO_TEST_CASE(encrypted_keys)
{
    const identity id;
    fake_options fake = id.server();
    fake.client_ca = id.made.ca;
    const std::unique_ptr<BIO, int (*)(BIO*)> in(BIO_new_mem_buf(id.made.client_key.data(), -1), BIO_free);
    const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
        PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
    const std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
    const std::string password = "hunter2";
    PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), EVP_aes_256_cbc(), password.data(),
                                  static_cast<int>(password.size()), nullptr, nullptr);
    char* data = nullptr;
    const long size = BIO_get_mem_data(out.get(), &data);
    write_file(id.folder / "locked.key", std::string_view(data, static_cast<std::size_t>(size)));

    http::client_options options = id.client();
    options.tls.client_cert = id.folder / "client.pem";
    options.tls.client_key = id.folder / "locked.key";
    int asked = 0;
    options.tls.passphrase = [&] { return ++asked, password; };
    tls_setup s(fake, options);
    check_answer(s.ask());
    BOOST_TEST(asked == 1);

    const origin somewhere{true, "127.0.0.1", 1};
    const auto refuses = [](const failure& f) {
        return f.why().is(errc::tls_failed) && std::string(f.what()).find("passphrase") != std::string::npos;
    };
    boost::asio::io_context io{1};
    options.tls.passphrase = [] { return std::string("wrong"); };
    http::client wrong(io, options);
    BOOST_CHECK_EXCEPTION(wrong.at(somewhere), failure, refuses);
    options.tls.passphrase = nullptr;
    http::client missing(io, options);
    BOOST_CHECK_EXCEPTION(missing.at(somewhere), failure, refuses);
}

BOOST_AUTO_TEST_CASE(files_that_cannot_be_used)
{
    const identity id;
    write_file(id.folder / "junk.pem", "junk");
    const auto refuses = [](const http::tls_options& chosen, const std::string& words) {
        boost::asio::io_context io{1};
        http::client_options options;
        options.tls = chosen;
        http::client client(io, options);
        BOOST_CHECK_EXCEPTION(client.at({true, "h", 1}), failure, [&](const failure& f) {
            return f.why().is(errc::tls_failed) && std::string(f.what()).find(words) != std::string::npos;
        });
    };
    http::tls_options chosen;
    chosen.trusted = {id.folder / "missing.pem"};
    refuses(chosen, "missing.pem");
    chosen.trusted = {id.folder / "junk.pem"};
    refuses(chosen, "junk.pem");
    chosen = {};
    chosen.client_cert = id.folder / "junk.pem";
    refuses(chosen, "junk.pem");
    chosen.client_cert = id.folder / "client.pem"; // holds no key
    refuses(chosen, "client.pem");
    const identity stranger;
    chosen.client_key = stranger.folder / "client.key";
    refuses(chosen, "client.key");
}

BOOST_AUTO_TEST_CASE(servers_that_speak_no_tls)
{
    using boost::asio::ip::tcp;
    boost::asio::io_context server_io;
    tcp::acceptor acceptor(server_io, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    const std::jthread server([&] {
        tcp::socket socket = acceptor.accept();
        const std::string answer = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent something else to an HTTP server.\n";
        boost::asio::write(socket, boost::asio::buffer(answer));
        std::array<char, 4096> hello;
        boost::system::error_code ec;
        while (!ec) // a close with unread data would be a reset
            socket.read_some(boost::asio::buffer(hello), ec);
    });
    const identity id;
    boost::asio::io_context io{1};
    http::client client(io, id.client());
    const auto got = run(io, send(client, {true, "127.0.0.1", acceptor.local_endpoint().port()}, get("/v2/")));
    check_refused(got, "does not speak TLS");
    BOOST_TEST(got.sent.error().message().find("http://") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_redirect_from_https_to_http_is_refused)
{
    const identity id;
    tls_setup s(id.server(), id.client());
    fake_registry plain;
    plain.start();
    s.registry.add_rule("", "", fake_action::redirect(302, plain.url() + "/v2/"));
    const auto got = s.ask();
    BOOST_TEST_REQUIRE(got.sent.has_error());
    BOOST_TEST(got.sent.error().is(errc::redirect_refused));
    BOOST_TEST(plain.counts().requests == 0U);
}

BOOST_AUTO_TEST_CASE(an_end_without_notice_after_a_whole_answer_is_none)
{
    const identity id;
    tls_setup s(id.server(), id.client());
    fake_action cut;
    cut.ending = fake_ending::truncate;
    cut.connection_close = true;
    s.registry.add_rule("", "", cut);
    check_answer(s.ask());
    check_answer(s.ask());
}

BOOST_AUTO_TEST_SUITE_END()
