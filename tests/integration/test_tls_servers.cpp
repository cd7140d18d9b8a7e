// TLS: through nginx with client certificates and Basic, and every way to say whom to trust.
#include "common/fake_registry.hpp"
#include "common/server_program.hpp"
#include "integration/checks.hpp"
#include "integration/round_trip.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <sstream>

using namespace regsweep::test;

namespace {

/// Certificates as files in a home, and the fake registry with them.
struct fixture : sandbox
{
    void write(const fake_certificates& all)
    {
        certificates = all;
        write_file(file("ca.pem"), all.ca);
        write_file(file("client.pem"), all.client_certificate);
        write_file(file("client.key"), all.client_key);
        write_file(file("client-both.pem"), all.client_certificate + all.client_key);
    }

    void serve(const fake_certificate_options& how = {}, bool wants_client = false)
    {
        write(make_certificates(how));
        serve_with(certificates.server_certificate, certificates.server_key, wants_client);
    }

    void serve_with(const std::string& certificate, const std::string& key, bool wants_client = false)
    {
        fake_options options;
        options.certificate = certificate;
        options.key = key;
        options.client_ca = wants_client ? certificates.ca : "";
        registry = std::make_unique<fake_registry>(options);
        registry->put_image("a", "1", "one");
        registry->start();
    }

    process_result refresh(std::vector<std::string> args = {}, const sandbox::variables& env = {})
    {
        args.insert(args.begin(), {"refresh", "-reg", registry->url(), "-c", file("i.db").string(), "--retries", "0"});
        return run(args, env);
    }

    void check_works(const std::vector<std::string>& args, const sandbox::variables& env = {})
    {
        const auto done = refresh(args, env);
        BOOST_TEST(done.exit_code == 0, shown(args) << ": " << done.err);
        BOOST_TEST(done.err == "");
    }

    void openssl(std::vector<std::string> args)
    {
        args.insert(args.begin(), "openssl");
        const auto done = regsweep::test::run({.args = args});
        BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
    }

