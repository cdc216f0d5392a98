// Looks at photos that were stored on their side, by the rules of emonet/prediction/turned.py.

class Turner {
  constructor(detector, rules) { this.detector = detector; this.rules = rules; }

  // The faces of an image, in the image as they stand upright, and by how many degrees this is turned back.
  async find(image) {
    const { least } = this.rules, faces = await this.detector.detect(image), lying = { upright: image, faces, degrees: 0 };
    if (faces.some(face => face.score >= least && this.isUpright(face))) return lying;
    const turned = await this.lookTurned(image);
    const score = bestScore(turned.faces);
    return score >= least && score > bestScore(faces) ? turned : lying;
  }

  // The same of the turn in which the detector is surest. A large image is reduced to find it.
  async lookTurned(image) {
    const small = limitSize(image, this.rules.side), tried = [];
    for (const degrees of [90, 180, 270]) {
      const upright = turnBack(small, degrees);
      tried.push({ upright, faces: await this.detector.detect(upright), degrees });
    }
    const best = tried.reduce((one, other) => bestScore(other.faces) > bestScore(one.faces) ? other : one);
    if (small === image || !best.faces.length) return best;
    const upright = turnBack(image, best.degrees);
    return { ...best, upright, faces: await this.detector.detect(upright) };
  }

  isUpright({ landmarks: [[left_x, left_y], [right_x, right_y]] }) {
    return Math.abs(Math.atan2(right_y - left_y, right_x - left_x)) * 180 / Math.PI <= this.rules.upright;
  }
}

const bestScore = faces => Math.max(...faces.map(face => face.score));  // minus infinity if there are none

function limitSize(image, most) {
  const share = most / Math.max(image.width, image.height);
  if (share >= 1) return image;
  const [width, height] = [image.width, image.height].map(side => Math.max(1, roundEven(side * share)));
  return asImage(resizePart(image, [0, image.width], [0, image.height], width, height), width, height);
}

// Turns an image counter-clockwise by quarters: 90, 180 or 270 degrees.
function turnBack(image, degrees) {
  const { width, height } = image, pixels = new Uint32Array(image.data.buffer);
  const [wide, high] = degrees === 180 ? [width, height] : [height, width];
  const [start, across, down] = {  // where the first pixel goes, and how far apart pixels of a row and of a column lie
    90: [(width - 1) * height, -height, 1], 180: [width * height - 1, -1, -width], 270: [height - 1, height, -1],
  }[degrees];
  const turned = new Uint32Array(wide * high);
  for (let y = 0, from = 0; y < height; y++)
    for (let x = 0, to = start + y * down; x < width; x++, to += across) turned[to] = pixels[from++];
  return { width: wide, height: high, data: new Uint8ClampedArray(turned.buffer) };
}

// Where a point of an image of width x height lies when the image is turned clockwise.
function turnPoint([x, y], degrees, width, height) {
  return { 0: [x, y], 90: [height - y, x], 180: [width - x, height - y], 270: [y, width - x] }[degrees];
}

// The box of a face as it lies in the image that was given, from its box in the image as it stands upright.
function layDown([x1, y1, x2, y2], degrees, { width, height }) {
  const [xs, ys] = [0, 1].map(axis => [[x1, y1], [x2, y2]].map(point => turnPoint(point, degrees, width, height)[axis]));
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}
