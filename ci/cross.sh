#!/usr/bin/env bash
# ci/cross.sh STAGE...: verify reseau for other platforms, from Debian 12 on x86-64.
#
#   setup     install what the other stages named, or those in FOR, need (else: all); root
#   windows   clippy for x86_64-pc-windows-gnu, then the tests under Wine
#   check     clippy, warnings denied: Windows (MSVC), macOS, FreeBSD, NetBSD, illumos, Android
#   macos     link every test for Apple silicon and Intel (they cannot run here)
#   freebsd   link every test for FreeBSD (they cannot run here)
#   musl      tests, static musl, native
#   aarch64   tests under qemu-user (no io_uring there: always the readiness driver)
#   s390x     tests under qemu-user, big-endian
#   i686      tests, 32 bit, native
#   wasi      tests of the blocking door, WASI 0.2 under wasmtime (red: sys/ has no half for it)
#   sanitize  tests under ASan and TSan, std instrumented too; SAN="address thread" chooses
#
# Environment: XLAB       tools and target directories   (target/cross in the checkout)
#              PACKAGES   cargo's package arguments      (-p reseau -p reseau-cli)
#              FEAT       cargo's feature arguments      (none: the default features)
#              TEST_ARGS  arguments of the test binaries (none)
#              FOR        the stages that setup installs for, without running them
#
# Cross builds need std's source, and the toolchain of rustup does not always bring it. Debian's
# rustc-web does, with everything vendored. So these stages compile with /usr/bin/rustc, and what
# they verify is our code, not the minimal Rust version.
set -euo pipefail
cd "$(dirname "$0")/.."

XLAB=${XLAB:-$PWD/target/cross}
read -ra PACKAGES <<<"${PACKAGES:--p reseau -p reseau-cli}"
read -ra FEAT <<<"${FEAT:-}"
read -ra TEST_ARGS <<<"${TEST_ARGS:-}"
STD=(-Z build-std=std,panic_unwind,proc_macro,test)
ABORT_STD=(-Z build-std=std,panic_abort,proc_macro,test)
WINE=/usr/lib/wine/wine64
STAGES=(windows check macos freebsd musl aarch64 s390x i686 wasi sanitize)

export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc CARGO=/usr/bin/cargo RUSTC_BOOTSTRAP=1
export PATH=/usr/bin:$XLAB/venv/bin:$PATH CARGO_TERM_COLOR=never
export WINEPREFIX=$XLAB/wine WINEDEBUG=-all
export CARGO_INCREMENTAL=0
# Wine and a busy machine are no hang.
export RESEAU_TEST_LIMIT=${RESEAU_TEST_LIMIT:-300}
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS RUSTUP_TOOLCHAIN DISPLAY || true

# ---- setup -----------------------------------------------------------------------------------

setup() {
    local debs wheels=() stage
    debs=(rustc-web cargo-web rust-web-src rust-web-clippy)
    for stage in "${wanted[@]}"; do
        case $stage in
            windows) debs+=(gcc-mingw-w64-x86-64-win32 wine64 wine libwine) ;;
            macos | freebsd | musl)
                [ "$stage" != macos ] || debs+=(lld-22)
                wheels+=(ziglang==0.15.2 cargo-zigbuild==0.24.0)
                ;;
            aarch64) debs+=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user) ;;
            s390x) debs+=(gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user) ;;
            i686) debs+=(gcc-i686-linux-gnu libc6-dev-i386-cross libc6-i386 lib32gcc-s1) ;;
            sanitize) debs+=(clang-22 libclang-rt-22-dev) ;;
            wasi)
                debs+=(rust-web-llvm)
                wheels+=(wasmtime==47.0.1) # 48 and later refuse sockets and have no switch.
                ;;
        esac
    done
    mkdir -p "$XLAB"
    install_debs "${debs[@]}"
    install_wheels "${wheels[@]}"
    for stage in "${wanted[@]}"; do
        case $stage in
            windows) setup_wine ;;
            wasi) setup_wasi ;;
        esac
    done
}

install_debs() {
    local missing=() deb
    for deb in "$@"; do
        dpkg-query -W -f '${Status}' "$deb" 2>/dev/null | grep -q 'ok installed' ||
            missing+=("$deb")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "setup: installing ${missing[*]}"
    if [ "$(id -u)" != 0 ]; then
        echo "setup: CANNOT RUN HERE: installing packages needs root" >&2
        return 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >/dev/null
    apt-get install -y --no-install-recommends "${missing[@]}" >/dev/null
}

