#!/bin/sh
# Installs the program redis-server from the distribution's packages (Debian and its kin, as root). Starts nothing.
set -eu
apt-get -qq update
# at run level 1 the package's own scripts leave its service stopped
RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends redis-server >/dev/null
