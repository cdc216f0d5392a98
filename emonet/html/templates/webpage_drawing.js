// What is drawn of faces: boxes over a photo, and a row with crop and bars for each face.

const byId = name => document.getElementById(name);
const settings = {};  // filled when the page has them

function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function makeSvg(name, attributes) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

const percent = share => `${Math.round(100 * share)} %`;
const best = probabilities => probabilities.indexOf(Math.max(...probabilities));
const nameOf = face => settings.answer.classes[best(face.probabilities)];

// Boxes with their numbers, in the pixels of the image; they keep their width on the screen at any size.
function drawBoxes({ width, height, faces }) {
  const boxes = makeSvg('svg', { viewBox: `0 0 ${width} ${height}` });
  faces.forEach((face, index) => {
    const [x1, y1, x2, y2] = face.box;
    boxes.append(makeSvg('rect', { x: x1, y: y1, width: x2 - x1, height: y2 - y1, class: face.unsure ? 'unsure' : nameOf(face) }));
    const size = Math.max(12, width / 45);
    const number = makeSvg('text', { x: x1, y: Math.max(y1 - size / 4, size), style: `font-size:${size}px` });
    number.textContent = index + 1;
    boxes.append(number);
  });
  return boxes;
}

// A row that can be filled again and again: the next answers move its bars.
class FaceRow {
  constructor() {
    const { classes } = settings.answer;
    this.crop = make('canvas', { width: settings.crop.size, height: settings.crop.size });
    this.title = make('strong');
    this.bars = classes.map(() => make('i'));
    this.shares = classes.map(() => make('span', { className: 'number' }));
    const lines = classes.flatMap((name, place) => {
      this.bars[place].className = name;
      return [make('span', { textContent: name }), make('span', { className: 'track' }, this.bars[place]), this.shares[place]];
    });
    this.element = make('div', { className: 'face' }, this.crop, this.title, make('div', { className: 'bars' }, ...lines));
  }

  fill(face, number) {
    const { size } = settings.crop, pixels = new ImageData(size, size);
    const channels = face.crop.length / (size * size);  // 1 or 3
    for (let pixel = 0; pixel < size * size; pixel++)
      pixels.data.set([0, 1, 2].map(channel => face.crop[channels * pixel + channel % channels]).concat(255), 4 * pixel);
    this.crop.getContext('2d').putImageData(pixels, 0, 0);
    const said = face.unsure ? `unsure, ${face.unsure}` : `${nameOf(face)}, ${percent(Math.max(...face.probabilities))}`;
    this.title.textContent = `${number}: ${said}`;
    this.element.classList.toggle('unsure', Boolean(face.unsure));
    face.probabilities.forEach((share, place) => {
      this.bars[place].style.width = `${100 * share}%`;
      this.shares[place].textContent = percent(share);
    });
  }
}
