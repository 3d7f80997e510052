// Catch2's main, alone: it takes 10 s to compile and never changes.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
