// Corrections of faces, and the list of what to keep of bursts. Both are kept in this browser until they are saved as a
// file, because a page from the disk cannot write one by itself.
class Notes {
  constructor(album, whenChanged) {
    this.album = album;
    this.whenChanged = whenChanged;
    this.place = `emonet ${location.pathname}`;
    this.wouldBeLost = false; // if the page is closed now
    this.unsaved = { corrections: false, bursts: false };
    this.others = { corrections: [], bursts: [] }; // of faces and bursts that this page does not show
    for (const burst of album.bursts) burst.kept = new Set([burst.best]);
    this.read();
  }

  // Take over what an earlier visit left. What is of faces that are not there now is kept: another run may show them.
  read() {
    let stored = {};
    try {
      stored = JSON.parse(localStorage.getItem(this.place) ?? "{}");
    } catch {
      return; // the browser keeps nothing for this page
    }
    const photos = new Map(this.album.photos.map((photo) => [photo.path, photo]));
    for (const correction of stored.corrections ?? []) {
      const { path, box, label } = correction;
      const face = photos.get(path)?.faces.find((one) => String(one.box) === String(box));
      if (face) [face.corrected, this.unsaved.corrections] = [label, true];
      else this.others.corrections.push(correction);
    }
    const bursts = new Map(this.album.bursts.map((burst) => [burst.photos[0].path, burst]));
    for (const choice of stored.bursts ?? []) {
      const burst = bursts.get(choice.first);
      if (!burst) {
        this.others.bursts.push(choice);
        continue;
      }
      burst.kept = new Set(burst.photos.filter((photo) => choice.kept.includes(photo.path)));
      this.unsaved.bursts = true;
    }
  }

  store() {
    const corrections = this.corrected().map((face) => ({ path: face.photo.path, box: face.box, label: face.corrected }));
    const changed = this.album.bursts.filter((burst) => burst.kept.size !== 1 || !burst.kept.has(burst.best));
    const bursts = changed.map((burst) => ({ first: burst.photos[0].path, kept: [...burst.kept].map((photo) => photo.path) }));
    try {
      const { others } = this;
      localStorage.setItem(this.place, JSON.stringify({
        corrections: [...corrections, ...others.corrections], bursts: [...bursts, ...others.bursts],
      }));
      this.wouldBeLost = false;
    } catch { // it is kept only as long as the page is open
      this.wouldBeLost = this.unsaved.corrections;
    }
  }

  corrected() {
    return this.album.faces.filter((face) => face.corrected);
  }

  // Correct a face, or with an empty label take the correction back.
  correct(face, label) {
    face.corrected = label === face.emotion && !face.unsure ? "" : label;
    this.unsaved.corrections = this.corrected().length > 0;
    this.store();
    this.whenChanged();
  }

  keep(burst, photo) {
    if (!burst.kept.delete(photo)) burst.kept.add(photo);
    this.unsaved.bursts = true;
    this.store();
    this.whenChanged();
  }

  // The rows that `emonet predict --labels` reads: the first of a photo is its largest face, which answers for it.
  saveCorrections() {
    const faces = this.corrected().sort((one, other) => one.photo.number - other.photo.number || area(other) - area(one));
    const rows = faces.map((face) => {
      const [x, y, width, height] = face.box;
      return [face.photo.path, face.corrected, x, y, x + width, y + height, face.unsure ? UNSURE : face.emotion, face.sure];
    });
    saveTable("corrections.csv", ["path", "label", "x1", "y1", "x2", "y2", "answer", "confidence"], rows);
    this.unsaved.corrections = this.wouldBeLost = false;
    this.whenChanged();
  }

  saveBursts() {
    const rows = this.album.bursts.flatMap((burst, number) => burst.photos.map((photo, place) =>
      [number + 1, photo.path, burst.kept.has(photo) ? "keep" : "near copy", photo === burst.best ? "yes" : "no", burst.reasons[place]]));
    saveTable("bursts.csv", ["burst", "path", "choice", "suggested", "reason"], rows);
    this.unsaved.bursts = false;
    this.whenChanged();
  }

  discard() {
    for (const face of this.corrected()) face.corrected = "";
    this.others.corrections = [];
    this.unsaved.corrections = false;
    this.store();
    this.whenChanged();
  }
}

const area = (face) => face.box[2] * face.box[3];

// What a spreadsheet would take for a formula gets an apostrophe before it; what reads the table takes it off.
function saveTable(name, header, rows) {
  const defuse = (text) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
  const cell = (value) => {
    const text = typeof value === "number" ? String(Math.round(value * 1000) / 1000) : defuse(String(value));
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const text = [header, ...rows].map((row) => `${row.map(cell).join(",")}\n`).join("");
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// The menu that corrects a face, by the mouse or by the numbers.
class Relabel {
  constructor(album, notes) {
    this.dialog = document.querySelector(".relabel");
    this.album = album;
    this.notes = notes;
    this.dialog.addEventListener("keydown", (event) => this.press(event));
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
  }

  open(face) {
    this.face = face;
    const choice = (key, label, words) => {
      const button = make("button", { type: "button", "aria-pressed": String((face.corrected ?? "") === label) },
        make("kbd", {}, key), label && label !== DROP ? make("i", { class: label }) : null, words);
      button.addEventListener("click", () => this.choose(label));
      return button;
    };
    this.dialog.replaceChildren(
      make("p", {}, `Answer: ${face.unsure ? `unsure, ${face.unsure}` : `${face.emotion} ${percent(face.sure)}`}. What does this face express?`),
      ...this.album.labels.map((label, place) => choice(String(place + 1), label, label)),
      choice("0", DROP, "not a face"),
      choice("u", "", "as it was answered"));
    this.dialog.showModal();
  }

  press(event) {
    const label = event.key === "0" ? DROP : event.key === "u" ? "" : this.album.labels[Number(event.key) - 1];
    event.stopPropagation();
    if (label !== undefined && !event.ctrlKey && !event.metaKey && !event.altKey) this.choose(label);
  }

  choose(label) {
    this.dialog.close();
    this.notes.correct(this.face, label);
  }
}
