// Rows of which only those in sight exist: elements are taken from a pool, however many faces there are.
class Rows {
  constructor(scroller) {
    this.scroller = scroller;
    this.tall = scroller.firstElementChild;
    this.shown = new Map(); // row -> element
    this.free = [];
    scroller.addEventListener("scroll", onceAFrame(() => this.update()), { passive: true });
  }

  // Show other rows: so many, of this height, each drawn by `draw(element, row)` into what `make()` makes.
  reset({ count, height, make, draw }) {
    Object.assign(this, { count, height, make, draw, free: [] });
    this.shown.clear();
    this.tall.replaceChildren();
    this.tall.style.height = `${count * height}px`;
    this.update();
  }

  update() {
    const { scrollTop, clientHeight } = this.scroller;
    const first = Math.max(0, Math.floor(scrollTop / this.height) - 2);
    const last = Math.min(this.count - 1, Math.ceil((scrollTop + clientHeight) / this.height) + 2);
    for (const [row, element] of this.shown) {
      if (row >= first && row <= last) continue;
      this.shown.delete(row);
      this.free.push(element);
      element.style.visibility = "hidden";
    }
    for (let row = first; row <= last; row++) {
      if (this.shown.has(row)) continue;
      const element = this.free.pop() ?? this.tall.appendChild(this.make());
      element.style.transform = `translateY(${row * this.height}px)`;
      element.style.visibility = "visible";
      this.shown.set(row, element);
      this.draw(element, row);
    }
  }

  redraw() {
    for (const [row, element] of this.shown) this.draw(element, row);
  }

  // Scroll as little as is needed to see a row whole.
  reveal(row) {
    const top = row * this.height, { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top + this.height > scrollTop + clientHeight) this.scroller.scrollTop = top + this.height - clientHeight;
    this.update();
  }
}

// Where the faces of a list stand in rows: in rows of so many, and each group begins a row of its own.
function arrangeRows(groups, columns) {
  const starts = [], firsts = new Set(), list = [];
  for (const group of groups) {
    if (groups.length > 1) firsts.add(starts.length);
    for (let place = 0; place < group.length; place += columns) starts.push(list.length + place);
    for (const face of group) list.push(face);
  }
  starts.push(list.length);
  return { list, starts, firsts, rowOf: (position) => findPlace(starts, position) };
}
