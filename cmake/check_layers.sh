#!/usr/bin/env bash
# Proves what docs/architecture.md promises about engine/: it opens no socket or file, reads no clock, starts no thread,
# prints nothing. Undefined symbols of its archives are the evidence. Usage: check_layers.sh BUILD_DIR
set -euo pipefail
build=$1

# Demangled or plain; anchored so that e.g. `sockeye::…::read` does not match `read`.
forbidden='^(socket|connect|bind|listen|accept4?|send(to|msg)?|recv(from|msg)?|epoll_.*|poll|select|open(64|at)?|fopen(64)?|creat|read|write|pread(64)?|pwrite(64)?|close|ioctl|fcntl(64)?|clock_gettime|gettimeofday|time|nanosleep|usleep|sleep|pthread_create|pthread_mutex_lock|getenv|secure_getenv|system|fork|exec.*|printf|fprintf|vfprintf|puts|fputs|fwrite|putchar|perror|syslog|std::chrono::_V2::(steady|system)_clock::now\(\)|std::thread::.*|std::cout|std::cerr|std::clog|std::basic_[io]?fstream<.*|std::random_device::.*)$'

undefined() { nm --undefined-only --demangle "$1" 2>/dev/null | awk '$1 == "U" { $1 = ""; sub(/^ /, ""); print }' | sed 's/@.*//' | sort -u; }

check() {
  local found
  found=$(undefined "$1" | grep -E "$forbidden" || true)
  if [ -z "$found" ]; then return 0; fi
  printf '%s references what engine/ may not:\n%s\n' "$1" "$found"
  return 1
}

# The check itself must be able to fail.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
printf '#include <chrono>\n#include <cstdio>\nlong f() { std::puts("x"); return std::chrono::steady_clock::now().time_since_epoch().count(); }\n' >"$scratch/bad.cc"
c++ -std=c++20 -c "$scratch/bad.cc" -o "$scratch/bad.o"
if check "$scratch/bad.o" >/dev/null; then echo "the symbol check accepts a clock and stdio: it is broken"; exit 1; fi

status=0
count=0
for module in base model wire session dialect signal observer relay capture; do
  archive=$build/engine/$module/libsockeye_$module.a
  if [ ! -f "$archive" ]; then continue; fi
  count=$((count + 1))
  check "$archive" || status=1
done
[ "$count" -ge 6 ] || { echo "only $count engine archives under $build: build it first"; exit 1; }

# What the observation is told of is policy of whoever carries the bytes: it may neither decide nor write.
policy='\b(conformance|strict|verdict|outlet|close_timeout|idle_timeout|frame_writer|deflate\.h|lifecycle\.h|heartbeat\.h|rate\.h|forward|rewriter)\b'
words() { grep -rniwE "$policy" "$@" | grep -v '^[^:]*:[0-9]*: *//' || true; }
printf 'bool strict() const;\n' >"$scratch/policy.h"
[ -n "$(words "$scratch/policy.h")" ] || { echo "the policy check finds no policy: it is broken"; exit 1; }
# Likewise whoever only watches: it has no such option to state.
found=$(words engine/observer/{include,src} vantage/{sdk,tap}/{include,src})
if [ -n "$found" ]; then printf 'who only watches speaks of policy:\n%s\n' "$found"; status=1; fi

# A forbidden arrow must stop the configure step.
mkdir "$scratch/arrow" && cat >"$scratch/arrow/CMakeLists.txt" <<EOF
cmake_minimum_required(VERSION 3.25)
project(arrow LANGUAGES CXX)
list(APPEND CMAKE_MODULE_PATH $PWD/cmake)
include(sockeye)
_sockeye_check_layers(wire session)
EOF
if cmake -S "$scratch/arrow" -B "$scratch/arrow/build" >"$scratch/log" 2>&1 || ! grep -q "may not link" "$scratch/log"; then
  echo "wire → session was not refused: the layer table is not enforced"
  exit 1
fi
[ "$status" = 0 ] && echo "layers: $count engine archives free of sockets, clocks, threads, files and stdio; the observer free of policy; arrows enforced"
exit "$status"
