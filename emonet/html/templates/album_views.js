// The three views: what stands in their rows.
const LINES = 3; // faces of a card that have a row
const THUMBNAIL = 320; // pixels of the longer side

// The sizes of this window in pixels: letters, the gap between items, the width of all.
function measure(place) {
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const width = place.clientWidth;
  const fit = (least) => Math.max(1, Math.floor((width + 0.9 * rem) / (least + 0.9 * rem)));
  return { rem, gap: 0.9 * rem, width, fit, share: (columns) => (width - (columns - 1) * 0.9 * rem) / columns };
}

// A photo that can be enlarged, with its marks.
function makePhoto(photo, chosen, more = {}) {
  const found = photo.faces.map((face) => `${face.place + 1} ${describe(face)}`).join(", ");
  const label = `${photo.name}: ${photo.failed ? "cannot be read" : found || "no face"}`;
  const inside = photo.thumbnail
    ? [make("img", { src: photo.thumbnail, alt: "", decoding: "async" }), drawMarks(photo, THUMBNAIL, chosen)]
    : [make("span", { class: "soft" }, "cannot be read")];
  return make("button", { type: "button", class: "photo", "data-open": photo.number, "aria-label": label, ...more }, ...inside);
}

const makeName = (photo) => make("p", { class: "name", title: photo.name }, make("code", {}, photo.name));

// How many lines stand below a photo's name.
const countLines = (photo) => Math.min(LINES, photo.faces.length) + (photo.faces.length > LINES) + (photo.reasons ? 1 : 0);

function makeCard(photo, chosen) {
  const first = [...chosen, ...photo.faces.filter((face) => !chosen.includes(face))].slice(0, LINES);
  const rest = photo.faces.length - first.length;
  const reasons = photo.reasons ?? [];
  return make("article", { "data-photo": photo.number, class: photo.failed ? "failed" : "" },
    makePhoto(photo, chosen, { "data-item": true }),
    makeName(photo),
    make("ul", {}, ...first.map((face) => makeAnswer(face)),
      rest ? make("li", { class: "soft" }, `and ${count(rest, "more face")}`) : null,
      reasons.length ? make("li", { class: "why soft", title: reasons.join("\n") }, reasons.length > 1 ? `${reasons[0]}; ${reasons.length - 1} more` : reasons[0]) : null));
}

function layPhotos(album, state, place) {
  const size = measure(place), columns = size.fit(16 * size.rem);
  const photos = choosePhotos(album, state);
  const high = 0.75 * (size.share(columns) - 1.4 * size.rem);
  const height = (photo) => high + (4.1 + 1.45 * countLines(photo)) * size.rem + size.gap;
  return { rows: layInRows(photos, columns, height, (photo) => makeCard(photo, chosenFaces(photo, state))), columns,
    items: photos, words: `${photos.length.toLocaleString("en")} of ${count(album.photos.length, "photo")} shown` };
}

function makeFace(face) {
  const picture = face.crop ? make("img", { src: face.crop, alt: "", decoding: "async" }) : make("span", { class: "soft" }, "no crop");
  return make("button", { type: "button", class: `face ${colourOf(face)}`, "data-item": true, "data-open": face.photo.number,
    "data-place": face.place, title: `${describe(face)}\n${face.photo.name}`, "aria-label": `${describe(face)}, ${face.photo.name}` },
    picture, make("span", { class: "number" }, face.corrected ? "\u270e" : percent(face.sure)));
}

function layFaces(album, state, place) {
  const size = measure(place), columns = size.fit(6.2 * size.rem);
  const groups = groupFaces(album, state), items = groups.flatMap((group) => group.faces);
  const height = size.share(columns) + 1.6 * size.rem + size.gap;
  const rows = groups.flatMap(({ kind, faces }) => [
    { items: [], height: 3.2 * size.rem, make: () => make("h3", {}, make("i", { class: kind }), WORDS[kind] ?? kind, make("span", { class: "number soft" }, faces.length.toLocaleString("en"))) },
    ...layInRows(faces, columns, height, makeFace),
  ]);
  return { rows, columns, items, words: `${items.length.toLocaleString("en")} of ${count(album.faces.length, "face")} shown` };
}

function makeBurstPhoto(burst, photo) {
  const place = burst.photos.indexOf(photo), kept = burst.kept.has(photo);
  const tag = photo === burst.best ? make("strong", {}, "suggested") : null;
  return make("article", { "data-photo": photo.number, class: kept ? "kept" : "copy", title: burst.reasons[place] },
    makePhoto(photo, photo.faces, { "data-item": true }),
    makeName(photo),
    make("p", { class: "why soft" }, tag, tag ? ": " : "", burst.reasons[place]),
    make("button", { type: "button", class: "keep", "aria-pressed": String(kept), "data-keep": photo.number }, "keep"));
}

function layBursts(album, state, place) {
  const size = measure(place), wide = Math.min(size.width, 15 * size.rem);
  const bursts = album.bursts.filter((burst) => burst.photos.some((photo) => matches(photo, state)));
  const items = bursts.flatMap((burst) => burst.photos);
  const height = 3 * size.rem + 0.75 * (wide - 1.4 * size.rem) + 8.6 * size.rem;
  const rows = bursts.map((burst) => ({ items: burst.photos, height, make: () => {
    const strip = make("div", { class: "strip" }, ...burst.photos.map((photo) => makeBurstPhoto(burst, photo)));
    strip.style.gridAutoColumns = `${wide}px`;
    return make("section", { class: "burst" }, make("h3", {}, count(burst.photos.length, "photo"), make("span", { class: "soft" }, ` ${burst.photos[0].name} to ${burst.photos.at(-1).name}`)), strip);
  } }));
  const words = album.bursts.length
    ? `${count(bursts.length, "burst")}: photos of one scene in a row, and which to keep. Nothing is deleted: save the list.`
    : "No bursts: no two neighbours by name look alike.";
  return { rows, columns: 1, items, words };
}

const LAYOUTS = { photos: layPhotos, faces: layFaces, bursts: layBursts };
