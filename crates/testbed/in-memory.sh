#!/bin/sh
# in-memory.sh COMMAND...: runs the command with TMPDIR in a file system in memory, where this machine has one with room.
# The tests make a PostgreSQL with its data more than a hundred times, and need nothing of it afterwards. On a disk they
# wait for each flush.
ROOM_KB=2000000   # the tests took 374 MB at most

has_room() {
    [ -d /dev/shm ] && [ -w /dev/shm ] &&
        [ "$(df -Pk /dev/shm | awk 'END { print $4 }')" -gt $ROOM_KB ] &&
        [ "$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)" -gt $((2 * ROOM_KB)) ]
}

if [ -n "$TMPDIR" ] || ! has_room 2>/dev/null; then
    exec "$@"
fi

folder=$(mktemp -d /dev/shm/flash-sale-tests.XXXXXX) || exec "$@"
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM
# PostgreSQL runs as a user of its own, and must get in.
chmod 711 "$folder"
# In containers, programs are often not allowed to run from there. Tests write programs.
printf '#!/bin/sh\n' > "$folder/program" && chmod +x "$folder/program"
if "$folder/program" 2>/dev/null; then
    export TMPDIR="$folder"
fi
rm -f "$folder/program"
"$@"
