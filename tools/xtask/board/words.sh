# What both starts say and wait for.
say() { echo "board-test: $*"; }
fail() { say "FAILED: $*"; arcdoor log -n 20 2>&1 | tail -20; echo arcdoor-test-ended-with 1; sync; poweroff -f; }
since() { cut -d' ' -f1 /proc/uptime; }
wait_for() { # WHAT SECONDS COMMAND...
	what=$1; left=$(($2 * 5)); shift 2
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1)); [ $left -gt 0 ] || fail "$what"
		usleep 200000
	done
	say "$(since) $what"
}
line() { echo "$lines/sim_gpio$1"; }
pull() { echo "pull-$2" > "$(line "$1")/pull"; }
is_high() { [ "$(cat "$(line "$1")/value")" = 1 ]; }
is_low() { [ "$(cat "$(line "$1")/value")" = 0 ]; }
state_has() { arcdoor door state --json | grep -q "$1"; }
log_has() { arcdoor log -n 200 --json | grep -q "$1"; }
# Frames for a replay: PHOTO HOW-OFTEN
frame=1000; mkdir /frames
show() { n=$2; while [ $n -gt 0 ]; do ln "$1" /frames/$frame.${1##*.}; frame=$((frame + 1)); n=$((n - 1)); done; }
