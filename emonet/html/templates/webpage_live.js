// The camera: boxes are painted on the very frame they belong to. One frame is read at a time; those in between are
// left out, so that nothing piles up.

const LIVE_SHARE = 0.12;  // of the shorter side: the smallest faces that are looked for
const live = { stream: null, recorder: null, rows: [] };

async function startCamera(read) {
  try {
    live.stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
  } catch (error) {
    byId('status').textContent = `The camera cannot be used: ${error.message}`;
    return;
  }
  const video = make('video', { srcObject: live.stream, muted: true, playsInline: true });
  await video.play();
  byId('live').hidden = false;
  byId('camera').disabled = true;
  let last = performance.now(), rate = 0;
  while (live.stream) {
    if (document.hidden) {  // pause
      await new Promise(go => setTimeout(go, 200));
      continue;
    }
    const [shown, sent] = await Promise.all([createImageBitmap(video), createImageBitmap(video)]);
    const answer = await read(sent, LIVE_SHARE);
    if (live.stream && !answer.error) paintFrame(shown, answer);
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
    context.strokeStyle = getComputedStyle(live.rows[index]?.bars[best(face.probabilities)] ?? canvas).backgroundColor;
    context.strokeRect(x1, y1, x2 - x1, y2 - y1);
    context.strokeStyle = 'black';
    context.fillStyle = 'white';
    const words = `${index + 1} ${nameOf(face)}`, y = Math.max(y1 - 4, 20);
    context.strokeText(words, x1, y);
    context.fillText(words, x1, y);
  });
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
  byId('live').hidden = true;
  byId('camera').disabled = false;
}

// Starts to record what is shown, or stops and saves the film.
function record() {
  if (live.recorder) {
    live.recorder.stop();
    live.recorder = null;
    byId('record').textContent = 'Record';
    return;
  }
  const parts = [];
  live.recorder = new MediaRecorder(byId('frame').captureStream());
  live.recorder.ondataavailable = ({ data }) => parts.push(data);
  live.recorder.onstop = () => save(new Blob(parts), 'video/webm', 'expressions.webm');
  live.recorder.start(1000);
  byId('record').textContent = 'Stop and save';
}
