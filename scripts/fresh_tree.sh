# How the scripts configure a build folder that is not there yet. To be sourced by bash.

# fresh_options PRESET OPTION...: prints, one a line, the options for `cmake --preset PRESET`: those
# given, and that sources are compiled many at a time ("unity build"), which takes a third of the time
# where everything is to be compiled. Prints nothing if the folder was configured before: that is left
# as it is.
fresh_options() {
  local preset=$1
  shift
  [[ ! -e build/$preset/CMakeCache.txt ]] || return 0
  printf '%s\n' -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=16 "$@"
}
