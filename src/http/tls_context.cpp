#include "http/tls_context.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>

#include <openssl/err.h>
#include <openssl/x509v3.h>

namespace regsweep::http {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

int session_slot_index()
{
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

void free_certificate(void*, void* certificate, CRYPTO_EX_DATA*, int, long, void*)
{
    X509_free(static_cast<X509*>(certificate));
}

int refused_certificate_index()
{
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_certificate);
    return index;
}

// Keeps the certificate that was refused: OpenSSL tells of none once a handshake has failed.
int note_refusal(int good, X509_STORE_CTX* check)
{
    auto* handle = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx()));
    X509* certificate = X509_STORE_CTX_get_current_cert(check);
    if (good == 1 || handle == nullptr || certificate == nullptr)
        return good;
    if (SSL_get_ex_data(handle, refused_certificate_index()) == nullptr && X509_up_ref(certificate) == 1)
        SSL_set_ex_data(handle, refused_certificate_index(), certificate);
    return good;
}

int take_session(SSL* handle, SSL_SESSION* session)
{
    auto* slot = static_cast<tls_session*>(SSL_get_ex_data(handle, session_slot_index()));
    if (slot == nullptr)
        return 0;
    slot->reset(session);
    return 1;
}

error unusable(const std::filesystem::path& file, const char* what, const error_code& ec)
{
    return {errc::tls_failed, file.string() + ": cannot be used as " + what + " (" + ec.message() + ")"};
}

result<void> add_trust(ssl::context& context, const tls_options& options)
{
    error_code ec;
    if (options.system_trust)
        context.set_default_verify_paths(ec);
    for (const auto& path : options.trusted) {
        std::error_code file_error;
        if (std::filesystem::is_directory(path, file_error))
            context.add_verify_path(path.string(), ec);
        else
            context.load_verify_file(path.string(), ec);
        if (ec)
            return unusable(path, "certificate authorities", ec);
    }
    return {};
}

result<void> add_client_certificate(ssl::context& context, const tls_options& options)
{
    if (options.client_cert.empty())
        return {};
    error_code ec;
    bool asked = false;
    std::string answer;
    context.set_password_callback(
        [&](std::size_t, ssl::context::password_purpose) {
            if (!asked && options.passphrase)
                answer = options.passphrase();
            asked = true;
            return answer;
        },
        ec);
    context.use_certificate_chain_file(options.client_cert.string(), ec);
    if (ec)
        return unusable(options.client_cert, "client certificate", ec);
    const auto& key = options.client_key.empty() ? options.client_cert : options.client_key;
    context.use_private_key_file(key.string(), ssl::context::pem, ec);
    // Later handshakes need no passphrase; the callback's captures end here.
    error_code ignored;
    context.set_password_callback([](std::size_t, ssl::context::password_purpose) { return std::string(); }, ignored);
    const auto reason = ERR_GET_REASON(static_cast<unsigned long>(ec.value()));
    if (ec.category() == boost::asio::error::get_ssl_category() && reason == X509_R_KEY_VALUES_MISMATCH)
        return error(errc::tls_failed,
                     key.string() + ": the key does not belong to the certificate in " + options.client_cert.string());
    if (ec && asked)
        return error(errc::tls_failed, key.string() + ": the key is encrypted and its passphrase is missing or wrong");
    if (ec)
        return unusable(key, "private key", ec);
    return {};
}

std::string time_text(const ASN1_TIME* time)
{
    const std::unique_ptr<BIO, int (*)(BIO*)> bio(BIO_new(BIO_s_mem()), BIO_free);
    if (!bio || time == nullptr || ASN1_TIME_print(bio.get(), time) != 1)
        return "an unreadable date";
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

std::string names_of(X509* certificate)
{
    std::string out;
    auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names) && i < 10; ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
        std::string text;
        if (name->type == GEN_DNS) {
            text.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                        static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
        } else if (name->type == GEN_IPADD && ASN1_STRING_length(name->d.iPAddress) == 4) {
            const unsigned char* b = ASN1_STRING_get0_data(name->d.iPAddress);
            text = std::to_string(b[0]) + "." + std::to_string(b[1]) + "." + std::to_string(b[2]) + "." +
                   std::to_string(b[3]);
        }
        if (!text.empty())
            out += (out.empty() ? "" : ", ") + text;
    }
    GENERAL_NAMES_free(names);
    return out.empty() ? "no name" : printable(out);
}

