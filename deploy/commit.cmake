# Sets REEVE_COMMIT to the commit that the source is of, `-dirty` behind it where files differ, unless
# it is given (-DREEVE_COMMIT=…, for a source without its history). Looked at when CMake configures,
# which a commit makes it do again.
set(REEVE_COMMIT "" CACHE STRING "The commit that reeve --version says; found out where it is empty")
set(reeve_commit "${REEVE_COMMIT}")
find_package(Git QUIET)
if(NOT reeve_commit AND GIT_FOUND)
  execute_process(COMMAND ${GIT_EXECUTABLE} describe --always --dirty --abbrev=12 --exclude=*
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE reeve_commit
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  execute_process(COMMAND ${GIT_EXECUTABLE} rev-parse --path-format=absolute --git-path logs/HEAD
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE moves
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(moves AND EXISTS "${moves}")
    set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${moves}")
  endif()
endif()
if(NOT reeve_commit)
  set(reeve_commit unknown)
endif()
