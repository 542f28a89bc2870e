#!/bin/bash
# Makes the Debian packages culvert-broker, culvert-agent and culvert of the release preset, in
# build/packages. packaging/test-deb.sh installs, uses and purges them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

source scripts/fresh_tree.sh
# A tree that was never configured needs nothing of the tests.
mapfile -t options < <(fresh_options release -DCULVERT_BUILD_TESTS=OFF)
cmake --preset release "${options[@]}"
cmake --build --preset release --target culvert culvert-agent culvert-broker man
rm -rf build/packages
cpack --config build/release/CPackConfig.cmake -B build/packages
rm -rf build/packages/_CPack_Packages
ls -l build/packages