constexpr const char* trust_hint =
    "give its authority with --verify FILE, or put it into /etc/docker/certs.d/<host:port>/ca.crt";

std::string verify_text(SSL* handle, long why, const std::string& host)
{
    auto* const certificate = static_cast<X509*>(SSL_get_ex_data(handle, refused_certificate_index()));
    switch (why) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "the certificate of " + host + " has expired" +
               (certificate ? " (" + time_text(X509_get0_notAfter(certificate)) + ")" : "") +
               ": renew it on the server, or check this machine's clock";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "the certificate of " + host + " is not valid yet" +
               (certificate ? " (from " + time_text(X509_get0_notBefore(certificate)) + ")" : "") +
               ": check this machine's clock";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return "the certificate of " + host + " is self-signed: " + trust_hint;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE: // by another authority of the same name
        return "the certificate of " + host + " is signed by an unknown authority: " + trust_hint;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "the certificate is not made for " + host + (certificate ? " but for " + names_of(certificate) : "") +
               ": use the name it is made for";
    default: return "the certificate of " + host + " is refused (" + X509_verify_cert_error_string(why) + ")";
    }
}

} // namespace

result<std::unique_ptr<ssl::context>> make_tls_context(const tls_options& options)
{
    auto context = std::make_unique<ssl::context>(ssl::context::tls_client);
    SSL_CTX* handle = context->native_handle();
    SSL_CTX_set_min_proto_version(handle, TLS1_2_VERSION);
    SSL_CTX_set_mode(handle, SSL_MODE_RELEASE_BUFFERS);
    context->set_verify_mode(options.verify ? ssl::verify_peer : ssl::verify_none);
    SSL_CTX_set_session_cache_mode(handle, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(handle, take_session);
    const auto trusted = add_trust(*context, options);
    if (!trusted)
        return trusted.error();
    const auto certified = add_client_certificate(*context, options);
    if (!certified)
        return certified.error();
    return context;
}

void prepare_tls(SSL* handle, const std::string& host, bool verify)
{
    error_code not_an_address;
    boost::asio::ip::make_address(host, not_an_address);
    if (not_an_address)
        SSL_set_tlsext_host_name(handle, host.c_str()); // RFC 6066 section 3: names only, no addresses
    if (!verify)
        return;
    SSL_set_verify(handle, SSL_VERIFY_PEER, note_refusal);
    X509_VERIFY_PARAM* check = SSL_get0_param(handle);
    X509_VERIFY_PARAM_set_hostflags(check, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (not_an_address)
        X509_VERIFY_PARAM_set1_host(check, host.data(), host.size());
    else
        X509_VERIFY_PARAM_set1_ip_asc(check, host.c_str());
}

error describe_tls_failure(SSL* handle, const std::string& host, const error_code& ec)
{
    const long why = SSL_get_verify_result(handle);
    if (why != X509_V_OK && SSL_get_verify_mode(handle) != SSL_VERIFY_NONE)
        return {errc::tls_failed, verify_text(handle, why, host)};
    if (ec.category() == boost::asio::error::get_ssl_category()) {
        const int reason = ERR_GET_REASON(static_cast<unsigned long>(ec.value()));
        if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST)
            return {errc::tls_failed, host + " does not speak TLS on this port: use http:// in the address"};
        if (reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED || reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE ||
            reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE)
            return {errc::tls_failed, host + " refused the handshake (" + ec.message() +
                                          "): it may want a client certificate, see -cert"};
    }
    return {errc::tls_failed, host + ": " + ec.message()};
}

void keep_sessions(SSL* handle, tls_session* slot)
{
    SSL_set_ex_data(handle, session_slot_index(), slot);
}

} // namespace regsweep::http