install_wheels() {
    [ $# -gt 0 ] || return 0
    if [ ! -x "$XLAB/venv/bin/pip" ]; then
        python3 -m venv "$XLAB/venv" 2>/dev/null || {
            install_debs python3-venv
            python3 -m venv "$XLAB/venv"
        }
    fi
    "$XLAB/venv/bin/pip" install -q --disable-pip-version-check "$@"
}

# A Wine prefix, and the one DLL that Rust's std imports and Wine 8 lacks.
setup_wine() {
    local system=$WINEPREFIX/drive_c/windows/system32
    [ -f "$system/kernel32.dll" ] || "$WINE" wineboot -i >/dev/null 2>&1 || true
    [ -f "$system/kernel32.dll" ] || {
        echo "setup: Wine made no prefix in $WINEPREFIX" >&2
        return 1
    }
    cat >"$XLAB/prng.c" <<'C'
#include <windows.h>
BOOLEAN WINAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE to, SIZE_T left) {
    while (left) {
        ULONG part = left > 0x40000000u ? 0x40000000u : (ULONG)left;
        if (!SystemFunction036(to, part)) return FALSE;
        to += part;
        left -= part;
    }
    return TRUE;
}
C
    x86_64-w64-mingw32-gcc -O2 -s -shared -o "$system/bcryptprimitives.dll" "$XLAB/prng.c" \
        -ladvapi32
}

# wasi-libc that knows WASI 0.2 comes from Debian sid: fetched and unpacked, not installed.
setup_wasi() {
    local mirror apt=$XLAB/apt
    [ -d "$XLAB/wasi/usr/lib/wasm32-wasip2" ] || {
        mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
        mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
            grep -Eo 'https?://[^ ]*/debian/?( |$)' | head -1 | tr -d ' ' || true)
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
            "${mirror:-http://deb.debian.org/debian} sid main" >"$apt/sources.list"
        printf '%s "%s";\n' Dir::Etc::sourcelist "$apt/sources.list" \
            Dir::Etc::sourceparts /dev/null Dir::State::Lists "$apt/lists" \
            Dir::Cache "$apt/cache" >"$apt/conf"
        (
            cd "$apt"
            export APT_CONFIG=$apt/conf
            apt-get update -q >/dev/null 2>&1
            apt-get download wasi-libc >/dev/null 2>&1
            dpkg -x wasi-libc_*.deb "$XLAB/wasi"
        )
    }
    cat >"$XLAB/wasirun.py" <<'P'
"""cargo's runner for WASI components, with the network switched on."""
import os
import sys
from wasmtime import Engine, ExitTrap, Store, Trap, WasiConfig, WasmtimeError, _bindings
from wasmtime.component import Component, Linker

engine = Engine()
store = Store(engine)
wasi = WasiConfig()
wasi.argv = sys.argv[1:]
wasi.inherit_env()
wasi.inherit_stdin()
wasi.inherit_stdout()
wasi.inherit_stderr()
wasi.preopen_dir(".", ".")
_bindings.wasi_config_inherit_network(wasi.ptr())
store.set_wasi(wasi)
try:
    component = Component.from_file(engine, sys.argv[1])
    linker = Linker(engine)
    linker.add_wasip2()
    instance = linker.instantiate(store, component)
    run = next(n for n in component.type.exports(engine) if n.startswith("wasi:cli/run@"))
    interface = instance.get_export_index(store, run)
    instance.get_func(store, instance.get_export_index(store, "run", interface))(store)
except ExitTrap as end:
    sys.exit(end.code)
except (Trap, WasmtimeError) as end:
    print(end, file=sys.stderr)
    sys.exit(134)
P
}

# ---- stages ----------------------------------------------------------------------------------

windows() {
    into win
    local target=x86_64-pc-windows-gnu
    export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc
    export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=$WINE
    lint "$target"
    # Not the examples in the documentation: each is a program to be linked, and the same elsewhere.
    tests "$target" --lib --bins --tests
}

