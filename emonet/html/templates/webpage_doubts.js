// Tells when the answer to a face is none, by the rules of emonet/prediction/doubts.py.

class Doubter {
  constructor(detector, rules) { this.detector = detector; this.rules = rules; }

  // Why the answer to a face is "unsure"; empty if it is an answer.
  async explain(image, face) {
    const { rules } = this, [x1, y1, x2, y2] = face.box;
    if (isBelow(face.score, rules.min_score) || !await this.isFoundAgain(image, face)) return 'maybe not a face';
    if (isBelow(Math.min(x2 - x1, y2 - y1), rules.sure_size)) return 'too small';
    if (rules.min_sharpness !== null && this.sharpness(image, face) < rules.min_sharpness) return 'blurred';
    if (rules.max_yaw !== null && Math.abs(this.yaw(face)) > rules.max_yaw) return 'turned';
    return isBelow(Math.max(...face.probabilities), rules.least_confidence) ? 'in doubt' : '';
  }

  // Looks at a face with a low score once more, in its own enlarged crop.
  async isFoundAgain(image, { box, score }) {
    const { second_look, look, overlap: least } = this.rules;
    if (!isBelow(score, second_look)) return true;
    const crop = cutOut(image, box, look), middle = look.size / 2, across = look.size / (2 * (1 + 2 * look.margin));
    const down = across * (box[3] - box[1]) / (box[2] - box[0]);
    const place = [middle - across, middle - down, 2 * across, 2 * down];
    return (await this.detector.detect(crop)).some(({ box: [x1, y1, x2, y2] }) =>
      overlap([x1, y1, x2 - x1, y2 - y1], place) >= least);
  }

  // The variance of the Laplacian of the face, drawn at one size.
  sharpness(image, { box }) {
    const size = this.rules.judged, grey = cropGrey(image, middleOf(box), box[2] - box[0], size);
    const inside = place => place < 0 ? -place : place < size ? place : 2 * size - 2 - place;  // mirrored at the edge
    const at = (x, y) => grey[inside(y) * size + inside(x)];
    const edges = Array.from(grey, (value, pixel) => {
      const x = pixel % size, y = Math.floor(pixel / size);
      return at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1) - 4 * value;
    });
    const mean = edges.reduce((sum, value) => sum + value, 0) / edges.length;
    return edges.reduce((sum, value) => sum + (value - mean) ** 2, 0) / edges.length;
  }

  // How far the head is turned aside, in degrees, by where the nose lies between the eyes.
  yaw({ landmarks: [[left_x, left_y], [right_x, right_y], [nose_x, nose_y]] }) {
    const eye_x = right_x - left_x, eye_y = right_y - left_y;
    const x = nose_x - (left_x + right_x) / 2, y = nose_y - (left_y + right_y) / 2;
    const far = Math.atan2(x * eye_x + y * eye_y, this.rules.protrusion * (eye_x ** 2 + eye_y ** 2));
    return far * 180 / Math.PI;
  }
}

const isBelow = (value, least) => least !== null && value < least;
const middleOf = ([x1, y1, x2, y2]) => [(x1 + x2) / 2, (y1 + y2) / 2];

// Cuts a face out with what is around it, as an image.
function cutOut(image, box, { size, margin }) {
  const colours = cropColours(image, middleOf(box), (box[2] - box[0]) * (1 + 2 * margin), size);
  return asImage(colours, size, size);
}
