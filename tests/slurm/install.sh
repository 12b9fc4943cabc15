#!/usr/bin/env bash
# What tests/slurm needs on Debian or Ubuntu: SLURM, its accounting and munge. As root; starts nothing.
set -euo pipefail
apt-get update -qq
DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends \
    slurmctld slurmd slurm-client slurmdbd munge mariadb-server >/dev/null