check() {
    into chk
    without_c
    local target failed=()
    for target in x86_64-pc-windows-msvc aarch64-apple-darwin x86_64-unknown-freebsd \
        x86_64-unknown-netbsd x86_64-unknown-illumos aarch64-linux-android; do
        echo "== $target"
        lint "$target" || failed+=("$target")
    done
    [ ${#failed[@]} = 0 ] || {
        echo "check: failed for ${failed[*]}" >&2
        return 1
    }
}

macos() {
    zig
    sdk
    # zig compiles the C; its linker ends by a fault on programs that have aws-lc in them.
    local flags="-Clinker=ld64.lld-22 -Clinker-flavor=ld64.lld -Lnative=$XLAB/sdk \
        -Lframework=$XLAB/sdk -Clink-arg=-w"
    export CARGO_TARGET_AARCH64_APPLE_DARWIN_RUSTFLAGS=$flags
    export CARGO_TARGET_X86_64_APPLE_DARWIN_RUSTFLAGS=$flags
    link aarch64-apple-darwin
    link x86_64-apple-darwin
}

freebsd() { link x86_64-unknown-freebsd; }

musl() {
    into zig
    zig
    export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS=-Clink-self-contained=no
    export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTDOCFLAGS=-Clink-self-contained=no
    cargo-zigbuild test --no-fail-fast "${STD[@]}" --target x86_64-unknown-linux-musl \
        "${PACKAGES[@]}" "${FEAT[@]}" -- "${TEST_ARGS[@]}"
}

aarch64() {
    into linux
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
    emulated CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER "qemu-aarch64 -L /usr/aarch64-linux-gnu"
    tests aarch64-unknown-linux-gnu
}

s390x() {
    into linux
    export CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_LINKER=s390x-linux-gnu-gcc
    emulated CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_RUNNER "qemu-s390x -L /usr/s390x-linux-gnu"
    tests s390x-unknown-linux-gnu
}

# The kernel runs 32-bit code itself; qemu-i386 7.2 hangs in epoll.
i686() {
    into linux
    export CARGO_TARGET_I686_UNKNOWN_LINUX_GNU_LINKER=i686-linux-gnu-gcc
    tests i686-unknown-linux-gnu
}

# Only the blocking door: no poller and no runtime compiles for WASI.
wasi() {
    into wasi
    local root=$XLAB/wasi/usr/lib/wasm32-wasip2 tools=/usr/lib/rustlib/x86_64-unknown-linux-gnu/bin
    export CARGO_TARGET_WASM32_WASIP2_RUNNER="$XLAB/venv/bin/python $XLAB/wasirun.py"
    export CARGO_TARGET_WASM32_WASIP2_LINKER=$tools/wasm-component-ld
    export CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS="-Clink-self-contained=no \
        -Clink-arg=$root/crt1-command.o -Lnative=$root"
    export CARGO_TARGET_WASM32_WASIP2_RUSTDOCFLAGS=$CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS
    cargo test "${ABORT_STD[@]}" --target wasm32-wasip2 -p reseau --no-default-features
}

# Debian's compiler ships no sanitizer runtimes: clang of the same LLVM brings them.
sanitize() {
    local san which=()
    [[ " ${FEAT[*]} " == *" --test "* ]] || which=(--tests)
    # tokio publishes a registration by epoll_ctl, which the sanitizer does not know for an order.
    export TSAN_OPTIONS="suppressions=$XLAB/tsan.supp halt_on_error=1"
    echo 'race:tokio::runtime::io' >"$XLAB/tsan.supp"
    for san in ${SAN:-address thread}; do
        into "$san"
        RUSTFLAGS="-Zsanitizer=$san -Zexternal-clangrt -Clinker=clang-22 \
            -Clink-arg=-fsanitize=$san" tests x86_64-unknown-linux-gnu "${which[@]}"
    done
}

# ---- parts -----------------------------------------------------------------------------------

# Tests that start themselves anew need the emulator's name too; all take their time.
emulated() {
    export "$1=$2" RESEAU_TEST_RUNNER=$2 RESEAU_TEST_LIMIT=${RESEAU_TEST_LIMIT:-600}
}

# One environment per target directory: a changed linker or RUSTFLAGS builds std anew.
into() { export CARGO_TARGET_DIR=$XLAB/target/$1; }

# C for systems whose headers are not here: objects are empty, since nothing is linked.
without_c() {
    mkdir -p "$XLAB/empty"
    cat >"$XLAB/empty/cc" <<'S'
#!/bin/sh
# cc-rs asks by -E which compiler this is; it is the one that is here.
out=
for arg; do
    case $arg in
        -E) exec cc "$@" ;;
    esac
    [ "$last" != -o ] || out=$arg
    last=$arg
done
[ -z "$out" ] || : >"$out"
S
    cat >"$XLAB/empty/ar" <<'S'
#!/bin/sh
for arg; do
    arg=${arg#-out:}
    case $arg in
        *.a | *.lib) : >>"$arg" ;;
    esac
done
S
    chmod +x "$XLAB/empty/cc" "$XLAB/empty/ar"
    export TARGET_CC=$XLAB/empty/cc TARGET_CXX=$XLAB/empty/cc TARGET_AR=$XLAB/empty/ar
}

