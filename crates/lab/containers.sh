#!/bin/sh
# What the Makefile's docker-… commands do: sh crates/lab/containers.sh run|build|check|logs|stop|clean [ARGUMENT …]
# Works with `docker compose` and with the older `docker-compose`. What can't work is said before anything is done, and
# when the shop doesn't start, the reason is looked for.
set -eu

# $1: what happened; the other arguments: the next command. 2, because 1 is a verdict of `check`.
fail() {
    echo "error: $1"
    shift
    [ $# = 0 ] || printf '%s\n' "$@"
    exit 2
} >&2

# $1: a setting; $2: its default. The shell wins over .env, as it does for Compose.
setting() {
    value=$(printenv "$1") || value=$(sed -n "s/^$1=//p" .env 2>/dev/null | tail -n 1 | tr -d "\"'")
    echo "${value:-$2}"
}

require_engine() {
    command -v docker >/dev/null ||
        fail "there is no Docker on this machine" \
            "Install it: https://docs.docker.com/get-docker/. Or run the shop without it: make run"
    answer=$(docker version --format '{{.Server.Version}}' 2>&1) || case $answer in
        *"permission denied"*)
            fail "you ($(id -un)) may not use Docker's engine" \
                "Become one of its users, then log in anew: sudo usermod -aG docker $(id -un)" \
                "(Its users can become root on this machine.) Or run the shop without it: make run" ;;
        *)
            fail "no Docker engine answers: $answer" \
                "Start it: sudo systemctl start docker, or open Docker Desktop. Or run the shop without it: make run" ;;
    esac
}

require_compose() {
    if [ -n "${COMPOSE:-}" ]; then
        return
    elif docker compose version >/dev/null 2>&1; then
        COMPOSE="docker compose"
    elif command -v docker-compose >/dev/null; then
        COMPOSE=docker-compose
    else
        fail "Docker is here, but Compose is not" "Install it: https://docs.docker.com/compose/install/"
    fi
}

# The Dockerfile keeps caches between two builds, which only BuildKit can. Before version 23, docker has it built in.
require_builder() {
    export DOCKER_BUILDKIT=1 COMPOSE_DOCKER_CLI_BUILD=1
    case $(docker --version) in
        "Docker version "1[0-9].* | "Docker version 20."*) ;;
        *) docker buildx version >/dev/null 2>&1 ||
            fail "Docker is here, but its builder is not: the plugin buildx" \
                "Install it: https://docs.docker.com/go/buildx/ (Debian, Ubuntu: sudo apt install docker-buildx)" ;;
    esac
}

# Containers, volumes and the image have the folder's name. Compose would take over those of another folder.
require_own_project() {
    folder=$(basename "$PWD" | tr '[:upper:]' '[:lower:]' | tr -cd '[:alnum:]_-' | sed 's/^[_-]*//')
    COMPOSE_PROJECT_NAME=$(setting COMPOSE_PROJECT_NAME "$folder")
    export COMPOSE_PROJECT_NAME
    docker ps --all --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" \
        --format '{{.Label "com.docker.compose.project.working_dir"}}' | sort -u | while read -r owner; do
        # One that was moved since has its containers here.
        if [ -e "$owner/docker-compose.yml" ] && [ "$owner" != "$PWD" ] && [ "$owner" != "$(pwd -P)" ]; then
            fail "the containers named $COMPOSE_PROJECT_NAME belong to $owner" \
                "Stop them there: (cd '$owner' && make docker-stop). Or take another name and port here:" \
                "printf 'COMPOSE_PROJECT_NAME=$COMPOSE_PROJECT_NAME-2\nPORT=3001\n' >> .env; make docker-run"
        fi
    done
}

# With WIRETAP=on, the replicas find PostgreSQL through the wiretap's container.
choose_wiretap() {
    [ "$(setting WIRETAP off)" = on ] || return 0
    export COMPOSE_PROFILES=wiretap REPLICA_1_DATABASE=wiretap:5001 REPLICA_2_DATABASE=wiretap:5002
    DASHBOARD_PORT=$(setting DASHBOARD_PORT $(($(setting PORT 3000) + 1000)))
    export DASHBOARD_PORT
}

container() { $COMPOSE ps -aq "$1" 2>/dev/null | head -n 1; }

