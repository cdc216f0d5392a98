// What the album knows: photos, their faces, bursts. Answers of a face change when it is corrected.
"use strict";

const FACELESS = "no_face", UNREADABLE = "unreadable", UNSURE = "unsure", DROP = "drop";
const WORDS = { [FACELESS]: "no face", [DROP]: "not a face" }; // other kinds are called what they are

function readAlbum() {
  const data = JSON.parse(document.querySelector("#data").textContent);
  const plain = new DOMParser().parseFromString(document.querySelector("noscript").textContent, "text/html");
  const thumbnails = [...plain.querySelectorAll("figure")].map((figure) => figure.querySelector("img")?.getAttribute("src"));
  const order = new Intl.Collator("en", { numeric: true }); // IMG_9 comes before IMG_10
  const photos = data.photos.map((photo, number) => ({
    ...photo, number,
    path: photo.path ?? photo.name,
    thumbnail: thumbnails[number],
    words: fold(photo.name),
    faces: (photo.faces ?? []).map((face, place) => readFace(face, place, data.classes)),
  }));
  for (const photo of photos) for (const face of photo.faces) face.photo = photo;
  [...photos].sort((one, other) => order.compare(one.name, other.name)).forEach((photo, rank) => { photo.rank = rank; });
  return { ...data, photos, faces: photos.flatMap((photo) => photo.faces), bursts: data.bursts.map((burst) => ({ ...burst, photos: burst.photos.map((number) => photos[number]), best: photos[burst.best] })) };
}

function readFace(face, place, classes) {
  const emotion = classes[face.answer]; // of two that are rounded to the same share, it may be the second
  const shares = face.shares.map((share, index) => [classes[index], share / 1000])
    .sort((one, other) => (other[0] === emotion) - (one[0] === emotion) || other[1] - one[1]);
  const [[, sure]] = shares;
  return { ...face, place, shares, emotion, sure, unsure: face.unsure ?? "", size: Math.min(face.box[2], face.box[3]) };
}

// What a face counts as: what it was corrected to, or the answer if there is one.
const kindOf = (face) => face.corrected || (face.unsure ? UNSURE : face.emotion);

// The class that gives a face its colour.
const colourOf = (face) => (face.corrected === DROP || kindOf(face) === UNSURE ? UNSURE : kindOf(face));

// Text as it is searched; names from a Mac have their accents apart from the letters.
const fold = (text) => text.toLowerCase().normalize("NFC");

const percent = (share) => `${(100 * share).toFixed(1)} %`;
const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

// What a face is said to express, in one line.
function describe(face) {
  if (face.corrected) return `${WORDS[face.corrected] ?? face.corrected}, as you corrected it (${face.emotion} ${percent(face.sure)})`;
  return face.unsure ? `unsure: ${face.unsure} (${face.emotion} ${percent(face.sure)})` : `${face.emotion} ${percent(face.sure)}`;
}

// Which faces the sliders let through; which kind they are of is chosen apart.
function passes(face, state) {
  return face.sure >= state.sure / 100 && face.size >= state.size && (state.unsure || kindOf(face) !== UNSURE);
}

const isNarrowed = (state) => state.sure > 0 || state.size > 0;
const isOf = (face, show) => (show === "all" ? kindOf(face) !== DROP : kindOf(face) === show);

// The faces of a photo that are asked for.
const chosenFaces = (photo, state) => photo.faces.filter((face) => isOf(face, state.show) && passes(face, state));

// Whether a photo is shown: for a face, or for being of a kind that has none.
function isShown(photo, state, show) {
  if (show === UNREADABLE) return Boolean(photo.failed);
  if (show === FACELESS) return !photo.failed && !photo.faces.length;
  if (show === "all" && !isNarrowed(state)) return true;
  return photo.faces.some((face) => isOf(face, show) && passes(face, state));
}

const matches = (photo, state) => photo.words.includes(fold(state.find.trim()));

// The photos that are asked for, sorted.
function choosePhotos(album, state) {
  const shown = album.photos.filter((photo) => matches(photo, state) && isShown(photo, state, state.show));
  const surest = new Map(shown.map((photo) => [photo, Math.max(-1, ...chosenFaces(photo, state).map((face) => face.sure))]));
  const orders = {
    name: () => 0,
    surest: (one, other) => surest.get(other) - surest.get(one),
    unsurest: (one, other) => (surest.get(one) < 0) - (surest.get(other) < 0) || surest.get(one) - surest.get(other),
    faces: (one, other) => other.faces.length - one.faces.length,
  };
  return shown.sort((one, other) => orders[state.sort](one, other) || one.rank - other.rank);
}

// The faces that are asked for in groups by what they express, surest first; those without an answer stand last.
function groupFaces(album, state) {
  const signs = { unsurest: (one, other) => one.sure - other.sure, surest: (one, other) => other.sure - one.sure };
  const order = signs[state.sort] ?? signs.surest;
  const kinds = state.show === "all" ? [...album.labels, UNSURE, DROP] : [state.show];
  const groups = new Map(kinds.map((kind) => [kind, []]));
  for (const face of album.faces) {
    if (groups.has(kindOf(face)) && passes(face, state) && matches(face.photo, state)) groups.get(kindOf(face)).push(face);
  }
  return [...groups].filter(([, faces]) => faces.length).map(([kind, faces]) => ({ kind, faces: faces.sort(order) }));
}

// How many photos, or faces, each choice would show.
function countChoices(album, state, ofFaces) {
  const counts = new Map();
  const add = (kind) => counts.set(kind, (counts.get(kind) ?? 0) + 1);
  for (const photo of album.photos) {
    if (!matches(photo, state)) continue;
    const kinds = photo.faces.filter((face) => passes(face, state)).map(kindOf);
    if (ofFaces) {
      for (const kind of kinds) [kind, "all"].forEach(add);
      continue;
    }
    new Set(kinds).forEach(add);
    for (const kind of ["all", FACELESS, UNREADABLE]) if (isShown(photo, state, kind)) add(kind);
  }
  return counts;
}
