"""The card of a model: what it learned from, on what terms, what it was chosen on, what it scored, and its limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from shlex import quote
from typing import Any

from emonet.datasets import find_terms
from emonet.evaluation import Evaluation
from emonet.evaluation.metrics import Scores
from emonet.evaluation.parts import ALL
from emonet.evaluation.sizes import SizeScores
from emonet.heads import SEEN
from emonet.html.formatting import decimal, markdown_table
from emonet.inference.coverage import CoverageCurve
from emonet.inference.sharing import USE
from emonet.report.provenance import chosen, part_of_split
from emonet.report.tables import (
    COVERAGE_HEADER,
    HEADS_HEADER,
    VOTES_HEADER,
    choice_words,
    coverage_rows,
    describe_intervals,
    has_choice,
    head_rows,
    vote_rows,
    vote_sentences,
)

LIMITS = """\
- People disagree about expressions, and so do labels: look at the figures by agreement, where there are some.
- It was scored on images of the kind that it learned from. Other cameras, ages, skin colours, head coverings, glasses
  and poses were not scored apart, for the data do not name them: expect it to be worse on whoever was rare in them.
- Its probabilities are as good as the calibration error says, on images of that kind only."""

TWIN = "dev of the twin"  # among the scores of a model: those of one that was trained in the same way without dev
SURE = "Sure answers"  # the title of a section
WORST = 3  # classes and confusions that are named


def model_card(evaluation: Evaluation) -> str:
    """Write the card of a model in Markdown."""
    sections = {
        f"{evaluation.name}: a model card": _describe_network(evaluation),
        "Learned from": _describe_data(evaluation),
        "Chosen on": _describe_choice(evaluation),
        "Figures": _format_figures(evaluation),
        **_format_calibration(evaluation),
        **_format_sure_answers(evaluation),
        "What it sees": _describe_input(evaluation),
        "Use": USE,
        "Limits": f"{_describe_weaknesses(evaluation)}\n{LIMITS}",
    }
    title, *rest = sections.items()
    return f"# {title[0]}\n\n{title[1]}\n" + "".join(f"\n## {name}\n\n{text}\n" for name, text in rest)


def _describe_network(evaluation: Evaluation) -> str:
    checkpoint, cost = evaluation.checkpoint, evaluation.cost
    arguments = ", ".join(_list_arguments(checkpoint.arguments))
    return (
        f"Network `{checkpoint.model}`{f' ({arguments})' if arguments else ''}: {cost.parameters:,} parameters, "
        f"{cost.macs / 1e6:,.1f} million multiplications a face. It answers with a probability for each of "
        f"{', '.join(evaluation.faces.classes)}.{_describe_heads(evaluation)}"
    )


def _list_arguments(arguments: Mapping[str, Any]) -> Iterator[str]:
    """List the arguments of a network; of one that averages several, how many of each, and not their arguments."""
    members = arguments.get("members")
    if isinstance(members, Sequence):
        yield from (f"{count} x {model}" for model, count in Counter(one["model"] for one in members).items())
    else:
        yield from (f"{name}={value}" for name, value in arguments.items())


def _describe_heads(evaluation: Evaluation) -> str:
    """The heads of a model that has several, and which of them answers."""
    heads, choice = evaluation.checkpoint.heads, evaluation.choice
    if len(heads) == 1:
        return ""
    names = ", ".join(f"`{head.name}`" for head in heads)
    return f" That is the answer of `{choice.head}` with the prior `{choice.prior}`; its heads are {names}."


def _describe_data(evaluation: Evaluation) -> str:
    training = evaluation.checkpoint.training
    if "pictures" not in training:
        return "Not recorded: the terms of the images that it learned from are not known."
    sources = training["sources"].items()
    lines = [f"- {source}: {count:,} images. {find_terms(source)}" for source, count in sources]
    lines += [f"- Warning: {text}." for text in training.get("data_warnings", ())]
    if "seconds" in training:
        config, hours = training["config"], training["seconds"] / 3600
        trained = f"Trained for {hours:.1f} hours on {training['machine']}, seed {config['seed']}."
        lines += ["", " ".join([trained, *_describe_teaching(config)])]
    return "\n".join(lines)


def _describe_teaching(config: Mapping[str, Any]) -> Iterator[str]:
    """What a model learned beside labels: votes, and the answers of other models."""
    if SEEN in config.get("heads", ()):
        yield f"Its head `{SEEN}` learned FER+'s votes."
    teachers, files = (
        ", ".join(f"`{name}`" for name in config.get(field, ())) for field in ("teacher", "teacher_labels")
    )
    if teachers:
        yield f"{config['teacher_share']:.0%} of its targets are answers of {teachers}."
    if files:
        whole = "the other targets" if teachers else "its targets"
        given = f"answers of networks that had not learned from the image, from {files}"
        yield f"{config['teacher_share']:.0%} of {whole} are {given}."


def _describe_choice(evaluation: Evaluation) -> str:
    sentences = [f"Chosen: {chosen(evaluation.checkpoint.training)}."]
    scores = evaluation.checkpoint.scores
    if dev := scores.get("dev"):
        sentences.append(f"Its score there: {dev['accuracy']:.2%} of {dev['n']:,} images, as they are.")
    if dev := scores.get(TWIN):
        sentences.append(
            f"A twin, which did not learn from dev, has {dev['accuracy']:.2%} of its {dev['n']:,} images, as they are; "
            "default answer, temperatures and coverage were found on dev by the twin."
        )
    part = f"The split `{evaluation.scored}`, whose figures follow: {part_of_split(evaluation)}."
    return f"{' '.join(sentences)}\n\n{part}"


def _format_figures(evaluation: Evaluation) -> str:
    header = ("view", "images", "n", "right", "accuracy", "95 %", "macro F1", "top 2", "kappa", "calibration error")
    rows = [
        (view, part, *_format_row(scores))
        for view, parts in evaluation.scores.items()
        for part, scores in parts.items()
    ]
    intervals = describe_intervals(evaluation)
    classes = evaluation.summary.classes
    by_class = [
        (name, one.support, decimal(one.precision, 4), decimal(one.recall, 4), decimal(one.f1, 4))
        for name, one in classes.items()
    ]
    remarks = "".join(f"\n\nNote: {remark}." for remark in evaluation.remarks)
    model, store = quote(evaluation.given or evaluation.name), quote(evaluation.store.path.name)
    command = f"emonet evaluate {model} {store} --split {evaluation.split}"
    command += "".join(f" --{name} {value}" for name, value in _list_asked(evaluation).items())
    class_header = ("class", "images", "precision", "recall", "F1")
    return (
        f"From `{command}`. `none` looks at images as they are, `mirror` averages with the mirror image. "
        f"95 % intervals: {intervals}.{remarks}\n\n{markdown_table(header, rows)}\n\n"
        f"By class, view `{evaluation.view}`:\n\n{markdown_table(class_header, by_class)}"
        f"{_format_votes(evaluation)}{_format_head_table(evaluation)}{_format_sizes(evaluation)}"
    )


def _format_calibration(evaluation: Evaluation) -> dict[str, str]:
    """The section on how sure each head is, if it was measured."""
    if not evaluation.calibration:
        return {}
    temperatures = {head.name: f"{head.temperature:.3g}" for head in evaluation.checkpoint.heads}
    rows = [
        (
            one.head,
            temperatures[one.head],
            f"{one.size} px",
            f"{one.n:,}",
            f"{one.accuracy:.1%}",
            f"{one.confidence:.1%}",
            decimal(one.error, 4),
        )
        for one in evaluation.calibration
    ]
    text = (
        f"Each head beside what it learned, on {evaluation.scored}, with mirror averaging, of faces as they are and "
        "shrunk: `seen` beside what most voters saw, the others beside the labels. Where the temperature is not 1, it "
        "was fitted on dev. Of a few thousand images, some 0.02 of a calibration error are chance.\n\n"
    )
    header = ("head", "temperature", "face size", "images", "right", "mean confidence", "calibration error")
    return {"How sure it is": text + markdown_table(header, rows)}


def _format_sure_answers(evaluation: Evaluation) -> dict[str, str]:
    """The section on coverage, if the model stores what was measured of the answer that is scored."""
    curve = evaluation.checkpoint.find_curve(evaluation.choice, evaluation.view)
    return {} if curve is None else {SURE: describe_coverage(curve)}


def describe_coverage(curve: CoverageCurve) -> str:
    """Write how often the surest answers are right, by their share, in Markdown."""
    return (
        "`emonet predict --coverage 0.8` answers to the 80 % of faces about which the model is surest, and calls the "
        f"others unsure. Measured on {curve.n:,} images of {curve.data}, with the view `{curve.view}`, the head "
        f"`{curve.head}` and the prior `{curve.prior}`:\n\n{markdown_table(COVERAGE_HEADER, coverage_rows(curve))}"
    )


def _list_asked(evaluation: Evaluation) -> dict[str, str]:
    """The sources, the head and the prior where they are not the file's own, and views and beta unless by default."""
    own, choice = evaluation.checkpoint.choice(), evaluation.choice
    asked = {"head": (choice.head, own.head), "prior": (choice.prior, own.prior)}
    asked |= {"views": (",".join(evaluation.scores), "none,mirror"), "beta": (f"{evaluation.summary.beta:g}", "2")}
    sources = {"source": ",".join(evaluation.sources)} if evaluation.sources else {}
    return sources | {name: value for name, (value, default) in asked.items() if value != default}


