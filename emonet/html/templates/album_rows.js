// Rows of which only those in sight exist, however many there are. The window scrolls; rows may differ in height.
class AlbumRows {
  constructor(place) {
    this.place = place;
    this.rows = [];
    this.shown = new Map(); // row -> element
    const later = onceAFrame(() => this.update());
    for (const name of ["scroll", "resize"]) addEventListener(name, later, { passive: true });
    addEventListener("beforeprint", () => this.update(true));
    addEventListener("afterprint", () => this.update());
  }

  // Show other rows: each has a height, and `make()` makes its element. Items are what can be focused in it.
  show(rows) {
    this.rows = rows;
    this.tops = [0];
    for (const row of rows) this.tops.push(this.tops.at(-1) + row.height);
    this.place.style.height = `${this.tops.at(-1)}px`;
    this.place.replaceChildren();
    this.shown.clear();
    this.update();
  }

  update(all = false) {
    if (!this.rows.length) return;
    const above = -this.place.getBoundingClientRect().top, spare = innerHeight / 2;
    const first = all ? 0 : Math.max(0, findPlace(this.tops, above - spare));
    const last = all ? this.rows.length - 1 : Math.min(this.rows.length - 1, findPlace(this.tops, above + innerHeight + spare));
    for (const [row, element] of this.shown) {
      if ((row >= first && row <= last) || element.contains(document.activeElement)) continue;
      element.remove();
      this.shown.delete(row);
    }
    for (let row = first; row <= last; row++) if (!this.shown.has(row)) this.add(row);
  }

  // Rows stand in the page in their order, which is that of the tab key.
  add(row) {
    const element = this.rows[row].make();
    element.classList.add("row");
    element.style.top = `${this.tops[row]}px`;
    element.style.height = `${this.rows[row].height}px`;
    const next = [...this.shown.keys()].filter((other) => other > row).sort((one, other) => one - other)[0];
    this.place.insertBefore(element, next === undefined ? null : this.shown.get(next));
    this.shown.set(row, element);
  }

  // The first item whose row has its top in the window.
  firstInSight() {
    const above = -this.place.getBoundingClientRect().top;
    const seen = this.rows.find((row, index) => row.items.length && this.tops[index] >= above);
    return (seen ?? this.rows.findLast((row) => row.items.length)).items[0];
  }

  // Make an item anew, after what it shows has changed.
  redraw(test) {
    for (const [row, element] of [...this.shown]) {
      if (!this.rows[row].items.some(test)) continue;
      const focused = [...element.querySelectorAll("button, a")].indexOf(document.activeElement);
      element.remove();
      this.shown.delete(row);
      this.add(row);
      if (focused >= 0) this.shown.get(row).querySelectorAll("button, a")[focused]?.focus();
    }
  }

  // Scroll as little as is needed to see the row of an item whole, and put the focus on the item.
  focus(item) {
    const row = this.rows.findIndex((one) => one.items.includes(item));
    if (row < 0) return;
    const box = this.place.getBoundingClientRect();
    const top = box.top + this.tops[row], bottom = top + this.rows[row].height;
    const head = document.querySelector(".controls").getBoundingClientRect();
    const least = Math.max(0, getComputedStyle(document.querySelector(".controls")).position === "sticky" ? head.height : 0);
    if (top < least) scrollBy(0, top - least);
    else if (bottom > innerHeight) scrollBy(0, bottom - innerHeight);
    this.update();
    this.shown.get(row)?.querySelectorAll("[data-item]")[this.rows[row].items.indexOf(item)]?.focus({ preventScroll: true });
  }
}

// Items in rows of so many.
function layInRows(items, columns, height, makeItem) {
  const rows = [];
  for (let start = 0; start < items.length; start += columns) {
    const some = items.slice(start, start + columns);
    const heights = typeof height === "function" ? Math.max(...some.map(height)) : height;
    rows.push({ items: some, height: heights, make: () => {
      const row = make("div", {}, ...some.map(makeItem));
      row.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
      return row;
    } });
  }
  return rows;
}
