// Finds faces with YuNet, as facecrop/detectors/yunet does: at several scales, large ones in tiles, doubtful ones twice.

const PAD = 32, LEAST_SIDE = 64, STRIDES = [8, 16, 32];

class Detector {
  constructor(session, options) { this.session = session; this.options = options; }

  // Faces { box, score, landmarks } of an image, the surest first. `least`: only faces of so many pixels, which is faster.
  async detect(image, least = 0) {
    const { options } = this, shorter = Math.min(image.width, image.height);
    const smallest = Math.max(options.minFace, options.minShare * shorter, least);
    const first = await this.search(image, cutPieces(image, smallest, options), smallest);
    const unsure = first.filter(row => row.score < options.threshold);
    const second = await this.search(image, unsure.map(row => frameCandidate(image, row.box, options)), smallest);
    const sure = [...first.filter(row => row.score >= options.threshold), ...second].filter(
      row => row.score >= options.threshold);
    return dropDoubles(sure, options.sameFace).map(row => ({ ...row, box: this.canonical(row.box) }))
      .sort((one, other) => other.score - one.score);
  }

  async search(image, pieces, smallest) {
    const found = [];
    for (const piece of pieces) found.push(...await this.look(image, piece));
    const large = found.filter(row => Math.max(row.box[2], row.box[3]) >= this.options.slack * smallest);
    return dropDoubles(large, this.options.sameFace);
  }

  async look(image, piece) {
    const [width, height] = piece.size, wide = padded(width), high = padded(height);
    const drawn = resizePart(image, piece.columns, piece.rows, width, height);
    const planes = new Float32Array(3 * wide * high);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        for (let channel = 0; channel < 3; channel++)
          planes[((2 - channel) * high + y) * wide + x] = drawn[(y * width + x) * 3 + channel];  // blue comes first
    const input = new ort.Tensor('float32', planes, [1, 3, high, wide]);
    const answer = await this.session.run({ [this.session.inputNames[0]]: input });
    const threshold = this.options.unsure * this.options.threshold;
    const rows = STRIDES.flatMap(stride => decode(answer, stride, wide / stride, threshold));
    return place(dropDoubles(rows, this.options.sameFace, Math.trunc), piece);
  }

  canonical([x, y, width, height]) {
    const { scale_x, scale_y, shift_x, shift_y } = this.options.canonical;
    const middle = [x + width / 2 + shift_x * width, y + height / 2 + shift_y * height];
    const half = [scale_x * width / 2, scale_y * height / 2];
    const box = [middle[0] - half[0], middle[1] - half[1], middle[0] + half[0], middle[1] + half[1]];
    return box.map(value => roundEven(value / this.options.pixelStep) * this.options.pixelStep);
  }
}

const padded = side => Math.ceil(Math.max(side, LEAST_SIDE) / PAD) * PAD;

// Turns what the network says at each place of one grid into boxes x, y, width, height.
function decode(answer, stride, columns, threshold) {
  const [classes, objects, boxes, points] = ['cls', 'obj', 'bbox', 'kps'].map(name => answer[`${name}_${stride}`].data);
  const rows = [];
  for (let place = 0; place < classes.length; place++) {
    const score = Math.sqrt(clamp(classes[place], 0, 1) * clamp(objects[place], 0, 1));
    if (score < threshold) continue;
    const row = Math.floor(place / columns), column = place % columns, at = place * 4;
    const width = Math.exp(boxes[at + 2]) * stride, height = Math.exp(boxes[at + 3]) * stride;
    const x = (column + boxes[at]) * stride, y = (row + boxes[at + 1]) * stride;
    const landmarks = [0, 1, 2].map(point => [  // eyes and nose, of five
      (column + points[place * 10 + 2 * point]) * stride, (row + points[place * 10 + 2 * point + 1]) * stride]);
    rows.push({ box: [x - width / 2, y - height / 2, width, height], score, landmarks });
  }
  return rows;
}

