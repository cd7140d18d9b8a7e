#include "common/fake_tls.hpp"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <memory>
#include <stdexcept>

namespace regsweep::test {

namespace {

template<auto Free>
struct freed
{
    template<class T>
    void operator()(T* p) const noexcept
    {
        Free(p);
    }
};
using key_ptr = std::unique_ptr<EVP_PKEY, freed<EVP_PKEY_free>>;
using x509_ptr = std::unique_ptr<X509, freed<X509_free>>;
using bio_ptr = std::unique_ptr<BIO, freed<BIO_free>>;
using extension_ptr = std::unique_ptr<X509_EXTENSION, freed<X509_EXTENSION_free>>;

void check(bool good, const char* what)
{
    if (!good)
        throw std::runtime_error(std::string("cannot make a test certificate: ") + what);
}

std::string text_of(BIO* bio)
{
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
}

std::string pem(X509* certificate)
{
    const bio_ptr bio(BIO_new(BIO_s_mem()));
    check(PEM_write_bio_X509(bio.get(), certificate) == 1, "PEM of the certificate");
    return text_of(bio.get());
}

std::string pem(EVP_PKEY* key)
{
    const bio_ptr bio(BIO_new(BIO_s_mem()));
    check(PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1, "PEM of the key");
    return text_of(bio.get());
}

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const extension_ptr extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
    check(extension && X509_add_ext(certificate, extension.get(), -1) == 1, value.c_str());
}

struct identity
{
    key_ptr key;
    x509_ptr certificate;
};

/// A certificate without extensions or signature.
identity blank(const char* common_name, long valid_from, long valid_until)
{
    identity made{key_ptr(EVP_EC_gen("P-256")), x509_ptr(X509_new())};
    check(made.key && made.certificate, "a new key");
    X509* x = made.certificate.get();
    std::uint32_t serial = 0;
    check(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1, "a serial number");
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial);
    X509_gmtime_adj(X509_getm_notBefore(x), valid_from);
    X509_gmtime_adj(X509_getm_notAfter(x), valid_until);
    X509_set_pubkey(x, made.key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(common_name), -1, -1, 0);
    return made;
}

void sign(identity& subject, const identity& issuer)
{
    X509_set_issuer_name(subject.certificate.get(), X509_get_subject_name(issuer.certificate.get()));
    check(X509_sign(subject.certificate.get(), issuer.key.get(), EVP_sha256()) > 0, "the signature");
}

identity make_ca()
{
    auto ca = blank("fake registry test CA", -86400, 86400L * 30);
    add_extension(ca.certificate.get(), ca.certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
    add_extension(ca.certificate.get(), ca.certificate.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(ca.certificate.get(), ca.certificate.get(), NID_subject_key_identifier, "hash");
    sign(ca, ca);
    return ca;
}

std::string alternative_names(const std::vector<std::string>& names)
{
    std::string text;
    for (const auto& name : names) {
        const bool ip =
            name.find(':') != std::string::npos || name.find_first_not_of("0123456789.") == std::string::npos;
        if (!text.empty())
            text += ',';
        text += (ip ? "IP:" : "DNS:") + name;
    }
    return text;
}

} // namespace

fake_certificates make_certificates(const fake_certificate_options& options)
{
    const auto ca = make_ca();
    auto server = blank("fake registry", options.valid_from, options.valid_until);
    if (!options.names.empty())
        add_extension(server.certificate.get(), ca.certificate.get(), NID_subject_alt_name,
                      alternative_names(options.names));
    add_extension(server.certificate.get(), ca.certificate.get(), NID_ext_key_usage, "serverAuth");
    sign(server, ca);
    auto client = blank("fake client", -3600, 86400);
    add_extension(client.certificate.get(), ca.certificate.get(), NID_ext_key_usage, "clientAuth");
    sign(client, ca);
    return {pem(ca.certificate.get()), pem(server.certificate.get()), pem(server.key.get()),
            pem(client.certificate.get()), pem(client.key.get())};
}

} // namespace regsweep::test
