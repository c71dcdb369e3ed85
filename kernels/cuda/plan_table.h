#pragma once
// Which of cuDNN's engines computes a convolution: a text file of one line a choice, written by `bkd bench step --tune`
// on a device and read beside the backend's shared object. Without a line, the first lawful engine of cuDNN's ranking.
//
// A choice decides bits, so none is made by timing unless asked for: two runs with one file give the same numbers.
//
//   cudnn 9.19 compute 9.0: forward f32>f32 += 0 x 128 32 32 16 w 16 3 3 16 y 128 32 32 16 stride 1 1 padding 1 1: 3
#include <map>
#include <optional>
#include <string>

namespace bkd::kernels::cuda {

class PlanTable {
public:
    // A file that is not there is an empty table; InputError E0404 for a line that is no choice or a second one for its
    // convolution, E0502 for what cannot be read.
    static PlanTable read(const std::string& path);

    // Place in the ranking; none if the table does not know.
    std::optional<int> find(const std::string& key) const;
    void add(const std::string& key, int rank) { choices_[key] = rank; }
    // Replaces the file in one step. InputError E0601 if it cannot be written.
    void write(const std::string& path) const;
    std::size_t size() const { return choices_.size(); }
    const std::map<std::string, int>& choices() const { return choices_; }  // place in the ranking, by convolution

private:
    std::map<std::string, int> choices_;
};

}
