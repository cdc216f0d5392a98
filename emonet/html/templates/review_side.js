// What stands beside the grid: the selected face, the confusion matrix, and the map.
const $ = (selector) => document.querySelector(selector);
const percent = (share) => `${Math.round(100 * share)} %`;

function makeElement(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// Words about a face: what is known of it, and what the model and the people of FER+ say.
function describeFace(faces, face) {
  const lines = [`labelled ${faces.emotions[faces.labels[face]]}`];
  if (faces.answers[face] !== NONE) {
    const answer = faces.answers[face];
    lines.push(`${faces.opinion}: ${faces.emotions[answer]} ${percent(faces.probability(face, answer))}`);
    lines.push(`its label: ${percent(faces.confidence[face] / (WORD - 1))}${faces.doubtful[face] ? ", doubtful" : ""}`);
  }
  lines.push([faces.splits.names[faces.split[face]], faces.subjects[face]].filter(Boolean).join(", "));
  if (faces.votes) {
    const many = faces.votes.names.length;
    const votes = faces.votes.names.map((name, place) => [name, faces.votes.counts[face * many + place]]);
    const some = votes.filter(([, count]) => count).sort((one, other) => other[1] - one[1]);
    if (some.length) lines.push(`votes: ${some.map(([name, count]) => `${name.replaceAll("_", " ")} ${count}`).join(", ")}`);
  }
  return lines.join("\n");
}

// The matrix of labels and answers; `choose(label, answer)` is called for the cell that is pressed.
function makeMatrix(faces, table, choose) {
  const counts = new Map();
  for (let face = 0; face < faces.count; face++) {
    if (faces.answers[face] === NONE) continue;
    const cell = `${faces.labels[face]} ${faces.answers[face]}`;
    counts.set(cell, (counts.get(cell) ?? 0) + 1);
  }
  const name = (emotion) => faces.emotions[emotion];
  const head = (emotion) => makeElement("th", { scope: "col", title: name(emotion), textContent: name(emotion).slice(0, 4) });
  table.append(makeElement("tr", {}, makeElement("th"), ...faces.classes.map(head)));
  for (const label of faces.classes) {
    const total = faces.classes.reduce((sum, answer) => sum + (counts.get(`${label} ${answer}`) ?? 0), 0);
    const cells = faces.classes.map((answer) => {
      const count = counts.get(`${label} ${answer}`) ?? 0;
      const words = `${count} labelled ${name(label)}, answered ${name(answer)}`;
      const button = makeElement("button", { type: "button", textContent: count, title: words, disabled: !count });
      button.setAttribute("aria-label", words);
      button.className = label === answer ? "right" : "";
      button.dataset.cell = `${label} ${answer}`;
      button.style.setProperty("--share", total ? Math.sqrt(count / total) : 0);
      button.addEventListener("click", () => choose(label, answer));
      return makeElement("td", {}, button);
    });
    table.append(makeElement("tr", {}, makeElement("th", { scope: "row", title: name(label), textContent: name(label) }), ...cells));
  }
}

function markMatrix(table, cell) {
  for (const button of table.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", Boolean(cell) && button.dataset.cell === cell.join(" "));
  }
}

// The map: a dot for each face in the colour of its label. A line drawn around dots chooses them.
class FaceMap {
  constructor(faces, canvas, choose) {
    Object.assign(this, { faces, canvas, choose, line: [], shown: null });
    this.colours = faces.emotions.map((emotion) => {
      const probe = document.body.appendChild(makeElement("i", { className: emotion }));
      const colour = getComputedStyle(probe).getPropertyValue("--expression");
      probe.remove();
      return colour;
    });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.line = [this.at(event)];
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!canvas.hasPointerCapture(event.pointerId)) return;
      this.line.push(this.at(event));
      this.drawLine();
    });
    canvas.addEventListener("pointerup", () => this.close());
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  place(face) {
    return [0.02 + 0.96 * (this.faces.map[2 * face] / WORD), 0.02 + 0.96 * (this.faces.map[2 * face + 1] / WORD)];
  }

  // Draw all dots, those of `shown` over the others, which are pale.
  draw(shown = this.shown) {
    this.shown = shown;
    const side = Math.round(this.canvas.clientWidth * devicePixelRatio);
    if (!side) return;
    this.canvas.width = this.canvas.height = side;
    const brush = this.canvas.getContext("2d", { willReadFrequently: true }), dot = Math.max(1.5, side / 260);
    const paint = (face) => {
      const [x, y] = this.place(face);
      brush.fillStyle = this.colours[this.faces.labels[face]];
      brush.fillRect(x * side - dot / 2, y * side - dot / 2, dot, dot);
    };
    brush.globalAlpha = shown ? 0.12 : 0.6;
    for (let face = 0; face < this.faces.count; face++) paint(face);
    brush.globalAlpha = 0.85;
    for (const face of shown ?? []) paint(face);
    this.still = brush.getImageData(0, 0, side, side);
  }

  drawLine() {
    const brush = this.canvas.getContext("2d"), side = this.canvas.width;
    brush.putImageData(this.still, 0, 0);
    brush.globalAlpha = 1;
    brush.strokeStyle = getComputedStyle(this.canvas).color;
    brush.lineWidth = 2 * devicePixelRatio;
    brush.beginPath();
    for (const [x, y] of this.line) brush.lineTo(x * side, y * side);
    brush.stroke();
  }

  // Choose the faces inside the line; a line of a few dots is a click, which chooses all again.
  close() {
    const line = this.line;
    this.line = [];
    if (line.length < 4) return this.choose(null);
    const inside = new Uint8Array(this.faces.count);
    for (let face = 0; face < this.faces.count; face++) inside[face] = isInside(this.place(face), line) ? 1 : 0;
    this.choose(inside.includes(1) ? inside : null);
  }
}

function isInside([x, y], line) {
  let inside = false;
  for (let one = 0, other = line.length - 1; one < line.length; other = one++) {
    const [x1, y1] = line[one], [x2, y2] = line[other];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) inside = !inside;
  }
  return inside;
}
