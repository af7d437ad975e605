// Fetches runtime and model, and looks at pictures, beside the page, which stays quick. A classic worker, because the
// runtime's loader is a classic script.

let about, cells, lite, found;

const RELAXED = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1,
  253, 15, 65, 2, 253, 15, 253, 128, 2, 11); // a module that only browsers with relaxed SIMD take

function variant() {
  if (!WebAssembly.validate(RELAXED)) return "compat";
  return crossOriginIsolated && navigator.hardwareConcurrency > 1 ? "threaded" : "";
}

// A file of about.json, from what is kept for flight mode or from the network; then it is kept, if it is the right one.
async function take(path, onBytes) {
  const key = `${path}?${about.files[path].hash}`;
  const kept = self.caches && await caches.open(about.cache).catch(() => null);
  const known = await kept?.match(key);
  if (known) return await whole(path, known, onBytes);
  const answer = await fetch(path, { cache: "no-cache" });
  if (!answer.ok) throw new Error(`${path}: the server answered ${answer.status}`);
  const all = await whole(path, answer, onBytes);
  const headers = new Headers(answer.headers);
  for (const name of ["Content-Encoding", "Content-Length"]) headers.delete(name); // it is unpacked already
  await kept?.put(key, new Response(all, { headers })).catch(() => {}); // no room: it works, but not in flight mode
  return all;
}

async function whole(path, answer, onBytes) {
  const { hash, bytes } = about.files[path], all = new Uint8Array(bytes);
  let got = 0;
  for (const reader = answer.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done || got + value.length > bytes) {
      got += value?.length ?? 0;
      break;
    }
    all.set(value, got);
    onBytes(got += value.length);
  }
  if (got !== bytes) throw new Error(`${path}: did not come whole`);
  if (self.crypto?.subtle) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", all));
    const hex = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    if (!hex.startsWith(hash)) throw new Error(`${path}: is not the file that belongs here`);
  }
  return all;
}

async function unpacked(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function start(told) {
  about = told;
  cells = await import("./cells.js");
  const { model } = about;
  const stem = ["runtime/litert_wasm", variant(), "internal"].filter(Boolean).join("_");
  const parts = [`${stem}.js`, `${stem}.wasm.gzip`, model.file];
  const total = parts.reduce((sum, path) => sum + about.files[path].bytes, 0), came = {};
  const contents = await Promise.all(parts.map((path) => take(path, (bytes) => {
    came[path] = bytes;
    postMessage({ kind: "progress", done: Object.values(came).reduce((a, b) => a + b, 0), total });
  })));
  importScripts(`${stem}.js`);
  const glue = new URL(`${stem}.js`, location.href).href;
  lite = await self.ModuleFactory({ wasmBinary: await unpacked(contents[1]), mainScriptUrlOrBlob: glue,
    print: () => {}, printErr: () => {} });
  await compile(contents[2]);
  const { shape } = model.input;
  found = cells.points(shape, about.cells);
  run(new Uint8Array(shape[0] * shape[1] * 3)); // the first run is slow: nobody shall wait for it
  postMessage({ kind: "ready", threads: lite.getThreadCount() });
}

// What @litertjs/core does after loading. Its own run() refuses a batch of any size, as our files have it.
let environment, compiled, kind;
async function compile(tflite) {
  environment = lite.LiteRtEnvironment.create(null);
  const at = lite._malloc(tflite.length);
  lite.HEAPU8.set(tflite, at);
  const model = lite.loadModel(environment, at, tflite.length);
  compiled = await lite.compileModel(environment, model, { environment, accelerator: "wasm",
    cpuOptions: { numThreads: lite.getThreadCount() }, gpuOptions: {}, webNNOptions: {} });
  const type = model.getInputTensorType(0, 0);
  kind = type.elementType().value;
  type.delete();
  if (kind !== 3 && kind !== 1) throw new Error(`the model takes tensors of type ${kind}, neither bytes nor floats`);
}

// Canvas (rgb bytes) → what the cells say: face, box, answer.
function run(canvas) {
  const [h, w] = about.model.input.shape, { scale, zero } = about.model.input;
  const pixels = kind === 1 ? Float32Array.from(canvas)
    : scale === 1 && zero === 0 ? canvas
      : canvas.map((v) => Math.min(Math.max(Math.round(v / scale + zero), 0), 255));
  const sides = new lite.VectorInt32();
  for (const side of [1, h, w, 3]) sides.push_back(side);
  const layout = lite.LiteRtLayout.create(sides);
  const type = lite.LiteRtRankedTensorType.create({ value: kind }, layout);
  const input = lite.LiteRtTensorBuffer.createManaged(environment, lite.LiteRtTensorBufferType.HOST_MEMORY, type,
    pixels.byteLength);
  const outputs = [];
  try {
    const at = input.lock(lite.LiteRtTensorBufferLockMode.WRITE);
    lite.HEAPU8.set(new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength), at);
    input.unlock();
    outputs.push(...compiled.run(0, [input]));
    return named(outputs.map(floats));
  } finally {
    for (const thing of [sides, layout, type, input, ...outputs]) thing.delete();
  }
}

function floats(buffer) {
  const at = buffer.lock(lite.LiteRtTensorBufferLockMode.READ);
  try {
    return new Float32Array(lite.HEAPU8.slice(at, at + buffer.packedSize()).buffer);
  } finally {
    buffer.unlock();
  }
}

function named(arrays) { // a number, four and a number a class for each cell: told apart by their lengths
  const n = found.length / 3;
  const of = (channels) => arrays.find((array) => array.length === n * channels);
  return { face: of(1), box: of(4), answer: of(about.classes.length) };
}

function look({ id, rgba, size, minScore }) {
  const { model } = about, began = performance.now();
  const { canvas, back } = cells.letterbox(rgba, size, model.input.shape, about.cells);
  const fitted = performance.now();
  const outputs = run(canvas);
  const ran = performance.now();
  const faces = cells.people(outputs, found, { size, back, model, reach: about.cells.reach, minScore });
  const milliseconds = { letterbox: fitted - began, network: ran - fitted, boxes: performance.now() - ran };
  postMessage({ kind: "seen", id, faces, milliseconds, memory: lite.HEAPU8.length });
}

self.onmessage = async ({ data }) => {
  try {
    await (data.kind === "start" ? start(data.about) : look(data));
  } catch (error) {
    postMessage({ kind: "trouble", id: data.id, words: String(error?.message ?? error) });
  }
};
