// Works beside the page, so that it stays quick: opens the networks once, and answers to one image after the other.

let detector, turner, classifier, doubter;

async function open({ files, settings }) {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = files.runtime;
  ort.env.logLevel = 'error';
  const start = content => ort.InferenceSession.create(new Uint8Array(content), { executionProviders: ['wasm'] });
  detector = new Detector(await start(files.detector), settings.detector);
  classifier = new Classifier(await start(files.network), settings.crop, settings.answer);
  turner = new Turner(detector, settings.turned);
  doubter = new Doubter(detector, settings.doubts);
  return {};
}

async function read({ image, share }) {
  const bitmap = image instanceof ImageBitmap ? image : await createImageBitmap(image, { colorSpaceConversion: 'none' });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  context.fillStyle = 'white';  // what is transparent becomes white
  context.fillRect(0, 0, width, height);
  if (context.getImageData(0, 0, 1, 1).data[3] !== 255)  // a canvas that is too large draws nothing, and does not say so
    throw new Error('the image is too large for this browser');
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const pixels = context.getImageData(0, 0, width, height);
  const { upright, faces, degrees } = share === undefined ? await turner.find(pixels)
    : { upright: pixels, faces: await detector.detect(pixels, share * Math.min(width, height)), degrees: 0 };
  const answers = await classifier.classify(upright, faces);
  const answered = faces.map((face, index) => ({ ...face, ...answers[index] }));
  for (const face of answered) {
    face.unsure = await doubter.explain(upright, face);
    face.box = layDown(face.box, degrees, upright);
  }
  answered.sort((one, other) => one.box[0] + one.box[2] - other.box[0] - other.box[2]);  // from left to right
  return { width, height, faces: answered };
}

self.onmessage = async ({ data }) => {
  try {
    self.postMessage({ id: data.id, ...await (data.files ? open(data) : read(data)) });
  } catch (error) {
    self.postMessage({ id: data.id, error: String(error && error.message || error) });
  }
};
