#!/usr/bin/env bash
# Repeat the comparison of the CK+ team: a network as it is, tuned, and tuned on crops of faces.
#
#   tools/ckplus_team.sh CK+ OUT         # stopped and run again, it goes on
#
# Subjects are divided into train and test once. All choices are made on folds of train, and each of the three networks
# is scored once, on the subjects of test. Environment variables change it: TRIALS (60), CLASSES (ck7), FOLDS (4),
# BUILD, further options for both builds, and TRAIN, further options for all trainings. To try it on an imitation:
#   python tests/imitations.py imitations --people 8
#   TRIALS=2 FOLDS=2 BUILD="--near 0.9999" TRAIN="--epochs 2" tools/ckplus_team.sh imitations/CK+ runs/imitation
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
PYTHON=${PYTHON:-python3}
ckplus=${1:?name the folder of CK+}
out=${2:?name a folder for the data sets and the runs}
read -ra build <<<"${BUILD:-}"
read -ra train <<<"${TRAIN:-}"

export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1

emonet() { "$PYTHON" -m emonet "$@"; }

for kind in whole faces; do
    [ "$kind" = whole ] && detector=whole || detector=mtcnn
    [ -f "$out/$kind/dataset.json" ] || emonet build --ckplus "$ckplus" --classes "${CLASSES:-ck7}" \
        --detector "$detector" --folds "${FOLDS:-4}" --shares 0.8,0,0.2 -o "$out/$kind" "${build[@]}"
done

emonet train "$out/whole" -o "$out/baseline" --model tuned_five --fold 0 "${train[@]}"
for kind in whole faces; do
    emonet tune "$out/$kind" -o "$out/search-$kind" --space ckplus_team --trials "${TRIALS:-60}" "${train[@]}"
    emonet train "$out/$kind" -o "$out/tuned-$kind" --config "$out/search-$kind/best.toml"
done

echo "as it is, whole images:" && emonet evaluate "$out/baseline/model.safetensors" "$out/whole" --split test
echo "tuned, whole images:" && emonet evaluate "$out/tuned-whole/model.safetensors" "$out/whole" --split test
echo "tuned, crops of faces:" && emonet evaluate "$out/tuned-faces/model.safetensors" "$out/faces" --split test
