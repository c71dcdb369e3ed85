// Archives that two programs could read differently, that promise more than they have, or that are no torch.save's.
#include "engine/zip_archive.h"

#include "tests/engine/pth_variants.h"

using namespace bkd;
using namespace bkd_test;

namespace {

const std::vector<ZipPart> sound_parts = pth_parts(sound_pickle, sound_storages);

// The sound archive with one entry changed.
std::string with(std::size_t entry, const std::function<void(ZipPart&)>& change, const ZipForm& form = {}) {
    std::vector<ZipPart> parts = sound_parts;
    change(parts[entry]);
    return zip_of(parts, form);
}
std::string named(const std::string& name) {
    return with(3, [&](ZipPart& part) { part.name = name; });
}

}

TEST_CASE("CRC-32 is that of the published check value, and continues") {
    const std::string digits = "123456789";
    const auto bytes = std::as_bytes(std::span(digits));
    CHECK(crc32(bytes) == 0xCBF43926u);
    CHECK(crc32(bytes.subspan(3), crc32(bytes.first(3))) == 0xCBF43926u);
    CHECK(crc32({}) == 0);
    // Also beyond the eight bytes of a step.
    const std::string text = "The quick brown fox jumps over the lazy dog";
    CHECK(crc32(std::as_bytes(std::span(text))) == 0x414FA339u);
}

TEST_CASE("an archive's end: one record, at the end of the file, in agreement with what lies before it") {
    const std::string sound = zip_of(sound_parts);
    std::vector<ZipPart> many = sound_parts;
    for (int i = 0; i < 70000; ++i) many.push_back({fmt::format("archive/x/{}", i), ""});
    std::vector<ZipPart> most = sound_parts;
    for (int i = 0; i < 65532; ++i) most.push_back({fmt::format("archive/x/{}", i), ""});
    check_variants({
        {"sound", sound, "accepted"},
        {"sound, with a ZIP64 record", zip_of(sound_parts, {.has_zip64 = true}), "accepted"},
        {"65,536 entries", zip_of(most, {.entries = 0xFFFF, .has_zip64 = true}), "accepted"},
        {"comment", zip_of(sound_parts, {.comment = "made by hand"}), "accepted"},
        {"empty", "", "E0416"},
        {"magic alone", "PK\3\4", "E0416"},
        {"no end record", sound.substr(0, sound.size() - 22), "E0416"},
        {"end record cut", sound.substr(0, sound.size() - 1), "E0416"},
        {"byte after the archive", zip_of(sound_parts, {.after = "x"}), "E0416"},
        {"bytes before the archive", zip_of(sound_parts, {.before = "#!/bin/sh\n"}), "E0416"},
        {"bytes before the archive that its offsets count",
         zip_of(sound_parts, {.before = "#!/bin/sh\n", .counts_before = true}), "E0416"},
        {"two archives", sound + sound, "E0416"},
        {"second end record in the comment", zip_of(sound_parts, {.comment = "PK\5\6" + std::string(18, '\0')}),
         "E0416"},
        {"second end record that reaches the end too",
         zip_of(sound_parts, {.comment = "PK\5\6" + std::string(16, '\0') + little_endian(4, 2) + "abcd"}), "E0416"},
        {"one entry more than there are", zip_of(sound_parts, {.entries = sound_parts.size() + 1}), "E0416"},
        {"one entry fewer", zip_of(sound_parts, {.entries = sound_parts.size() - 1}), "E0416"},
        {"no entries", zip_of({}), "E0416"},
        {"70,000 entries", zip_of(many, {.entries = 0xFFFF, .has_zip64 = true}), "E0407"},
        {"70,000 entries, counted modulo 65,536", zip_of(many), "E0416"},
        {"ZIP64 record that says another number", zip_of(sound_parts, {.has_zip64 = true, .zip64_entries = 3}),
         "E0416"},
        {"numbers left open without a ZIP64 record", zip_of(sound_parts, {.entries = 0xFFFF}), "E0416"},
        {"directory elsewhere", zip_of(sound_parts, {.directory = 4}), "E0416"},
        {"directory behind the file", zip_of(sound_parts, {.directory = 0x7FFFFFFF}), "E0416"},
        {"disk left open without a ZIP64 record", zip_of(sound_parts, {.disk = 0xFFFF}), "E0416"},
        {"second of two disks", zip_of(sound_parts, {.disk = 1}), "E0416"},
    });
}

