#!/usr/bin/env bash
# Makes the images that the Dockerfile and docker-compose.yml name, from Debian's packages, where no registry of images
# can be reached; and gets Docker's plugins Compose and buildx where they are missing. For .ci/containers alone.
# Argument: a folder for it to work in. Afterwards made.txt there names the images that were made, and docker/ is a
# DOCKER_CONFIG with the plugins. Packages come from this machine's own mirror, as its apt is set up to use it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
work=$1
mkdir -p "$work/docker/cli-plugins"
: > "$work/made.txt"

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
mapfile -t apt_options < <(apt-config dump | grep -E '^Acquire::(Check-|Retries|https?::)' | sed 's/^/--aptopt=/')
# Later than this machine's own release: it has nginx 1.30 and PostgreSQL 18.
newer=forky

# $1: name; $2: release; $3: packages; then hooks, which see the new system at "$1".
system() {
    local name=$1 release=$2 packages=$3
    shift 3
    mkdir -p "$work/$name"
    # In any mode: root, or a user that may make namespaces.
    mmdebstrap --quiet --variant=minbase --include="$packages" "${apt_options[@]}" \
        --aptopt='Apt::Install-Recommends "false"' --dpkgopt=force-unsafe-io \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' "$@" "$release" "$work/$name/$name.tar" "$mirror" \
        >"$work/$name.log" 2>&1 || { cat "$work/$name.log"; return 1; }
}

# $1: name of the stand-in; $2: the image.
make_image() {
    if [ "$1" = rust ]; then
        # A gigabyte, which an import takes as it comes.
        docker import --change 'ENV RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo' \
            --change 'ENV PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
            "$work/$1/$1.tar" "$2"
    else
        docker build --quiet --tag "$2" --file "$here/$1.Dockerfile" "$work/$1"
    fi >"$work/$1.log" 2>&1 || { cat "$work/$1.log"; return 1; }
    rm -r "${work:?}/$1"
    echo "$2" >> "$work/made.txt"
    echo "made $2 from Debian's packages"
}

# Stands in for rust:…-slim-bookworm: the same Debian and the same paths, with this machine's own toolchain and
# certificates. Without rustup, which the shop's Dockerfile doesn't use.
rust() {
    local toolchain=usr/local/rustup/toolchains/this-machine
    system rust bookworm gcc,libc6-dev \
        --customize-hook="mkdir -p \"\$1/$toolchain\" \"\$1\"/usr/local/cargo/bin \"\$1\"/etc/ssl/certs" \
        --customize-hook="cp -a '$(rustc --print sysroot)'/bin '$(rustc --print sysroot)'/lib \"\$1/$toolchain/\"" \
        --customize-hook="ln -s /$toolchain/bin/cargo /$toolchain/bin/rustc \"\$1\"/usr/local/cargo/bin/" \
        --customize-hook="cp -L /etc/ssl/certs/ca-certificates.crt \"\$1\"/etc/ssl/certs/" \
        --customize-hook="cp '${CARGO_HOME:-$HOME/.cargo}/config.toml' \"\$1\"/usr/local/cargo/ 2>/dev/null || true"
}

nginx() {
    # It also brings Docker's plugins out of the newer release.
    system nginx "$newer" nginx,wget,netcat-openbsd \
        --customize-hook='chroot "$1" useradd --system --user-group --no-create-home nginx' \
        --customize-hook='chroot "$1" sh -c "cd /tmp && apt-get -q download docker-compose docker-buildx"' \
        --customize-hook="mv \"\$1\"/tmp/*.deb '$work/'"
}

postgres() {
    system postgres "$newer" postgresql-18 \
        --customize-hook='rm -rf "$1"/var/lib/postgresql/18 "$1"/etc/postgresql/18' \
        --customize-hook="install '$here/postgres-entrypoint.sh' \"\$1\"/usr/local/bin/docker-entrypoint.sh" \
        --customize-hook="sed -i \"s/^#listen_addresses = 'localhost'/listen_addresses = '*'/\" \
            \"\$1\"/usr/share/postgresql/18/postgresql.conf.sample"
}

declare -A jobs images
for name in rust nginx postgres; do
    image=$(sed -nE "s/^(FROM|    image:) ($name:[^ ]*).*/\2/p" "$root/Dockerfile" "$root/docker-compose.yml")
    if docker image inspect "$image" >/dev/null 2>&1; then
        echo "$image is here"
    else
        images[$name]=$image
        "$name" &
        jobs[$name]=$!
    fi
done
for name in "${!jobs[@]}"; do
    wait "${jobs[$name]}"
done
for package in "$work"/*.deb; do
    [ -e "$package" ] || continue
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$work/docker/cli-plugins" --strip-components=5 \
        --wildcards './usr/libexec/docker/cli-plugins/*'
done
docker buildx version >/dev/null 2>&1 || export DOCKER_CONFIG=$work/docker
for name in "${!images[@]}"; do
    make_image "$name" "${images[$name]}"
done