def _format_votes(evaluation: Evaluation) -> str:
    if evaluation.view not in evaluation.votes:
        return ""
    intro = "The same answers beside what ten people each said they see in the image (FER+):"
    table, sentences = markdown_table(VOTES_HEADER, vote_rows(evaluation)), " ".join(vote_sentences(evaluation))
    return f"\n\n{intro}\n\n{table}\n\n{sentences}"


def _format_head_table(evaluation: Evaluation) -> str:
    if not has_choice(evaluation):
        return ""
    intro = f"Every head and prior, view `{evaluation.view}`; the other figures are of the one with a star."
    return f"\n\n{intro} {choice_words(evaluation)}\n\n{markdown_table(HEADS_HEADER, head_rows(evaluation))}"


def _format_sizes(evaluation: Evaluation) -> str:
    if not evaluation.sizes:
        return ""
    header = ("face size", "accuracy", "macro recall", "commonest answer")
    rows = [
        (f"{one.size} px", f"{one.accuracy:.2%}", decimal(one.macro_recall, 4), _format_share(one))
        for one in evaluation.sizes
    ]
    return (
        "\n\nBy size of the face, view `none`: the same images, shrunk and enlarged again as the crop of a photo "
        f"enlarges small faces:\n\n{markdown_table(header, rows)}"
    )


