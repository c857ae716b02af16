# The first start: set-up and an enrolment. Runs in busybox on the emulated board, after words.sh.
mkdir -p /data && mount -t ext4 /dev/vda /data || fail "no data partition"
export ARCDOOR_HOME=/data/arcdoor
mkdir -p $ARCDOOR_HOME; chmod 700 $ARCDOOR_HOME
mkdir /config; mount -t configfs configfs /config
mkdir -p /config/gpio-sim/door/bank0; cd /config/gpio-sim/door
echo 16 > bank0/num_lines; echo door > bank0/label; echo 1 > live
lines=/sys/devices/platform/$(cat dev_name)/$(cat bank0/chip_name); cd /
# At rest: nobody presses, the door and the housing are shut, nothing burns.
pull 2 up; pull 3 down; pull 4 down; pull 5 up; pull 10 up
uname -srm; [ ! -e /proc/device-tree/compatible ] || tr '\0' ' ' < /proc/device-tree/compatible; echo
ls /dev/fb0 /dev/gpiochip*
# A frame takes seconds here.
printf "min_face_px = 160\n[policy]\nagree = 3\nof = 5\nwindow_ms = 10000\n" > $ARCDOOR_HOME/settings.toml
arcdoor setup --opens face --board /etc/board.toml > /data/setup || fail "set-up"
printf 'unlock_ms = 20000\nheld = { warn_ms = 3000, alarm_ms = 6000 }\n' >> $ARCDOOR_HOME/settings.toml
arcdoor board check > /data/check || fail "the wiring's check"
arcdoor enrol Ada --image /photos/obama.jpg > /data/enrol 2>/data/key || fail "an enrolment"
say "$(since) enrolled"
