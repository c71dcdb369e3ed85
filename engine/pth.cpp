// Archive, pickle, state dict, tensors, in this order: what costs memory comes after all that can be refused.
#include "engine/pth.h"

#include "engine/pickle.h"
#include "engine/safetensors_header.h"

#include <algorithm>
#include <numeric>

namespace bkd {
namespace {

constexpr std::uint64_t most_pickle_bytes = 64u << 20, most_expansion = 4;
// Where training scripts keep the weights, in the order in which they are looked for.
constexpr std::string_view usual_keys[] = {"state_dict", "model_state_dict", "model", "net", "student"};
constexpr std::string_view wrappers[] = {"module.", "_orig_mod.", "model."};

// Copies a tensor's elements, row-major. All of them lie in the storage.
void gather(std::span<const std::byte> storage, std::int64_t offset, std::span<const std::int64_t> shape,
            std::span<const std::int64_t> stride, std::size_t size, std::span<std::byte> into) {
    if (into.empty()) return;
    bool is_contiguous = true;
    std::int64_t expected = 1;
    for (std::size_t d = shape.size(); d-- > 0;) {
        is_contiguous = is_contiguous && (shape[d] == 1 || stride[d] == expected);
        expected *= shape[d];
    }
    const auto part = [&](std::int64_t element, std::size_t bytes) {
        return storage.subspan(static_cast<std::size_t>(element) * size, bytes);
    };
    if (is_contiguous) {
        std::ranges::copy(part(offset, into.size()), into.begin());
        return;
    }
    std::vector<std::int64_t> index(shape.size());
    for (std::size_t at = 0; at < into.size(); at += size) {
        std::memcpy(into.subspan(at, size).data(), part(offset, size).data(), size);
        for (std::size_t d = shape.size(); d-- > 0;) {
            offset += stride[d];
            if (++index[d] < shape[d]) break;
            offset -= stride[d] * shape[d];
            index[d] = 0;
        }
    }
}

class PthReader {
public:
    PthReader(ByteSource source, const PthOptions& options)
        : path_(source.path), options_(options), archive_(std::move(source)) {}

    Pth read();

private:
    [[noreturn]] void fail(int id, std::string what, std::string why = {}, std::string advice = {}) const {
        throw InputError({.id = id,
                          .what = std::move(what),
                          .at = printable(place_.empty() ? path_ : place_),
                          .why = std::move(why),
                          .try_ = std::move(advice)});
    }
    [[noreturn]] void fail_kind(std::string what, std::string advice) const {
        fail(429, std::move(what), "a state dict saved by torch.save is read", std::move(advice));
    }
    void check_kind() const;
    std::string keys_of(PickleValue dict) const;
    std::int64_t tensors_in(PickleValue value) const;
    PickleValue state_dict();
    std::optional<PickleValue> at_path(PickleValue dict, std::string_view path) const;
    std::vector<const ZipEntry*> find_storages() const;
    void list_tensors(PickleValue dict);
    void copy_tensors(const std::vector<const ZipEntry*>& storages);

