#pragma once
// The operating system's calls that files need, one to one: same arguments, same results, errno on failure.
//
// Code that touches files takes a `const FileSystem&`; a default-made one asks the system. A test replaces single
// members to fail the n-th write with ENOSPC, to cut a write short, or to end the process between two calls. Its user:
// engine/file.h.
#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>

namespace bkd {

struct FileSystem {
    FileSystem();

    std::function<int(int directory, const char* path, int flags, mode_t mode)> open;  // openat
    std::function<int(int fd, struct stat*)> fstat;
    std::function<ssize_t(int fd, void* buffer, std::size_t size, off_t offset)> pread;
    std::function<ssize_t(int fd, const void* bytes, std::size_t size)> write;
    std::function<int(int fd, off_t offset, off_t size)> allocate;  // fallocate, mode 0
    std::function<int(int fd, off_t size)> truncate;
    std::function<int(int fd)> fsync;
    std::function<int(int fd)> close;
    std::function<int(int directory, const char* from, const char* to)> rename;  // renameat
    std::function<int(int directory, const char* from, const char* to)> link;    // linkat
    std::function<int(int directory, const char* path)> unlink;                  // unlinkat
    std::function<std::int64_t(int fd)> free_bytes;                              // for this user; -1 if unknown
};

}