    fake_certificates certificates;
    std::unique_ptr<fake_registry> registry;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(through_nginx, fixture)

BOOST_AUTO_TEST_CASE(crawl_remove_and_restore_with_client_certificate_and_basic)
{
    const plain_registry behind;
    write(make_certificates());
    const server_program front(nginx({.upstream = behind.registry.address(),
                                      .certificate = certificates.server_certificate,
                                      .key = certificates.server_key,
                                      .client_authority = certificates.ca,
                                      .basic = {"alice", "secret"}}));
    const std::vector<std::string> login = {"-reg", "https://" + front.address(), "-u", "alice", "-p", "secret"};
    auto whole = login;
    whole.insert(whole.end(), {"--verify", file("ca.pem").string(), "-cert", file("client.pem").string(), "-key",
                               file("client.key").string()});
    check_round_trip(*this, whole, behind.pushed);

    // Each connection is one handshake, and most connections of a run resume the session of another.
    std::map<std::string, std::string> sessions;
    std::istringstream log(read_file(front.file(nginx_log)));
    for (std::string connection, number, reused, rest; log >> connection >> number >> reused; std::getline(log, rest)) {
        const auto known = sessions.emplace(connection, reused).first;
        BOOST_TEST(known->second == reused, "a connection with two handshakes");
    }
    BOOST_TEST(sessions.size() > 0U);

    auto without = login;
    without.insert(without.begin(), "refresh");
    without.insert(without.end(), {"--verify", file("ca.pem").string(), "-c", file("i.db").string()});
    const auto refused = run(without);
    BOOST_TEST(refused.exit_code == 1);
    BOOST_TEST(count_errors(refused.err) == 1U, refused.err);
    check_says(refused.err, {"400"});
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(whom_to_trust, fixture)

BOOST_AUTO_TEST_CASE(a_file)
{
    serve();
    check_works({"--verify", file("ca.pem").string()});
    check_works({"-v", file("ca.pem").string()});
    check_works({}, {{"REQUESTS_CA_BUNDLE", file("ca.pem").string()}});
    check_works({}, {{"SSL_CERT_FILE", file("ca.pem").string()}});
}

BOOST_AUTO_TEST_CASE(a_folder_with_and_without_hashed_names)
{
    serve();
    std::filesystem::create_directory(file("plain"));
    write_file(file("plain") / "ours.crt", certificates.ca);
    check_works({"--verify", file("plain").string()});
    check_works({}, {{"REQUESTS_CA_BUNDLE", file("plain").string()}});

    std::filesystem::create_directory(file("hashed"));
    write_file(file("hashed") / "ours.pem", certificates.ca);
    openssl({"rehash", file("hashed").string()});
    check_works({"--verify", file("hashed").string()});
    check_works({}, {{"SSL_CERT_DIR", file("hashed").string()}});
}

BOOST_AUTO_TEST_CASE(nobody_is_asked_without_verification)
{
    serve();
    for (const std::vector<std::string>& args :
         {std::vector<std::string>{"--insecure"}, {"--verify", "None"}, {"-v", "none"}, {"-v", "False"}}) {
        const auto done = refresh(args);
        BOOST_TEST(done.exit_code == 0, shown(args) << ": " << done.err);
        BOOST_TEST(lines(done.err).size() == 1U, done.err);
        check_says(done.err, {"warning", "certificate is not checked"});
    }
}

BOOST_AUTO_TEST_CASE(dockers_folder)
{
    serve({}, true);
    const auto folder = file("certs.d") / registry->address();
    std::filesystem::create_directories(folder);
    write_file(folder / "ca.crt", certificates.ca);
    write_file(folder / "client.cert", certificates.client_certificate);
    write_file(folder / "client.key", certificates.client_key);
    check_works({}, {{"REGSWEEP_CERTS_DIR", file("certs.d").string()}});

    // That of another port is not taken.
    std::filesystem::rename(folder, file("certs.d") / "127.0.0.1:1");
    check_fails(refresh({}, {{"REGSWEEP_CERTS_DIR", file("certs.d").string()}}), 1, {"unknown authority"});
}

BOOST_AUTO_TEST_CASE(files_that_are_no_certificates)
{
    serve();
    write_file(file("text"), "no certificate");
    check_fails(refresh({"--verify", file("text").string()}), 1, {file("text").string(), "certificate authorities"});
    check_fails(refresh({"--verify", file("none").string()}), 1, {file("none").string(), "No such file"});
    check_fails(refresh({"--verify", file("ca.pem").string(), "-cert", file("text").string()}), 1,
                {file("text").string(), "client certificate"});
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(who_we_are, fixture)

BOOST_AUTO_TEST_CASE(certificate_and_key)
{
    serve({}, true);
    const std::string ca = file("ca.pem").string();
    const std::string cert = file("client.pem").string();
    const std::string key = file("client.key").string();
    check_works({"-v", ca, "-cert", cert, "-key", key});
    check_works({"-v", ca, "--client-cert", cert, "--client-key", key});
    check_works({"-v", ca}, {{"REGISTRY_CLIENT_CERT", cert}, {"REGISTRY_CLIENT_KEY", key}});
    check_works({"-v", ca, "-cert", file("client-both.pem").string()});
}

BOOST_AUTO_TEST_CASE(an_encrypted_key)
{
    serve({}, true);
    openssl({"pkcs8", "-topk8", "-v2", "aes256", "-in", file("client.key").string(), "-out",
             file("locked.key").string(), "-passout", "pass:open sesame"});
    const std::vector<std::string> args = {"-v",   file("ca.pem").string(),    "-cert", file("client.pem").string(),
                                           "-key", file("locked.key").string()};
    check_works(args, {{"REGISTRY_CLIENT_KEY_PASSPHRASE", "open sesame"}});
    const auto wrong = refresh(args, {{"REGISTRY_CLIENT_KEY_PASSPHRASE", "close sesame"}});
    check_fails(wrong, 1, {file("locked.key").string(), "passphrase is missing or wrong"});
    BOOST_TEST(wrong.err.find("close sesame") == std::string::npos);
    check_fails(refresh(args), 1, {"passphrase is missing or wrong"});
}

BOOST_AUTO_TEST_CASE(no_certificate_where_one_is_wanted)
{
    serve({}, true);
    check_fails(refresh({"-v", file("ca.pem").string()}), 1, {"may want a client certificate", "-cert"});
}

BOOST_AUTO_TEST_CASE(a_key_of_another_certificate)
{
    serve({}, true);
    write_file(file("other.key"), certificates.server_key);
    check_fails(refresh({"-v", file("ca.pem").string(), "-cert", file("client.pem").string(), "-key",
                         file("other.key").string()}),
                1, {file("other.key").string(), "does not belong to the certificate"});
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(refused_certificates, fixture)

BOOST_AUTO_TEST_CASE(expired)
{
    serve({.valid_from = -7200, .valid_until = -3600});
    check_fails(refresh({"-v", file("ca.pem").string()}), 1, {"127.0.0.1 has expired", "renew it", "clock"});
}

BOOST_AUTO_TEST_CASE(not_valid_yet)
{
    serve({.valid_from = 3600, .valid_until = 7200});
    check_fails(refresh({"-v", file("ca.pem").string()}), 1, {"127.0.0.1 is not valid yet", "clock"});
}

BOOST_AUTO_TEST_CASE(of_another_host)
{
    serve({.names = {"registry.example", "10.0.0.1"}});
    check_fails(refresh({"-v", file("ca.pem").string()}), 1,
                {"not made for 127.0.0.1", "registry.example", "10.0.0.1", "use the name"});
}

BOOST_AUTO_TEST_CASE(of_an_unknown_authority)
{
    serve();
    check_fails(refresh(), 1, {"signed by an unknown authority", "--verify FILE", "certs.d"});
    write_file(file("other.pem"), make_certificates().ca);
    check_fails(refresh({"-v", file("other.pem").string()}), 1, {"signed by an unknown authority"});
}

BOOST_AUTO_TEST_CASE(self_signed)
{
    openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj",
             "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", file("self.key").string(), "-out",
             file("self.pem").string()});
    serve_with(read_file(file("self.pem")), read_file(file("self.key")));
    check_fails(refresh(), 1, {"127.0.0.1 is self-signed", "--verify FILE"});
    check_works({"-v", file("self.pem").string()});
}

BOOST_AUTO_TEST_CASE(no_tls_at_all)
{
    const real_registry plain;
    check_fails(run({"refresh", "-reg", "https://" + plain.address(), "--retries", "0"}), 1,
                {"does not speak TLS on this port", "http://"});
}

BOOST_AUTO_TEST_SUITE_END()
