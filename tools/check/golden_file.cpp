#include "tools/check/golden_file.h"

namespace bkd {
namespace {

std::vector<std::string> names(const Json& c, std::string_view key) {
    const Json* list = c.find(key);
    return list == nullptr ? std::vector<std::string>{} : list->texts();
}

std::vector<std::pair<std::string, GoldenTolerance>> tolerances(const Json& c, std::string_view key) {
    std::vector<std::pair<std::string, GoldenTolerance>> all;
    const Json* object = c.find(key);
    if (object == nullptr) return all;
    for (const auto& [name, limits] : object->members()) {
        const auto limit = [&](std::string_view which) {
            const Json* value = limits.find(which);
            return value == nullptr ? 0.0 : value->number();
        };
        all.emplace_back(name, GoldenTolerance{limit("rtol"), limit("mtol"), limit("atol")});
    }
    return all;
}

std::string text_or_empty(const Json& c, std::string_view key) {
    const Json* value = c.find(key);
    return value == nullptr ? std::string() : value->text();
}

}

GoldenFile GoldenFile::read(const std::filesystem::path& path) {
    GoldenFile golden{read_safetensors(path), {}};
    const auto manifest = golden.file.metadata.find("golden");
    if (manifest == golden.file.metadata.end())
        throw InputError({.id = 404,
                          .what = "the file has no golden manifest",
                          .at = path.string(),
                          .why = "a golden file's __metadata__ holds a text called golden"});
    const Json root = Json::parse(manifest->second, path.string() + ": golden");
    if (root.at("format").text() != "bkd-golden" || root.at("version").integer() != 1)
        throw InputError({.id = 404, .what = "not a golden file of version 1", .at = path.string() + ": golden"});
    for (const Json& c : root.at("cases").elements()) {
        const Json* attributes = c.find("attrs");
        golden.cases.push_back({.name = c.at("name").text(),
                                .op = c.at("op").text(),
                                .size = text_or_empty(c, "size"),
                                .dtype = c.at("dtype").text(),
                                .attributes = attributes == nullptr ? Json(Json::Object{}) : *attributes,
                                .in = names(c, "in"),
                                .up = names(c, "up"),
                                .optional = names(c, "optional"),
                                .out = tolerances(c, "out"),
                                .grad = tolerances(c, "grad")});
        const GoldenCase& added = golden.cases.back();
        for (const std::string& name : added.in) golden.tensor(added, "in", name);
        for (const std::string& name : added.up) golden.tensor(added, "up", name);
        for (const auto& [name, limit] : added.out) golden.tensor(added, "out", name);
        for (const auto& [name, limit] : added.grad) golden.tensor(added, "grad", name);
    }
    return golden;
}

const StoredTensor& GoldenFile::tensor(const GoldenCase& c, const char* role, const std::string& name) const {
    return file.at(fmt::format("{}/{}/{}", c.name, role, name));
}

}
