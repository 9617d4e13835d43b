# What the scripts share; sourced, from any folder. Debian 12 and 13 are supported.

from=$PWD
self=$(cd "$(dirname "$0")" && pwd)/${0##*/}
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

say() { printf '==> %s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 2; }

# The comment at the top of a script is its help.
help() { awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$self"; }

# The value that must follow an option: value "$@"
value() { [ $# -ge 2 ] || die "$1 needs a value; --help tells more"; printf '%s\n' "$2"; }

is_count() { [[ $1 =~ ^[1-9][0-9]*$ ]] || die "$2: '$1' is not a number from 1 up"; }

package_set() {
    case $1 in
        build) echo g++ cmake ninja-build ;;
        test) echo catch2 nettle-dev ;;
        # Debian 12 calls its only Boost with Beast as we need it by its number.
        examples) [ "${debian:-13}" = 12 ] && echo libboost1.81-dev || echo libboost-dev; echo libcli11-dev nlohmann-json3-dev ;;
        demo) echo curl ;;
        bench) echo libbenchmark-dev libcli11-dev nlohmann-json3-dev ;;
        clang) echo clang-19 libc++-19-dev libc++abi-19-dev ;;
        clang16) echo clang-16 ;;
        asan | tsan) echo clang-19 lld-19 libc++-19-dev libc++abi-19-dev libclang-rt-19-dev nlohmann-json3-dev ;;
        format) echo clang-format-19 ;;
        tidy) echo clang-tidy-19 ;;
        planted) echo patch ;;
        plot) echo gnuplot-nox jq ;;
        ccache) echo ccache ;;
        *) die "no package set '$1'" ;;
    esac
}

# need_packages SET ...: installs what the sets name and this machine lacks, as root or with sudo; if neither works,
# says what to run, also where there is no sudo and no package list yet, and exits 2.
need_packages() {
    local debian set missing=() packages=() package sudo=()
    if ! command -v dpkg-query >/dev/null; then
        say "Not a Debian system: assuming that what $* need is installed (scripts/lib.sh names the packages)"
        return
    fi
    debian=$(. /etc/os-release && echo "${VERSION_ID:-13}")
    for set in "$@"; do
        package=$(package_set "$set") || exit
        mapfile -t -O "${#packages[@]}" packages < <(tr ' ' '\n' <<<"$package")
    done
    for package in "${packages[@]}"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        sudo=(sudo)
        if ! sudo -n true 2>/dev/null; then
            local as='please run' by='sudo '
            command -v sudo >/dev/null || as='please run as root' by=
            printf 'These packages are missing; %s:\n\n    %s && %s\n\n' "$as" "${by}apt-get update" \
                "${by}apt-get install -y --no-install-recommends ${missing[*]}" >&2
            exit 2
        fi
    fi
    say "Installing ${missing[*]}"
    "${sudo[@]}" apt-get update -qq >/dev/null || say "apt-get update failed; trying with the lists there are"
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
        </dev/null >/dev/null || die "apt-get could not install ${missing[*]}"
}
