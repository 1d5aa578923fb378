#!/bin/sh
# A copy of the accounts in PostgreSQL: whole, of one moment, taken while people log in. `backup.sh FOLDER`.
# It holds personal data and hashes: it is for root and the backup alone. Keys are not in it, and must not lie beside it.
set -eu
umask 077
folder=$1
now=$(date -u +%Y%m%dT%H%M%SZ)
pg_dump --format=custom --no-owner --no-privileges --dbname="${IMAGIN_DATABASE:-imagin}" --file="$folder/.$now.part"
# What cannot be read again is no copy.
pg_restore --list "$folder/.$now.part" >/dev/null
mv "$folder/.$now.part" "$folder/imagin-$now.dump"
# Two weeks are kept: a copy is personal data, too.
find "$folder" -name 'imagin-*.dump' -mtime +14 -delete