TEST_CASE("an archive's entries: as they are, once, apart from each other, said twice alike") {
    const std::string wide_twice = little_endian(1, 2) + little_endian(8, 2) + little_endian(16, 8);
    check_variants({
        {"sizes in a ZIP64 field", with(2, [](ZipPart& p) { p.is_wide = true; }), "accepted"},
        {"other extra field", with(2, [](ZipPart& p) { p.extra = "FB" + little_endian(2, 2) + "ZZ"; }), "accepted"},
        {"local sizes and checksum", with(2, [](ZipPart& p) { p.flags = 0; }), "accepted"},
        {"no checksum", with(2, [](ZipPart& p) { p.checksum = 0; }), "accepted"},
        {"wrong checksum of a storage", with(2, [](ZipPart& p) { p.checksum = 1; }), "E0421"},
        {"wrong checksum of the pickle", with(0, [](ZipPart& p) { p.checksum = 1; }), "E0421"},
        {"compressed", with(2, [](ZipPart& p) { p.method = p.local_method = 8; }), "E0417"},
        {"compressed, says the directory", with(2, [](ZipPart& p) { p.method = 8; }), "E0416"},
        {"compressed, says the local header", with(2, [](ZipPart& p) { p.local_method = 8; }), "E0416"},
        {"encrypted", with(2, [](ZipPart& p) { p.flags |= 1; }), "E0417"},
        {"patched", with(2, [](ZipPart& p) { p.flags |= 1 << 5; }), "E0417"},
        {"strongly encrypted", with(2, [](ZipPart& p) { p.flags |= 1 << 6; }), "E0417"},
        {"masked", with(2, [](ZipPart& p) { p.flags |= 1 << 13; }), "E0417"},
        {"other local name", with(2, [](ZipPart& p) { p.local_name = "archive/data/9"; }), "E0416"},
        {"longer local name", with(2, [](ZipPart& p) { p.local_name = "archive/data/0/"; }), "E0416"},
        {"other local size", with(2, [](ZipPart& p) { p.local_size = 12; }), "E0416"},
        {"open local size of a small entry", with(2, [](ZipPart& p) { p.local_size = 0xFFFFFFFF; }), "E0416"},
        {"entry that runs into the directory", with(3, [](ZipPart& p) { p.size = 1000; }), "E0416"},
        {"entry that runs into the next", with(2, [](ZipPart& p) { p.size = 100; }), "E0416"},
        {"two entries in one place", with(2, [](ZipPart& p) { p.header = 0; }), "E0416"},
        {"entry inside another", with(2, [](ZipPart& p) { p.header = 60; }), "E0416"},
        {"entry inside the directory", with(3, [](ZipPart& p) { p.header = 1000000; }), "E0416"},
        {"entry behind 2^32", with(3, [](ZipPart& p) { p.header = 0xFFFFFFF0; }), "E0416"},
        {"open place without a ZIP64 field", with(3, [](ZipPart& p) { p.header = 0xFFFFFFFF; }), "E0416"},
        {"ZIP64 field that nothing asks for", with(2, [&](ZipPart& p) { p.extra = wide_twice; }), "E0416"},
        {"extra field cut off", with(2, [](ZipPart& p) { p.extra = "FB" + little_endian(9, 2) + "ZZ"; }), "E0416"},
        {"extra field of three bytes", with(2, [](ZipPart& p) { p.extra = "FBx"; }), "E0416"},
        {"second name in an extra field",
         with(2, [](ZipPart& p) { p.extra = little_endian(0x7075, 2) + little_endian(2, 2) + "ZZ"; }), "E0416"},
    });
}

