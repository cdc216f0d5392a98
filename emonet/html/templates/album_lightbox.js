// A photo as large as the window: the original if the browser can show it, or a larger copy, or the thumbnail.
const SHOWN_BY_BROWSERS = /\.(jpe?g|jfif|png|webp|gif|avif|bmp)$/i;

// The address of the original; every part is written so that # or ? in a name are no parts of the address.
const originalOf = (album, photo) => album.originals && album.originals + photo.path.split("/").map(encodeURIComponent).join("/");

class Lightbox {
  constructor(album, { whenMoved, whenClosed, relabel }) {
    Object.assign(this, { album, whenMoved, whenClosed, relabel, photos: [], face: null });
    this.dialog = document.querySelector(".lightbox");
    this.dialog.addEventListener("keydown", (event) => this.press(event));
    this.dialog.addEventListener("close", () => this.whenClosed(this.photo));
    this.dialog.addEventListener("click", (event) => this.click(event));
  }

  get isOpen() {
    return this.dialog.open;
  }

  // Show one of the photos that are shown in the album now; `place` is the face that is chosen.
  open(photos, photo, chosen, place = null) {
    Object.assign(this, { photos, photo, chosen, face: place === null ? null : photo.faces[place] });
    if (!this.isOpen) this.dialog.showModal(); // before it is drawn, which puts the focus where it belongs
    this.draw();
  }

  draw() {
    const { photo } = this;
    const place = this.photos.indexOf(photo);
    const step = (by, sign, words) => make("button", { type: "button", class: "step", "data-step": by, "aria-label": words, title: words, disabled: !this.photos[place + by] }, sign);
    const original = photo.isGone ? "" : originalOf(this.album, photo);
    this.dialog.dataset.photo = photo.number;
    this.dialog.replaceChildren(
      make("div", { class: "stage" }, this.makeImage(photo, original), step(-1, "\u2039", "The photo before"), step(1, "\u203a", "The photo after")),
      make("div", { class: "facts" },
        make("div", { class: "head" },
          make("span", { class: "soft" }, place < 0 ? "" : `${(place + 1).toLocaleString("en")} of ${this.photos.length.toLocaleString("en")}`),
          make("button", { type: "button", class: "close", "aria-label": "Close" }, "\u00d7")),
        make("p", { class: "name" }, make("code", {}, photo.name)),
        original ? make("p", {}, make("a", { href: original, target: "_blank", rel: "noopener", class: "original" }, "Open the original")) : null,
        make("div", { class: "answers" }, ...photo.faces.map((face) => this.makeFace(face))),
        ...(photo.reasons ?? []).map((reason) => make("p", { class: "why soft" }, reason))));
    const opened = this.face && this.dialog.querySelector(`.answers [data-face="${this.face.place}"]`);
    if (opened) opened.scrollIntoView({ block: "nearest" });
    (opened ?? this.dialog.querySelector(".close")).focus({ preventScroll: true });
  }

  // The thumbnail is there at once; what is larger comes in its place when it is loaded.
  makeImage(photo, original) {
    if (!photo.thumbnail) return make("p", { class: "soft" }, "This file cannot be read.");
    const image = make("img", { src: photo.thumbnail, alt: photo.name });
    const larger = [SHOWN_BY_BROWSERS.test(photo.path) && original, photo.preview].filter(Boolean);
    const load = ([first, ...others]) => {
      if (!first) return;
      const loaded = new Image();
      loaded.onload = () => { image.src = first; };
      loaded.onerror = () => {
        if (first === original) this.removeLink(photo);
        load(others);
      };
      loaded.src = first;
    };
    load(larger);
    return make("div", { class: "photo" }, image, drawMarks(photo, Math.min(1000, innerWidth), this.chosen(photo)));
  }

  // The original cannot be opened: it lies elsewhere, or outside of what an app may show.
  removeLink(photo) {
    photo.isGone = true;
    if (this.photo === photo) this.dialog.querySelector(".original")?.parentElement.remove();
  }

  makeFace(face) {
    const chosen = face === this.face;
    const shares = face.shares.filter(([, share]) => share >= 0.05), rare = face.shares.filter(([, share]) => share < 0.05);
    const isOpen = chosen || face.photo.faces.length <= LINES;
    const row = make("div", { class: "one" }, makeAnswer(face, "button", { type: "button", "aria-pressed": String(chosen) }));
    if (!isOpen) return row;
    if (face.corrected || face.unsure) row.append(make("p", { class: "why soft" }, describe(face)));
    for (const [emotion, share] of shares.slice(face.unsure || face.corrected ? 0 : 1)) {
      row.append(make("div", { class: "share" }, make("span", {}, emotion), makeBar(share, emotion), make("span", { class: "number" }, percent(share))));
    }
    if (rare.length) row.append(make("p", { class: "soft" }, rare.map(([emotion, share]) => `${emotion}\u00a0${percent(share).replace(" ", "\u00a0")}`).join(", ")));
    const change = make("button", { type: "button", class: "change", "data-change": face.place }, make("kbd", {}, "r"), "correct");
    row.append(change);
    return row;
  }

  move(by) {
    const photo = this.photos[this.photos.indexOf(this.photo) + by];
    if (!photo || !this.photos.includes(this.photo)) return;
    Object.assign(this, { photo, face: null });
    this.draw();
    this.whenMoved(photo);
  }

  choose(by) {
    const { faces } = this.photo;
    if (!faces.length) return;
    const place = this.face ? this.face.place + by : by > 0 ? 0 : faces.length - 1;
    this.face = faces[(place + faces.length) % faces.length];
    this.draw();
    this.light();
  }

  // Mark the chosen face in the photo as the mouse would.
  light() {
    for (const one of this.dialog.querySelectorAll(`[data-face="${this.face?.place}"]`)) one.classList.add("lit");
  }

  click(event) {
    const on = (selector) => event.target.closest(selector);
    if (event.target === this.dialog || on(".close")) this.dialog.close();
    else if (on("[data-step]")) this.move(Number(on("[data-step]").dataset.step));
    else if (on("[data-change]")) this.relabel(this.photo.faces[Number(on("[data-change]").dataset.change)]);
    else if (on("[data-face]")) {
      const face = this.photo.faces[Number(on("[data-face]").dataset.face)];
      this.face = face === this.face && on("button") ? null : face;
      this.draw();
      this.light();
    }
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const face = this.face ?? (this.photo.faces.length === 1 ? this.photo.faces[0] : null);
    const does = {
      ArrowLeft: () => this.move(-1), ArrowRight: () => this.move(1), ArrowUp: () => this.choose(-1), ArrowDown: () => this.choose(1),
      m: () => this.dialog.classList.toggle("unmarked"),
      o: () => this.dialog.querySelector(".original")?.click(),
      r: () => (face ? this.relabel(face) : this.choose(1)),
    }[event.key];
    if (!does) return;
    event.preventDefault();
    event.stopPropagation();
    does();
  }
}
