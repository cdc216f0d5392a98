#!/usr/bin/env bash
# Train a plan of several networks on a graphics card that is available for minutes at a time.
#
#   tools/train_on_gpu.sh STORE OUT [SECONDS]      # stops after SECONDS, 540 by default
#   tools/train_on_gpu.sh --pack OUT               # only packs the results
#
# The plan: teachers with several seeds, out-of-fold labels, and students that learn from both. When the time is up, the
# script stops; run the same command again to continue. Whenever it stops, OUT/results holds all results: weights in 16
# bits, logs and options, in one archive that is split into pieces of at most 15 MiB. To join them:
#   cat results.tar.* | tar -x
#
# Environment variables change the plan: EPOCHS (100), SEEDS ("0 1 2"), FOLDS ("yes" or ""), BATCH (512), DEVICE (cuda),
# and MORE, further options for every training. To try it on a CPU:
#   DEVICE=cpu EPOCHS=1 SEEDS=0 MORE="--steps 2" tools/train_on_gpu.sh merged runs/dry
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
PYTHON=${PYTHON:-python3}
HEADS=(--heads fer2013=1 --heads seen=1)
MUON=(--optimizer muon --learning-rate 0.02 --rest-rate 0.1)

export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1

pack() {  # OUT
    local out=$1 name
    rm -rf "$out/results" "$out/packed"
    mkdir -p "$out/results" "$out/packed"
    for name in "$out"/*/; do
        name=$(basename "$name")
        [ -f "$out/$name/config.toml" ] || [ -f "$out/$name/teacher_labels.parquet" ] || continue
        mkdir -p "$out/packed/$name"
        for file in log.csv config.toml curves.png teacher_labels.parquet; do
            [ ! -f "$out/$name/$file" ] || cp "$out/$name/$file" "$out/packed/$name/"
        done
        if [ -f "$out/$name/teacher_labels.parquet" ]; then continue; fi  # only the labels are needed later
        [ ! -f "$out/$name/model.safetensors" ] || "$PYTHON" - "$out/$name/model.safetensors" \
            "$out/packed/$name/model.safetensors" <<'PY'
import sys
from emonet.inference.checkpoint import load_checkpoint

load_checkpoint(sys.argv[1]).save(sys.argv[2], half=True)
PY
    done
    tar -C "$out/packed" -cf - . | split -b 15M -d - "$out/results/results.tar."
    rm -rf "$out/packed"
    ls -l "$out/results"
}

if [ "${1:-}" = --pack ]; then pack "${2:?name the folder of the runs}"; exit; fi
store=${1:?name a data set that emonet build wrote}
out=${2:?name a folder for the runs}
end=$((SECONDS + ${3:-540}))
mkdir -p "$out"

run() {  # NAME OPTIONS...: run one training; exit when the time is up
    local name=$1 left=$((end - SECONDS)) status=0
    shift
    if [ "$left" -lt 10 ]; then
        echo "no time left for $name: run the same command again to continue"
        pack "$out"
        exit 0
    fi
    # shellcheck disable=SC2086  # MORE is a list of words
    timeout --signal=INT --kill-after=20 "$left" "$PYTHON" -m emonet train "$store" -o "$out/$name" \
        "${HEADS[@]}" "${MUON[@]}" --augment-with torch --device "${DEVICE:-cuda}" --batch-size "${BATCH:-512}" \
        --epochs "${EPOCHS:-100}" --save-every 15 "$@" ${MORE:-} || status=$?
    if [ "$status" -eq 124 ] || [ "$status" -eq 130 ] || [ "$status" -eq 137 ]; then  # 137: killed after 20 seconds
        echo "stopped in $name: run the same command again to continue"
        pack "$out"
        exit 0
    fi
    return "$status"
}

teachers=
for seed in ${SEEDS:-0 1 2}; do  # scored on dev, so that recipes can be compared
    run "teacher-$seed" --model emonet --mixup 0.4 --seed "$seed"
    teachers=${teachers:+$teachers,}$out/teacher-$seed/model.safetensors
done
if [ "${FOLDS-yes}" ]; then run folds --model emonet --mixup 0.4 --out-of-fold; fi
labels=()
if [ "${FOLDS-yes}" ]; then labels=(--teacher-labels "$out/folds/teacher_labels.parquet"); fi
for student in emonet emonet_fast; do
    run "$student" --model "$student" --teacher "$teachers" --teacher-share 0.7 --mixup 0.2 "${labels[@]}"
done
pack "$out"
