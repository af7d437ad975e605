// The page's side of the worker: start it, hand it pictures, get people.

const asked = new Map();
let worker, number = 0;

// Start runtime and model; onProgress(bytes, of). Resolves to { threads } once pictures can be looked at.
export function start(about, onProgress) {
  worker = new Worker("worker.js");
  return new Promise((resolve, refuse) => {
    const reject = (words) => { // what it still does or says is of no use
      worker.terminate();
      refuse(new Error(words));
    };
    worker.onerror = (event) => reject(event.message || "the worker could not be started");
    worker.onmessage = ({ data }) => {
      if (data.kind === "progress") onProgress(data.done, data.total);
      else if (data.kind === "ready") resolve(data);
      else if (data.id === undefined) reject(data.words);
      else answer(data);
    };
    worker.postMessage({ kind: "start", about });
  });
}

function answer(data) {
  const { resolve, reject } = asked.get(data.id);
  asked.delete(data.id);
  if (data.kind === "seen") resolve(data);
  else reject(new Error(data.words));
}

// The people of a picture (ImageData): { faces: [{ xyxy, score, probabilities }], milliseconds, memory }.
export function look(picture, minScore) {
  const id = ++number, rgba = picture.data;
  return new Promise((resolve, reject) => {
    asked.set(id, { resolve, reject });
    const size = [picture.width, picture.height];
    worker.postMessage({ kind: "look", id, rgba, size, minScore }, [rgba.buffer]);
  });
}
