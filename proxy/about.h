// What this build is made of. Part of the program alone, so that a new commit links nothing else
// anew.
#ifndef REEVE_PROXY_ABOUT_H_
#define REEVE_PROXY_ABOUT_H_

#include <string>

namespace reeve {

// Version, commit, compiler, libraries and the shared objects that are loaded, a line each. Of
// OpenSSL and SQLite it is the version that runs, of the others the one that was compiled.
std::string about();

}  // namespace reeve

#endif  // REEVE_PROXY_ABOUT_H_
