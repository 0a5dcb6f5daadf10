#!/bin/sh
# Says what cargo's own words leave open when it can't write, or can't run, what it builds. Called by the Makefile when
# a build has failed. Argument: the folder that cargo builds into. It prints nothing when that is not the reason.

folder=$1
me=$(id -un)
while [ ! -e "$folder" ]; do folder=$(dirname "$folder"); done

foreign=$(find "$folder" ! -user "$me" 2>/dev/null | head -n 1)
probe=$folder/.can-it-run.$$
if [ "$(id -u)" != 0 ] && [ -n "$foreign" ]; then
    owner=$(ls -ld "$foreign" | awk '{ print $3 }')
    echo "note: $foreign belongs to $owner, and you are $me: make was run here as another user."
    echo "To make all of it yours: sudo make stop; sudo chown -R $me ${folder%/debug*} .flash-sale"
elif ! (printf '#!/bin/sh\n' > "$probe" && chmod +x "$probe") 2>/dev/null; then
    echo "note: nothing can be written to $folder: $(LC_ALL=C touch "$probe" 2>&1 | sed 's/.*: //')."
    echo "Work in a copy of the project on another disk: cp -R . ~/flash-sale && cd ~/flash-sale"
elif ! "$probe" 2>/dev/null; then
    echo "note: no program may be run from $folder: its disk is mounted with noexec."
    echo 'Build elsewhere: export CARGO_TARGET_DIR=~/flash-sale-target; make run'
fi >&2
rm -f "$probe" 2>/dev/null
