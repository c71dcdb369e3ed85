#pragma once
// Corpus: what a device gave, kept for later versions, compilers, drivers and devices to be held against. One file an
// op, DIR/<op>.safetensors: for output k of a case "<id>#<k>", all its elements up to 1 MiB, else 64 of them, evenly
// spread, and "<id>#<k>.crc32c", of all. Inputs are not kept: the seed in the metadata draws them again.
#include "engine/safetensors.h"
#include "tools/check/case_record.h"

#include <filesystem>
#include <map>

namespace bkd {

class CorpusWriter {
public:
    explicit CorpusWriter(std::uint64_t seed) : seed_(seed) {}
    void add(const kernels::CaseReference& c, const std::vector<kernels::HostTensor>& outputs);
    // Writes the files, in place of earlier ones, and returns how many.
    int write(const std::filesystem::path& folder, const std::string& device) const;

private:
    struct Stored {
        std::string name;
        kernels::HostTensor tensor;  // what is kept of it
        std::uint32_t crc;
    };
    std::uint64_t seed_;
    std::map<std::string, std::vector<Stored>> ops_;
};

class Corpus {
public:
    // InputError E0501 if there is no such folder, E0404 if it holds no record or one of another seed.
    Corpus(std::filesystem::path folder, std::uint64_t seed);

    // The same bits, or elements that both lie within the case's bound of the truth: twice the bound apart at most. A
    // case that was not recorded is skipped and says so.
    CaseRecord compare(kernels::CaseChecker& checker, const kernels::CaseReference& c);

private:
    const SafeTensors* file_of(const std::string& op);

    std::filesystem::path folder_;
    std::uint64_t seed_;
    std::map<std::string, SafeTensors> files_;
};

}
