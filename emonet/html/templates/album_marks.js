// Elements, and the marks on photos. A number stands beside its face and covers no other; where there is no room for
// it, the face has none, and the row of the face shows which it is.
const SVG = "http://www.w3.org/2000/svg";
const FIELD = 17, LETTER = 7, LETTERS = 12; // pixels on the screen: a number's height, the width of a digit, its size

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  setAll(element, attributes);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function makeSvg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  setAll(element, attributes);
  element.append(...children);
  return element;
}

function setAll(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
}

function rectangle([x, y, width, height], kind, more = {}) {
  return makeSvg("rect", { x, y, width, height, class: kind, ...more });
}

const overlap = (one, other) => one[0] < other[0] + other[2] && other[0] < one[0] + one[2] && one[1] < other[1] + other[3] && other[1] < one[1] + one[3];

// Where the field of a number lies: outside of its frame, in the photo, and over no face and no other number.
function placeNumber([x, y, width, height], [wide, high], [photoWidth, photoHeight], taken) {
  const right = x + width, bottom = y + height;
  const places = [
    [x, y - high], [right - wide, y - high], [x, bottom], [right - wide, bottom],
    [x - wide, y], [right, y], [x - wide, bottom - high], [right, bottom - high],
  ];
  const inside = ([left, top]) => left >= 0 && top >= 0 && left + wide <= photoWidth && top + high <= photoHeight;
  return places.filter(inside).map(([left, top]) => [left, top, wide, high]).find((field) => !taken.some((other) => overlap(field, other)));
}

// The marks of a photo that is `side` pixels long on the screen. `chosen` are the faces that were asked for: all others
// are pale.
function drawMarks(photo, side, chosen) {
  const pixel = Math.max(...photo.size) / side;
  const marks = makeSvg("svg", { viewBox: `0 0 ${photo.size.join(" ")}`, "aria-hidden": "true" });
  for (const box of photo.out ?? []) marks.append(rectangle(box, "left-out"));
  const seen = photo.faces.filter((face) => face.corrected !== DROP);
  const taken = seen.map((face) => face.box);
  for (const face of seen) {
    const high = FIELD * pixel, wide = high + LETTER * pixel * (String(face.place + 1).length - 1);
    const field = placeNumber(face.box, [wide, high], photo.size, taken);
    const parts = [rectangle(face.box, "rim"), rectangle(face.box, `frame ${colourOf(face)}`)];
    if (field) {
      taken.push(field);
      parts.push(rectangle(field, `field ${colourOf(face)}`));
      const middle = { x: field[0] + wide / 2, y: field[1] + high / 2, "font-size": LETTERS * pixel };
      parts.push(makeSvg("text", middle, String(face.place + 1)));
    }
    const pale = chosen.includes(face) ? "" : " pale";
    marks.append(makeSvg("g", { class: `mark${pale}`, "data-face": face.place }, ...parts));
  }
  return marks;
}

function makeBar(share, kind) {
  const fill = make("i", { class: kind });
  fill.style.width = `${(100 * share).toFixed(2)}%`;
  return make("span", { class: "track" }, fill);
}

// The row of a face: its number, what it expresses, and how sure that is.
function makeAnswer(face, tag = "li", more = {}) {
  const kind = kindOf(face);
  const sure = face.corrected ? "\u270e" : percent(face.sure);
  return make(tag, { class: "answer", "data-face": face.place, title: describe(face), ...more },
    make("b", { class: colourOf(face) }, String(face.place + 1)),
    make("span", {}, WORDS[kind] ?? kind),
    makeBar(face.corrected ? 1 : face.sure, colourOf(face)),
    make("span", { class: "number" }, sure));
}

// Under the mouse, a face and its row show which belongs to which.
function lightUp(event) {
  const part = event.target.closest?.("[data-face]");
  for (const lit of document.querySelectorAll(".lit")) lit.classList.remove("lit");
  const scope = part?.closest("[data-photo]");
  if (!scope) return;
  for (const one of scope.querySelectorAll(`[data-face="${part.dataset.face}"]`)) one.classList.add("lit");
}
