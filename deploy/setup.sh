#!/bin/sh
# Prepares everything that `make demo`, `make test` and `make check` need, and says what it does.
# A second run finds it done and takes no time. Debian packages come from deploy/packages.txt; their daemons
# are kept from starting. Outside continuous integration (CI=true) nothing is installed without a yes.
set -eu
cd "$(dirname "$0")/.."

log=deploy-setup.log
policy="${POLICY_RC_D:-/usr/sbin/policy-rc.d}"
our_policy=""

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# policy-rc.d 101 forbids packages to start their daemons (Debian policy 9.3.3); an existing one stays as it is.
forbid_daemons() {
    if [ -e "$policy" ]; then
        grep -q 'exit 101' "$policy" || echo "setup: $policy exists and may let daemons start; it is left as it is"
    else
        our_policy="$policy"
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
}

allow_daemons() {
    [ -z "$our_policy" ] || as_root rm -f "$our_policy"
    our_policy=""
}

# Chained: `set -e` does not hold where the outcome of a function is asked for.
install_packages() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
        # shellcheck disable=SC2086  # a list of names
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
}

wanted=$(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' deploy/packages.txt | awk '{print $1}')
missing=""
for package in $wanted; do
    dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing="$missing $package"
done

if [ -n "$missing" ]; then
    echo "setup: Debian packages to install (their daemons will not be started):"
    for package in $missing; do
        grep "^$package " deploy/packages.txt | sed 's/^/    /'
    done
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null 2>&1; then
        echo "setup: these packages must be installed by root, and sudo is not here. As root, run:" >&2
        echo "    apt-get install -y --no-install-recommends$missing" >&2
        exit 3
    fi
    if [ "${CI:-}" != true ]; then
        printf 'setup: install them now? [y/N] '
        read -r answer || { answer=""; echo; }
        case "$answer" in
            y | Y | yes) ;;
            *) echo "setup: nothing was installed"; exit 3 ;;
        esac
    fi
    echo "setup: installing; what apt-get says goes to $log"
    trap allow_daemons EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    forbid_daemons
    install_packages >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        echo "setup: installing Debian packages failed; the whole log is $(pwd)/$log" >&2
        exit 1
    }
    allow_daemons
    rm -f "$log"
    echo "setup: Debian packages installed"
fi

stamp=.venv/.ready
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ] || [ hatch_build.py -nt "$stamp" ] ||
    [ -n "$(find probes/locale -name '*.po' -newer "$stamp" 2>/dev/null)" ]; then
    echo "setup: Python packages into .venv (the index is whatever pip is configured with)"
    [ -x .venv/bin/python ] || python3 -m venv .venv
    .venv/bin/python -m pip install -q --disable-pip-version-check --use-pep517 -e '.[dev]'
    touch "$stamp"
    echo "setup: ready"
fi
