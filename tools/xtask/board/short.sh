# What follows first.sh where time is short.
kill -TERM $door; wait $door || fail "it stops with $?"
arcdoor log verify > /data/verify || fail "the log"
say "$(since) it stops, and the log verifies"
echo arcdoor-test-ended-with 0
poweroff -f