require_running() {
    [ -n "$($COMPOSE ps -q gateway 2>/dev/null)" ] || fail "no shop runs in containers" "Start it: make docker-run"
}

build() {
    trap 'echo; echo "Stopped; no container has changed. To go on: make docker-$command"; exit 130' INT
    $COMPOSE build replica-1 || fail "the image could not be built: the reason stands above" \
        "Containers that ran before still run as they were. Then, again: make docker-$command"
    trap - INT
}

# $1: when the start began, in seconds. Asks those that didn't come up.
say_why_not_started() {
    for service in postgres migrate; do
        docker logs --since "$1" "$(container $service)" 2>&1 | tail -n 5 | sed "s/^/$service: /" >&2 || true
    done
    log=$(docker logs --since "$1" "$(container migrate)" 2>&1) || true
    case $log in
        *"password authentication failed"*)
            fail "the data were made with another POSTGRES_PASSWORD than the present one" \
                "Set the old password (in the shell or in .env), then: make docker-run" \
                "Or remove the data, all orders with them: make docker-clean docker-run" ;;
        *"database \"flash_sale\" does not exist"* | *"role \"flash_sale\" does not exist"*)
            fail "the data are half made: the first start was interrupted" \
                "Remove them and begin again: make docker-clean docker-run" ;;
        *"is missing, this migration has been applied"*)
            fail "the data were made by a newer version of the shop than this one" \
                "Get that version, or remove the data, all orders with them: make docker-clean docker-run" ;;
    esac
    answer=$($COMPOSE up --detach --no-deps --no-build gateway 2>&1) || case $answer in
        *"already allocated"* | *"already in use"* | *"not available"*)
            port=$(setting PORT 3000)
            fail "port $port is taken" "Stop what uses it (a shop without containers: make stop), or:" \
                "PORT=$((port + 100)) make docker-run" ;;
        *"cannot assign requested address"* | *"can't assign requested address"*)
            fail "this machine doesn't have the address HOST=$(setting HOST 127.0.0.1)" \
                "Take one that it has: HOST=127.0.0.1 make docker-run" ;;
    esac
    fail "the shop didn't start: the reason stands above" "More: make docker-logs. Then, again: make docker-run"
}

# $1: what to ask whether it has happened; $2: for how many tenths of a second.
wait_until() {
    left=$2
    until $1; do
        [ "$left" -gt 0 ] || return 1
        left=$((left - 1))
        sleep 0.1
    done
}

gateway_answers() { $COMPOSE exec -T gateway wget -q -O /dev/null http://127.0.0.1:3000/health 2>/dev/null; }

replica_is_healthy() {
    [ "$(docker inspect --format '{{.State.Health.Status}}' "$(container "$replica")" 2>/dev/null)" = healthy ]
}

command=$1
shift
require_engine
require_compose
require_own_project
choose_wiretap
case $command in
    run)
        require_builder
        build
        started=$(date +%s)
        $COMPOSE up --detach --no-build || say_why_not_started "$started"
        wait_until gateway_answers 100 || say_why_not_started "$started"
        if [ -n "${COMPOSE_PROFILES:-}" ]; then
            echo "The shop's transactions are shown at http://$($COMPOSE port wiretap 4000)"
        else
            # It may be there from a start with WIRETAP=on.
            COMPOSE_PROFILES=wiretap $COMPOSE rm --stop --force wiretap >/dev/null 2>&1 || true
        fi
        echo "The shop is open: http://$($COMPOSE port gateway 3000)" ;;
    build)
        require_running
        require_builder
        build
        for replica in replica-1 replica-2; do
            $COMPOSE up --detach --no-deps --no-build "$replica"
            wait_until replica_is_healthy 300 ||
                fail "the new $replica doesn't answer within 30 seconds" "See why: make docker-logs"
        done ;;
    check)
        require_running
        [ -t 0 ] && [ -t 1 ] || terminal=-T
        $COMPOSE run --rm ${terminal:-} check /lab check --url http://gateway:3000 "$@" ;;
    logs) $COMPOSE logs --follow "$@" ;;
    # Also what a profile has started.
    stop) COMPOSE_PROFILES=check,wiretap $COMPOSE down ;;
    clean)
        COMPOSE_PROFILES=check,wiretap $COMPOSE down --volumes
        docker image rm --force "$COMPOSE_PROJECT_NAME-shop" >/dev/null 2>&1 || true ;;
esac
