// How a one-look network sees a picture and what its cells say: lib/cells.py, word for word. `about` is about.json.

const even = (x) => { // Python's round: halves go to the even neighbour
  const low = Math.floor(x);
  return x - low === 0.5 ? low + (low % 2) : Math.round(x);
};

// The picture (rgba bytes) in the upper left of a grey canvas of shape [h, w]: { canvas, back }, where canvas is rgb
// bytes, and back is what to multiply its boxes by (x, y).
export function letterbox(rgba, [w, h], shape, { grey, enlarge }) {
  const scale = Math.min(shape[0] / h, shape[1] / w, enlarge);
  const [tw, th] = [w, h].map((side, i) => Math.min(shape[1 - i], Math.max(1, even(side * scale))));
  const canvas = new Uint8Array(shape[0] * shape[1] * 3).fill(grey);
  const smaller = scale < 1, weigh = smaller ? area : linear;
  const [across, down] = [weigh(w, tw), weigh(h, th)];
  const row = new Float32Array(tw * 3); // one row of the source, shrunk
  const sum = new Float32Array(tw * 3);
  let held = -1; // the source row that `row` holds
  for (let y = 0; y < th; y++) {
    sum.fill(0);
    for (let j = down.starts[y]; j < down.starts[y + 1]; j++) {
      if (held !== down.from[j]) shrink(rgba, (held = down.from[j]) * w * 4, across, row);
      const share = down.share[j];
      if (smaller) for (let i = 0; i < row.length; i++) sum[i] += Math.fround(share * row[i]);
      else for (let i = 0; i < row.length; i++) sum[i] += share * row[i];
    }
    const at = y * shape[1] * 3;
    if (smaller) for (let i = 0; i < sum.length; i++) canvas[at + i] = even(sum[i]);
    else for (let i = 0; i < sum.length; i++) canvas[at + i] = (sum[i] + 32768) >> 16;
  }
  return { canvas, back: [w / tw, h / th] };
}

function shrink(rgba, offset, { starts, from, share }, row) { // adds up in 32 bits, as OpenCV does
  row.fill(0);
  for (let x = 0, i = 0; i < row.length; x++, i += 3) {
    for (let j = starts[x]; j < starts[x + 1]; j++) {
      const at = offset + from[j] * 4, s = share[j];
      row[i] += Math.fround(s * rgba[at]);
      row[i + 1] += Math.fround(s * rgba[at + 1]);
      row[i + 2] += Math.fround(s * rgba[at + 2]);
    }
  }
}

// Which sources make a target, and by what share: those of target x are starts[x] … starts[x + 1] of from and share.
function table(target, sources) {
  const starts = new Int32Array(target + 1), from = [], share = [];
  for (let x = 0; x < target; x++) {
    for (const [source, weight] of sources(x)) {
      from.push(source);
      share.push(weight);
    }
    starts[x + 1] = from.length;
  }
  return { starts, from: Int32Array.from(from), share: Float32Array.from(share) };
}

// The two ways in which OpenCV makes a side of `source` pixels one of `target`, to the last bit: one grey level in few
// pixels moves the boxes of small faces.
function area(source, target) { // each source counts by how much of it lies in the target (INTER_AREA)
  const scale = 1 / (target / source);
  return table(target, (x) => {
    const start = x * scale, end = start + scale, width = Math.min(scale, source - start);
    const last = Math.min(Math.floor(end), source - 1), first = Math.min(Math.ceil(start), last);
    const parts = [];
    if (first - start > 1e-3) parts.push([first - 1, (first - start) / width]);
    for (let i = first; i < last; i++) parts.push([i, 1 / width]);
    if (end - last > 1e-3) parts.push([last, Math.min(end - last, 1, width) / width]);
    return parts;
  });
}

function linear(source, target) { // the two nearest, by middles of pixels, in whole 256ths (INTER_LINEAR_EXACT)
  const scale = 1 / (target / source);
  return table(target, (x) => {
    const at = (x + 0.5) * scale - 0.5, low = Math.floor(at);
    if (low < 0) return [[0, 256]];
    if (low >= source - 1) return [[source - 1, 256]];
    const far = even(256 * (at - low));
    return [[low, 256 - far], [low + 1, far]];
  });
}

// All cells of a canvas [h, w], finest first: x, y of the middle, and stride, three numbers a cell.
export function points(shape, { strides }) {
  const cells = [];
  for (const stride of strides) {
    for (let y = 0; y < shape[0]; y += stride) {
      for (let x = 0; x < shape[1]; x += stride) cells.push(x + stride / 2, y + stride / 2, stride);
    }
  }
  return Float32Array.from(cells);
}

export function iou(a, b) {
  const w = Math.min(a[2], b[2]) - Math.max(a[0], b[0]), h = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (w <= 0 || h <= 0) return 0;
  const size = (c) => (c[2] - c[0]) * (c[3] - c[1]);
  return (w * h) / (size(a) + size(b) - w * h);
}

// The faces of one canvas, surest first: [{ xyxy in its pixels, score 0–1, logits of the classes }].
export function read({ face, box, answer }, cells, { minScore, overlap, reach, most = 300 }) {
  const floor = Math.min(Math.max(minScore, 1e-6), 1 - 1e-6);
  const least = Math.log(floor / (1 - floor));
  const k = answer.length / face.length;
  const able = [];
  for (let i = 0; i < face.length; i++) {
    if (face[i] < least) continue;
    const score = 1 / (1 + Math.exp(-face[i]));
    if (score >= minScore) able.push([i, score]);
  }
  able.sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const kept = [];
  for (const [i, score] of able.slice(0, most)) {
    const [x, y, stride] = cells.subarray(3 * i, 3 * i + 3);
    const [l, t, r, b] = [...box.subarray(4 * i, 4 * i + 4)]
      .map((log) => Math.exp(Math.min(Math.max(log, -reach), reach)) * stride);
    const xyxy = [x - l, y - t, x + r, y + b];
    if (kept.some((other) => iou(other.xyxy, xyxy) > overlap)) continue;
    kept.push({ xyxy, score, logits: [...answer.subarray(k * i, k * i + k)] });
  }
  return kept;
}

export function softmax(logits) {
  const top = Math.max(...logits);
  const powers = logits.map((x) => Math.exp(x - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((x) => x / sum);
}

// Probabilities as the card's calibration makes them: softmax(log p / temperature + bias).
export function calibrated(logits, { temperature, bias }) {
  return softmax(softmax(logits).map((p, i) => Math.log(Math.min(Math.max(p, 1e-7), 1)) / temperature + bias[i]));
}

// Outputs of the network for a picture [w, h] → its people: xyxy in its pixels, score of the face, probabilities.
export function people(outputs, cells, { size, back, model, reach, minScore }) {
  return read(outputs, cells, { minScore, overlap: model.overlap, reach }).map(({ xyxy, score, logits }) => ({
    xyxy: xyxy.map((v, i) => Math.min(Math.max(v * back[i % 2], 0), size[i % 2])),
    score,
    probabilities: calibrated(logits, model),
  })).filter(({ xyxy: [x1, y1, x2, y2] }) => Math.min(x2 - x1, y2 - y1) >= 1);
}
