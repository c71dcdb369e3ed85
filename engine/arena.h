#pragma once
// Arena: memory that is given out piece by piece and taken back all at once. It keeps its blocks, so that a second
// round of the same size allocates nothing.
#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

namespace bkd {

class Arena {
public:
    void* take(std::size_t bytes, std::size_t alignment) {
        for (;;) {
            if (block_ == blocks_.size())
                blocks_.push_back({std::make_unique<std::byte[]>(std::max(bytes + alignment, block_bytes)),
                                   std::max(bytes + alignment, block_bytes)});
            Piece& piece = blocks_[block_];
            void* at = piece.data.get() + used_;
            std::size_t room = piece.bytes - used_;
            if (std::align(alignment, bytes, at, room) != nullptr) {
                used_ = static_cast<std::size_t>(static_cast<std::byte*>(at) - piece.data.get()) + bytes;
                return at;
            }
            ++block_;
            used_ = 0;
        }
    }
    void rewind() { block_ = used_ = 0; }

private:
    static constexpr std::size_t block_bytes = 64 * 1024;  // the records of a ResNet-32 step take about 30 KiB
    struct Piece {
        std::unique_ptr<std::byte[]> data;
        std::size_t bytes;
    };
    std::vector<Piece> blocks_;
    std::size_t block_ = 0, used_ = 0;
};

}
