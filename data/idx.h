#pragma once
// IDX files (MNIST and its kin), plain or .gz: bytes 0 0 type rank, then rank extents as 32-bit big-endian numbers,
// then the elements. Only type 08, unsigned bytes, is read.
#include "data/decompress.h"
#include "data/image_set.h"
#include "kernels/shape.h"

#include <filesystem>

namespace bkd {

struct IdxArray {
    Shape shape{};
    std::vector<std::byte> elements{};  // [shape]
    FileFact fact{};
};

// E0404 for other first bytes, E0409 for other types, E0408 for a rank above 5, E0407 for more than 8 GiB, E0430 where
// the size differs from what the header says (also where no file of this size could hold it: nothing is allocated for a
// promise).
IdxArray read_idx(const std::filesystem::path& path);
// The same of a file that is open; `shown` names it in messages.
IdxArray read_idx(Unpacker file, const std::string& shown);

// Images [n, h, w] or [n, h, w, c] and labels [n]. E0430 unless both have n, E0408 for other ranks or no samples, E0431
// for a label out of range with its number. The set's shape, labels, images and files are filled in.
void read_idx_set(const std::filesystem::path& images, const std::filesystem::path& labels, ImageSet& set);

// Images [n, h, w] or [n, h, w, c] alone, at least one, of a file that is open; `begun` are its first four bytes, which
// were read. Nothing is hashed. The set's shape and images are filled in. E0408 for other ranks or no samples.
void read_idx_images(Unpacker file, const std::string& shown, std::vector<std::byte> begun, ImageSet& set);

// The split `set.split` of a set in MNIST's four files ("train-images-idx3-ubyte" ..., plain, .gz or .xz), found as
// locate_file does in root/folder and root.
void read_idx_folder(const std::filesystem::path& root, std::string_view folder, const std::string& advice,
                     ImageSet& set);

}
