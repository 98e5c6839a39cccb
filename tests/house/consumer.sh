#!/bin/sh
# SPDX-License-Identifier: MIT
# Can somebody else's program be built against Interlock with nothing but pkg-config, shared
# and static, and does it run?
#
# usage: consumer.sh installed|uninstalled ROOT BUILD C-COMPILER...
set -eu
how=$1 root=$2 build=$3
shift 3

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

case $how in
installed)
    DESTDIR=$work/dest meson install -C "$build" --no-rebuild --quiet >"$work/log" 2>&1 ||
        { cat "$work/log"; exit 1; }
    PKG_CONFIG_PATH=$(dirname "$(find "$work/dest" -name interlock.pc)")
    export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR="$work/dest"
    export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 # prefix /usr
    libraries=$(dirname "$(find "$work/dest" -name libinterlock.a)")
    ;;
uninstalled)
    export PKG_CONFIG_PATH="$build/meson-uninstalled"
    libraries=$build/src
    ;;
esac
cd "$work" # nothing is found by standing in the source tree

try() { # program
    got=$(LD_LIBRARY_PATH="$libraries" "./$1") || { echo "$how, $1: failed: $got"; exit 1; }
    case $got in
    *': 998001') echo "$how, $1: $got" ;;
    *) echo "$how, $1: printed \"$got\", not the square of 999"; exit 1 ;;
    esac
}

# shellcheck disable=SC2046 # flags are words
"$@" -Wall -Werror "$root/examples/01_first_map.c" -o shared \
    $(pkg-config --cflags --libs interlock)
readelf -d shared | grep -q 'NEEDED.*\[libinterlock\.so\.0\]' ||
    { echo "$how, shared: does not name libinterlock.so.0"; exit 1; }
try shared

# shellcheck disable=SC2046
"$@" -Wall -Werror "$root/examples/01_first_map.c" -o static \
    $(pkg-config --static --cflags --libs interlock | sed 's/-linterlock/-l:libinterlock.a/')
if readelf -d static | grep -q libinterlock; then
    echo "$how, static: still needs the shared library"
    exit 1
fi
try static
