#!/bin/sh
# Makes a door's system of a Debian that was just unpacked: `prepare.sh ROOT`. Nothing of it is run, so any machine can.
set -eu
root=$1
systemd-sysusers --root="$root" arcdoor.conf
# Nobody has a password, and none can be tried.
sed -i 's/^\([^:]*\):[^:]*:/\1:*:/' "$root/etc/shadow"
for unit in ssh.service ssh.socket systemd-networkd-wait-online.service systemd-timesyncd.service apt-daily.timer \
    apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    systemd-firstboot.service ctrl-alt-del.target; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
# Only where somebody laid public keys on the boot partition is there a network.
systemctl --root="$root" disable --quiet systemd-networkd.service 2>/dev/null || true
systemctl --root="$root" enable --quiet arcdoor.service arcdoor-clock-save.timer arcdoor-ssh.service
units=$root/usr/lib/systemd/system
mkdir -p "$units/local-fs.target.wants" "$units/sysinit.target.wants"
for unit in arcdoor-grow.service arcdoor-widen.service arcdoor-data.service; do
    ln -sf "../$unit" "$units/local-fs.target.wants/"
done
ln -sf ../arcdoor-clock.service "$units/sysinit.target.wants/"
# Each card makes its own; /etc is not written to, so the machine's name is a new one at each start. dbus's would be every card's.
rm -f "$root"/etc/ssh/ssh_host_* "$root/var/lib/dbus/machine-id" "$root/etc/resolv.conf" "$root/etc/hostname"
: >"$root/etc/machine-id"
# Those of whoever made the image lie there.
: >"$root/etc/resolv.conf"
echo arcdoor >"$root/etc/hostname"
# What the prompts' sessions read first.
: >"$root/etc/default/locale"
mkdir -p "$root/data" "$root/boot" "$root/var/lib/arcdoor"
# Kernel and ramdisk lie on the boot partition.
rm -rf "$root"/boot/* "$root"/usr/lib/raspi-firmware "$root"/var/lib/apt/lists/* "$root"/var/cache/* "$root"/var/tmp/* "$root"/usr/lib/udev/hwdb.d "$root"/initrd.img* "$root"/vmlinuz* \
    "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/* "$root"/usr/share/info/*
