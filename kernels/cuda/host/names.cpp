// Names of kernels, from the symbol table of this program: kernels are functions of internal linkage, which the
// loader knows nothing of.
#include "kernels/cuda/host/runtime.h"

#include <cxxabi.h>
#include <elf.h>
#include <link.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>

namespace simt {
namespace {

// Where the program lies, as opposed to where its file says.
std::uintptr_t program_base() {
    std::uintptr_t base = 0;
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* to) {
            *static_cast<std::uintptr_t*>(to) = info->dlpi_addr;
            return 1;  // the program comes first
        },
        &base);
    return base;
}

// "cast_kernel" of bkd::kernels::cuda::(anonymous namespace)::cast_kernel<float>(float const*, ...)
std::string short_name(const char* mangled) {
    int status = 0;
    char* text = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
    if (text == nullptr) return mangled;
    const std::string whole = text;
    std::free(text);
    const std::string space = "bkd::kernels::cuda::", unnamed = "(anonymous namespace)::";
    const std::size_t found = whole.find(space);
    if (found == std::string::npos) return whole;
    std::size_t begin = found + space.size();
    if (whole.compare(begin, unnamed.size(), unnamed) == 0) begin += unnamed.size();
    return whole.substr(begin, whole.find_first_of("<(", begin) - begin);
}

std::map<std::uintptr_t, std::string> symbols() {
    std::ifstream file("/proc/self/exe", std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    const auto* header = reinterpret_cast<const Elf64_Ehdr*>(bytes.data());
    const auto* sections = reinterpret_cast<const Elf64_Shdr*>(bytes.data() + header->e_shoff);
    const std::uintptr_t base = program_base();
    std::map<std::uintptr_t, std::string> found;
    for (int i = 0; i < header->e_shnum; ++i) {
        if (sections[i].sh_type != SHT_SYMTAB) continue;
        const char* names = bytes.data() + sections[sections[i].sh_link].sh_offset;
        const auto* symbol = reinterpret_cast<const Elf64_Sym*>(bytes.data() + sections[i].sh_offset);
        for (std::size_t n = sections[i].sh_size / sizeof *symbol; n > 0; --n, ++symbol)
            if (ELF64_ST_TYPE(symbol->st_info) == STT_FUNC) found[base + symbol->st_value] = names + symbol->st_name;
    }
    return found;
}

}

std::set<std::string> names_of(const std::set<const void*>& kernels) {
    static const std::map<std::uintptr_t, std::string> known = symbols();
    std::set<std::string> names;
    for (const void* kernel : kernels)
        if (const auto found = known.find(reinterpret_cast<std::uintptr_t>(kernel)); found != known.end())
            names.insert(short_name(found->second.c_str()));
    return names;
}

std::set<std::string> kernels_run() { return names_of(tally().kernels); }

}
