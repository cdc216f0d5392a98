// Images as the networks see them: drawn as OpenCV draws them, from { width, height, data } with bytes R, G, B, A.

const roundEven = value => { const low = Math.floor(value), rest = value - low;
  return rest < 0.5 || rest === 0.5 && low % 2 === 0 ? low : low + 1; };
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const toByte = value => value <= 0 ? 0 : value >= 255 ? 255 : roundEven(value);

// Which pixels count for each place along a side, and how much: those of `place` stand from starts[place] on.
function listTaps(parts) {
  const starts = new Int32Array(parts.length + 1);
  parts.forEach((part, place) => { starts[place + 1] = starts[place] + part.length; });
  const all = parts.flat();
  return { starts, pixels: Int32Array.from(all, ([pixel]) => pixel), weights: Float64Array.from(all, ([, weight]) => weight) };
}

function averageSide(from, length, size) {
  const step = length / size;
  return listTaps(Array.from({ length: size }, (_, place) => {
    const start = place * step, end = Math.min(start + step, length), parts = [];
    for (let pixel = Math.floor(start); pixel < Math.ceil(end - 1e-9); pixel++)
      parts.push([from + pixel, (Math.min(pixel + 1, end) - Math.max(pixel, start)) / (end - start)]);
    return parts;
  }));
}

function interpolateSide(from, length, size) {
  const step = length / size;
  return listTaps(Array.from({ length: size }, (_, place) => {
    const at = (place + 0.5) * step - 0.5, low = Math.floor(at), share = at - low;
    return [[from + clamp(low, 0, length - 1), 1 - share], [from + clamp(low + 1, 0, length - 1), share]];
  }));
}

// Draws the places xs x ys of an image, R, G, B: across first, for the rows that are needed, and then down.
function draw(image, xs, ys) {
  const width = xs.starts.length - 1, height = ys.starts.length - 1, { data, width: stride } = image;
  const first = ys.pixels.reduce((least, pixel) => Math.min(least, pixel), Infinity);
  const last = ys.pixels.reduce((most, pixel) => Math.max(most, pixel), 0);
  const line = width * 3, wide = new Float64Array((last - first + 1) * line);
  for (let y = first; y <= last; y++)
    for (let x = 0; x < width; x++) {
      let red = 0, green = 0, blue = 0;
      for (let tap = xs.starts[x]; tap < xs.starts[x + 1]; tap++) {
        const at = (y * stride + xs.pixels[tap]) * 4, weight = xs.weights[tap];
        red += weight * data[at]; green += weight * data[at + 1]; blue += weight * data[at + 2];
      }
      const to = (y - first) * line + x * 3;
      wide[to] = red; wide[to + 1] = green; wide[to + 2] = blue;
    }
  const drawn = new Uint8ClampedArray(height * line), sum = new Float64Array(line);
  for (let y = 0; y < height; y++) {
    sum.fill(0);
    for (let tap = ys.starts[y]; tap < ys.starts[y + 1]; tap++) {
      const start = (ys.pixels[tap] - first) * line, weight = ys.weights[tap];
      for (let place = 0; place < line; place++) sum[place] += weight * wide[start + place];
    }
    for (let place = 0; place < line; place++) drawn[y * line + place] = toByte(sum[place]);
  }
  return drawn;
}

// Makes an image of bytes R, G, B.
function asImage(colours, width, height) {
  const data = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let pixel = 0; pixel < width * height; pixel++) data.set(colours.subarray(3 * pixel, 3 * pixel + 3), 4 * pixel);
  return { width, height, data };
}

// Resizes a part of an image: pixels are averaged where it is made smaller, and interpolated where it is made larger.
function resizePart(image, columns, rows, width, height) {
  const across = columns[1] - columns[0], down = rows[1] - rows[0];
  const side = width > across || height > down ? interpolateSide : averageSide;
  return draw(image, side(columns[0], across, width), side(rows[0], down, height));
}

const linear = share => [1 - share, share];
const cubic = share => {  // weights of four neighbours, with OpenCV's constant
  const a = -0.75, near = t => ((a + 2) * t - (a + 3)) * t * t + 1, far = t => ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
  return [far(share + 1), near(share), near(1 - share), far(2 - share)];
};

// Cuts a square out of an image at size x size: bytes R, G, B; see facecrop/cropping.py. Beyond the edge, the edge is
// repeated.
function cropColours(image, centre, side, size) {
  const fine = Math.max(1, Math.ceil(side / size)), count = size * fine, step = side / count;
  const weigh = side < size ? cubic : linear, before = side < size ? 1 : 0;
  const place = (middle, length) => listTaps(Array.from({ length: count }, (_, index) => {
    const at = middle + step * (index - (count - 1) / 2) - 0.5, low = Math.floor(at);
    return weigh(at - low).map((weight, offset) => [clamp(low - before + offset, 0, length - 1), weight]);
  }));
  const drawn = draw(image, place(centre[0], image.width), place(centre[1], image.height));
  const sums = new Float64Array(size * size * 3);
  for (let y = 0; y < count; y++)
    for (let x = 0; x < count; x++) {
      const to = (Math.floor(y / fine) * size + Math.floor(x / fine)) * 3, at = (y * count + x) * 3;
      for (let channel = 0; channel < 3; channel++) sums[to + channel] += drawn[at + channel];
    }
  const mean = at => fine === 2 ? (sums[at] + 2) >> 2 : toByte(sums[at] / (fine * fine));  // as OpenCV rounds
  return Uint8Array.from(sums, (_, at) => mean(at));
}

// The same in grey.
function cropGrey(image, centre, side, size) {
  const colours = cropColours(image, centre, side, size);
  return Uint8Array.from({ length: size * size }, (_, pixel) =>
    (colours[pixel * 3] * 4899 + colours[pixel * 3 + 1] * 9617 + colours[pixel * 3 + 2] * 1868 + 8192) >> 14);
}
