// Start: wait for the files that follow in the page, open them beside it, and take photos from whoever looks at it.

const status = text => { byId('status').textContent = text; };
const cards = [];  // photos that are read now, or wait
const waiting = new Map();  // number of a question -> what to do with its answer
let worker, asked = 0;

function ask(question, transfer = []) {
  const id = ++asked;
  return new Promise(resolve => {
    waiting.set(id, resolve);
    worker.postMessage({ id, ...question }, transfer);
  });
}

const letters = () => [...document.querySelectorAll('script[data-file]')].reduce((sum, one) => sum + one.textContent.length, 0);

function showProgress() {
  const text = byId('settings')?.textContent;
  if (!text) return;
  if (!settings.letters) Object.assign(settings, JSON.parse(text));
  const here = letters();
  byId('progress').value = here / settings.letters;
  status(`Loading: ${(0.75 * here / 1e6).toFixed(1)} of ${(0.75 * settings.letters / 1e6).toFixed(1)} MB`);
}

async function readFile(name) {
  const text = [...document.querySelectorAll(`script[data-file="${name}"]`)].map(one => one.textContent).join('');
  const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
}

async function start() {
  showProgress();
  status('Starting');
  worker = new Worker(URL.createObjectURL(new Blob([byId('worker').textContent], { type: 'text/javascript' })));
  worker.onmessage = ({ data }) => {
    waiting.get(data.id)(data);
    waiting.delete(data.id);
  };
  const failed = new Promise((_, fail) => { worker.onerror = event => fail(new Error(event.message)); });
  const names = ['runtime', 'detector', 'network'];
  const contents = await Promise.all(names.map(readFile));
  const files = Object.fromEntries(names.map((name, place) => [name, contents[place]]));
  const { error } = await Promise.race([ask({ files, settings }, contents), failed]);
  for (const element of document.querySelectorAll('script[data-file]')) element.remove();  // they are not needed any more
  byId('progress').hidden = true;
  if (error) throw new Error(error);
  status('Ready');
  byId('camera').disabled = !navigator.mediaDevices;
}

async function readPhotos(files) {
  const photos = [...files].filter(file => file.type.startsWith('image/') || !file.type);
  if (files.length && !photos.length) status('These are no photos');
  if (!photos.length) return;
  cards.push(...photos.map(addPhoto));
  if (cards.length > photos.length) return;  // others are read now, and these after them
  const isOpen = await opened;
  for (const [index, card] of cards.entries()) {  // those that come meanwhile, too
    if (!card.article.isConnected) continue;  // it was cleared
    if (isOpen) status(`Reading photo ${index + 1} of ${cards.length}`);
    showPhoto(card, isOpen ? await ask({ image: card.file }) : { error: 'the page cannot start' });
  }
  cards.length = 0;
  if (isOpen) status('Ready');
}

async function readFrame(image, share) {
  const answer = await ask({ image, share }, [image]);
  if (answer.error) status(`The camera's image cannot be read: ${answer.error}`);
  return answer;
}

const reading = setInterval(showProgress, 100);
const opened = new Promise(go => {  // whether the page could start
  document.addEventListener('DOMContentLoaded', () => {
    clearInterval(reading);
    go(start().then(() => true, error => {
      status(`The page cannot start in this browser: ${error.message}`);
      return false;
    }));
  });
});
byId('choose').addEventListener('change', ({ target }) => {
  readPhotos(target.files);
  target.value = '';  // so that the same photo can be chosen again
});
byId('save').addEventListener('click', () => save(makeTable(), 'text/csv', 'expressions.csv'));
byId('clear').addEventListener('click', clearPhotos);
byId('camera').addEventListener('click', () => startCamera(readFrame));
byId('stop').addEventListener('click', stopCamera);
byId('record').addEventListener('click', record);
document.addEventListener('paste', event => readPhotos(event.clipboardData.files));
for (const name of ['dragenter', 'dragover'])
  document.addEventListener(name, event => { event.preventDefault(); byId('drop').classList.add('over'); });
for (const name of ['dragleave', 'drop'])
  document.addEventListener(name, event => { event.preventDefault(); byId('drop').classList.remove('over'); });
document.addEventListener('drop', event => readPhotos(event.dataTransfer.files));
