// The data of the review: all faces, and what was decided about them.
"use strict";

const NONE = 255, WORD = 65535, KEEP = "keep", DROP = "drop", NOTHING = "";
const POLL = 2000; // milliseconds between two looks at what other tabs decided
const SHEET = 64; // crops that are asked for at once

const unpack = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const unpack16 = (text) => new Uint16Array(unpack(text).buffer);
const unpack32 = (text) => new Uint32Array(unpack(text).buffer);

// All that is known about the faces; `own` is true for a page that is one file.
function readFaces(data, own) {
  const count = data.keys.length;
  const faces = {
    ...data, own, count,
    labels: unpack(data.labels),
    split: unpack(data.splits.places),
    source: unpack(data.sources.places),
    order: unpack32(data.order),
    votes: data.votes && { names: data.votes.names, counts: unpack(data.votes.counts) },
    map: data.map && unpack16(data.map),
    answers: data.opinion ? unpack(data.answers) : new Uint8Array(count).fill(NONE),
    doubtful: data.opinion ? unpack(data.doubtful) : new Uint8Array(count),
    margin: data.opinion ? unpack16(data.margin) : new Uint16Array(count).fill(WORD),
    confidence: data.opinion ? unpack16(data.confidence) : new Uint16Array(count).fill(WORD),
    probabilities: data.opinion ? unpack(data.probabilities) : null,
    urls: (data.sheets ?? []).map((text) => URL.createObjectURL(new Blob([unpack(text)], { type: "image/jpeg" }))),
  };
  faces.probability = (face, emotion) => {
    const place = data.classes.indexOf(emotion);
    const known = faces.probabilities && faces.answers[face] !== NONE && place >= 0;
    return known ? faces.probabilities[face * data.classes.length + place] / 255 : null;
  };
  return faces;
}

// Sprites of a list of faces: where the crop of its n-th face is. A page in one file has its sheets; a server draws
// sheets of what stands side by side in the list.
function makeSprites(faces, list) {
  const drawn = new Map();
  const url = (block) => {
    if (!drawn.has(block)) {
      const some = list.slice(block * SHEET, (block + 1) * SHEET);
      const sheet = new Image(); // it is fetched before its rows come into sight, and kept while the list is shown
      sheet.src = `sheet.jpg?faces=${some.join(",")}`;
      drawn.set(block, { url: sheet.getAttribute("src"), rows: Math.ceil(some.length / faces.columns), sheet });
    }
    return drawn.get(block);
  };
  return (position) => {
    if (!faces.own) {
      const block = Math.floor(position / SHEET);
      for (const near of [block - 1, block + 1]) if (near >= 0 && near * SHEET < list.length) url(near);
      return { ...url(block), place: position % SHEET };
    }
    const block = Math.floor(list[position] / faces.sheet_size);
    const crops = Math.min(faces.sheet_size, faces.count - block * faces.sheet_size);
    return { url: faces.urls[block], rows: Math.ceil(crops / faces.columns), place: list[position] % faces.sheet_size };
  };
}

// Show a crop of a sheet in an element that is square.
function showSprite(element, sprite, columns) {
  const [row, column] = [Math.floor(sprite.place / columns), sprite.place % columns];
  const across = (column / (columns - 1)) * 100, down = sprite.rows > 1 ? (row / (sprite.rows - 1)) * 100 : 0;
  element.style.background = `url("${sprite.url}") ${across}% ${down}% / ${columns * 100}% ${sprite.rows * 100}%`;
}

// What was decided: it is shown at once, saved one after the other, and taken back if it cannot be saved.
class Decisions {
  constructor(saver, rows, changed, complain) {
    Object.assign(this, { saver, changed, complain, current: new Map(), stack: [], last: 0, waiting: Promise.resolve() });
    this.saving = 0;
    for (const row of rows) this.take(row, true);
  }

  get(key, kind = "label") {
    return this.current.get(`${kind} ${key}`) ?? NOTHING;
  }