# The lint that is allowed asks for `const` where it stands already: a std with thread-local keys
# (Windows) expands the macro differently.
lint() {
    cargo clippy "${STD[@]}" --target "$1" --all-targets "${PACKAGES[@]}" "${FEAT[@]}" -- \
        -D warnings -A clippy::missing_const_for_thread_local
}

tests() {
    cargo test --no-fail-fast "${STD[@]}" --target "$1" "${@:2}" "${PACKAGES[@]}" "${FEAT[@]}" -- \
        "${TEST_ARGS[@]}"
}

# Apple's SDK cannot be had here. zig brings what libSystem has; of the frameworks these stubs name
# what the crates declare, so a link shows that nothing else is missing.
sdk() {
    local framework crate about at
    mkdir -p "$XLAB/sdk"
    for at in libSystem libc libm libiconv; do
        cp "${CARGO_ZIGBUILD_ZIG_PATH%/*}/lib/libc/darwin/libSystem.tbd" "$XLAB/sdk/$at.tbd"
    done
    about=$(cargo metadata --format-version 1 --filter-platform aarch64-apple-darwin)
    for framework in CoreFoundation Security; do
        case $framework in
            CoreFoundation) crate=core-foundation-sys ;;
            Security) crate=security-framework-sys ;;
        esac
        crate=$(grep -Eo "\"[^\"]*/$crate-[0-9.]+/Cargo.toml\"" <<<"$about" | head -1 | tr -d '"')
        at=$XLAB/sdk/$framework.framework
        mkdir -p "$at"
        {
            printf '%s\n' '--- !tapi-tbd' 'tbd-version: 4' 'targets: [ arm64-macos, x86_64-macos ]'
            echo "install-name: '/System/Library/Frameworks/$framework.framework/$framework'"
            printf '%s\n' 'exports:' '  - targets: [ arm64-macos, x86_64-macos ]' '    symbols:'
            grep -rhoE 'pub (fn|static( mut)?) \w+|link_name = "[^"]+' "${crate%Cargo.toml}src" |
                sed -E "s/.*[ \"](.+)/      - '_\1'/" | sort -u
            echo ...
        } >"$at/$framework.tbd"
    done
}

link() {
    into zig
    zig
    cargo-zigbuild zigbuild "${STD[@]}" --target "$1" --tests "${PACKAGES[@]}" "${FEAT[@]}"
}

zig() {
    CARGO_ZIGBUILD_ZIG_PATH=$("$XLAB/venv/bin/python" -c \
        'import ziglang, os; print(os.path.join(os.path.dirname(ziglang.__file__), "zig"))')
    export CARGO_ZIGBUILD_ZIG_PATH XDG_CACHE_HOME=$XLAB/xdg ZIG_GLOBAL_CACHE_DIR=$XLAB/zigcache
}

# ---- main ------------------------------------------------------------------------------------

usage() {
    echo "usage: ci/cross.sh STAGE...   stages: setup ${STAGES[*]}" >&2
    exit 2
}

[ $# -gt 0 ] || usage
read -ra wanted <<<"${FOR:-}"
for stage in "$@"; do
    [[ " setup ${STAGES[*]} " == *" $stage "* ]] || usage
    [ "$stage" = setup ] || wanted+=("$stage")
done
[ ${#wanted[@]} -gt 0 ] || wanted=("${STAGES[@]}")

for stage in "$@"; do
    echo "##### $stage"
    before=$SECONDS
    ("$stage")
    echo "##### $stage ok $((SECONDS - before))s"
done
