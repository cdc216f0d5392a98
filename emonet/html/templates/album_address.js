// What is chosen stands behind the # of the address: a link to it, and the back button, bring it back.
const DEFAULTS = { view: "photos", show: "all", sort: "name", sure: 0, size: 0, unsure: true, find: "", photo: "" };
const VIEWS = ["photos", "faces", "bursts"], SORTS = ["name", "surest", "unsurest", "faces"];

function readAddress(album) {
  const given = new URLSearchParams(location.hash.slice(1));
  const one = (name, allowed) => (allowed.includes(given.get(name)) ? given.get(name) : DEFAULTS[name]);
  const number = (name, most) => Math.min(most, Math.max(0, Number(given.get(name)) || 0));
  return {
    view: one("view", VIEWS),
    show: one("show", [...album.labels, FACELESS, UNREADABLE, UNSURE, DROP]),
    sort: one("sort", SORTS),
    sure: number("sure", 100),
    size: number("size", 300),
    unsure: given.get("unsure") !== "false",
    find: given.get("find") ?? "",
    photo: given.get("photo") ?? "",
  };
}

// Write the address without what is as at first. A photo that is opened can be left with the back button.
function writeAddress(state, { back = false } = {}) {
  const changed = Object.entries(state).filter(([name, value]) => value !== DEFAULTS[name]);
  const hash = `#${new URLSearchParams(changed)}`;
  if (hash === (location.hash || "#")) return;
  if (back) history.pushState(null, "", hash);
  else history.replaceState(null, "", hash);
}
