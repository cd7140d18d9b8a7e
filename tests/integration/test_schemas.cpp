// What every command prints with `--output json`, and what it writes as JSON, is what docs/schema says, key by key.
#include "common/fake_registry.hpp"
#include "common/push.hpp"
#include "integration/program.hpp"
#include "integration/python.hpp"
#include "regsweep/core/digest.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace regsweep::test;

namespace {

namespace fs = std::filesystem;

const fs::path schemas = fs::path(TEST_DATA_DIR).parent_path() / "docs" / "schema";

/// Arguments are pairs of a schema and a document. Prints what is wrong: what a schema does not take, and where it
/// takes a key that it does not know.
constexpr const char* validator = R"(
import copy, json, sys
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

def objects(at):
    if isinstance(at, dict):
        yield at
    for key, inner in at.items() if isinstance(at, dict) else enumerate(at) if isinstance(at, list) else ():
        if key not in ('labels', 'annotations'):
            yield from objects(inner)

for schema_file, file in zip(sys.argv[1::2], sys.argv[2::2]):
    schema = json.load(open(schema_file))
    Draft202012Validator.check_schema(schema)
    check = Draft202012Validator(schema)
    document = json.load(open(file))
    error = best_match(check.iter_errors(document))
    if error:
        print(schema_file, file, error.json_path, error.message)
    for at in objects(document):
        at['no such key'] = 0
        if check.is_valid(document):
            print(schema_file, file, 'a new key is taken beside', [k for k in at])
        del at['no such key']
)";

constexpr const char* oci_manifest = "application/vnd.oci.image.manifest.v1+json";

