// The console's files, as they are in page/, inside the binary.
#ifndef REEVE_PROXY_CONSOLE_ASSETS_H_
#define REEVE_PROXY_CONSOLE_ASSETS_H_

#include <span>
#include <string>
#include <string_view>

#include "proxy/http/message.h"

namespace reeve::console {

struct File {             // made by embed.cmake
  std::string_view path;  // of its URL: `/` is index.html
  std::string_view bytes;
};
extern const std::span<const File> kFiles;

struct Asset {
  std::string_view type, bytes;
  std::string etag;  // with quotes
};

// Null: there is no such file.
const Asset* find_asset(std::string_view path);
// Whether the client has it already (If-None-Match).
bool has_it(const http::Fields& fields, const Asset& asset);

// The fields of every answer that carries a file: what the page may do is its own files and calls
// to where it came from, and no other page may hold it.
std::span<const http::Field> page_fields();
// Those of all other answers of the admin side.
std::span<const http::Field> data_fields();

}  // namespace reeve::console

#endif  // REEVE_PROXY_CONSOLE_ASSETS_H_
