#!/bin/sh
# Runs the engine's tests on an extension built with AddressSanitizer and UndefinedBehaviorSanitizer.
#
#   tools/sanitize.sh [pytest arguments]      tests/engine by default
#
# PYTHON is an interpreter with nervure's dependencies (default: python3); NERVURE_FUZZ multiplies
# the number of examples of the fuzzed tests (default: 5). The checkout is not touched.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
python=$(command -v "${PYTHON:-python3}")
case $python in /*) ;; *) python=$PWD/$python ;; esac

for need in g++ gcc; do
  command -v $need >/dev/null || { echo "sanitize: needs $need" >&2; exit 1; }
done
"$python" -c 'import nanobind, pytest, torch' || {
  echo "sanitize: $python lacks nanobind, pytest or torch; run it by 'make sanitize'" >&2; exit 1; }

library() {
  path=$(gcc -print-file-name="$1")
  case $path in
    /*) printf '%s' "$path" ;;
    *) echo "sanitize: gcc has no $1; install its sanitizer libraries" >&2; exit 1 ;;
  esac
}
asan=$(library libasan.so)
ubsan=$(library libubsan.so)
# Else the first C++ exception finds no handler: Python itself does not link the C++ library.
stdcxx=$(library libstdc++.so)

work=$(mktemp -d "${TMPDIR:-/tmp}/nervure-sanitize.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# The last option wins: the kernels' own -O3 would take ten minutes. What the checks left out would
# find, AddressSanitizer finds when the memory is used.
cat >"$work/compile" <<'END'
#!/bin/sh
exec "$@" -O1 -fno-sanitize=null,object-size,pointer-overflow
END
chmod +x "$work/compile"

PATH=$(dirname "$python"):$PATH
cmake -S "$root" -B "$work/build" -G Ninja \
  -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER=g++ -DPython_EXECUTABLE="$python" \
  -DCMAKE_CXX_COMPILER_LAUNCHER="$work/compile" \
  -DCMAKE_CXX_FLAGS="-fsanitize=address,undefined -fno-sanitize-recover=undefined -g" \
  >"$work/configure.log" || { cat "$work/configure.log"; exit 1; }
cmake --build "$work/build" >"$work/build.log" || { cat "$work/build.log"; exit 1; }

mkdir "$work/src"
cp -R "$root/src/nervure" "$work/src/nervure"
rm -f "$work"/src/nervure/_core*.so
cp "$work"/build/_core*.so "$work/src/nervure/"
cp -R "$root/tests" "$root/pyproject.toml" "$work/"
cd "$work"

cat >"$work/sanitized.py" <<'END'
"""Run pytest on the copy of nervure in src, whatever is installed."""
import sys
from pathlib import Path

sys.meta_path[:] = [f for f in sys.meta_path if "ScikitBuild" not in type(f).__name__]
here = Path(__file__).parent
sys.path.insert(0, str(here / "src"))

import nervure._core  # noqa: E402
import pytest  # noqa: E402

assert Path(nervure._core.__file__).is_relative_to(here), nervure._core.__file__
sys.exit(pytest.main(sys.argv[1:]))
END

[ $# -gt 0 ] || set -- tests/engine
OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} NERVURE_FUZZ=${NERVURE_FUZZ:-5} \
ASAN_OPTIONS=detect_leaks=0:detect_odr_violation=0 UBSAN_OPTIONS=print_stacktrace=1 \
LD_PRELOAD="$asan $ubsan $stdcxx" \
  "$python" sanitized.py -q -p no:cacheprovider --capture=sys "$@"