def _format_share(one: SizeScores) -> str:
    return f"{one.commonest} ({one.shares[one.commonest]:.1%} of the answers)"


def _format_row(scores: Scores) -> tuple[str, ...]:
    low, high = scores.accuracy_interval
    return (
        f"{scores.n:,}",
        f"{scores.correct:,}",
        f"{scores.accuracy:.2%}",
        f"{low:.2%} to {high:.2%}",
        decimal(scores.macro_f1, 4),
        f"{scores.top_2:.2%}",
        decimal(scores.kappa, 4),
        decimal(scores.calibration_error, 4),
    )


def _describe_input(evaluation: Evaluation) -> str:
    checkpoint = evaluation.checkpoint
    spec, crop = checkpoint.input, checkpoint.crop
    colour, margin = "grey" if spec.channels == 1 else "in colour", f"{100 * crop.margin:.4g} %"
    turned = "turned so that the eyes are level" if crop.align else "not turned"
    whole = checkpoint.detector == "whole"
    found = "each image was taken as a face" if whole else f"the detector `{checkpoint.detector}` found the faces"
    return (
        f"Faces of {spec.size} by {spec.size} pixels, {colour}, scaled `{spec.scaling}`. Of a photo they are squares "
        f"about the box of the face, with {margin} of its width on each side, {turned}; in training, {found}. All of "
        "this stands in the file, and is used as it stands there."
    )


def _describe_weaknesses(evaluation: Evaluation) -> str:
    """Its weakest classes and most frequent mistakes, in words."""
    scores = evaluation.summary
    recalls = sorted((one.recall, name) for name, one in scores.classes.items() if one.recall is not None)
    weakest = ", ".join(f"{name} ({recall:.0%})" for recall, name in recalls[:WORST])
    mistakes = sorted(_list_mistakes(scores), reverse=True)[:WORST]
    often = "; ".join(f"{count} of {there} {true} faces as {answer}" for count, there, true, answer in mistakes)
    return f"- It recognises least: {weakest}." + (f" Most often it takes {often}." if often else "")


def _list_mistakes(scores: Scores) -> Iterator[tuple[int, int, str, str]]:
    names = list(scores.classes)
    for true, row in zip(names, scores.confusion, strict=True):
        yield from (
            (count, sum(row), true, answer)
            for answer, count in zip(names, row, strict=True)
            if count and answer != true
        )


def stored_scores(evaluation: Evaluation) -> dict[str, Any]:
    """Return the scores of a model on a split, for its file: on labels, on votes, and of every head and prior."""
    return {evaluation.split: {view: _find_stored(evaluation, view) for view in evaluation.scores}}


def _find_stored(evaluation: Evaluation, view: str) -> dict[str, Any]:
    stored: dict[str, Any] = {"all": evaluation.scores[view][ALL].to_dict()}
    if view in evaluation.votes:
        stored["votes"] = evaluation.votes[view].to_dict()
    if view in evaluation.by_head:
        stored["heads"] = [row.to_dict() for row in evaluation.by_head[view]]
    return stored
