"""Examples of each command, for the end of its --help."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "info": ("emonet info",),
    "faces": ("emonet faces party.jpg", "emonet faces holiday 'garden/*.heic' --crops crops --allow largest"),
    "build": (
        "emonet build --fer2013 fer2013.csv --ckplus CK+ --jaffe jaffe.zip --dev 3000 -o merged",
        "emonet build --rafdb basic --kdef KDEF_and_AKDEF --kdef-angles half -o in-two-worlds",
        "emonet build --folder friends --detector dlib -o friends-data",
        "emonet build --verify merged",
    ),
    "datasets": ("emonet datasets", "emonet datasets kdef", "emonet datasets --json"),
    "review": (
        "emonet review merged --model emonet_fast",
        "emonet review merged --answers runs/folds --model runs/ours/model.safetensors",
        "emonet review merged --model emonet_fast --html review.html",
    ),
    "train": (
        "emonet train merged -o runs/ours",
        "emonet train merged -o runs/five --model crop_three --members 5",
        "emonet train merged -o runs/tuned --init emonet --new-head --sources ckplus,jaffe --learning-rate 0.01",
        "emonet train merged -o runs/ours --print-config > ours.toml",
    ),
    "tune": (
        "emonet tune merged -o runs/search --space emonet_fast --minutes 60",
        "emonet tune merged -o runs/search --model lenet28 --search learning_rate=0.001..0.1:log --epochs 5",
        "emonet tune merged -o runs/search --model tuned_five --search arguments.activations.each=relu,elu,tanh "
        "--sampler grid",
    ),
    "evaluate": (
        "emonet evaluate emonet merged -o report",
        "emonet evaluate runs/ours/model.safetensors merged --json",
        "emonet evaluate emonet merged --split all --source jaffe",
    ),
    "compare": (
        "emonet compare report-a report-b",
        "emonet compare report-a report-b -o comparison --store merged",
        "emonet compare a-1,a-2,a-3 b-1,b-2,b-3",
    ),
    "predict": (
        "emonet predict holiday",
        "emonet predict holiday -o album --annotate --min-size 40",
        "emonet predict friends --labels friends.csv",
        "emonet predict party.jpg --json",
        "emonet predict party.jpg garden.heic --annotate -o drawn",
        "emonet predict holiday --model runs/ours --head seen --prior even",
    ),
    "adapt": (
        "emonet adapt friends -o friends.safetensors",
        "emonet adapt holiday --labels corrections.csv --confirmed -o ours.safetensors --model emonet_fast",
        "emonet predict holiday --model friends.safetensors",
    ),
    "video": (
        "emonet video party.mp4",
        "emonet video party.mp4 -o party --annotate --rate 10",
        "emonet video party.mp4 --json --smooth-s 0",
        "emonet video 0 -o recording",
    ),
    "models": (
        "emonet models",
        "emonet models tiny_vgg",
        "emonet models runs/ours/model.safetensors",
        "emonet models runs/ours/model.safetensors --set-default seen,even",
    ),
    "average": (
        "emonet average emonet emonet_fast -o both.safetensors",
        "emonet average runs/a runs/b -o middle.safetensors --weights",
    ),
    "share": (
        "emonet share runs/ours --card report/card.md -o ours",
        "emonet predict photos --model hf://somebody/faces",
    ),
    "export": ("emonet export emonet_fast", "emonet export runs/ours/model.safetensors -o faces.onnx"),
    "page": ("emonet page -o site", "emonet page -o site --model runs/fast/model.safetensors"),
    "app": (
        "emonet app",
        "emonet app --open albums --model emonet_fast",
        "emonet app --host 0.0.0.0 --auth me:secret",
        "curl --data-binary @party.jpg http://127.0.0.1:7860/predict",
    ),
    "export_images": (
        "emonet export-images merged -o images",
        "emonet export-images merged --splits test --sources jaffe -o images",
    ),
    "demo": ("emonet demo -o demo",),
}


def epilog(command: str) -> str:
    """Write the end of a command's help; blank lines keep the examples on lines of their own."""
    return "\n\n".join(("Examples:", *EXAMPLES[command]))
