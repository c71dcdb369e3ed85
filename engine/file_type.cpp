#include "engine/file_type.h"

#include "kernels/error.h"

#include <algorithm>

namespace bkd {
namespace {

using namespace std::string_view_literals;

struct Magic {
    std::size_t offset;
    std::string_view bytes;
    FileType type;
};

constexpr std::string_view save_as =
    "load it in PyTorch and save it with safetensors.torch.save_file(model.state_dict(), ...)";
constexpr std::string_view save_again =
    "load it in PyTorch 1.6 or later and save it again: torch.save(state, FILE); bkd convert reads that";

constexpr std::string_view idx_advice = "bkd data stats NAME --root FOLDER reads a data set of such files";

// The longer ones first where one begins another.
constexpr Magic magics[] = {
    {0,
     "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv,
     {"a PyTorch file of the legacy form, a pickle", save_again}},
    {0, "\x80\x02"sv, {"a Python pickle", save_as}},
    {0, "\x80\x03"sv, {"a Python pickle", save_as}},
    {0, "\x80\x04"sv, {"a Python pickle", save_as}},
    {0, "\x80\x05"sv, {"a Python pickle", save_as}},
    {0, "PK\x03\x04"sv, {"a ZIP archive, such as PyTorch's .pth and NumPy's .npz", "bkd convert reads PyTorch's"}},
    {0, "\x1f\x8b\x08"sv, {"a gzip file", "gunzip it first"}},
    {0,
     "\xfd"
     "7zXZ\0"sv,
     {"an xz file", "unxz it first"}},
    {0, "\x28\xb5\x2f\xfd"sv, {"a zstd file", "unzstd it first"}},
    {0, "version https://git-lfs"sv, {"a Git LFS pointer, not the file", "git lfs pull"}},
    {0, "\x89HDF\r\n\x1a\n"sv, {"an HDF5 file", "convert it to safetensors with the program that wrote it"}},
    {0, "\x93NUMPY"sv, {"a NumPy array", "save it with safetensors.numpy.save_file"}},
    {0, "GGUF"sv, {"a GGUF file", "get the weights as safetensors from the author"}},
    {0, "\x89PNG\r\n\x1a\n"sv, {"a PNG image", {}}},
    {0, "\xff\xd8\xff"sv, {"a JPEG image", {}}},
    // Their ranks make lengths above 16 MiB, which no header has.
    {0, "\0\0\x08\x01"sv, {"an IDX file of labels, as MNIST's", idx_advice}},
    {0, "\0\0\x08\x03"sv, {"an IDX file of images, as MNIST's", idx_advice}},
    {0, "\0\0\x08\x04"sv, {"an IDX file of images, as MNIST's", idx_advice}},
    {257, "ustar"sv, {"a tar archive", "unpack it first"}},
};

// Whether the first `count` bytes, and the character they may end in, are UTF-8 without control characters.
bool begins_as_text(std::string_view bytes, std::size_t count) {
    for (std::size_t at = 0; at < count;) {
        const std::size_t length = utf8_length(bytes.substr(at));
        const auto c = static_cast<unsigned char>(bytes[at]);
        if (length == 0 || c == 0x7F || (c < 0x20 && c != '\n' && c != '\r' && c != '\t')) return false;
        at += length;
    }
    return true;
}

bool starts_with_any_case(std::string_view text, std::string_view lower) {
    return text.size() >= lower.size() && std::ranges::equal(text.substr(0, lower.size()), lower, [](char a, char b) {
               return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
           });
}

}

std::optional<FileType> recognised_type(std::span<const std::byte> first_bytes) {
    const std::string_view text(reinterpret_cast<const char*>(first_bytes.data()), first_bytes.size());
    for (const Magic& magic : magics)
        if (text.size() >= magic.offset && text.substr(magic.offset).starts_with(magic.bytes)) return magic.type;
    // Text, judged by as many bytes as the length field of a safetensors file has: a length is never all text.
    if (text.size() < 8 || !begins_as_text(text, 8)) return {};
    const std::string_view content = text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    if (starts_with_any_case(content, "<!doctype html") || starts_with_any_case(content, "<html"))
        return FileType{"an HTML page, not the file", "download it again; the page says what went wrong"};
    if (content.starts_with('{') && content.find("\"weight_map\"") != std::string_view::npos)
        return FileType{"the index of a model in several files (shards), which are not supported",
                        "merge the shards into one safetensors file"};
    if (content.starts_with('{') && content.find("\"metadata\"") != std::string_view::npos &&
        content.find("\"total_size\"") != std::string_view::npos)
        return FileType{"the index of a model in several files (shards), which are not supported",
                        "merge the shards into one safetensors file"};
    return FileType{"a text file", {}, true};
}

}
