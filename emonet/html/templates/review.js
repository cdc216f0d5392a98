// The review: what is chosen, what keys and buttons do, and the three views (faces, copies, sequences).
const WIDTH = 108, GAP = 6, CAPTION = 22, STRIP = 120, FRAME = 60; // pixels
const KEYS = "12345678";

class Page {
  constructor(faces, decisions) {
    Object.assign(this, { faces, decisions, view: "faces", cell: null, lasso: null, position: 0, sequence: 0 });
    this.rows = new Rows($("#faces"));
    this.prepareControls();
    if ($("#matrix")) makeMatrix(faces, $("#matrix"), (label, answer) => this.chooseCell(label, answer));
    if (faces.map) {
      $("#map").hidden = false;
      this.map = new FaceMap(faces, $("canvas"), (inside) => this.filter({ lasso: inside }));
    }
    this.listen();
    this.arrange();
    this.showProgress();
  }

  prepareControls() {
    const { faces } = this;
    for (const [name, count] of [["copies", faces.copies.length], ["sequences", faces.sequences.length]]) {
      const button = $(`#views [value=${name}]`);
      button.hidden = !count;
      button.textContent += ` (${count.toLocaleString("en")})`;
    }
    $("#views").hidden = !faces.copies.length && !faces.sequences.length;
    for (const [name, names] of [["split", faces.splits.names], ["source", faces.sources.names]]) {
      $(`#${name}`).append(...names.map((value) => makeElement("option", { value, textContent: value })));
      $(`#${name}`).parentElement.hidden = names.length < 2;
    }
    if (faces.own) {
      const file = () => new Blob([formatCorrections(faces.earlier, this.decisions.current)], { type: "text/csv" });
      $("#download").addEventListener("click", () => { $("#download").href = URL.createObjectURL(file()); });
    }
  }

  listen() {
    for (const id of ["show", "sort", "split", "source"]) $(`#${id}`).addEventListener("change", () => this.filter({}));
    for (const button of document.querySelectorAll("[name=view]")) {
      button.addEventListener("click", () => this.open(button.value));
    }
    for (const button of document.querySelectorAll("[name=decide]")) {
      button.addEventListener("click", () => this.decide(button.value));
    }
    $("[name=undo]").addEventListener("click", () => this.undo());
    $("#panels").addEventListener("click", () => {
      $("#panels").setAttribute("aria-expanded", $("#top").classList.toggle("side"));
      this.map?.draw();
    });
    document.addEventListener("keydown", (event) => this.press(event));
    $("#faces").addEventListener("click", (event) => {
      const [tile, strip] = [event.target.closest(".tile"), event.target.closest(".strip")];
      if (tile) this.select(Number(tile.dataset.position));
      if (strip) this.select(Number(strip.dataset.sequence));
    });
    $("#faces").addEventListener("focusin", (event) => {
      const strip = event.target.closest(".strip");
      if (strip && Number(strip.dataset.sequence) !== this.sequence) this.select(Number(strip.dataset.sequence));
    });
    let width = 0;
    new ResizeObserver(([entry]) => {
      if (Math.abs(entry.contentRect.width - width) >= 1) this.lay();
      else this.rows.update();
      width = entry.contentRect.width;
    }).observe($("#faces"));
  }

  // ---- which faces are shown

  filter(changes) {
    Object.assign(this, changes, { position: 0 });
    this.arrange();
  }

  chooseCell(label, answer) {
    const same = this.cell && this.cell[0] === label && this.cell[1] === answer;
    if (this.view !== "faces") this.open("faces");
    this.filter({ cell: same ? null : [label, answer] });
  }

  open(view) {
    this.view = view;
    for (const button of document.querySelectorAll("[name=view]")) button.setAttribute("aria-pressed", button.value === view);
    this.filter({});
    $("#faces").focus();
  }

