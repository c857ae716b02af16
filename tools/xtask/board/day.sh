# What follows first.sh: a visit, an exit, a door held open, a camera that goes and comes back, a process that is killed, and at last
# the power.
show /photos/empty.png 10; show /photos/obama2.jpg 900
arcdoor run --replay /frames --rate 5 > /data/run.jsonl 2> /data/run.err &
door=$!
wait_for "the door answers" 60 arcdoor door state
wait_for "the relay releases for a known face" 120 is_high 0
say "resident at most: $(grep VmHWM /proc/$door/status | tr -s '\t ' ' ')"
cat /dev/fb0 > /data/granted.raw; sync
pull 3 up
wait_for "the door is seen open" 20 state_has '"contact":"open"'
pull 3 down
wait_for "and locked again once it is closed" 20 is_low 0
pull 2 down; usleep 300000; pull 2 up
wait_for "a request to exit is told" 20 log_has exit_requested
pull 3 up
wait_for "held open, it warns and is an alarm" 40 state_has held_open
cat /dev/fb0 > /data/held-open.raw; sync
pull 3 down
arcdoor door acknowledge > /dev/null
wait_for "the alarm is over once it is closed and acknowledged" 20 state_has '"alarms":\[\]'
kill -TERM $door; wait $door || fail "it stops with $?"
is_low 0 || fail "the lock stays released"
arcdoor log verify > /data/verify || fail "the log"
say "$(since) the log verifies"
# Of the frames that something else was done beside, none is the quickest.
say "the quickest frame, microseconds: $(grep -o '"detect_us.*match_us":[0-9]*' /data/run.jsonl | grep -v 'embed_us":0,' | sed 's/.*embed_us":\([0-9]*\)/\1 &/' | sort -n | head -1 | cut -d' ' -f2- | tr -d '"')"
# The pack for slower boards: the most memory that one photo takes, from a process's start to its end.
small="--home /data/small --pack /packs/doornet-m/ --allow-unsigned-pack"
arcdoor enrol Ada --image /photos/obama.jpg $small > /dev/null 2>&1 || fail "an enrolment with doornet-m"
arcdoor identify --image /photos/obama2.jpg $small > /data/small.out 2>&1 &
looked=$!
while grep VmHWM /proc/$looked/status > /data/small.now 2> /dev/null; do cp /data/small.now /data/small.most; usleep 10000; done
wait $looked || fail "an identification with doornet-m"
say "$(since) identified with doornet-m from a photo; resident at most: $(tr -s '\t ' ' ' < /data/small.most)"
if [ -x /bin/nokhwa ]; then
	ARCDOOR_VIVID=/dev/video0 nokhwa --exact nokhwas_own_capture_shows_the_same_colour_bars > /data/nokhwa 2>&1 || fail "nokhwa's own capture"
	say "$(since) nokhwa's own capture shows the same colour bars"
fi
cam=/sys/bus/platform/drivers/vivid
arcdoor run --camera /dev/video0 > /data/camera.jsonl 2> /data/camera.err &
door=$!
wait_for "frames of the camera are looked at" 60 grep -q '"kind":"frame"' /data/camera.jsonl
echo vivid.0 > $cam/unbind &
wait_for "the camera's driver is gone, and that is told" 30 log_has camera_lost
echo vivid.0 > $cam/bind
wait_for "the camera is back, and that is told" 60 log_has camera_returned
kill -9 $door
arcdoor enrol Joe --image /photos/biden.jpg > /dev/null 2>&1 &
enrolment=$!
usleep 900000; kill -9 $enrolment 2>/dev/null
arcdoor list --json > /data/people || fail "the gallery after a kill"
grep -q Ada /data/people || fail "Ada is lost"
say "$(since) killed in the midst of an enrolment: $(grep -c name /data/people) of 2 are there"
arcdoor log verify > /dev/null || fail "the log after a kill"
arcdoor enrol Kim --image /photos/biden.jpg > /dev/null 2>&1 &
usleep 1100000
say "$(since) the power goes"
echo arcdoor-test-ended-with 0
echo 1 > /proc/sys/kernel/sysrq; echo o > /proc/sysrq-trigger; sleep 10
