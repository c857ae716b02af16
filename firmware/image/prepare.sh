#!/bin/sh
# Runs once in a new system, before it becomes an image.
set -eu
systemd-sysusers
# Nobody has a password, and none can be tried.
for name in $(cut -d: -f1 /etc/passwd); do usermod --lock --password '*' "$name" >/dev/null 2>&1 || true; done
systemctl disable --quiet ssh.service ssh.socket 2>/dev/null || true
systemctl mask --quiet ssh.service systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer \
    dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-firstboot.service 2>/dev/null || true
systemctl disable --quiet systemd-networkd.service systemd-timesyncd.service 2>/dev/null || true
systemctl enable --quiet arcdoor.service arcdoor-setup.path arcdoor-clock-save.timer arcdoor-ssh.service
mkdir -p /usr/lib/systemd/system/local-fs.target.wants /usr/lib/systemd/system/sysinit.target.wants
ln -sf ../arcdoor-grow.service /usr/lib/systemd/system/local-fs.target.wants/
ln -sf ../arcdoor-data.service /usr/lib/systemd/system/local-fs.target.wants/
ln -sf ../arcdoor-clock.service /usr/lib/systemd/system/sysinit.target.wants/
# Each card makes its own.
rm -f /etc/ssh/ssh_host_*
: >/etc/machine-id
mkdir -p /data /boot /var/lib/arcdoor
# The start needs no resume from a swap that is not there.
printf 'RESUME=none\n' >/etc/initramfs-tools/conf.d/resume
rm -rf /var/lib/apt/lists/* /var/cache/apt/*
