// The camera: boxes are painted on the very frame they belong to. One frame is read at a time; those in between are
// left out, so that nothing piles up.

const LIVE_SHARE = 0.12;  // of the shorter side: the smallest faces that are looked for
const live = { stream: null, recorder: null, rows: [], lines: [], began: 0 };
const isHidden = () => document.hidden || window.frameElement?.checkVisibility() === false;  // or its frame in a page

async function startCamera(read) {
  byId('camera').disabled = true;  // at once: a second click would open another stream
  const video = make('video', { muted: true, playsInline: true });
  try {
    live.stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
    video.srcObject = live.stream;
    await video.play();
    for (const track of live.stream.getTracks()) track.addEventListener('ended', sayGone);
  } catch (error) {
    stopCamera();
    byId('status').textContent = `The camera cannot be used: ${error.message}`;
    return;
  }
  byId('status').textContent = '';
  byId('live').hidden = false;
  const { stream } = live;
  let last = performance.now(), rate = 0;
  while (live.stream === stream) {
    if (isHidden()) {  // pause
      await new Promise(go => setTimeout(go, 200));
      continue;
    }
    const [shown, sent] = await Promise.all([createImageBitmap(video), createImageBitmap(video)]);
    const answer = await read(sent, LIVE_SHARE);
    if (live.stream === stream && !answer.error) paintFrame(shown, answer);
    else shown.close();
    const now = performance.now();
    rate = 0.8 * rate + 0.2 * 1000 / (now - last);
    last = now;
    byId('rate').textContent = `${rate.toFixed(1)} frames a second`;
  }
  video.srcObject = null;
}

function paintFrame(bitmap, { faces }) {
  const canvas = byId('frame'), { width, height } = bitmap;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext('2d');
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  Object.assign(context, { lineWidth: 3, font: '600 18px system-ui, sans-serif', textBaseline: 'bottom' });
  faces.forEach((face, index) => {
    const [x1, y1, x2, y2] = face.box;
    const bar = live.rows[index]?.bars[best(face.probabilities)];
    context.strokeStyle = face.unsure ? 'grey' : getComputedStyle(bar ?? canvas).backgroundColor;
    context.strokeRect(x1, y1, x2 - x1, y2 - y1);
    context.strokeStyle = 'black';
    context.fillStyle = 'white';
    const words = `${index + 1} ${face.unsure ? 'unsure' : nameOf(face)}`, y = Math.max(y1 - 4, 20);
    context.strokeText(words, x1, y);
    context.fillText(words, x1, y);
  });
  if (live.recorder) live.lines.push(...formatFaces((performance.now() - live.began) / 1000, faces));
  while (live.rows.length < faces.length) {
    live.rows.push(new FaceRow());
    byId('live-faces').append(live.rows.at(-1).element);
  }
  live.rows.forEach((row, index) => {
    row.element.hidden = index >= faces.length;
    if (index < faces.length) row.fill(faces[index], index + 1);
  });
}

function stopCamera() {
  if (live.recorder) record();
  live.stream?.getTracks().forEach(track => track.stop());
  live.stream = null;
  const hadFocus = byId('live').contains(document.activeElement);
  byId('live').hidden = true;
  byId('camera').disabled = false;
  if (hadFocus) byId('camera').focus();
}

function sayGone() {
  stopCamera();
  byId('status').textContent = 'The camera has stopped';
}

// Starts to record what is shown, or stops and saves the film, and a table of the faces on each frame.
function record() {
  if (live.recorder) {
    live.recorder.stop();
    save(makeLiveTable(), 'text/csv', 'expressions.csv');
    Object.assign(live, { recorder: null, lines: [] });
    byId('record').textContent = 'Record';
    return;
  }
  const recorder = new MediaRecorder(byId('frame').captureStream()), parts = [];
  Object.assign(live, { recorder, lines: [], began: performance.now() });
  recorder.ondataavailable = ({ data }) => parts.push(data);
  recorder.onstop = () => {
    const kind = recorder.mimeType || 'video/webm';  // Safari records MP4
    save(new Blob(parts), kind, `expressions.${kind.includes('mp4') ? 'mp4' : 'webm'}`);
  };
  recorder.start(1000);
  byId('record').textContent = 'Stop and save';
}

// The lines of the table about the faces of a frame.
function formatFaces(seconds, faces) {
  return faces.map((face, index) => [
    seconds.toFixed(3), index + 1, ...face.box.map(value => value.toFixed(1)), face.score.toFixed(4), nameOf(face),
    face.unsure ?? '', ...face.probabilities.map(share => share.toFixed(4))].join(','));
}

function makeLiveTable() {
  const columns = ['seconds', 'face', 'x1', 'y1', 'x2', 'y2', 'score', 'emotion', 'unsure', ...settings.answer.classes];
  return [columns.join(','), ...live.lines].join('\r\n') + '\r\n';
}
