// Catch2, in one place: the move to version 3 changes this line. Assertions belong on the test
// thread only.
#pragma once

#include <catch2/catch.hpp>
