#!/bin/sh
# Draws the secrets of docker-compose.yml that are not there yet. The directory is its owner's alone; the files in it
# can be read by the containers, which run as users of their own.
set -eu
directory="${SEXTANT_SECRETS:-$(dirname "$0")/secrets}"
mkdir -p "$directory"
chmod 700 "$directory"
for name in ray_token grafana_password; do
  if [ ! -s "$directory/$name" ]; then
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > "$directory/$name"
    chmod 444 "$directory/$name"
  fi
done
echo "secrets are in $directory"
