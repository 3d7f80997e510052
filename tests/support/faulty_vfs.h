// A file layer for SQLite that passes to the system's and fails its n-th writing operation, and all
// after, or calls back at each step of them. One at a time: its state is `faults`.
#ifndef REEVE_TESTS_SUPPORT_FAULTY_VFS_H_
#define REEVE_TESTS_SUPPORT_FAULTY_VFS_H_

#include <sqlite3.h>

#include <cstdint>

namespace reeve::store {

struct Faults {
  int64_t left = -1;  // operations that still succeed; negative: all
  int code = SQLITE_OK;
  int64_t log_bytes = -1;  // to which a file may grow; negative: any
  int refused = 0;         // writes beyond that
  // Called before, within and after each writing operation, by name.
  void (*at)(const char* point) = nullptr;
  bool fails() {
    if (left < 0) return false;
    if (left == 0) return true;
    --left;
    return false;
  }
  void pass(const char* point) const {
    if (at != nullptr) at(point);
  }
};
inline Faults faults;

struct FaultyFile {
  sqlite3_file base;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

inline sqlite3_file* real(sqlite3_file* file) {
  return reinterpret_cast<FaultyFile*>(file)->real();
}

inline const sqlite3_io_methods* faulty_methods() {
  static const sqlite3_io_methods methods = [] {
    sqlite3_io_methods m{};
    m.iVersion = 2;
    m.xClose = [](sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); };
    m.xRead = [](sqlite3_file* f, void* to, int size, sqlite3_int64 at) {
      return real(f)->pMethods->xRead(real(f), to, size, at);
    };
    m.xWrite = [](sqlite3_file* f, const void* from, int size, sqlite3_int64 at) {
      if (faults.fails()) {
        real(f)->pMethods->xWrite(real(f), from, size / 2, at);  // torn
        return faults.code;
      }
      if (faults.log_bytes >= 0 && at + size > faults.log_bytes) {
        ++faults.refused;
        return SQLITE_FULL;
      }
      faults.pass("write");
      if (faults.at != nullptr) real(f)->pMethods->xWrite(real(f), from, size / 2, at);
      faults.pass("torn");
      const int code = real(f)->pMethods->xWrite(real(f), from, size, at);
      faults.pass("written");
      return code;
    };
    m.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
      return faults.fails() ? faults.code : real(f)->pMethods->xTruncate(real(f), size);
    };
    m.xSync = [](sqlite3_file* f, int flags) {
      if (faults.fails()) return SQLITE_IOERR_FSYNC;
      faults.pass("sync");
      const int code = real(f)->pMethods->xSync(real(f), flags);
      faults.pass("synced");
      return code;
    };
    m.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) {
      return real(f)->pMethods->xFileSize(real(f), size);
    };
    m.xLock = [](sqlite3_file* f, int l) { return real(f)->pMethods->xLock(real(f), l); };
    m.xUnlock = [](sqlite3_file* f, int l) { return real(f)->pMethods->xUnlock(real(f), l); };
    m.xCheckReservedLock = [](sqlite3_file* f, int* l) {
      return real(f)->pMethods->xCheckReservedLock(real(f), l);
    };
    m.xFileControl = [](sqlite3_file* f, int op, void* arg) {
      return real(f)->pMethods->xFileControl(real(f), op, arg);
    };
    m.xSectorSize = [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); };
    m.xDeviceCharacteristics = [](sqlite3_file* f) {
      return real(f)->pMethods->xDeviceCharacteristics(real(f));
    };
    m.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** to) {
      return real(f)->pMethods->xShmMap(real(f), page, size, extend, to);
    };
    m.xShmLock = [](sqlite3_file* f, int offset, int n, int flags) {
      return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
    };
    m.xShmBarrier = [](sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); };
    m.xShmUnmap = [](sqlite3_file* f, int remove) {
      return real(f)->pMethods->xShmUnmap(real(f), remove);
    };
    return m;
  }();
  return &methods;
}

inline const char* faulty_vfs() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs v = *sqlite3_vfs_find(nullptr);
    v.zName = "faulty";
    v.szOsFile += static_cast<int>(sizeof(FaultyFile));
    v.xOpen = [](sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
      sqlite3_vfs* system = sqlite3_vfs_find(nullptr);
      const int code = system->xOpen(system, name, real(file), flags, out);
      file->pMethods = code == SQLITE_OK ? faulty_methods() : nullptr;
      return code;
    };
    return v;
  }();
  sqlite3_vfs_register(&vfs, 0);
  return vfs.zName;
}

}  // namespace reeve::store

#endif  // REEVE_TESTS_SUPPORT_FAULTY_VFS_H_