manifest signature_of(const manifest& subject)
{
    manifest m;
    m.media_type = oci_manifest;
    m.body = R"({"schemaVersion":2,"mediaType":")" + m.media_type +
             R"(","artifactType":"application/x.signature","config":{"mediaType":"application/vnd.oci.empty.v1+json",)"
             R"("size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},)"
             R"("layers":[],"annotations":{"by":"x"},"subject":{"mediaType":")" +
             subject.media_type + R"(","size":)" + std::to_string(subject.body.size()) + R"(,"digest":")" +
             subject.digest + R"("}})";
    m.digest = regsweep::digest::of(m.body).to_string();
    m.blobs = {{"{}", "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}};
    return m;
}

fake_options deleting()
{
    fake_options options;
    options.api.delete_enabled = true;
    return options;
}

/// A registry with images of all kinds, and the documents that the program made of it.
class described
{
public:
    described()
    {
        registry.start();
        push_client client(registry.address());
        client.push("app", make_image("one"), {"1.0", "1", "latest"});
        client.push("app", make_image("two"), {"2.0", "dev"});
        client.push("app", make_image("three"), {"3.0"});
        client.push("app", make_image("four"), {"4.0"});
        client.push("app", signature_of(make_image("one")), {"signature"});
        client.push("copy", make_image("one"), {"1.0"});
        client.push("multi", index_, {"1"});
    }

    /// Runs a command and keeps its JSON, which the schema shall take.
    void run(const std::string& schema, std::vector<std::string> args, int status = 0)
    {
        args.insert(args.end(), {"--output", "json", "--retries", "0", "--quiet"});
        const auto done = home.run(args, {{"REGISTRY", registry.address()}});
        BOOST_TEST(done.exit_code == status, shown(args) << ": " << done.exit_code << " " << done.err);
        add(schema, shown(args), done.out);
    }

    void add(const std::string& schema, const std::string& what, const std::string& text)
    {
        boost::system::error_code failed;
        boost::json::parse(text, failed);
        BOOST_TEST_REQUIRE(!failed, what << ": is no JSON: " << text);
        const auto file = home.file(std::to_string(documents_.size()) + ".json").string();
        write_file(file, text);
        documents_.insert(documents_.end(), {(schemas / (schema + ".json")).string(), file});
        used_.insert(schema + ".json");
    }

    void fail(const std::string& method, const std::string& path, unsigned status)
    {
        registry.add_rule(method, path, fake_action::answer(status));
    }

    /// What the schemas do not take.
    std::string refused() const
    {
        std::vector<std::string> args{python_with("jsonschema"), "-c", validator};
        args.insert(args.end(), documents_.begin(), documents_.end());
        const auto done = regsweep::test::run({.args = args});
        BOOST_TEST(done.exit_code == 0, done.err);
        return done.out;
    }

    const std::set<std::string>& used() const noexcept { return used_; }
    const std::string& index_digest() const noexcept { return index_.digest; }

    fake_registry registry{deleting()};
    sandbox home;

private:
    manifest index_ = make_index({make_image("amd", family::oci), make_image("arm", family::oci, "arm64")});
    std::vector<std::string> documents_;
    std::set<std::string> used_;
};

void read_and_ask(described& of)
{
    of.run("refresh", {"refresh"});
    of.run("refresh", {"refresh", "--details"});
    of.run("refresh", {"-c", "None", "--repo", "app", "refresh", "--details"});
    of.run("list-repo-names", {"list-repo-names"});
    of.run("list-tag-names", {"list-tag-names"});
    of.run("query", {"query-repos", "-r", "app", "copy", "multi"});
    of.run("query", {"query-tags", "-r", "app", "-t", "1.0", "1", "latest", "2.0", "-x", "2.0"}, 1);
    of.run("query", {"query-tags", "-r", "app", "-t", "3.0", "dev", "--no-match-all-tags"});
    of.run("du", {"du"});
    of.run("du", {"du", "--tags"});
    for (const auto& image : {std::string("app:1.0"), std::string("app:signature"), "multi@" + of.index_digest()})
        of.run("inspect", {"inspect", image});
    of.run("doctor", {"doctor"});
}

void measure(described& of)
{
    of.run("bench", {"bench", "--requests", "20", "--concurrency", "1,2", "--op", "mix"});
    of.run("bench", {"bench", "--requests", "20", "--rate", "1000", "--op", "head", "--order", "listed"});
    of.run("bench", {"bench", "--find-limit", "--op", "ping", "--duration", "0.2", "--hold", "0.2"});
}

void take_and_give_back(described& of)
{
    const auto plan = [&](const std::vector<std::string>& selected) {
        const auto file = of.home.file("plan").string();
        auto args = selected;
        args.insert(args.end(), {"--dry-run", "--plan-out", file});
        of.run("remove", args);
        of.add("plan", shown(args), read_file(file));
        return file;
    };
    const auto multi = plan({"remove-repos", "-r", "multi", "--with-children"});
    of.run("remove", {"apply", multi, "--yes"});
    of.run("restore", {"restore", "last", "--dry-run"});
    of.run("restore", {"restore", "last"});

    const auto shared = plan({"remove-tags", "-r", "app", "-t", "2.0", "--no-match-all-tags"});
    of.registry.tag("app", "new", make_image("two").digest);
    of.run("remove", {"apply", shared, "--yes"}, 3); // dropped: the new tag uses the digest

    const auto single = plan({"remove-tags", "-r", "app", "-t", "2.0", "--untag"});
    of.run("remove", {"apply", single, "--yes"});
    of.run("remove", {"remove-tags", "-r", "app", "-t", "none"});

    const auto three = make_image("three").digest;
    of.fail("DELETE", three, 403);
    of.run("remove", {"remove-tags", "-r", "app", "-t", "3.0", "4.0", "--yes"}, 3);
    of.fail("PUT", "/v2/app/manifests/", 403);
    of.run("restore", {"restore", "last"}, 3);
    of.registry.clear_rules();

    const auto measured = plan({"remove-tags", "-r", "app", "-t", "3.0"});
    of.run("bench", {"bench", "--op", "delete", "--plan", measured, "--yes-delete"});
}

void prune(described& of)
{
    of.run("prune", {"prune", "--keep", "1*", "--remove", "*", "--max-remove", "100%", "--explain"});
    write_file(of.home.file("in-use.txt"), of.registry.address() + "/app:1.0\nelsewhere.example/app:1.0\n");
    of.run("prune", {"prune", "--remove", "dev", "--in-use", of.home.file("in-use.txt").string(), "--yes"});
}

void look_back(described& of)
{
    of.run("journal", {"journal"});
    for (const std::string run : {"1", "2", "3", "4"})
        of.run("journal-run", {"journal", run});
    of.run("journal-prune", {"journal", "prune", "--older-than", "30d"});
}

void read_in_part(described& of)
{
    of.fail("", "/v2/app/manifests/1.0", 500);
    of.fail("", "/v2/multi/manifests/sha256", 500);
    of.run("refresh", {"-c", of.home.file("other.db").string(), "refresh", "--details"}, 3);
}

} // namespace

BOOST_AUTO_TEST_SUITE(schemas_of_json)

BOOST_AUTO_TEST_CASE(the_output_of_every_command_is_as_its_schema_says)
{
    described all;
    read_and_ask(all);
    measure(all);
    take_and_give_back(all);
    prune(all);
    look_back(all);
    read_in_part(all);
    BOOST_TEST(all.refused() == "");
    std::set<std::string> there;
    for (const auto& entry : fs::directory_iterator(schemas))
        there.insert(entry.path().filename().string());
    there.erase("policy.json"); // tested with the policies of examples
    BOOST_TEST(there == all.used(), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
