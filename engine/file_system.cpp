#include "engine/file_system.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace bkd {

FileSystem::FileSystem()
    : open([](int directory, const char* path, int flags, mode_t mode) {
          return ::openat(directory, path, flags, mode);
      }),
      fstat([](int fd, struct stat* facts) { return ::fstat(fd, facts); }),
      pread([](int fd, void* buffer, std::size_t size, off_t offset) { return ::pread(fd, buffer, size, offset); }),
      write([](int fd, const void* bytes, std::size_t size) { return ::write(fd, bytes, size); }),
      allocate([](int fd, off_t offset, off_t size) { return ::fallocate(fd, 0, offset, size); }),
      truncate([](int fd, off_t size) { return ::ftruncate(fd, size); }),
      fsync([](int fd) { return ::fsync(fd); }),
      close([](int fd) { return ::close(fd); }),
      rename(
          [](int directory, const char* from, const char* to) { return ::renameat(directory, from, directory, to); }),
      link([](int directory, const char* from, const char* to) { return ::linkat(directory, from, directory, to, 0); }),
      unlink([](int directory, const char* path) { return ::unlinkat(directory, path, 0); }),
      free_bytes([](int fd) -> std::int64_t {
          struct statvfs facts;
          if (::fstatvfs(fd, &facts) != 0) return -1;
          return static_cast<std::int64_t>(facts.f_bavail) * static_cast<std::int64_t>(facts.f_frsize);
      }) {}

}
