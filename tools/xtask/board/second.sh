# The start after the power went.
mkdir -p /data && mount -t ext4 /dev/vda /data || fail "no data partition after the power went"
export ARCDOOR_HOME=/data/arcdoor
arcdoor list --json > /data/after || fail "the gallery after the power went"
grep -q Ada /data/after || fail "Ada is lost"
arcdoor log verify > /data/verify2 || fail "the log after the power went"
say "$(since) after the power went: $(grep -c name /data/after) people, and the log verifies"
umount /data
echo arcdoor-test-ended-with 0
poweroff -f