  fits(face) {
    const { faces, cell, lasso } = this, show = $("#show").value;
    if (cell && (faces.labels[face] !== cell[0] || faces.answers[face] !== cell[1])) return false;
    if (lasso && !lasso[face]) return false;
    const [split, source] = [$("#split").value, $("#source").value];
    if (split && faces.splits.names[faces.split[face]] !== split) return false;
    if (source && faces.sources.names[faces.source[face]] !== source) return false;
    if (show === "doubtful") return Boolean(faces.doubtful[face]);
    return show === "all" || (show === "decided") === (this.decisions.get(faces.keys[face]) !== NOTHING);
  }

  sorted() {
    const { faces } = this, sort = $("#sort").value;
    if (sort === "doubt") return Array.from(faces.order);
    const all = Array.from({ length: faces.count }, (_, face) => face);
    const order = sort === "confidence" ? faces.confidence : faces.keys;
    if (sort === "key" && !faces.own) return all;
    return all.sort((one, other) => (order[one] < order[other] ? -1 : order[one] > order[other] ? 1 : 0));
  }

  arrange() {
    this.groups = this.view === "copies" ? this.faces.copies : [this.sorted().filter((face) => this.fits(face))];
    markMatrix($("#matrix") ?? document, this.cell);
    this.showFilters();
    this.lay();
    this.map?.draw(this.cell || this.lasso || $("#show").value !== "all" ? this.list : null);
  }

  showFilters() {
    const { emotions } = this.faces, chips = [];
    if (this.cell) chips.push([`${emotions[this.cell[0]]} answered ${emotions[this.cell[1]]}`, { cell: null }]);
    if (this.lasso) chips.push(["drawn around", { lasso: null }]);
    $("#filters").replaceChildren(...chips.map(([words, change]) => {
      const chip = makeElement("button", { type: "button", textContent: `${words} \u00d7`, title: "show all again" });
      chip.addEventListener("click", () => this.filter(change));
      return chip;
    }));
  }

  // ---- rows

  lay() {
    const width = $("#faces").clientWidth - 16;
    if (width <= 0) return;
    this.columns = Math.max(2, Math.floor((width + GAP) / (WIDTH + GAP)));
    this.tile = Math.floor((width + GAP) / this.columns) - GAP;
    $("#faces").style.setProperty("--tile", `${this.tile}px`);
    $("#faces").style.setProperty("--gap", `${GAP}px`);
    Object.assign(this, arrangeRows(this.groups, this.columns));
    this.sprites = makeSprites(this.faces, this.list);
    if (this.view === "sequences") this.rows.reset(this.stripRows());
    else this.rows.reset(this.tileRows());
    this.select(this.view === "sequences" ? this.sequence : Math.min(this.position, Math.max(0, this.list.length - 1)));
    this.showProgress();
  }

  tileRows() {
    const make = () => makeElement("div", { className: "row", role: "presentation" });
    return { count: this.starts.length - 1, height: this.tile + CAPTION + GAP, make, draw: (row, number) => this.drawTiles(row, number) };
  }

  drawTiles(row, number) {
    const [start, end] = [this.starts[number], this.starts[number + 1]];
    row.classList.toggle("group", this.firsts.has(number));
    while (row.childElementCount < end - start) {
      const tile = makeElement("div", { className: "tile" }, makeElement("i"), makeElement("span"));
      tile.setAttribute("role", "option");
      row.append(tile);
    }
    [...row.children].forEach((tile, place) => {
      tile.hidden = place >= end - start;
      if (!tile.hidden) this.drawTile(tile, start + place);
    });
  }

  drawTile(tile, position) {
    const { faces } = this, face = this.list[position], decided = this.decisions.get(faces.keys[face]);
    const label = faces.emotions[faces.labels[face]];
    const rather = faces.answers[face] !== NONE && faces.answers[face] !== faces.labels[face];
    const words = rather ? `${label} \u203a ${faces.emotions[faces.answers[face]]}` : label;
    const shown = { [NOTHING]: words, [KEEP]: `\u2713 ${label}`, [DROP]: "dropped" }[decided] ?? `\u2192 ${decided}`;
    if (tile.dataset.face !== String(face) || tile.dataset.list !== String(this.list.length)) {
      showSprite(tile.firstElementChild, this.sprites(position), faces.columns);
    }
    Object.assign(tile.dataset, { face, position, list: this.list.length });
    Object.assign(tile, { id: `tile${position}`, title: faces.keys[face] });
    const selected = position === this.position;
    tile.setAttribute("aria-selected", selected);
    tile.setAttribute("aria-label", `${faces.keys[face]}: ${shown}`);
    tile.classList.toggle("selected", selected);
    tile.classList.toggle("decided", decided !== NOTHING);
    tile.classList.toggle("dropped", decided === DROP);
    tile.lastElementChild.textContent = shown;
    tile.lastElementChild.className = [NOTHING, KEEP].includes(decided) ? label : decided;
  }

