#include "data/picture_check.h"

#include "data/decode.h"
#include "data/picture_set.h"
#include "kernels/backend.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>

namespace bkd {
namespace {

constexpr std::int64_t aspect_worth_telling = 20;
constexpr std::int64_t tell_every = 200;  // pictures

PictureFinding look_at(const PictureList& list, std::int64_t index, const std::filesystem::path& root,
                       const PictureCheck& options) {
    PictureFinding finding;
    const std::string path(list.path(index));
    try {
        const std::vector<std::byte> bytes = read_picture(root, path);
        if (options.hashes) {
            Sha256 hash;
            hash.update(bytes);
            finding.content = hash.digest();
        }
        decode_picture(bytes, path, [&](const PictureHeader& header) {
            finding.header = header;
            return DecodeOptions{};
        });
    } catch (const InputError& error) { finding.error = std::make_shared<InputError>(error); }
    return finding;
}

bool is_named_as(std::string_view path, PictureKind kind) {
    const std::size_t dot = path.rfind('.');
    if (dot == std::string_view::npos) return true;
    return (lower_case(path.substr(dot + 1)) == "png") == (kind == PictureKind::png);
}

}

std::vector<PictureFinding> check_pictures(const PictureList& list, const std::filesystem::path& root,
                                           const PictureCheck& options) {
    std::vector<PictureFinding> findings(static_cast<std::size_t>(list.size()));
    std::atomic<std::int64_t> next = 0;
    std::mutex telling;  // guards what follows
    std::int64_t done = 0;
    std::exception_ptr failure;
    const auto work = [&] {
        try {
            for (std::int64_t i = next++; i < list.size(); i = next++) {
                findings[static_cast<std::size_t>(i)] = look_at(list, i, root, options);
                if (!options.progress) continue;
                const std::scoped_lock lock(telling);
                if (++done % tell_every == 0 || done == list.size()) options.progress(done);
            }
        } catch (...) {
            next = list.size();
            const std::scoped_lock lock(telling);
            failure = std::current_exception();
        }
    };
    const std::int64_t wanted = options.threads > 0 ? options.threads : allowed_threads();
    std::vector<std::jthread> helpers;
    try {
        for (std::int64_t i = 1; i < std::min(wanted, list.size()); ++i) helpers.emplace_back(work);
    } catch (const std::system_error&) {}  // no more threads: those that there are do the work
    work();
    helpers.clear();
    if (failure) std::rethrow_exception(failure);
    return findings;
}

std::vector<std::string> oddities(std::string_view path, const PictureHeader& header) {
    const PictureNotes& notes = header.notes;
    std::vector<std::string> odd;
    if (notes.bytes_after_end > 0) odd.emplace_back("bytes after its end");
    if (!is_named_as(path, header.kind)) odd.push_back(fmt::format("{} by its bytes", name_of(header.kind)));
    if (notes.orientation != 1) odd.push_back(fmt::format("EXIF orientation {}", notes.orientation));
    if (notes.has_alpha) odd.emplace_back("alpha is dropped");
    if (notes.is_palette_short) odd.emplace_back("palette shorter than its indices");
    if (notes.is_16_bit) odd.emplace_back("16 bits, the high byte is taken");
    if (notes.inflates_too_far) odd.emplace_back("more rows than its height");
    const auto [least, most] = std::minmax(header.height, header.width);
    if (most > aspect_worth_telling * least)
        odd.push_back(fmt::format("one side more than {} times the other", aspect_worth_telling));
    return odd;
}

std::vector<std::vector<ListedPicture>> same_pictures(std::span<const std::vector<PictureFinding>> findings) {
    std::map<Sha256::Digest, std::vector<ListedPicture>> by_content;
    for (std::size_t list = 0; list < findings.size(); ++list)
        for (std::size_t i = 0; i < findings[list].size(); ++i)
            if (const PictureFinding& finding = findings[list][i]; finding.content != Sha256::Digest{})
                by_content[finding.content].push_back({list, static_cast<std::int64_t>(i)});
    std::vector<std::vector<ListedPicture>> groups;
    for (auto& [content, group] : by_content)
        if (group.size() > 1) groups.push_back(std::move(group));
    std::ranges::sort(groups, {}, [](const std::vector<ListedPicture>& group) {
        return std::pair{group.front().list, group.front().index};
    });
    return groups;
}

}