    std::string path_, place_;  // of the file, of the pickle
    const PthOptions& options_;
    ZipArchive archive_;
    Pickle pickle_;
    Pth result_;
    std::vector<std::uint32_t> described_;  // index in the pickle of each tensor of the result
};

Pth PthReader::read() {
    check_kind();
    const ZipEntry& entry = *archive_.find(archive_.root() + "/data.pkl");
    if (entry.size > most_pickle_bytes)
        fail(407, fmt::format("data.pkl has {} bytes, at most {} are read", entry.size, most_pickle_bytes));
    place_ = archive_.place(entry);
    pickle_ = read_pickle(archive_.read(entry), place_,
                          options_.skip_unknown_globals ? UnknownGlobals::skip : UnknownGlobals::refuse);
    const std::vector<const ZipEntry*> storages = find_storages();
    result_.tensors.path = path_;
    list_tensors(state_dict());
    copy_tensors(storages);
    result_.facts.prefix = strip_wrappers(result_.tensors.tensors);
    result_.facts.unknown_globals = std::move(pickle_.unknown_globals);
    return std::move(result_);
}

void PthReader::check_kind() const {
    const std::string root = archive_.root() + "/";
    const auto& entries = archive_.entries();
    const auto has_folder = [&](const std::string& name) {
        return std::ranges::any_of(entries, [&](const ZipEntry& e) { return e.name.starts_with(root + name); });
    };
    if (archive_.find(root + "constants.pkl") != nullptr || has_folder("code/"))
        fail_kind("this is a TorchScript program", "torch.save(torch.jit.load(FILE).state_dict(), ...) in PyTorch");
    if (archive_.find(root + "data.pkl") == nullptr)
        fail_kind(fmt::format("this is a ZIP archive without \"{}data.pkl\"", printable(root)),
                  "the file that torch.save wrote, as it is");
    archive_.check_stored();
    const ZipEntry* order = archive_.find(root + "byteorder");
    if (order == nullptr) return;
    const std::vector<std::byte> text = order->size <= 16 ? archive_.read(*order) : std::vector<std::byte>{};
    const std::string_view name(reinterpret_cast<const char*>(text.data()), text.size());
    if (name != "little")
        fail_kind(fmt::format("byteorder is \"{}\", little is read", printable(name)),
                  "load and save it on a little-endian machine");
}

// "a", "b" and 3 more
std::string PthReader::keys_of(PickleValue dict) const {
    constexpr std::size_t most = 8;
    std::string text;
    std::size_t keys = 0;
    const auto pairs = pickle_.items(dict);
    for (std::size_t i = 0; i < pairs.size(); i += 2)
        if (pairs[i].is_text() && ++keys <= most)
            text += fmt::format("{}\"{}\"", keys == 1 ? "" : ", ", printable(pickle_.text(pairs[i])));
    return keys == 0 ? "it has no keys" : keys <= most ? text : fmt::format("{} and {} more", text, keys - most);
}

std::int64_t PthReader::tensors_in(PickleValue value) const {
    if (!value.is_dict()) return 0;
    std::int64_t count = 0;
    const auto pairs = pickle_.items(value);
    for (std::size_t i = 0; i < pairs.size(); i += 2)
        count += pairs[i].is_text() && pairs[i + 1].kind == PickleKind::tensor ? 1 : 0;
    return count;
}

// The value under "a.b.c": keys may themselves hold dots.
std::optional<PickleValue> PthReader::at_path(PickleValue dict, std::string_view path) const {
    if (!dict.is_dict()) return {};
    if (const PickleValue* value = pickle_.find(dict, path)) return *value;
    for (std::size_t dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.', dot + 1))
        if (const PickleValue* value = pickle_.find(dict, path.substr(0, dot)))
            if (const auto found = at_path(*value, path.substr(dot + 1))) return found;
    return {};
}

PickleValue PthReader::state_dict() {
    const PickleValue root = pickle_.root;
    if (!root.is_dict())
        fail(415, fmt::format("the file holds {}, not a dict of tensors", name_of(root.kind)), {},
             "save state_dict(): torch.save(model.state_dict(), FILE)");
    if (!options_.key.empty()) {
        const auto found = at_path(root, options_.key);
        if (!found)
            fail(415, fmt::format("the file has nothing under \"{}\"", printable(options_.key)),
                 "its keys: " + keys_of(root));
        if (tensors_in(*found) == 0)
            fail(415, fmt::format("there are no tensors under \"{}\"", printable(options_.key)),
                 found->is_dict() ? "its keys: " + keys_of(*found) : fmt::format("it is {}", name_of(found->kind)));
        result_.facts.key = options_.key;
        return *found;
    }
    for (const std::string_view key : usual_keys)
        if (const PickleValue* value = pickle_.find(root, key); value != nullptr && tensors_in(*value) > 0) {
            result_.facts.key = key;
            return *value;
        }
    if (tensors_in(root) == 0)
        fail(415, "no state dict is found in the file", "its keys: " + keys_of(root), "--key KEY says which it is");
    return root;
}

// The entry of each storage, which must be there with as many bytes as the pickle says.
std::vector<const ZipEntry*> PthReader::find_storages() const {
    std::vector<const ZipEntry*> found;
    for (const PickleStorage& storage : pickle_.storages) {
        const std::string name = fmt::format("{}/data/{}", archive_.root(), pickle_.text(storage.key));
        const ZipEntry* entry = archive_.find(name);
        if (entry == nullptr) fail(419, fmt::format("the archive has no entry \"{}\"", printable(name)));
        std::int64_t bytes = 0;
        if (__builtin_mul_overflow(storage.elements, size_of(storage.type), &bytes) ||
            static_cast<std::uint64_t>(bytes) != entry->size)
            fail(419, fmt::format("entry \"{}\" has {} bytes, the pickle says {} numbers of {}", printable(name),
                                  entry->size, storage.elements, name_of(storage.type)));
        found.push_back(entry);
    }
    return found;
}

// Names, shapes and places of the tensors in the result.
void PthReader::list_tensors(PickleValue dict) {
    struct Named {
        std::string_view name;
        std::uint32_t tensor;
    };
    std::vector<Named> named;
    const auto pairs = pickle_.items(dict);
    for (std::size_t i = 0; i < pairs.size(); i += 2) {
        if (!pairs[i].is_text() || pairs[i + 1].kind != PickleKind::tensor) {
            ++result_.facts.others;
            continue;
        }
        named.push_back({pickle_.text(pairs[i]), static_cast<std::uint32_t>(pairs[i + 1].bits)});
        if (const std::string fault = name_fault(named.back().name); !fault.empty()) fail(406, "a tensor's " + fault);
    }
    if (named.size() > max_tensors)
        fail(407, fmt::format("the file has {} tensors, at most {} are read", named.size(), max_tensors));
    std::ranges::sort(named, {}, &Named::name);
    const auto twice = std::ranges::adjacent_find(named, {}, &Named::name);
    if (twice != named.end()) fail(405, fmt::format("tensor \"{}\" appears twice", printable(twice->name)));
    std::uint64_t total = 0;
    const std::uint64_t most = most_expansion * archive_.file_bytes();
    for (const Named& one : named) {
        const PickleTensor& tensor = pickle_.tensors[one.tensor];
        const ElementType type = pickle_.storages[tensor.storage].type;
        std::vector<std::int64_t> shape = pickle_.integers(tensor.shape);
        std::int64_t bytes = size_of(type);
        for (const std::int64_t extent : shape) bytes *= extent;  // below 2^63: checked when it was described
        if (static_cast<std::uint64_t>(bytes) > most - total)
            fail(420, fmt::format("the tensors of a file of {} bytes take more than {}", archive_.file_bytes(), most),
                 "views that repeat numbers make a small file large");
        result_.tensors.tensors.push_back({.name = std::string(one.name),
                                           .type = type,
                                           .shape = std::move(shape),
                                           .begin = total,
                                           .end = total + static_cast<std::uint64_t>(bytes)});
        described_.push_back(one.tensor);
        total += static_cast<std::uint64_t>(bytes);
    }
}

// Storage by storage, each read once, whichever tensors share it.
void PthReader::copy_tensors(const std::vector<const ZipEntry*>& storages) {
    SafeTensors& file = result_.tensors;
    file.data.resize(file.tensors.empty() ? 0 : static_cast<std::size_t>(file.tensors.back().end));
    std::vector<std::size_t> order(described_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto storage_of = [&](std::size_t i) { return pickle_.tensors[described_[i]].storage; };
    std::ranges::stable_sort(order, {}, storage_of);
    std::vector<std::byte> bytes;
    for (std::size_t k = 0; k < order.size(); ++k) {
        const StoredTensor& to = file.tensors[order[k]];
        const PickleTensor& tensor = pickle_.tensors[described_[order[k]]];
        const ZipEntry& entry = *storages[tensor.storage];
        if (k == 0 || storage_of(order[k - 1]) != tensor.storage) bytes = archive_.read(entry);
        result_.facts.unchecked += entry.has_checksum() ? 0 : 1;
        gather(bytes, tensor.offset, to.shape, pickle_.integers(tensor.stride),
               static_cast<std::size_t>(size_of(to.type)), std::span(file.data).subspan(to.begin, to.end - to.begin));
    }
}

Pth read_source(ByteSource source, const PthOptions& options) {
    if (source.size > options.max_bytes)
        throw InputError({.id = 407,
                          .what = fmt::format("{} has {} bytes, at most {} are read", printable(source.path),
                                              source.size, options.max_bytes)});
    return PthReader(std::move(source), options).read();
}

}

bool is_pth(const InputFile& file) { return is_zip(file.read(0, std::min<std::uint64_t>(file.size(), 4))); }

Pth read_pth(const InputFile& file, const std::string& path, const PthOptions& options) {
    return read_source(byte_source(file, path), options);
}

Pth read_pth(const std::filesystem::path& path, const PthOptions& options, const FileSystem& system) {
    const InputFile file(path, {}, system);
    return read_pth(file, path.string(), options);
}

Pth parse_pth(std::span<const std::byte> file, std::string path, const PthOptions& options) {
    return read_source(byte_source(file, std::move(path)), options);
}

std::string strip_wrappers(std::vector<StoredTensor>& tensors) {
    std::string stripped;
    const auto all_have = [&](std::string_view prefix) {
        return !tensors.empty() && std::ranges::all_of(tensors, [&](const StoredTensor& t) {
            return t.name.size() > prefix.size() && t.name.starts_with(prefix);
        });
    };
    while (true) {
        const auto prefix = std::ranges::find_if(wrappers, all_have);
        if (prefix == std::end(wrappers)) return stripped;
        for (StoredTensor& t : tensors) t.name.erase(0, prefix->size());
        stripped += *prefix;
    }
}

}