  // ---- sequences

  stripRows() {
    const make = () => makeElement("div", { className: "row strip" });
    return { count: this.faces.sequences.length, height: STRIP, make, draw: (row, number) => this.drawStrip(row, number) };
  }

  // The last frame that is in the data set: there the expression is strongest.
  apexOf(sequence) {
    return sequence?.frames.findLast(([, face]) => face >= 0)[1];
  }

  onsetOf(sequence) {
    return Number(this.decisions.get(sequence.key, "onset").slice("onset=".length)) || sequence.onset;
  }

  drawStrip(row, number) {
    const sequence = this.faces.sequences[number], onset = this.onsetOf(sequence);
    const kept = sequence.frames.filter(([frame]) => frame >= onset).length;
    const label = this.faces.emotions[this.faces.labels[this.apexOf(sequence)]];
    const decided = this.decisions.get(sequence.key), cut = this.decisions.get(sequence.key, "onset") ? ", moved" : "";
    const words = decided === NOTHING ? label : `${label} \u2192 ${decided}`;
    const title = `${sequence.key}: ${words}; ${kept} of ${sequence.frames.length} frames, from ${onset} on${cut}`;
    row.id = `strip${number}`;
    row.classList.toggle("selected", number === this.sequence);
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", number === this.sequence);
    if (row.dataset.sequence !== String(number)) this.fillStrip(row, number, sequence);
    row.firstElementChild.textContent = title;
    const frames = [...row.querySelectorAll(".frame")];
    frames.forEach((frame, place) => frame.classList.toggle("before", sequence.frames[place][0] < onset));
    const handle = row.querySelector(".handle"), place = sequence.frames.findIndex(([frame]) => frame >= onset);
    handle.style.left = `${FRAME * place}px`;
    handle.setAttribute("aria-valuenow", onset);
  }

  fillStrip(row, number, sequence) {
    const faces = sequence.frames.map(([, face]) => face).filter((face) => face >= 0);
    const sprites = makeSprites(this.faces, faces);
    const frames = sequence.frames.map(([frame, face, activation], place) => {
      const crop = makeElement("i"), bar = makeElement("b");
      if (face >= 0) showSprite(crop, sprites(faces.indexOf(face)), this.faces.columns);
      else if (!this.faces.own) crop.style.backgroundImage = `url("frame.jpg?sequence=${number}&place=${place}")`;
      bar.style.transform = `scaleX(${Math.max(0, Math.min(1, activation ?? 0))})`;
      const title = activation === null ? `frame ${frame}` : `frame ${frame}, activation ${activation.toFixed(2)}`;
      return makeElement("div", { className: "frame", title }, crop, bar, String(frame));
    });
    const handle = makeElement("button", { type: "button", className: "handle", title: "the first frame that is kept" });
    handle.setAttribute("role", "slider");
    handle.setAttribute("aria-label", `onset of ${sequence.key}`);
    handle.setAttribute("aria-valuemin", sequence.frames[0][0]);
    handle.setAttribute("aria-valuemax", sequence.frames.at(-1)[0]);
    handle.addEventListener("pointerdown", (event) => this.drag(event, row, number));
    const strip = makeElement("div", { className: "frames" }, ...frames, handle);
    row.replaceChildren(makeElement("p"), strip);
    row.dataset.sequence = number;
    row.scrollLeft = 0;
  }

