// The page: what is chosen above the photos, what is shown below, and the keys.
const album = readAlbum();
const controls = document.querySelector(".controls"), place = document.querySelector(".album");
const chips = controls.querySelector(".chips"), unsaved = document.querySelector(".unsaved");
const rows = new AlbumRows(place);
const notes = new Notes(album, () => refresh());
const relabel = new Relabel(album, notes);
const lightbox = new Lightbox(album, { whenMoved: (photo) => write({ photo: photo.path }), whenClosed, relabel: (face) => relabel.open(face) });
let state = readAddress(album), layout = null, width = 0;

function write(changes, options) {
  state = { ...state, ...changes };
  writeAddress(state, options);
}

// Choose something, show what it brings, and write it into the address.
function choose(changes) {
  write(changes);
  arrange();
  if (place.getBoundingClientRect().top < 0 && !("sure" in changes || "size" in changes)) place.scrollIntoView();
}

function arrange() {
  width = place.clientWidth;
  place.className = `album ${state.view}`;
  layout = LAYOUTS[state.view](album, state, place);
  rows.show(layout.rows);
  showControls();
}

function showControls() {
  const counts = countChoices(album, state, state.view === "faces");
  const kinds = [...album.labels.filter((label) => album.classes.includes(label) || counts.has(label)), UNSURE, DROP, FACELESS, UNREADABLE];
  const offered = ["all", ...kinds.filter((kind) => counts.has(kind) || kind === state.show)];
  const focused = chips.contains(document.activeElement) && document.activeElement.value;
  chips.replaceChildren(...offered.map((kind) => {
    const key = album.labels.indexOf(kind) + 1;
    return make("button", { type: "button", name: "show", value: kind, "aria-pressed": String(kind === state.show), title: key ? `${kind} (${key})` : false },
      key || kind === UNSURE ? make("i", { class: kind }) : null, WORDS[kind] ?? kind,
      make("span", { class: "number" }, (counts.get(kind) ?? 0).toLocaleString("en")));
  }));
  if (focused) [...chips.children].find((chip) => chip.value === focused)?.focus();
  const ofBursts = state.view === "bursts";
  for (const part of [chips, controls.querySelector(".sliders"), controls.querySelector("[name=sort]")]) part.hidden = ofBursts;
  for (const tab of controls.querySelectorAll("[name=view]")) {
    tab.setAttribute("aria-pressed", String(tab.value === state.view));
    tab.querySelector(".number").textContent = { photos: album.photos, faces: album.faces, bursts: album.bursts }[tab.value].length.toLocaleString("en");
  }
  const set = (name, value, words) => {
    const input = controls.querySelector(`[name=${name}]`);
    if (input !== document.activeElement || input.type !== "search") input.value = value;
    const shown = words && input.parentElement.querySelector(".value");
    if (shown) shown.textContent = words;
  };
  set("find", state.find);
  set("sort", state.sort);
  set("sure", state.sure, `${state.sure} %`);
  set("size", state.size, `${state.size} px`);
  controls.querySelector("[name=unsure]").checked = state.unsure;
  controls.querySelector("[role=status]").textContent = layout.words;
  showUnsaved();
}

function showUnsaved() {
  const number = notes.corrected().length, kept = album.bursts.length && (state.view === "bursts" || notes.unsaved.bursts);
  const button = (words, does) => {
    const made = make("button", { type: "button" }, words);
    made.addEventListener("click", does);
    return made;
  };
  unsaved.hidden = !number && !kept;
  unsaved.replaceChildren(
    ...(number ? [make("span", {}, count(number, "correction")), button("Save corrections.csv", () => notes.saveCorrections()), button("Undo all", () => notes.discard())] : []),
    ...(kept ? [button("Save bursts.csv", () => notes.saveBursts())] : []));
}

// After a correction: the same photos in the same order, with what has changed in them.
function refresh() {
  showControls();
  rows.redraw((item) => item.photo ? item === relabel.face : true);
  if (lightbox.isOpen) lightbox.draw();
}

function open(number, spot = null) {
  const photo = album.photos[number];
  const photos = state.view === "faces" ? [...new Set(layout.items.map((face) => face.photo))] : layout.items;
  write({ photo: photo.path }, { back: !lightbox.isOpen });
  lightbox.open(photos, photo, (one) => (state.view === "photos" ? chosenFaces(one, state) : one.faces), spot);
}

function whenClosed(photo) {
  if (state.photo) write({ photo: "" });
  const item = layout.items.find((one) => one === photo || (one.photo === photo && one === (lightbox.face ?? one)));
  if (item) rows.focus(item);
}

