#!/bin/bash
# Checks the C++ formatting of what differs from a commit, or of the whole tree.
set -euo pipefail

usage="usage: $0 [--fix] [--all | COMMIT]
  COMMIT  check the lines that differ from it (origin/main or main, where you left it, if not given)
  --all   check the whole tree
  --fix   format instead of only telling"
fix=no all=no base=
for argument in "$@"; do
  case $argument in
    --fix) fix=yes ;;
    --all) all=yes ;;
    -h | --help) echo "$usage" && exit ;;
    -*) echo "$usage" >&2 && exit 2 ;;
    *) base=$argument ;;
  esac
done
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ $all == yes ]]; then
  mapfile -t files < <(git ls-files --cached --others --exclude-standard '*.h' '*.cc')
  if [[ $fix == yes ]]; then
    clang-format-14 -i "${files[@]}"
  else
    clang-format-14 --dry-run --Werror "${files[@]}"
  fi
  exit
fi

if [[ -z $base ]]; then
  for branch in origin/main main; do
    if git rev-parse --verify --quiet "$branch" >/dev/null; then
      base=$(git merge-base HEAD "$branch") && break
    fi
  done
fi
[[ -n $base ]] || { echo "format.sh: no main branch to compare with: name a commit" >&2 && exit 2; }

if [[ $fix == yes ]]; then
  # 1 means that something was formatted.
  git clang-format-14 --extensions h,cc --force "$base" || (($? == 1))
  exit
fi
diff=$(git clang-format-14 --extensions h,cc --diff "$base") || (($? == 1))
if [[ $diff == diff* ]]; then
  printf '%s\n' "$diff"
  echo "format.sh: not formatted; see scripts/format.sh --fix" >&2
  exit 1
fi
