// Photos one after the other: each has its boxes and its faces, and all of them go into one table.

const results = [];

function addPhoto(file) {
  const place = make('div', { className: 'stage' });
  const list = make('div', {}, make('h2', { textContent: file.name || 'pasted photo' }));
  const said = make('p', { className: 'soft', textContent: 'waiting' });
  list.append(said);
  const article = make('article', { className: 'photo' }, place, list);
  byId('photos').prepend(article);
  byId('tools').hidden = false;
  return { file, article, place, list, said };
}

function showPhoto({ file, article, place, list, said }, answer) {
  if (!article.isConnected) return;  // it was cleared while it was read
  if (answer.error) {
    said.textContent = `This browser cannot read the photo: ${answer.error}`;
    return;
  }
  const { faces } = answer;
  article.classList.toggle('many', faces.length > 4);
  results.push({ name: file.name || 'pasted photo', faces });
  said.textContent = faces.length === 0 ? 'No face was found.' : faces.length === 1 ? '1 face' : `${faces.length} faces`;
  const boxes = drawBoxes(answer);
  place.append(make('img', { src: URL.createObjectURL(file), alt: file.name || 'pasted photo' }), boxes);
  faces.forEach((face, index) => {
    const row = new FaceRow(), box = boxes.querySelectorAll('rect')[index];
    row.fill(face, index + 1);
    row.element.addEventListener('pointerenter', () => box.classList.add('marked'));
    row.element.addEventListener('pointerleave', () => box.classList.remove('marked'));
    list.append(row.element);
  });
}

// Quotes text for a table; what a spreadsheet would take for a formula gets an apostrophe before it.
const quote = text => `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;

function makeTable() {
  const { classes } = settings.answer;
  const lines = [['photo', 'face', 'x1', 'y1', 'x2', 'y2', 'score', 'emotion', 'confidence', 'unsure', ...classes]];
  for (const { name, faces } of results)
    faces.forEach((face, index) => lines.push([
      quote(name), index + 1, ...face.box.map(value => value.toFixed(1)), face.score.toFixed(4), nameOf(face),
      Math.max(...face.probabilities).toFixed(4), face.unsure ?? '', ...face.probabilities.map(share => share.toFixed(4))]));
  return lines.map(line => line.join(',')).join('\r\n') + '\r\n';
}

function save(content, kind, name) {
  const address = URL.createObjectURL(new Blob([content], { type: kind }));
  make('a', { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

function clearPhotos() {
  for (const image of byId('photos').querySelectorAll('img')) URL.revokeObjectURL(image.src);
  byId('photos').replaceChildren();
  byId('tools').hidden = true;
  results.length = 0;
}
