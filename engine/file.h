#pragma once
// Files: read whole or in parts, replaced as a whole or not at all, and appended to line by line.
//
//   auto bytes = read_file("data/train.bin", 256 << 20);           regular files only; never hangs on a FIFO
//   write_file_atomically("runs/a/model.safetensors", bytes, Overwrite::yes);
//   AppendFile log("runs/a/log.jsonl"); log.write_line(text); log.sync();
//
// Failures are InputError. Reading: E0501 not there, E0502 no permission, E0503 no regular file, E0504 I/O error or cut
// off meanwhile, E0407 larger than allowed. Writing: E0601 no such folder, E0602 no space, E0603 I/O error, E0604 is a
// folder, a device or a pipe, E0605 no permission or read-only, E0606 is an input, E0607 exists already. No other file
// of the project opens a file for writing.
#include "engine/file_system.h"
#include "kernels/error.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bkd {

// An open file descriptor, closed at the end of its scope.
class Descriptor {
public:
    Descriptor(const FileSystem& system, int fd) : system_(&system), fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) system_->close(fd_);
    }

    int get() const { return fd_; }
    int close();  // as close(2): some file systems report a failed write only here

private:
    const FileSystem* system_;
    int fd_;
};

// A regular file opened for reading. `asked_by` says in messages who named it ("exp.toml:5:8"); `system` must outlive
// it.
class InputFile {
public:
    InputFile(const std::filesystem::path& path, std::string_view asked_by, const FileSystem& system);

    std::uint64_t size() const { return size_; }  // bytes when it was opened
    void read(std::uint64_t offset, std::span<std::byte> into) const;
    std::vector<std::byte> read(std::uint64_t offset, std::uint64_t count) const;  // count must lie in the file

private:
    std::string path_, asked_by_;
    const FileSystem* system_;
    Descriptor file_;
    std::uint64_t size_ = 0;
};

std::vector<std::byte> read_file(const std::filesystem::path& path, std::uint64_t max_bytes,
                                 std::string_view asked_by = {}, const FileSystem& system = {});

// Every byte, however many of them write(2) takes at once; false, with errno, where it takes none.
bool write_all(const FileSystem& system, int fd, std::span<const std::byte> bytes);

enum class Overwrite : std::uint8_t { no, yes };

// After return the file holds `bytes` and is on the disk. After an exception or a crash it is what it was before, and
// at most one ".tmp.<name>.<pid>.<random>" stays beside it. `what` names the content in messages: "checkpoint".
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes, Overwrite overwrite,
                           std::string_view what = "file", const FileSystem& system = {});
void write_file_atomically(const std::filesystem::path& path, std::string_view text, Overwrite overwrite,
                           std::string_view what = "file", const FileSystem& system = {});

// Refuses beforehand what write_file_atomically would refuse of the place: no such folder, no permission, a folder or,
// with Overwrite::no, a file of that name. For a result that takes long to compute.
void check_place(const std::filesystem::path& path, Overwrite overwrite, std::string_view what = "file");

// Refuses to replace a file with what is made from it: E0606, whatever the two paths look like.
void check_not_input(const std::filesystem::path& result, const std::filesystem::path& input);

// Deletes the temporary files in `folder` whose writer is dead, or that are older than a day; returns how many.
int remove_abandoned_temporaries(const std::filesystem::path& folder);

// A log. Each line is one write(2) with O_APPEND, so several writers never mix within a line.
class AppendFile {
public:
    // Creates the file where there is none. A last line without its end (its writer died) is cut off.
    explicit AppendFile(const std::filesystem::path& path, const FileSystem& system = {});

    // Appends `line` and a newline. If that fails, no part of the line stays in the file.
    void write_line(std::string_view line);
    // False where the file has been removed or replaced meanwhile, so that what is written is lost.
    bool is_in_place() const;
    void sync();                                                   // on the disk when it returns
    std::int64_t dropped_bytes() const { return dropped_bytes_; }  // of the unfinished last line

private:
    std::string path_;
    FileSystem system_;
    Descriptor file_;
    std::int64_t dropped_bytes_ = 0;
};

}