  drag(event, row, number) {
    event.preventDefault();
    const sequence = this.faces.sequences[number], handle = event.target, left = row.querySelector(".frames");
    this.select(number);
    handle.setPointerCapture(event.pointerId);
    const placeAt = (x) => Math.round((x - left.getBoundingClientRect().left) / FRAME);
    const clamp = (place) => Math.max(0, Math.min(sequence.frames.length - 1, place));
    const move = (next) => {
      handle.style.left = `${FRAME * clamp(placeAt(next.clientX))}px`;
      [...row.querySelectorAll(".frame")].forEach((frame, place) => frame.classList.toggle("before", place < clamp(placeAt(next.clientX))));
    };
    const end = (next) => {
      handle.removeEventListener("pointermove", move);
      this.setOnset(number, clamp(placeAt(next.clientX)));
    };
    handle.addEventListener("pointermove", move);
    handle.addEventListener("pointerup", end, { once: true });
  }

  // Keep a sequence from the frame at a place on; where the build cut it, nothing needs to be corrected.
  setOnset(number, place) {
    const sequence = this.faces.sequences[number], frame = sequence.frames[place][0];
    this.decisions.decide(sequence.key, "onset", frame === sequence.onset ? NOTHING : `onset=${frame}`);
    this.rows.redraw();
  }

  moveOnset(step) {
    const { frames } = this.faces.sequences[this.sequence], onset = this.onsetOf(this.faces.sequences[this.sequence]);
    const place = frames.findIndex(([frame]) => frame >= onset) + step;
    this.setOnset(this.sequence, Math.max(0, Math.min(frames.length - 1, place)));
  }

  // ---- the selected face, and what is decided about it

  get key() {
    return this.view === "sequences" ? this.faces.sequences[this.sequence]?.key : this.faces.keys[this.list[this.position]];
  }

  get face() {
    if (this.view !== "sequences") return this.list[this.position];
    return this.apexOf(this.faces.sequences[this.sequence]);
  }

  select(position) {
    if (this.view === "sequences") {
      const focused = document.activeElement?.closest(".strip"); // before rows are moved, which may take the focus away
      this.sequence = Math.max(0, Math.min(this.faces.sequences.length - 1, position));
      this.rows.reveal(this.sequence);
      if (focused) this.rows.shown.get(this.sequence)?.querySelector(".handle").focus({ preventScroll: true });
    } else {
      this.position = Math.max(0, Math.min(this.list.length - 1, position));
      if (this.list.length) this.rows.reveal(this.rowOf(this.position));
    }
    this.rows.redraw();
    const active = this.view === "sequences" ? `strip${this.sequence}` : `tile${this.position}`;
    $("#faces").setAttribute("aria-activedescendant", active);
    this.showFace();
  }

  showFace() {
    const { faces, face, key } = this, known = face !== undefined && face >= 0, crop = $("#crop");
    $("#key").textContent = key ?? "no face is shown";
    $("#facts").textContent = known ? describeFace(faces, face) : "";
    if (!known) crop.style.background = "";
    else if (faces.own) showSprite(crop, makeSprites(faces, this.view === "sequences" ? [face] : this.list)(this.view === "sequences" ? 0 : this.position), faces.columns);
    else crop.style.background = `url("crop.png?face=${face}") center / cover`;
    const decided = key === undefined ? NOTHING : this.decisions.get(key);
    const label = known && [NOTHING, KEEP].includes(decided) ? faces.emotions[faces.labels[face]] : decided;
    for (const button of document.querySelectorAll("[name=decide]")) {
      button.setAttribute("aria-pressed", button.value === label || (decided === KEEP && button.value === KEEP));
      const share = known ? faces.probability(face, faces.emotions.indexOf(button.value)) : 0;
      const bar = button.querySelector("i");
      if (bar) bar.style.width = percent(share ?? 0).replace(" ", "");
    }
  }

  decide(value) {
    const { key } = this;
    if (key === undefined) return;
    const same = value === this.faces.emotions[this.faces.labels[this.face]];
    if (value !== KEEP || this.decisions.get(key) === NOTHING) this.decisions.decide(key, "label", same ? KEEP : value);
    this.select((this.view === "sequences" ? this.sequence : this.position) + 1);
  }