  set(key, kind, value) {
    if (value === NOTHING) this.current.delete(`${kind} ${key}`);
    else this.current.set(`${kind} ${key}`, value);
  }

  // Take over a row of the file; `mine` puts it on the stack of what U undoes, and an undo takes one off.
  take([number, key, kind, value], mine = false) {
    const before = this.get(key, kind);
    this.last = Math.max(this.last, number);
    this.set(key, kind, value);
    if (!mine) return;
    const top = this.stack.at(-1);
    if (top && top.key === key && top.kind === kind && top.before === value) this.stack.pop();
    else this.stack.push({ key, kind, before, value });
  }

  decide(key, kind, value) {
    const before = this.get(key, kind);
    if (before === value) return;
    this.stack.push({ key, kind, before, value });
    this.save(key, kind, value, before);
  }

  // Take the last decision back; returns it, or nothing if there is none.
  undo() {
    const last = this.stack.pop();
    if (last) this.save(last.key, last.kind, last.before, last.value);
    return last;
  }

  save(key, kind, value, before) {
    this.set(key, kind, value);
    this.saving += 1;
    this.waiting = this.waiting.then(async () => {
      try {
        const answer = await this.saver.save(key, kind, value, before);
        if (answer.decision?.[0] === this.last + 1) this.last += 1; // else others come before it, which are polled for
        if ("conflict" in answer) this.reject(key, kind, answer.conflict, `${key} was decided in another tab meanwhile`);
      } catch (error) {
        this.reject(key, kind, before, `not saved: ${error.message}`);
      }
      this.saving -= 1;
      this.changed();
    });
    this.changed();
  }

  reject(key, kind, value, words) {
    this.set(key, kind, value);
    this.stack = this.stack.filter((one) => one.key !== key || one.kind !== kind);
    this.complain(words);
  }

  // Look at what other tabs decided; what is being saved here is newer.
  async poll() {
    if (this.saving) return;
    const rows = await this.saver.since(this.last);
    if (this.saving || !rows.length) return;
    for (const row of rows) this.take(row);
    this.changed();
  }
}

// Saves on the server that the page comes from.
const serverSaver = {
  lasts: true,
  async save(key, kind, value, expected) {
    const answer = await fetch("decide", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ key, kind, value, expected }),
    }).catch(() => { throw new Error("the server does not answer; is `emonet review` still running?"); });
    if (!answer.ok && answer.status !== 409) throw new Error(await answer.text());
    return answer.json();
  },
  async since(number) {
    return (await fetch(`decisions.json?after=${number}`)).json();
  },
};

// What the browser keeps for this page; null where it keeps nothing, as in a sandbox.
function openStorage() {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

// Saves in the browser, for a page that is one file; the storage is read anew each time, for other tabs write it, too.
// Without a storage, decisions last as long as the page is open.
function browserSaver(store) {
  const name = `emonet review ${store}`, storage = openStorage();
  let kept = "[]";
  const read = () => JSON.parse((storage ? storage.getItem(name) : kept) ?? "[]");
  return {
    lasts: Boolean(storage),
    read,
    async save(key, kind, value, expected) {
      const rows = read();
      const last = rows.findLast((row) => row[1] === key && row[2] === kind)?.[3];
      if (last !== undefined && last !== expected) return { conflict: last };
      const decision = [rows.length + 1, key, kind, value];
      kept = JSON.stringify([...rows, decision]);
      storage?.setItem(name, kept);
      return { decision };
    },
    async since(number) {
      return read().filter((row) => row[0] > number);
    },
  };
}

// The file that `emonet build --relabel` reads, as Python writes it.
function formatCorrections(earlier, current) {
  const rows = new Map(earlier.map(([key, kind, value]) => [`${kind} ${key}`, value]));
  for (const [place, value] of current) if (value !== KEEP) rows.set(place, value);
  const quote = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = [...rows].map(([place, value]) => [place.slice(place.indexOf(" ") + 1), value]);
  lines.sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0));
  return ["key,label", ...lines.map(([key, value]) => `${quote(key)},${value}`), ""].join("\n");
}
