# What follows first.sh where time is short, and a processor of another kind takes seconds for a face: no visit.
show /photos/empty.png 600
arcdoor run --replay /frames --rate 1 > /data/run.jsonl 2> /data/run.err &
door=$!
wait_for "the door answers" 60 arcdoor door state
pull 3 up
wait_for "an opening that nobody granted is told" 30 log_has forced
pull 3 down
arcdoor door acknowledge > /dev/null
wait_for "the alarm is over once it is closed and acknowledged" 30 state_has '"alarms":\[\]'
pull 2 down; usleep 500000; pull 2 up
wait_for "a request to exit is told" 30 log_has exit_requested
kill -TERM $door; wait $door || fail "it stops with $?"
is_low 0 || fail "the lock stays released"
arcdoor log verify > /data/verify || fail "the log"
say "$(since) it stops, and the log verifies"
echo arcdoor-test-ended-with 0
poweroff -f
