#!/usr/bin/env bash
# Compares what the running containers may do, and what is in the shop's image, with what docker-compose.yml and the
# Dockerfile promise. Asks the kernel where it can. Argument: the project's name. Called by .ci/containers.
set -euo pipefail
project=$1
failed=0
wrong() { echo "error: $1"; failed=1; }

id() { docker compose ps --all --quiet "$1"; }
inspect() { docker inspect --format "$2" "$(id "$1")"; }
# $1: service, $2: a line of /proc/PID/status of its first process.
status() { sed -n "s/^$2:\t//p" "/proc/$(inspect "$1" '{{.State.Pid}}')/status"; }

for service in gateway replica-1 replica-2 postgres; do
    for set in CapInh CapPrm CapEff CapBnd CapAmb; do
        [ "$(status "$service" "$set")" = 0000000000000000 ] || wrong "$service has capabilities ($set)"
    done
    [ "$(status "$service" NoNewPrivs)" = 1 ] || wrong "$service may get new privileges"
    [ "$(status "$service" Seccomp)" = 2 ] || wrong "$service is not filtered by seccomp"
    [ "$(status "$service" Uid | cut -f1)" != 0 ] || wrong "$service runs as root"
    [ "$(inspect "$service" '{{.HostConfig.ReadonlyRootfs}}')" = true ] || wrong "$service may write to its image"
    memory=$(inspect "$service" '{{.HostConfig.Memory}}') processes=$(inspect "$service" '{{.HostConfig.PidsLimit}}')
    [ "$memory" -gt 0 ] && [ "$processes" -gt 0 ] || wrong "$service has no limit of memory or of processes"
    echo "$service: user $(status "$service" Uid | cut -f1), no capabilities, at most $((memory / 1048576)) MiB and" \
        "$processes processes"
done
for service in gateway postgres; do
    ! docker exec "$(id "$service")" touch /usr/bin/x 2>/dev/null || wrong "$service can write to /usr/bin"
done
! docker exec "$(id replica-1)" /bin/sh -c true >/dev/null 2>&1 || wrong "the shop's image has a shell"

published=$(docker ps --filter "label=com.docker.compose.project=$project" --format '{{.Ports}}' |
    tr -s ', ' '\n' | grep -- '->')
[ "$published" = "127.0.0.1:$(sed -n 's/^PORT=//p' .env)->3000/tcp" ] || wrong "published is: $published"
address() { inspect "$1" "{{(index .NetworkSettings.Networks \"${project}_$2\").IPAddress}}"; }
connects() { docker exec "$(id "$1")" timeout 3 bash -c "exec 3<>/dev/tcp/$2/$3" 2>/dev/null; }
connects gateway "$(address replica-1 front)" 8080 || wrong "the gateway doesn't reach a replica"
! connects gateway "$(address postgres back)" 5432 || wrong "the gateway reaches PostgreSQL"
! connects postgres "$(address gateway front)" 3000 || wrong "PostgreSQL reaches the gateway"
[ "$(docker network inspect --format '{{.Internal}}' "${project}_back")" = true ] || wrong "back has a way out"

image=$project-shop
contents=$(docker create "$image")
# Docker itself adds empty files and folders for what it mounts, and the folders on the way.
files=$(docker export "$contents" | tar -t | grep -v '/$' |
    grep -vxE '\.dockerenv|dev/console|etc/(hostname|hosts|resolv\.conf|mtab)' | sort)
docker rm "$contents" >/dev/null
# As README says it.
docker compose cp replica-1:/crates.txt .. 2>/dev/null || wrong "crates.txt can't be copied out"
echo 'SELECT 1' | docker compose exec -T postgres psql --username=flash_sale --quiet --tuples-only >/dev/null ||
    wrong "psql can't be used"
promised=$({ printf '%s\n' crates.txt flash-sale-web lab migrate; find static -type f | sed 's|^|shop/|'; } | sort)
[ "$files" = "$promised" ] || wrong "in the image: $(diff <(echo "$promised") <(echo "$files"))"
while read -r name version _; do
    grep -A1 -Fx "name = \"$name\"" Cargo.lock | grep -qFx "version = \"${version#v}\"" ||
        wrong "$name $version is in the image and not in Cargo.lock"
done <../crates.txt
[ "$(wc -l <../crates.txt)" -gt 100 ] || wrong "crates.txt names $(wc -l <../crates.txt) crates"
echo "the image: $(docker image inspect --format '{{.Size}}' "$image" | awk '{ printf "%.1f MB", $1 / 1e6 }'):" \
    "$(wc -l <<<"$files") files, made of $(wc -l <../crates.txt) crates, all of them in Cargo.lock"
exit $failed
