#!/bin/sh
# From two noisy sets to a network, as the paper made IBUG-500K: MS1MV0 with three sub-centres, cleaned; Celeb500K
# likewise; both merged; ResNet-100 on what is left. Each step goes on where it was stopped and is left out when it is
# done: the same command runs it to the end.
#
#   ibug500k.sh [EVALUATION_SET...]    crops by person, or .bin: people who are like theirs are listed for review
#
# After merging it stops once: look through MERGED.report/review.tsv, write join, drop or apart before its lines, and
# start it again; REVIEWED=1 goes on without a look. MS1MV0's features take 21 GB of disk, Celeb500K's 51 GB, and
# `merge` its own of what stayed; `clean` and `merge` say so before they begin. MODEL's answers decide what is alike,
# and the limits of `merge` are SFace's, which onnxruntime asks on the CPU; a run in its place is asked on the GPUs.
set -eu
cd "$(dirname "$0")"

FIRST=${FIRST:-configs/ms1mv0.toml}
SECOND=${SECOND:-configs/celeb500k.toml}
MERGE=${MERGE:-configs/ibug500k-merge.toml}
MERGED=${MERGED:-runs/ibug500k-own.tsv}
MODEL=${MODEL:-../../models/packs/yunet-sface}
PROCESSES=${PROCESSES:-8}
PYTHON=${PYTHON:-python3}
# Empty trains in one process.
TORCHRUN=${TORCHRUN--m torch.distributed.run --standalone --nproc_per_node=$PROCESSES}
# An image farther from its dominant centre goes.
DEGREES=${DEGREES:-75}
export PYTHONPATH=src${PYTHONPATH:+:$PYTHONPATH}

train() { # CONFIG
    # shellcheck disable=SC2086
    "$PYTHON" $TORCHRUN -m arcdoor_train.cli train --config "$1" --resume
}

folder() { # CONFIG: its run's folder
    "$PYTHON" -c 'import sys; from arcdoor_train import config; print(config.expand(config.load(sys.argv[1]).run.folder))' "$1"
}

for noisy in "$FIRST" "$SECOND"; do
    run=$(folder "$noisy")
    [ -f "$run/kept.tsv" ] && continue
    train "$noisy"
    "$PYTHON" -m arcdoor_train.cli clean "$run" --out "$run/kept.tsv" --degrees "$DEGREES" \
        --processes "$PROCESSES"
done

merge() {
    "$PYTHON" -m arcdoor_train.cli merge --config "$MERGE" --model "$MODEL" --out "$MERGED" \
        --processes "$PROCESSES" "$@"
}

review=${MERGED%.tsv}.report/review.tsv
[ $# -gt 0 ] && set -- --evaluation "$@"
if [ ! -f "$MERGED" ]; then
    merge "$@"
    if [ -z "${REVIEWED:-}" ]; then
        echo "look through $review, then start this again (REVIEWED=1 goes on without)"
        exit 0
    fi
elif [ ! -f "$MERGED.final" ]; then
    merge "$@" --review "$review"
fi
touch "$MERGED.final"

with_list=${MERGED%.tsv}.toml
sed "s|^\[data\]\$|[data]\nlist = \"$MERGED\"|" "$MERGE" >"$with_list"
train "$with_list"
