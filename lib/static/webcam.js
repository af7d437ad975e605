// The webcam cell. Two sources: this browser's own camera (pictures go to the kernel as JPEG, one on its way at a
// time, boxes come back and are drawn over the live picture), or whatever the kernel shows us (JPEG and boxes together).

const WIDTH = 640; // pixels of what is sent to the kernel: enough for the quick look, and for a snapshot
const SLOW = 3000, GONE = 30000; // milliseconds without an answer from the kernel: say so; let the camera go
const HISTORY = 60; // seconds of the small plot

const WORDS = {
  asking: "Your browser asks whether it may use the camera: choose Allow.",
  refused: "The browser does not give the camera. Click the camera sign beside the address, allow it, and press Start again.",
  none: "There is no camera at this computer. Plug one in and press Start again, or choose another source.",
  busy: "Another program is using the camera. Close it (a video call?) and press Start again.",
  insecure: "Browsers give the camera only to secure pages. Open this notebook by https://, or by http://localhost "
    + "(from afar: ssh -L 8888:localhost:8888 …), or choose another source.",
  odd: "The camera cannot be used: ",
  slow: "The kernel has not answered for some seconds: is another cell running, or was it restarted?",
  gone: "The kernel does not answer, so the camera was let go. Run this cell again.",
};

function trouble(error) {
  const states = { NotAllowedError: "refused", SecurityError: "refused", NotFoundError: "none",
    OverconstrainedError: "none", NotReadableError: "busy", AbortError: "busy" };
  const state = states[error.name];
  return { state: state ?? "odd", words: state ? WORDS[state] : WORDS.odd + error.message };
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function build(el) {
  const ui = {
    go: make("button", { className: "go", type: "button", textContent: "Start" }),
    snapshot: make("button", { className: "snapshot", type: "button", textContent: "Snapshot", disabled: true }),
    record: make("button", { className: "record", type: "button", textContent: "Record", disabled: true }),
    source: make("select", { className: "source", ariaLabel: "Source" }),
    device: make("select", { className: "device", ariaLabel: "Camera", hidden: true }),
    detector: make("select", { className: "detector", ariaLabel: "Detector" }),
    mirror: make("input", { type: "checkbox", className: "mirror" }),
    file: make("input", { type: "file", accept: "image/*", className: "upload", ariaLabel: "A picture from disk" }),
    threshold: make("input", { type: "range", min: 0, max: 100, step: 1, ariaLabel: "Unsure below, in percent" }),
    percent: make("output"),
    video: make("video", { autoplay: true, muted: true, playsInline: true, hidden: true }),
    picture: make("canvas"),
    boxes: make("canvas", { className: "boxes" }),
    words: make("div", { className: "words" }),
    said: make("span", { className: "said", role: "status" }),
    speed: make("span", { className: "speed" }),
    legend: make("div", { className: "row legend" }),
    history: make("canvas", { className: "history", ariaLabel: "People over the last minute" }),
  };
  ui.stage = make("div", { className: "stage" }, ui.video, ui.picture, ui.boxes, ui.words);
  const picture = make("label", { className: "file" }, "A picture…", ui.file);
  el.append(make("div", { className: "mask-cam" },
    make("div", { className: "row" }, ui.go, ui.snapshot, ui.record, ui.source, ui.device, picture),
    make("div", { className: "row" },
      make("label", { className: "threshold" }, "Unsure below", ui.threshold, ui.percent), ui.detector,
      make("label", {}, ui.mirror, "Mirror")),
    ui.stage,
    make("div", { className: "row status" }, ui.said, ui.speed),
    ui.legend, ui.history));
  return ui;
}

function drawBoxes(canvas, boxes, { colours, mirror, shape }) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = w * ratio;
  canvas.height = h * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const scale = Math.min(w / shape[0], h / shape[1]); // the picture is fitted into the stage
  const [pw, ph] = [shape[0] * scale, shape[1] * scale];
  const [left, top] = [(w - pw) / 2, (h - ph) / 2];
  pen.font = "600 14px system-ui, sans-serif";
  for (const box of boxes) {
    let [x1, y1, x2, y2] = box.xyxy;
    if (mirror) [x1, x2] = [1 - x2, 1 - x1];
    const [x, y, bw, bh] = [left + x1 * pw, top + y1 * ph, (x2 - x1) * pw, (y2 - y1) * ph];
    for (const [width, colour] of [[5, "#141414"], [3, colours[box.name] ?? "#141414"]]) {
      pen.lineWidth = width;
      pen.strokeStyle = colour;
      pen.strokeRect(x, y, bw, bh);
    }
    caption(pen, box.caption, { x, y, w, colour: colours[box.name] ?? "rgb(20, 20, 20)" });
  }
}

