#pragma once
// What `bkd predict` writes: a record for each image, in the order of the input.
//
//   jsonl   {"input":"a.bin","image":0,"ok":true,"label":"cat","index":3,"p":0.91,"top":[["cat",0.91],["dog",0.05]]}
//           and of a file that was skipped {"input":"b.bin","ok":false,"error":{"id":"E0434","what":"..."}}
//   csv     input,image,ok,label,index,p,label2,p2,...,error        RFC 4180
//   table   for people
//
// `image` counts from 0 within its file, `index` is the class. A class without a name goes by its number.
#include "kernels/error.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace bkd {

struct PredictionFormat {
    std::string name = "jsonl";              // or "csv", "table"
    std::vector<std::string> class_names{};  // [classes]
    std::size_t top_k = 1;                   // 1..classes
};

class PredictionWriter {
public:
    explicit PredictionWriter(PredictionFormat format);

    void add(const std::string& input, std::int64_t image, std::span<const float> logits);  // [classes]
    void add_failure(const std::string& input, const InputError& error);
    // The text of what was added since the last call.
    std::string take_text();

private:
    void add_head();
    void add_json(const std::string& input, std::int64_t image);
    void add_csv(const std::string& input, std::int64_t image);
    void add_table(const std::string& input, std::int64_t image);

    PredictionFormat format_;
    std::string text_;
    bool has_head_ = false;
    std::size_t name_width_ = 0;
    std::vector<std::int32_t> order_;  // of the image at hand: classes, the likeliest first
    std::vector<float> p_;             // likewise, by class
};

}
