#!/usr/bin/env bash
# Copyright 2026 lerobot_streamrec contributors, license Apache-2.0
#
# Sources ROS and the workspaces, and becomes the given command, so that signals reach it.
# STREAMREC_SETUP names the setup files in their order, separated by colons.
set -o errexit

IFS=: read -ra setup_files <<< "${STREAMREC_SETUP:?names no setup file}"
for setup_file in "${setup_files[@]}"; do
  if [[ ! -f "${setup_file}" ]]; then
    echo "entrypoint.sh: STREAMREC_SETUP names ${setup_file}, and there is no such file" >&2
    exit 2
  fi
  # Without the dashes, the setup file would take the command for its own arguments.
  # shellcheck disable=SC1090
  source "${setup_file}" --
done
exec "$@"