// The item under the focus: a photo, or a face in the view by faces.
function focusedItem() {
  const element = document.activeElement?.closest("[data-item]");
  if (!element) return null;
  const photo = album.photos[Number(element.dataset.open)];
  return element.dataset.place === undefined ? photo : photo.faces[Number(element.dataset.place)];
}

function moveFocus(key) {
  const item = focusedItem(), index = layout.items.indexOf(item);
  const row = layout.rows.findIndex((one) => one.items.includes(item));
  if (index < 0) return rows.focus(rows.firstInSight());
  if (key === "ArrowLeft" || key === "ArrowRight") return rows.focus(layout.items[index + (key === "ArrowRight" ? 1 : -1)]);
  const column = layout.rows[row].items.indexOf(item), by = key === "ArrowDown" ? 1 : -1;
  let next = row + by;
  while (layout.rows[next] && !layout.rows[next].items.length) next += by; // a heading
  const items = layout.rows[next]?.items;
  return items && rows.focus(items[Math.min(column, items.length - 1)]);
}

function relabelFocused() {
  const item = focusedItem();
  if (!item) return;
  const faces = item.photo ? [item] : item.faces;
  if (faces.length === 1) relabel.open(faces[0]);
  else if (faces.length) open(item.number, 0);
}

function keepFocused() {
  const burst = state.view === "bursts" && album.bursts.find((one) => one.photos.includes(focusedItem()));
  if (burst) notes.keep(burst, focusedItem());
}

const toggle = (show) => choose({ show: show === state.show ? "all" : show });

function press(event) {
  const writing = event.target.matches("input[type=search], select") || (event.target.matches("input") && event.key.startsWith("Arrow"));
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") || writing) return;
  const number = /^[0-9]$/.test(event.key) ? Number(event.key) : NaN;
  if (number === 0) choose({ show: "all" });
  else if (album.labels[number - 1] && state.view !== "bursts") toggle(album.labels[number - 1]);
  else if (event.key.startsWith("Arrow") && layout.items.length) moveFocus(event.key);
  else if (event.key === "r") relabelFocused();
  else if (event.key === "k") keepFocused();
  else if (event.key === "/") controls.querySelector("[name=find]").focus();
  else if (event.key === "?") document.querySelector(".keys").showModal();
  else return;
  event.preventDefault();
}

function click(event) {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.open) open(Number(button.dataset.open), button.dataset.place === undefined ? spotUnder(event) : Number(button.dataset.place));
  else if (button.dataset.keep) {
    const photo = album.photos[Number(button.dataset.keep)];
    notes.keep(album.bursts.find((burst) => burst.photos.includes(photo)), photo);
  } else if (button.name === "view" || button.name === "show") choose({ [button.name]: button.value });
  else if (button.matches(".help")) document.querySelector(".keys").showModal();
  else if (button.matches(".reset")) choose({ ...DEFAULTS, view: state.view });
}

// The face that was clicked in a photo, if one was.
function spotUnder(event) {
  const mark = event.target.closest("[data-face]");
  return mark ? Number(mark.dataset.face) : null;
}

// What the address says: after the back button, or when a link is followed.
function follow() {
  state = readAddress(album);
  arrange();
  const photo = state.photo && album.photos.find((one) => one.path === state.photo);
  if (photo) open(photo.number);
  else if (lightbox.isOpen) lightbox.dialog.close();
}

function start() {
  controls.hidden = place.hidden = false;
  controls.querySelector("[name=find]").addEventListener("input", (event) => choose({ find: event.target.value }));
  controls.querySelector("[name=sort]").addEventListener("change", (event) => choose({ sort: event.target.value }));
  for (const name of ["sure", "size"]) controls.querySelector(`[name=${name}]`).addEventListener("input", (event) => choose({ [name]: Number(event.target.value) }));
  controls.querySelector("[name=unsure]").addEventListener("change", (event) => choose({ unsure: event.target.checked }));
  controls.querySelector("[name=find]").addEventListener("keydown", (event) => event.key === "Escape" && event.target.blur());
  addEventListener("click", click);
  addEventListener("keydown", press);
  addEventListener("mouseover", lightUp);
  addEventListener("focusin", lightUp);
  addEventListener("popstate", follow); // also when a part behind the # is typed
  addEventListener("resize", () => place.clientWidth !== width && arrange());
  addEventListener("beforeunload", (event) => notes.wouldBeLost && event.preventDefault());
  follow();
}

start();
