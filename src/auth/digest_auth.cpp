#include "regsweep/auth/digest_auth.hpp"

#include "auth/text.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <initializer_list>
#include <new>
#include <stdexcept>

namespace regsweep {
namespace {

using namespace auth_text;

// A server that calls every nonce stale would otherwise keep us for ever.
constexpr unsigned max_stale_in_a_row = 3;

std::string to_hex(std::span<const unsigned char> raw)
{
    static constexpr char hex[] = "0123456789abcdef";
    std::string out;
    out.reserve(2 * raw.size());
    for (const unsigned char b : raw) {
        out += hex[b >> 4];
        out += hex[b & 15];
    }
    return out;
}

// The hash, in hexadecimal, of the parts joined by colons.
std::string hash(digest_algorithm how, std::initializer_list<std::string_view> parts)
{
    const bool md5 = how == digest_algorithm::md5 || how == digest_algorithm::md5_sess;
    const auto context = EVP_MD_CTX_new();
    if (!context)
        throw std::bad_alloc();
    bool good = EVP_DigestInit_ex(context, md5 ? EVP_md5() : EVP_sha256(), nullptr) == 1;
    bool first = true;
    for (const std::string_view part : parts) {
        good = good && (first || EVP_DigestUpdate(context, ":", 1) == 1);
        good = good && EVP_DigestUpdate(context, part.data(), part.size()) == 1;
        first = false;
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
    unsigned size = 0;
    good = good && EVP_DigestFinal_ex(context, raw.data(), &size) == 1;
    EVP_MD_CTX_free(context);
    if (!good)
        throw failure(error(errc::unsupported, md5 ? "OpenSSL does not offer MD5 here (FIPS mode?), which the "
                                                     "registry's Digest authentication wants"
                                                   : "OpenSSL does not offer SHA-256"));
    return to_hex(std::span(raw).first(size));
}

std::optional<digest_algorithm> parse_algorithm(std::string_view text)
{
    if (equal_ignoring_case(text, "MD5"))
        return digest_algorithm::md5;
    if (equal_ignoring_case(text, "MD5-sess"))
        return digest_algorithm::md5_sess;
    if (equal_ignoring_case(text, "SHA-256"))
        return digest_algorithm::sha256;
    if (equal_ignoring_case(text, "SHA-256-sess"))
        return digest_algorithm::sha256_sess;
    return std::nullopt;
}

bool lists(std::string_view list, std::string_view wanted)
{
    while (!list.empty()) {
        const std::size_t comma = list.find(',');
        std::string_view item = list.substr(0, comma);
        while (!item.empty() && (item.front() == ' ' || item.front() == '\t'))
            item.remove_prefix(1);
        while (!item.empty() && (item.back() == ' ' || item.back() == '\t'))
            item.remove_suffix(1);
        if (equal_ignoring_case(item, wanted))
            return true;
        list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    }
    return false;
}

bool is_sess(digest_algorithm how)
{
    return how == digest_algorithm::md5_sess || how == digest_algorithm::sha256_sess;
}

error unusable(const std::string& why)
{
    return {errc::unauthorized, "the server's Digest challenge cannot be answered: " + why};
}

} // namespace

result<digest_challenge> digest_challenge::from(const challenge& c)
{
    if (c.scheme != "digest")
        return unusable("it is one for '" + printable(c.scheme, 40) + "'");
    const auto realm = c.find("realm");
    const auto nonce = c.find("nonce");
    if (!realm || !nonce || nonce->empty())
        return unusable(realm ? "it has no nonce" : "it has no realm");
    digest_challenge out;
    out.realm = *realm;
    out.nonce = *nonce;
    if (const auto algorithm = c.find("algorithm")) {
        const auto known = parse_algorithm(*algorithm);
        if (!known)
            return unusable("the algorithm '" + printable(*algorithm, 40) + "' is not supported");
        out.algorithm = *known;
        out.algorithm_text = *algorithm;
    }
    if (const auto qop = c.find("qop")) {
        if (!lists(*qop, "auth"))
            return unusable("it offers the quality of protection '" + printable(*qop, 40) + "' without 'auth'");
        out.qop_auth = true;
    }
    if (const auto opaque = c.find("opaque"))
        out.opaque = std::string(*opaque);
    if (const auto stale = c.find("stale"))
        out.stale = equal_ignoring_case(*stale, "true");
    return out;
}

result<digest_challenge> choose_digest(std::span<const challenge> challenges)
{
    std::optional<digest_challenge> best;
    std::optional<error> first_problem;
    for (const challenge& c : challenges) {
        if (c.scheme != "digest")
            continue;
        auto candidate = digest_challenge::from(c);
        if (!candidate) {
            if (!first_problem)
                first_problem = candidate.error();
        } else if (!best || candidate->algorithm > best->algorithm) {
            best = *std::move(candidate);
        }
    }
    if (best)
        return *std::move(best);
    if (first_problem)
        return *first_problem;
    return error(errc::unauthorized, "the server does not offer Digest authentication; leave --digest-auth out");
}

digest_session::digest_session(credentials who, cnonce_source make_cnonce)
    : who_(std::move(who)), make_cnonce_(std::move(make_cnonce))
{}

std::string digest_session::random_cnonce()
{
    std::array<unsigned char, 16> raw{};
    if (RAND_bytes(raw.data(), static_cast<int>(raw.size())) != 1)
        throw std::runtime_error("OpenSSL has no random numbers");
    return to_hex(raw);
}

result<digest_session::verdict> digest_session::on_challenge(std::span<const challenge> challenges)
{
    auto chosen = choose_digest(challenges);
    if (!chosen)
        return chosen.error();
    if (sent_) {
        ++refusals_;
        sent_ = false;
        // Credentials that were good before get a second try: some servers do not say that the nonce is stale.
        const bool again = chosen->stale ? refusals_ <= max_stale_in_a_row : accepted_;
        accepted_ = false;
        if (!again)
            return verdict::refused;
    }
    challenge_ = *std::move(chosen);
    cnonce_ = make_cnonce_();
    uses_ = 0;
    try {
        a1_ = secret(first_hash());
    } catch (const failure& f) {
        challenge_.reset();
        return f.why();
    }
    return verdict::retry;
}

void digest_session::on_success(std::string_view authentication_info)
{
    refusals_ = 0;
    accepted_ = true;
    if (!challenge_ || authentication_info.empty())
        return;
    const auth_parameters info = parse_auth_parameters(authentication_info);
    const auto next = find_parameter(info, "nextnonce");
    if (!next || next->empty() || *next == challenge_->nonce)
        return;
    challenge_->nonce = *next;
    uses_ = 0;
}

std::string digest_session::first_hash() const
{
    const digest_challenge& c = *challenge_;
    std::string plain = hash(c.algorithm, {who_.user, c.realm, who_.secret.reveal()});
    if (!is_sess(c.algorithm))
        return plain;
    std::string session = hash(c.algorithm, {plain, c.nonce, cnonce_});
    wipe(plain);
    return session;
}

result<secret> digest_session::authorization(std::string_view method, std::string_view target)
{
    if (who_.kind != credential_kind::basic)
        return error(errc::bad_argument, "Digest authentication wants a user and a password, not " + describe(who_));
    if (!challenge_)
        return error(errc::bad_argument, "Digest authentication needs the server's challenge first");
    if (has_control(who_.user) || has_control(target))
        return error(errc::bad_argument, "the user or the request target has control characters");
    const digest_challenge& c = *challenge_;
    ++uses_;
    sent_ = true;
    const std::array<unsigned char, 4> count = {
        static_cast<unsigned char>(uses_ >> 24), static_cast<unsigned char>(uses_ >> 16 & 255),
        static_cast<unsigned char>(uses_ >> 8 & 255), static_cast<unsigned char>(uses_ & 255)};
    const std::string nc = to_hex(count);
    const std::string a2 = hash(c.algorithm, {method, target});
    const std::string response = c.qop_auth ? hash(c.algorithm, {a1_.reveal(), c.nonce, nc, cnonce_, "auth", a2})
                                            : hash(c.algorithm, {a1_.reveal(), c.nonce, a2});
    // RFC 7616 §3.4: which values are quoted is part of the grammar, and servers insist on it.
    std::string out = "Digest username=" + quote(who_.user);
    out += ", realm=" + quote(c.realm);
    out += ", nonce=" + quote(c.nonce);
    out += ", uri=" + quote(target);
    if (!c.algorithm_text.empty())
        out += ", algorithm=" + c.algorithm_text;
    if (c.qop_auth)
        out += ", qop=auth, nc=" + nc;
    if (c.qop_auth || is_sess(c.algorithm))
        out += ", cnonce=" + quote(cnonce_);
    out += ", response=" + quote(response);
    if (c.opaque)
        out += ", opaque=" + quote(*c.opaque);
    return secret(std::move(out));
}

} // namespace regsweep
