// Filters and sorts an album. What is chosen stands behind the # of the address, and links take it along.
"use strict";
const controls = document.querySelector(".controls");
const album = document.querySelector(".album");
const buttons = [...document.querySelectorAll("button")];
const photos = [...document.querySelectorAll("article")].map((card) => ({
  card,
  holds: card.dataset.holds.split(" ").map((held) => held.split("=")).map(([kind, sure]) => [kind, Number(sure ?? -1)]),
}));

// The button that is chosen of those with a name: the first, unless the address says otherwise.
function chosen(name) {
  const value = new URLSearchParams(location.hash.slice(1)).get(name);
  const choices = buttons.filter((button) => button.name === name);
  return choices.find((button) => button.value === value) ?? choices[0];
}

// How sure the surest face of a kind is, -1 for photos without faces; nothing where there is none of the kind.
function surest(photo, kind) {
  const found = photo.holds.filter(([held]) => kind === "all" || held === kind);
  return found.length ? Math.max(...found.map(([, sure]) => sure)) : undefined;
}

function arrange() {
  const [show, sort] = [chosen("show").value, chosen("sort").value];
  for (const button of buttons) button.setAttribute("aria-pressed", button === chosen(button.name));
  for (const photo of photos) photo.sure = surest(photo, show);
  const shown = photos.filter((photo) => photo.sure !== undefined);
  const sign = { name: 0, surest: -1, unsurest: 1 }[sort];
  if (sign) shown.sort((one, other) => (one.sure < 0) - (other.sure < 0) || sign * (one.sure - other.sure));
  for (const photo of photos) photo.card.hidden = photo.sure === undefined;
  album.append(...shown.map((photo) => photo.card));
  controls.querySelector("[role=status]").textContent = `${shown.length} of ${photos.length} photos shown`;
}

function follow() {
  for (const link of document.querySelectorAll("a.page")) link.hash = location.hash;
  if (controls) arrange();
}

function choose(button) {
  const all = new URLSearchParams(location.hash.slice(1));
  all.set(button.name, button.value);
  location.replace(`#${all}`);
}

for (const button of buttons) button.addEventListener("click", () => choose(button));
addEventListener("hashchange", follow);
if (controls) controls.hidden = false;
follow();