  // Undo, and go back to the face that it was about, if it is shown.
  undo() {
    const last = this.decisions.undo();
    if (!last) return this.say("there is nothing to undo");
    const sequence = this.faces.sequences.findIndex((one) => one.key === last.key);
    if (this.view === "sequences") return this.select(sequence >= 0 ? sequence : this.sequence);
    const position = this.list.findIndex((face) => this.faces.keys[face] === last.key);
    return this.select(position >= 0 ? position : this.position);
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, input")) return;
    const button = event.target.closest("button, a, summary"), { key } = event;
    const step = this.stepOf(key);
    const place = this.view === "sequences" ? this.sequence : this.position;
    if (KEYS.includes(key) && key.length === 1) this.decide(this.faces.emotions[Number(key) - 1]);
    else if (key.toLowerCase() === "x") this.decide(DROP);
    else if (key.toLowerCase() === "u") this.undo();
    else if ((key === "Enter" || key === " ") && !button) this.decide(KEEP);
    else if (this.view === "sequences" && (key === "ArrowLeft" || key === "ArrowRight")) this.moveOnset(key === "ArrowLeft" ? -1 : 1);
    else if (step) this.select(place + step);
    else return;
    event.preventDefault();
  }

  stepOf(key) {
    const columns = this.view === "sequences" ? 1 : this.columns;
    const page = columns * Math.max(1, Math.floor($("#faces").clientHeight / this.rows.height));
    const all = this.faces.count;
    return { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -page, PageDown: page, Home: -all, End: all }[key];
  }

  // ---- what the page says

  showProgress() {
    const count = { decided: 0, relabelled: 0, dropped: 0, kept: 0, moved: 0 };
    const frames = new Set(this.faces.keys);
    for (const [place, value] of this.decisions.current) {
      const key = place.slice(place.indexOf(" ") + 1);
      if (place.startsWith("onset ")) count.moved += 1;
      else {
        if (frames.has(key)) count.decided += 1;
        count[{ [DROP]: "dropped", [KEEP]: "kept" }[value] ?? "relabelled"] += 1;
      }
    }
    const number = (value) => value.toLocaleString("en");
    const parts = ["relabelled", "dropped", "kept"].map((name) => `${number(count[name])} ${name}`);
    if (count.moved) parts.push(`${number(count.moved)} ${count.moved === 1 ? "onset" : "onsets"} moved`);
    const shown = this.view === "faces" ? `; ${number(this.list?.length ?? 0)} shown` : "";
    const saving = this.decisions.saving ? " \u2026 saving" : "";
    $("[role=status]").textContent = `${number(count.decided)} of ${number(this.faces.count)} decided: ${parts.join(", ")}${shown}${saving}`;
    Object.assign($("progress"), { max: this.faces.count, value: count.decided });
  }

  update() {
    this.rows.redraw();
    this.showFace();
    this.showProgress();
  }

  say(words) {
    const alert = $("[role=alert]");
    Object.assign(alert, { textContent: words, hidden: false });
    clearTimeout(this.silence);
    this.silence = setTimeout(() => { alert.hidden = true; }, 8000);
  }
}

async function start() {
  const embedded = $("#data");
  const data = embedded ? JSON.parse(embedded.textContent) : await (await fetch("data.json")).json();
  embedded?.remove();
  const saver = embedded ? browserSaver(data.store) : serverSaver;
  let page;
  const decisions = new Decisions(saver, embedded ? saver.read() : data.decisions, () => page?.update(), (words) => page?.say(words));
  page = new Page(readFaces(data, Boolean(embedded)), decisions);
  if (!saver.lasts) page.say("decisions are kept only while this page is open: download them before you close it");
  $("#faces").focus({ preventScroll: true });
  setInterval(() => { if (!document.hidden) decisions.poll().catch(() => page.say("the server does not answer")); }, POLL);
}

start().catch((error) => {
  Object.assign($("[role=alert]"), { textContent: `the page cannot be shown: ${error.message}`, hidden: false });
  throw error;
});
