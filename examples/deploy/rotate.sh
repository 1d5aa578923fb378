#!/bin/sh
# Give yesterday's events a name of their own, and remove those older than so many days. `rotate.sh FOLDER DAYS`.
# The file is opened anew for each line: nothing has to be told, nothing is lost.
set -eu
umask 077
folder=$1
days=$2
if [ -s "$folder/events.jsonl" ]; then
    # A name that `imagin-gateway events` and `report` know as one of this file's.
    mv "$folder/events.jsonl" "$folder/events.jsonl-$(date -u +%Y%m%d-%H%M%S)"
fi
find "$folder" \( -name 'events.jsonl-*' -o -name 'events-*.jsonl' \) -mtime "+$days" -delete