// Moves faces into the image, and keeps those that belong to the piece.
function place(rows, piece) {
  const across = (piece.columns[1] - piece.columns[0]) / piece.size[0];
  const down = (piece.rows[1] - piece.rows[0]) / piece.size[1];
  const [left, top, right, bottom] = piece.core;
  const move = (x, y) => [x * across + piece.columns[0], y * down + piece.rows[0]];
  return rows.map(({ box: [x, y, width, height], score, landmarks }) => (
    { box: [...move(x, y), width * across, height * down], score, landmarks: landmarks.map(point => move(...point)) }
  )).filter(({ box: [x, y, width, height] }) => left <= x + width / 2 && x + width / 2 < right
    && top <= y + height / 2 && y + height / 2 < bottom && Math.max(width, height) <= piece.largest);
}

// Keeps the best of boxes that are one face; `whole` is what OpenCV does to boxes before it compares them.
function dropDoubles(rows, most, whole = value => value) {
  const kept = [];
  for (const row of rows.slice().sort((one, other) => other.score - one.score))
    if (kept.every(other => overlap(row.box.map(whole), other.box.map(whole)) <= most)) kept.push(row);
  return kept;
}

function overlap([x, y, width, height], [other_x, other_y, other_width, other_height]) {
  const across = Math.min(x + width, other_x + other_width) - Math.max(x, other_x);
  const down = Math.min(y + height, other_y + other_height) - Math.max(y, other_y);
  const shared = Math.max(0, across) * Math.max(0, down);
  return shared / (width * height + other_width * other_height - shared) || 0;
}

function cutPieces(image, least, options) {
  return chooseScales(Math.max(image.width, image.height), least, options).flatMap(scale => {
    const across = cutSide(image.width, scale, options), down = cutSide(image.height, scale, options);
    const largest = across.length * down.length > 1 ? 2 * options.margin / scale : Infinity;
    return down.flatMap(([rows, top, bottom]) => across.map(([columns, left, right]) => (
      { columns, rows, size: [drawSide(columns, scale), drawSide(rows, scale)], core: [left, top, right, bottom], largest })));
  });
}

function chooseScales(longer, least, options) {
  const tiny = options.tinySide / longer, scales = [Math.max(options.smallest / least, tiny)];
  while (scales.at(-1) * longer > options.coarseSide) scales.push(Math.max(scales.at(-1) / options.step, tiny));
  return scales;
}

// Tiles along a side: the range of pixels of each, and the ends of its core.
function cutSide(side, scale, options) {
  if (side * scale <= options.tile) return [[[0, side], -Infinity, Infinity]];
  const shared = 2 * options.margin / scale;
  const count = Math.ceil((side - shared) / (options.tile / scale - shared));
  const length = Math.ceil((side + (count - 1) * shared) / count);
  const starts = Array.from({ length: count }, (_, number) => roundEven(number * (side - length) / (count - 1)));
  const middles = starts.slice(1).map((after, number) => (starts[number] + length + after) / 2);
  const ends = [-Infinity, ...middles, Infinity];
  return starts.map((start, number) => [[start, start + length], ends[number], ends[number + 1]]);
}

const drawSide = (pixels, scale) => Math.max(1, roundEven((pixels[1] - pixels[0]) * scale));

function frameCandidate(image, [x, y, width, height], options) {
  const side = Math.ceil(options.around * Math.max(width, height)), scale = options.againSide / side;
  const frame = (middle, whole) => {
    const start = Math.min(Math.max(0, roundEven(middle - side / 2)), Math.max(0, whole - side));
    return [start, Math.min(whole, start + side)];
  };
  const columns = frame(x + width / 2, image.width), rows = frame(y + height / 2, image.height);
  const size = [drawSide(columns, scale), drawSide(rows, scale)];
  return { columns, rows, size, core: [x, y, x + width, y + height], largest: Infinity };
}