TEST_CASE("an entry whole and sound inside another's data is refused, so that no byte counts twice") {
    const ZipPart inner{.name = "archive/inner", .data = "xx", .flags = 0};
    ZipPart outer{.name = "archive/outer", .data = zip_of({inner})}, shown = inner;
    shown.header = 30 + outer.name.size();
    std::vector<ZipPart> parts{outer, shown};
    parts.insert(parts.end(), sound_parts.begin(), sound_parts.end());
    const std::string file = zip_of(parts);
    const std::size_t end = 30 + outer.name.size() + outer.data.size();
    CHECK_THROWS_WITH_AS(parse_pth(std::as_bytes(std::span(file)), "x.pth"),
                         fmt::format("entry \"archive/inner\" begins inside another, which ends at {}", end).c_str(),
                         InputError);
}

TEST_CASE("an archive's names: labels that nobody could take for a path out of it, each once") {
    check_variants({
        {"512 bytes", named("archive/" + std::string(504, 'x')), "accepted"},
        {"513 bytes", named("archive/" + std::string(505, 'x')), "E0406"},
        {"no name", named(""), "E0406"},
        {"no folder", named("version"), "E0406"},
        {"other folder", named("other/version"), "E0406"},
        {"upwards", named("archive/../x"), "E0406"},
        {"upwards from the start", named("../data.pkl"), "E0406"},
        {"upwards at the end", named("archive/.."), "E0406"},
        {"absolute", named("/archive/x"), "E0406"},
        {"drive", named("C:/archive"), "E0406"},
        {"backslash", named("archive\\x"), "E0406"},
        {"newline", named("archive/\n"), "E0406"},
        {"NUL", named(std::string("archive/\0x", 10)), "E0406"},
        {"C1", named("archive/\xc2\x9b"), "E0406"},
        {"no UTF-8", named("archive/\xff"), "E0406"},
        {"cut UTF-8", named("archive/\xc3"), "E0406"},
        {"twice", named("archive/data.pkl"), "E0405"},
        {"twice but for case", named("archive/DATA.pkl"), "E0405"},
    });
}

TEST_CASE("an archive that is no state dict is refused by the name of what it is") {
    const auto parts = [](const std::vector<std::string>& names) {
        std::vector<ZipPart> all;
        for (const std::string& name : names) all.push_back({name, "x"});
        return zip_of(all);
    };
    check_variants({
        {"TorchScript", parts({"net/data.pkl", "net/code/__torch__.py", "net/constants.pkl"}), "E0429"},
        {"NumPy", parts({"a/x.npy", "a/y.npy"}), "E0429"},
        {"big-endian", with(1, [](ZipPart& p) { p.data = "big"; }), "E0429"},
        {"long byteorder", with(1, [](ZipPart& p) { p.data = std::string(1 << 20, 'x'); }), "E0429"},
    });
}

TEST_CASE("an archive cut off at any byte is refused, and one with any byte changed is never taken for another") {
    const std::string sound = zip_of(sound_parts, {.has_zip64 = true});
    const auto id = [](const std::string& file) {
        return id_of([&] { parse_pth(std::as_bytes(std::span(file)), "x.pth"); });
    };
    for (std::size_t length = 0; length < sound.size(); ++length)
        CHECK_MESSAGE(id(sound.substr(0, length)) == "E0416", "cut at ", length);
    const Pth whole = parse_pth(std::as_bytes(std::span(sound)), "x.pth");
    std::string changed = sound;
    for (std::size_t at = 0; at < sound.size(); ++at) {
        changed[at] = static_cast<char>(changed[at] ^ 1);
        id_of([&] {
            const Pth read = parse_pth(std::as_bytes(std::span(changed)), "x.pth");
            CHECK_MESSAGE(read.tensors.data == whole.tensors.data, "byte ", at);
            CHECK_MESSAGE(read.tensors.tensors.front().name == "a", "byte ", at);
        });
        changed[at] = sound[at];
    }
}
