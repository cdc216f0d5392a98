#!/usr/bin/env bash
# Repeat the system of the team that worked on Apache Spark: faces of 28 pixels from FER2013, a small network, pictures.
#
#   tools/spark_team.sh fer2013.csv OUT [MASTER] [EPOCHS]      # stopped and run again, it goes on
#
# Spark builds the data set, `lenet28` is trained on it by its recipe, and is scored on PublicTest. MASTER is local[*] by
# default. EPOCHS replaces the 16,001 steps of the recipe. Environment variables change it: ENGINE (spark; local where
# there is no Spark), DEV (3000 training images to choose the epoch on), SPLIT (validation, which is PublicTest), BUILD,
# further options for the build, and TRAIN, further options for the training. To try it on the first 400 rows:
#   head -n 400 fer2013.csv >few.csv && DEV=50 SPLIT=dev tools/spark_team.sh few.csv runs/few "local[2]" 2
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
PYTHON=${PYTHON:-python3}
table=${1:?name the file fer2013.csv}
out=${2:?name a folder for the data set, the run and the report}
read -ra build <<<"${BUILD:-}"
read -ra train <<<"${TRAIN:-}"
case ${ENGINE:=spark} in
spark) build+=(--master "${3:-local[*]}") ;;
local) [ -z "${3:-}" ] || { echo "MASTER is for Spark: leave it out, or leave out ENGINE=local" >&2; exit 1; } ;;
esac
[ -z "${4:-}" ] || train+=(--epochs "$4")

export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1

emonet() { "$PYTHON" -m emonet "$@"; }

emonet build --fer2013 "$table" --detector whole --size 28 --leaks keep --dev "${DEV:-3000}" --engine "$ENGINE" \
    -o "$out/faces" "${build[@]}" || [ $? -eq 3 ]  # 3: some rows could not be read, and are counted
emonet train "$out/faces" -o "$out/lenet28" --model lenet28 "${train[@]}"
emonet evaluate "$out/lenet28/model.safetensors" "$out/faces" --split "${SPLIT:-validation}" -o "$out/report"

echo "data set:         $out/faces/report.html"
echo "model:            $out/lenet28/model.safetensors"
echo "evaluation:       $out/report/report.html"
echo "images by class:  $out/report/histogram.png"
echo "answers by class: $out/report/answers.png"
echo "training curves:  $out/report/curves.png"
echo "feature maps:     $out/report/workings/feature_maps.png"
