// The camera of the app: each frame goes to the app as a JPEG, and its answer comes back before the next one goes.

const QUALITY = 0.85;
const BUSY_MS = 300;  // before the next try
Object.assign(settings, JSON.parse(byId('settings').textContent));

async function readFrame(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext('2d').drawImage(bitmap, 0, 0);
  bitmap.close();
  const body = await canvas.convertToBlob({ type: 'image/jpeg', quality: QUALITY });
  try {
    const response = await fetch('/frame', { method: 'POST', body });
    const answer = await response.json();
    if (response.ok) {
      for (const face of answer.faces) face.crop = Uint8Array.from(atob(face.crop), letter => letter.charCodeAt(0));
      byId('status').textContent = answer.faces.length ? '' : 'No face was found.';
      return answer;
    }
    byId('status').textContent = answer.error;
  } catch (error) {
    byId('status').textContent = `The app does not answer: ${error.message}`;
  }
  await new Promise(go => setTimeout(go, BUSY_MS));
  return { error: true };
}

function sayStopped() {
  stopCamera();
  byId('status').textContent = '';
}

byId('camera').disabled = !navigator.mediaDevices;
if (!navigator.mediaDevices)
  byId('status').textContent = 'Browsers lend their camera to pages from this machine (127.0.0.1) or over https alone.';
byId('camera').addEventListener('click', () => startCamera(readFrame));
byId('stop').addEventListener('click', sayStopped);
byId('record').addEventListener('click', record);
if (window.frameElement)  // in the app's page, which is to show it all
  new ResizeObserver(() => {
    if (window.innerWidth) window.frameElement.style.height = `${document.body.scrollHeight + 8}px`;
  }).observe(document.body);
