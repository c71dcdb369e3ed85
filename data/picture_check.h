#pragma once
// Every picture of a list looked at, by several threads: can it be read, is anything odd about it, does it stand there
// twice?
#include "data/picture_header.h"
#include "data/picture_list.h"
#include "engine/sha256.h"
#include "kernels/error.h"

#include <functional>
#include <memory>

namespace bkd {

struct PictureFinding {
    std::shared_ptr<const InputError> error{};  // why it cannot be read: E0407, E0433 .. E0437, E0440, E05nn
    PictureHeader header{};                     // where it can
    Sha256::Digest content{};                   // of the file's bytes; zeros where it was not read

    bool is_bad() const { return error != nullptr; }
};

struct PictureCheck {
    int threads = 0;  // 0: as many as this process may use
    bool hashes = false;
    std::function<void(std::int64_t done)> progress{};  // now and then, from any of the threads, one at a time
};

// One finding for each picture, in the list's order, whatever the number of threads. Reads and decodes each. What else
// goes wrong in one of the threads, such as memory that is not there, is thrown here.
std::vector<PictureFinding> check_pictures(const PictureList& list, const std::filesystem::path& root,
                                           const PictureCheck& options = {});

// What is odd about a picture that can be read, in words that many may share: "bytes after its end", "EXIF orientation
// 6", "PNG by its bytes" (of a .jpg), "alpha is dropped".
std::vector<std::string> oddities(std::string_view path, const PictureHeader& header);

// Pictures of the same bytes: groups of (list, index), in the order of their first. Those that cannot be read are in
// none.
struct ListedPicture {
    std::size_t list = 0;
    std::int64_t index = 0;
};
std::vector<std::vector<ListedPicture>> same_pictures(std::span<const std::vector<PictureFinding>> findings);

}
