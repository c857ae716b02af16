#!/bin/sh
# Seven minutes of one GPU for the doornets: l, m and s are tuned at once, each from what the CPU made of it, and
# some two million crops are seen in all. Nothing is fetched; the host's own torch, onnx, onnxruntime and tqdm are used.
#
#   gpu_doornet.sh pack L M S   here: crops, teacher and the three starts (runs or checkpoints) into parcels/, zip files
#                               of at most 56 MB; ARCDOOR_DATA is set. They lie under tools/trainer, which git ignores.
#   gpu_doornet.sh run OUT      there, once every parcel has arrived: tunes, writes OUT/doornet-{l,m,s}.pt (14, 5 and
#                               4 MB), burst.jsonl and table.md, and prints the table. OUT holds no burst yet.
#
# Every 20 s each network is looked at, and saved if it is nearer to the teacher than before, on 1,024 crops that the
# burst does not tune on. The run ends after SECONDS_LEFT (420), whatever happens; 20 s later it is killed. With what it
# made: arcdoor-train export OUT/doornet-m.pt, arcdoor-train eval OUT/doornet-m.pt, and compress.start =
# "OUT/doornet-m.pt" to tune it on.
set -eu
cd "$(dirname "$0")"

SECONDS_LEFT=${SECONDS_LEFT:-420}
PARCELS=${PARCELS:-parcels}
CONFIGS=${CONFIGS:-"configs/doornet-l.toml configs/doornet-m.toml configs/doornet-s.toml"}
# doornet-l is near to its teacher already: a rate that m needs would first drive it away.
RATES=${RATES:-"doornet-l=1e-4 doornet-m=1.5e-3 doornet-s=1.5e-3"}
PYTHON=${PYTHON:-python3}
export PYTHONPATH=src${PYTHONPATH:+:$PYTHONPATH}

case ${1:-} in
pack)
    [ $# -eq 4 ] || { echo "usage: gpu_doornet.sh pack L M S (a run or a checkpoint each)" >&2; exit 2; }
    # shellcheck disable=SC2086
    exec "$PYTHON" -m arcdoor_train.cli burst pack --config $CONFIGS --start "$2" "$3" "$4" --parcels "$PARCELS"
    ;;
run)
    [ $# -ge 2 ] || { echo "usage: gpu_doornet.sh run OUT [OPTION...]" >&2; exit 2; }
    out=$2
    shift 2
    # shellcheck disable=SC2086
    timeout -s TERM -k 10 "$((SECONDS_LEFT + 10))" "$PYTHON" -m arcdoor_train.cli burst run --config $CONFIGS \
        --parcels "$PARCELS" --out "$out" --until "$(($(date +%s) + SECONDS_LEFT))" --rate $RATES "$@" || status=$?
    ls -l "$out"
    exit "${status:-0}"
    ;;
*)
    sed -n '2,/^set/s/^# \{0,1\}//p' "${0##*/}"
    exit 2
    ;;
esac
