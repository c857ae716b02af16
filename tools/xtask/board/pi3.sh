# A Raspberry Pi 3, as far as the emulator has it: its chip of lines by the board's own file, its card, and a daemon that is ready.
# Nothing pulls an input there, so that a button to ground reads as pressed. Runs in busybox, after words.sh.
until [ -b /dev/mmcblk0 ]; do usleep 200000; done
mkdir -p /data && mount -t ext4 /dev/mmcblk0 /data || fail "no card"
export ARCDOOR_HOME=/data/arcdoor
mkdir -p $ARCDOOR_HOME; chmod 700 $ARCDOOR_HOME
uname -srm; tr '\0' ' ' < /proc/device-tree/model; echo; ls /dev/gpiochip*
arcdoor setup --opens face --board raspberry-pi-3 > /data/setup || fail "set-up"
arcdoor board check > /data/check; cat /data/check
grep -q "^ok *relay:" /data/check || fail "the relay of the board's file is not on this kernel's chip"
arcdoor enrol Ada --image /photos/obama.jpg > /data/enrol 2>&1 || fail "an enrolment"
say "$(since) Raspberry Pi 3: enrolled"
show /photos/empty.png 300
arcdoor run --replay /frames --rate 1 > /data/run.jsonl 2> /data/run.err &
door=$!
wait_for "Raspberry Pi 3: the door answers" 120 arcdoor door state
arcdoor door state
kill -TERM $door; wait $door || fail "it stops with $?"
arcdoor log verify > /dev/null || fail "the log"
say "$(since) Raspberry Pi 3: it stops, and the log verifies"
umount /data
echo arcdoor-test-ended-with 0
poweroff -f
