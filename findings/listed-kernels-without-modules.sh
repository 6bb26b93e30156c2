#!/bin/sh
# Debian lists kernels in trixie-backports that cannot be installed: the package with their modules is gone.
#
# Guess: a package in Debian's signed list can be installed, or at least has all packages of its own version beside it: the
# image, its modules and its base come from one build, and leave the archive together.
#
# Seen: since Linux 6.19 linux-image-VERSION holds no kernel and depends on linux-binary, linux-base and linux-modules of just
# its version. linux-image and linux-binary belong to the source package of the signed kernels, linux-modules to that of
# the unsigned ones, which has left the archive sooner: every kernel of 6.19, 7.0 and 7.1 that is listed has lost its
# modules. The images up to 6.18 hold their modules themselves.
#
# Who meets it: whoever pins one of these kernels for a VM or for a bisection, and takes the list as a promise. What is
# left, linux-binary, boots with what is built in: a filesystem, veth or a disk driver that is a module is not to be had.
#
# Versions: trixie-backports for amd64, cloud kernels, as signed by Debian on 2026-12-01; apt 2.6.1.
#
# Output (numbers change with the archive):
#     6.16: 2 listed, 0 without their modules
#     6.17: 2 listed, 0 without their modules
#     6.18: 4 listed, 0 without their modules
#     6.19: 6 listed, 6 without their modules
#     7.0: 6 listed, 6 without their modules
#     7.1: 4 listed, 4 without their modules
#     7.2: 4 listed, 0 without their modules
#     7.3: 1 listed, 0 without their modules
#     7.1.13+deb13: Depends: linux-modules-7.1.13+deb13-cloud-amd64 (= 7.1.13-1~bpo13+1) but it is not installable
#     7.3.4+deb13: can be installed
#
# Needs apt-get on Debian 12 or newer. Only lists are downloaded, and apt checks their signature. Exit code: 0 it is as
# stated, 1 it changed, 3 the lists could not be had.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# apt with its own lists and packages, and the mirror of the machine's own apt.
mirror=$(apt-get indextargets --no-release-info --format '$(SITE)' 'Created-By: Packages' | sort -u | grep -m 1 '/debian/*$' || true)
if [ -z "$mirror" ]; then
    echo 'error: the machine'\''s apt configuration names no mirror of Debian' >&2
    exit 3
fi
mkdir -p lists/partial cache/archives/partial state
: > status
for suite in trixie trixie-backports; do
    echo "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
done > sources.list
own() {
    command=$1
    shift
    "$command" -q -o APT::Architecture=amd64 -o Dir::Etc::sourcelist="$work/sources.list" \
        -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o Dir::State="$work/state" -o Dir::State::lists="$work/lists" -o Dir::State::status="$work/status" \
        -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root "$@"
}
own apt-get update > /dev/null || exit 3

# Series, kernels that are listed, and those of them whose modules are not.
own apt-cache dumpavail > available
cat > judge.awk <<'AWK'
/^Package: / { name = $2 }
/^Depends: / { needs[name] = $0 }
/^Version: / { version[name] = $2 }
END {
    for (name in version) {
        if (name !~ /^linux-image-[0-9.]+[+]deb13[.0-9]*-cloud-amd64$/ || version[name] !~ /~bpo/) continue
        release = substr(name, 13)
        split(release, part, /[.]/)
        series = part[1] "." part[2] + 0
        all[series] += 1
        modules = "linux-modules-" release
        if (index(needs[name], modules " ") && !(modules in version)) lost[series] += 1
    }
    for (series in all) print series ": " all[series] " listed, " lost[series] + 0 " without their modules"
}
AWK
awk -f judge.awk available | sort -V > seen
cat seen
# What apt says of one of them, and of one that is complete.
for release in 7.1.13+deb13 7.3.4+deb13; do
    own apt-get install --simulate --no-install-recommends -t trixie-backports "linux-image-$release-cloud-amd64" \
        > said 2>&1 && answer='can be installed' || answer=$(sed -n 's/.*\(Depends: linux-modules.*\)/\1/p' said)
    echo "$release: $answer"
done | tee answers

grep -q '^6\.18: [0-9]* listed, 0 without' seen || exit 1
for series in 6.19 7.0 7.1; do
    grep -q "^$series: \([0-9]*\) listed, \1 without" seen || exit 1
done
grep -q '^7\.1\.13.*not installable$' answers
grep -q '^7\.3\.4.*can be installed$' answers
