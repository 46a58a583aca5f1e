#!/bin/sh
# Install the peers' programs from Debian's packages, and start none of them: the bench starts its own, as it needs them.
set -eu

# Debian's names of the packages, each with a program that tells whether it is there.
wanted=
for pair in kannel:/usr/sbin/bearerbox redis-server:/usr/bin/redis-server rabbitmq-server:/usr/sbin/rabbitmq-server; do
    test -x "${pair#*:}" || wanted="$wanted ${pair%%:*}"
done
test -n "$wanted" || exit 0

if ! command -v apt-get >/dev/null; then
    echo "bench-peers needs the programs of Debian's packages:$wanted; this system has no apt-get" >&2
    exit 1
fi

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Debian asks this file whether a package may start its service; 101 is no.
policy=/usr/sbin/policy-rc.d
if ! test -e "$policy"; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    trap 'as_root rm -f "$policy"' EXIT
fi

as_root apt-get -o DPkg::Lock::Timeout=300 update
# $wanted is a list of words.
# shellcheck disable=SC2086
as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends $wanted
