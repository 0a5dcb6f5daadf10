#!/bin/sh
# Stands in for docker-entrypoint.sh of the official image postgres:18-alpine, where no registry of images can be
# reached. It does what docker-compose.yml relies on, in the official script's order, and nothing else:
#   - POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB count only where PGDATA holds no cluster yet;
#   - without a password it makes none;
#   - the database is made by a server that answers on the Unix socket alone, so that nobody meets half a database;
#   - everybody who comes over the network proves the password.
# Left out: it never changes its user (the official one begins as root, unless `user:` says otherwise), the scripts in
# /docker-entrypoint-initdb.d, the variables that end in _FILE, and the refusal of a volume of an older major version.
set -eu

if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
        echo "Error: Database is uninitialized and superuser password is not specified." >&2
        exit 1
    fi
    user=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$user}
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA"
    password=$(mktemp)
    printf '%s\n' "$POSTGRES_PASSWORD" > "$password"
    initdb --username="$user" --pwfile="$password"
    rm "$password"
    printf '\nhost all all all scram-sha-256\n' >> "$PGDATA/pg_hba.conf"

    PGPASSWORD=$POSTGRES_PASSWORD pg_ctl --wait start --options="-c listen_addresses='' -p 5432"
    [ "$database" = postgres ] || createdb --username="$user" --no-password --maintenance-db=postgres "$database"
    pg_ctl --wait --mode=fast stop
    echo
    echo "PostgreSQL init process complete; ready for start up."
    echo
fi
exec "$@"
