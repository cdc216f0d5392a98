// Reads the expressions of faces: of each the crop and its mirror image, whose answers are averaged.

class Classifier {
  constructor(session, crop, answer) { this.session = session; this.crop = crop; this.answer = answer; }

  // Crops and probabilities of faces, in the order of the classes.
  async classify(image, faces) {
    if (!faces.length) return [];
    const { size } = this.crop;
    const crops = faces.map(({ box }) => cropGrey(
      image, [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], (box[2] - box[0]) * (1 + 2 * this.crop.margin), size));
    const pixels = new Uint8Array(2 * faces.length * size * size);
    crops.forEach((crop, index) => {
      pixels.set(crop, 2 * index * size * size);
      pixels.set(mirror(crop, size), (2 * index + 1) * size * size);
    });
    const input = new ort.Tensor('uint8', pixels, [2 * faces.length, 1, size, size]);
    const found = await this.session.run({ [this.session.inputNames[0]]: input });
    const heads = this.session.outputNames.map(name => found[name].data);
    return crops.map((crop, index) => {
      const views = [2 * index, 2 * index + 1].map(view => heads.flatMap((data, head) => {
        const count = this.answer.heads[head];
        return [...data.slice(view * count, (view + 1) * count)];
      }));
      return { crop, probabilities: this.choose(views[0].map((value, column) => (value + views[1][column]) / 2)) };
    });
  }

  // One answer of the probabilities of all heads, as emonet/heads.py makes it.
  choose(probabilities) {
    const { parts, plain } = this.answer;
    if (plain) return parts[0].columns.map(column => probabilities[column]);
    const shares = parts.map(({ columns, exponent, divisors }) => {
      const divided = columns.map((column, place) => probabilities[column] ** exponent / divisors[place]);
      const total = divided.reduce((sum, value) => sum + value, 0);
      return divided.map(value => value / total);
    });
    return shares[0].map((_, place) => shares.reduce((sum, part) => sum + part[place], 0) / shares.length);
  }
}

function mirror(crop, size) {
  return crop.map((_, pixel) => crop[pixel - pixel % size + size - 1 - pixel % size]);
}