function caption(pen, words, { x, y, w, colour }) {
  const width = pen.measureText(words).width + 10;
  const at = Math.max(0, Math.min(x - 1.5, w - width));
  const up = y - 23 < 0 ? y : y - 23;
  const [r, g, b] = colour.match(/\d+/g).map(Number);
  pen.fillStyle = colour;
  pen.fillRect(at, up, width, 22);
  pen.fillStyle = 0.299 * r + 0.587 * g + 0.114 * b < 140 ? "#fff" : "#141414";
  pen.fillText(words, at + 5, up + 16);
}

function drawHistory(canvas, past, legend) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = w * ratio;
  canvas.height = h * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const now = performance.now() / 1000;
  const most = Math.max(2, ...past.map((p) => p.total));
  past.forEach((p, i) => {
    const x = w * (1 - (now - p.time) / HISTORY);
    const next = past[i + 1] ? w * (1 - (now - past[i + 1].time) / HISTORY) : w;
    let y = h;
    for (const [name, , colour] of legend) {
      const tall = (h * (p.counts[name] ?? 0)) / most;
      pen.fillStyle = colour;
      pen.fillRect(x, (y -= tall), Math.max(1, next - x + 0.5), tall);
    }
  });
}

function render({ model, el }) {
  const ui = build(el);
  const view = Math.random().toString(36).slice(2);
  const legend = model.get("legend");
  const colours = Object.fromEntries(legend.map(([name, , colour]) => [name, colour]));
  const sketch = document.createElement("canvas"); // the frame that is sent
  const ends = new AbortController();
  const on = (target, kind, what) => target.addEventListener(kind, what, { signal: ends.signal });
  let stream = null, asked = 0, waiting = 0, sent = 0, failed = "", boxes = [], shape = [4, 3], past = [], arrivals = [];

  function say() {
    const error = failed || model.get("error");
    ui.said.textContent = error || model.get("message");
    ui.said.classList.toggle("trouble", Boolean(error));
    ui.words.textContent = error;
  }

  function fail(words) {
    failed = words;
    say();
  }

  function redraw() {
    drawBoxes(ui.boxes, boxes, { colours, mirror: mirrored(), shape });
  }

  const mirrored = () => Boolean(stream) && model.get("mirror"); // only a camera that faces you is a mirror

  function setShape(w, h) {
    if (w && h && (w !== shape[0] || h !== shape[1])) {
      shape = [w, h];
      ui.stage.style.aspectRatio = `${w} / ${h}`;
    }
  }

  async function paint(bytes) {
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
    setShape(bitmap.width, bitmap.height);
    ui.picture.width = bitmap.width;
    ui.picture.height = bitmap.height;
    ui.picture.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
  }

  function count(found, delay) {
    const time = performance.now() / 1000, counts = {};
    for (const box of found) counts[box.name] = (counts[box.name] ?? 0) + 1;
    past = [...past.filter((p) => time - p.time < HISTORY), { time, counts, total: found.length }];
    arrivals = [...arrivals.filter((t) => time - t < 2), time];
    const span = time - arrivals[0];
    const speed = span > 0 ? (arrivals.length - 1) / span : 0;
    ui.speed.textContent = `${speed.toFixed(0)} frames/s · ${delay.toFixed(0)} ms`;
    ui.legend.querySelectorAll("b").forEach((b) => { b.textContent = counts[b.dataset.name] ?? 0; });
    drawHistory(ui.history, past, legend);
  }

  // ---- this browser's camera

  async function take() {
    const mine = ++asked;
    failed = "";
    await null; // whoever set `running` sends that first
    if (mine !== asked) return;
    if (!navigator.mediaDevices?.getUserMedia) {
      return refuse("insecure", WORDS.insecure);
    }
    ui.words.textContent = WORDS.asking;
    const wish = ui.device.value ? { deviceId: { exact: ui.device.value } } : { facingMode: "user" };
    try {
      const got = await navigator.mediaDevices.getUserMedia({ audio: false, video: { ...wish, width: { ideal: 1280 } } });
      if (mine !== asked || !model.get("running")) { // stopped while the person was being asked
        got.getTracks().forEach((track) => track.stop());
        return;
      }
      stream = got;
    } catch (error) {
      if (mine !== asked) return;
      const { state, words } = trouble(error);
      return refuse(state, words);
    }
    stream.getVideoTracks()[0].addEventListener("ended", () => { if (stream) { fail(WORDS.none); halt(); } });
    ui.video.srcObject = stream;
    ui.video.hidden = false;
    ui.picture.hidden = true;
    ui.video.classList.toggle("mirrored", mirrored());
    say();
    await ui.video.play().catch(() => {});
    listDevices();
    next();
  }

  function refuse(state, words) {
    release();
    fail(words);
    model.send({ kind: "no camera", state, words }); // the kernel ends the run, or has a clip to play instead
  }

  function release() {
    asked++;
    if (stream && ui.video.videoWidth) { // the last picture stays
      ui.picture.width = ui.video.videoWidth;
      ui.picture.height = ui.video.videoHeight;
      ui.picture.getContext("2d").drawImage(ui.video, 0, 0);
    }
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    waiting = 0;
    ui.video.srcObject = null;
    ui.video.hidden = true;
    ui.picture.hidden = false;
    if (ui.words.textContent === WORDS.asking) ui.words.textContent = "";
  }

  async function listDevices() {
    const cameras = (await navigator.mediaDevices.enumerateDevices()).filter((d) => d.kind === "videoinput");
    const chosen = stream?.getVideoTracks()[0]?.getSettings().deviceId;
    ui.device.replaceChildren(...cameras.map((d, i) => make("option", {
      value: d.deviceId, textContent: d.label || `camera ${i + 1}`, selected: d.deviceId === chosen })));
    ui.device.hidden = cameras.length < 2;
  }

  function next() {
    if (!stream) return;
    if (!waiting) pass();
    if (ui.video.requestVideoFrameCallback) ui.video.requestVideoFrameCallback(next);
    else setTimeout(next, 33);
  }

  function pass() {
    const [w, h] = [ui.video.videoWidth, ui.video.videoHeight];
    if (!w || ui.video.readyState < 2) return;
    setShape(w, h);
    const scale = Math.min(1, WIDTH / Math.max(w, h));
    sketch.width = Math.round(w * scale);
    sketch.height = Math.round(h * scale);
    sketch.getContext("2d").drawImage(ui.video, 0, 0, sketch.width, sketch.height);
    const mine = waiting = ++sent;
    const born = performance.now();
    waitingSince = born;
    sketch.toBlob(async (blob) => {
      if (!blob || !stream || waiting !== mine) return;
      const bytes = await blob.arrayBuffer();
      if (stream && waiting === mine) model.send({ kind: "frame", id: mine, view, time: born }, undefined, [bytes]);
    }, "image/jpeg", 0.8);
  }
  let waitingSince = 0;

  const guard = setInterval(() => {
    if (!stream || !waiting) return;
    const late = performance.now() - waitingSince;
    if (late > GONE) {
      release();
      fail(WORDS.gone);
      show();
    } else if (late > SLOW) {
      ui.said.textContent = WORDS.slow;
    }
  }, 1000);

  // ---- both

  model.on("msg:custom", hear);
  async function hear(content, buffers) {
    if (content.kind === "frame") {
      await paint(buffers[0]);
      boxes = content.boxes;
      redraw();
      if (content.still) ui.speed.textContent = `${content.ms.toFixed(0)} ms`;
      else {
        model.send({ kind: "seen" });
        if (model.get("running")) count(boxes, content.ms);
      }
    } else if (content.kind === "boxes" && content.view === view) {
      if (content.id === waiting) {
        waiting = 0;
        if (ui.said.textContent === WORDS.slow) say();
      }
      if (!stream) return;
      boxes = content.boxes;
      redraw();
      count(boxes, performance.now() - waitingSince);
    }
  }

  function show() {
    const running = model.get("running");
    ui.go.textContent = running ? "Stop" : "Start";
    ui.go.classList.toggle("on", running);
    ui.record.disabled = !running;
    ui.record.textContent = model.get("recording") ? "Stop recording" : "Record";
    ui.record.classList.toggle("on", model.get("recording"));
    ui.snapshot.disabled = !running && !boxes.length;
    ui.source.replaceChildren(...model.get("sources").map(([value, words]) => make("option", { value, textContent: words })));
    ui.source.value = model.get("source");
    const names = model.get("detectors");
    ui.detector.replaceChildren(...names.map((name) => make("option", { value: name, textContent: name })));
    ui.detector.value = model.get("using");
    ui.detector.hidden = names.length < 2;
    ui.mirror.checked = model.get("mirror");
    ui.mirror.parentElement.hidden = model.get("source") !== "browser";
    ui.threshold.value = Math.round(100 * model.get("unsure_below"));
    ui.percent.textContent = `${ui.threshold.value} %`;
    ui.video.classList.toggle("mirrored", mirrored());
    redraw();
    say();
  }

  function follow() {
    const wanted = model.get("running") && model.get("source") === "browser";
    if (wanted && !stream) take();
    else if (!wanted) release();
    if (model.get("running")) {
      [past, arrivals, boxes] = [[], [], []];
      ui.speed.textContent = "";
    }
    show();
  }

  function halt() {
    release();
    model.set({ running: false });
    model.save_changes();
    show();
  }

  on(ui.go, "click", () => {
    failed = "";
    if (model.get("running")) return halt();
    model.set({ running: true });
    model.save_changes();
  });
  on(ui.snapshot, "click", () => model.send({ kind: "snapshot" }));
  on(ui.record, "click", () => { model.set({ recording: !model.get("recording") }); model.save_changes(); });
  on(ui.source, "change", () => { failed = ""; model.set({ source: ui.source.value }); model.save_changes(); });
  on(ui.detector, "change", () => { model.set({ using: ui.detector.value }); model.save_changes(); });
  on(ui.device, "change", () => { release(); take(); });
  on(ui.mirror, "change", () => { model.set({ mirror: ui.mirror.checked }); model.save_changes(); });
  on(ui.threshold, "input", () => { model.set({ unsure_below: ui.threshold.value / 100 }); model.save_changes(); });
  on(ui.file, "change", async () => {
    const [file] = ui.file.files;
    ui.file.value = "";
    if (!file) return;
    failed = "";
    release();
    model.send({ kind: "picture", name: file.name }, undefined, [await file.arrayBuffer()]);
  });
  on(window, "pagehide", release);

  const shown = ["recording", "mirror", "using", "unsure_below", "sources", "message", "error"].map((name) => `change:${name}`);
  const other = () => { failed = ""; follow(); };
  model.on("change:running", follow);
  model.on("change:source", other);
  for (const name of shown) model.on(name, show);
  const size = new ResizeObserver(redraw);
  size.observe(ui.stage);

  ui.legend.append(...legend.map(([name, words, colour]) => {
    const square = make("i");
    square.style.background = colour;
    const number = make("b", { textContent: "0" });
    number.dataset.name = name;
    return make("span", {}, square, words, number);
  }));
  const preview = model.get("preview");
  if (preview?.byteLength) paint(preview).catch(() => {});
  show();

  return () => {
    release();
    clearInterval(guard);
    size.disconnect();
    ends.abort();
    model.off("msg:custom", hear);
    model.off("change:running", follow);
    model.off("change:source", other);
    for (const name of shown) model.off(name, show);
  };
}

export { drawBoxes, trouble }; // for the web page (lib.web)
export default { render };
