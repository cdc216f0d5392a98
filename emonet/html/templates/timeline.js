// Moves through a film: by its thumbnails, by the plots, by the table, and with the player if the film is there.
"use strict";
const length = Number(document.querySelector("[data-length]").dataset.length);
const film = document.querySelector("video");
const slider = document.querySelector(".position input");
const shownTime = document.querySelector(".position output");
const cursors = [...document.querySelectorAll(".cursor")];
const tracks = [...document.querySelectorAll(".one")].map((one) => ({
  now: one.querySelector(".now"),
  segments: [...one.querySelectorAll(".strip i")].map(({ dataset }) => ({
    from: Number(dataset.from), to: Number(dataset.to), emotion: dataset.emotion })),
}));

// In the app's page the timeline has no address of its own, and a link to a section would open the app here.
if (location.href === "about:srcdoc") {
  for (const link of document.querySelectorAll('a[href^="#"]')) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      document.querySelector(link.getAttribute("href")).scrollIntoView();
    });
  }
}

function format(seconds) {
  const tenths = Math.round(10 * seconds);
  const [hours, minutes] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60];
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

function show(seconds) {
  for (const cursor of cursors) cursor.style.left = `${(100 * seconds) / length}%`;
  slider.value = seconds;
  slider.setAttribute("aria-valuetext", format(seconds));
  shownTime.textContent = format(seconds);
  for (const { now, segments } of tracks) {
    const found = segments.findLast(({ from, to }) => from <= seconds && seconds <= to);
    now.textContent = found ? found.emotion : "";
  }
}

function seek(seconds) {
  const place = Math.min(length, Math.max(0, seconds));
  if (film && !film.hidden) film.currentTime = place;
  show(place);
}

function drag(event) {
  const { left, width } = event.currentTarget.getBoundingClientRect();
  seek((length * (event.clientX - left)) / width);
}

for (const element of document.querySelectorAll(".seek")) {
  element.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    element.setPointerCapture(event.pointerId);
    drag(event);
  });
  element.addEventListener("pointermove", (event) => element.hasPointerCapture(event.pointerId) && drag(event));
}
slider.addEventListener("input", () => seek(Number(slider.value)));
for (const button of document.querySelectorAll("[data-seek]")) {
  button.addEventListener("click", () => {
    seek(Number(button.dataset.seek));
    document.querySelector("#top").scrollIntoView();
  });
}

function follow() {
  show(Math.min(length, film.currentTime));
  if (!film.paused) requestAnimationFrame(follow);
}

if (film) {
  film.addEventListener("play", follow);
  film.addEventListener("timeupdate", () => film.paused && follow());
  film.addEventListener("error", () => {
    film.hidden = true;
    film.style.display = "none";
    document.querySelector("#unplayable").hidden = false;
  });
}
for (const element of [...cursors, document.querySelector(".position")]) element.hidden = false;
show(0);
