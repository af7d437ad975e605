// The page: a picture or a video that is dropped, this browser's camera, or the server's. The server looks, and draws
// on what it sends back; over this browser's own live picture the boxes are drawn here, as in the webcam cell.

import { drawBoxes, trouble } from "./shared/webcam.js";

const WIDTH = 640; // pixels of what a live camera sends; faces are found at that size anyway
const INSECURE = "Browsers give the camera only to secure pages: open this page by https://, or by http://localhost "
  + "(from afar: ssh -L 8000:localhost:8000 …).";

const about = JSON.parse(document.documentElement.dataset.about);
const colours = Object.fromEntries(about.legend.map(([name, , colour]) => [name, colour]));
const $ = (id) => document.getElementById(id);
const tabs = [...document.querySelectorAll("[role=tab]")];
const shownIn = ["picture", "clip", "live", "frame", "boxes"];
let turn = 0; // what was asked last; answers to anything before are dropped
let last = null, job = null, urls = [], arrivals = [];

class Trouble extends Error {}

async function ask(path, options = {}) {
  const answer = await fetch(path, options).catch(() => null);
  if (!answer) throw new Trouble("The server does not answer. Is it still running?");
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => null);
  throw new Trouble(said?.error ?? `The server answered ${answer.status}.`);
}

function say(words, { bad = false } = {}) {
  $("said").textContent = words;
  $("said").classList.toggle("trouble", bad);
}

function fail(error) {
  document.body.classList.remove("busy");
  say(error instanceof Trouble ? error.message : `Something went wrong: ${error.message}`, { bad: true });
}

function show(...ids) {
  $("stage").hidden = !ids.length;
  document.body.classList.toggle("has", ids.length > 0); // a smaller place to drop the next one
  for (const id of shownIn) $(id).hidden = !ids.includes(id);
}

function shape(w, h) {
  $("stage").style.aspectRatio = `${w} / ${h}`;
}

function count(counts) {
  for (const item of document.querySelectorAll(".legend li")) {
    item.querySelector("b").textContent = counts[item.dataset.name] ?? 0;
  }
}

const total = (counts) => Object.values(counts).reduce((sum, n) => sum + n, 0);
const faces = (n) => (n === 0 ? "No face found." : `${n} ${n === 1 ? "face" : "faces"}.`);

function offer(picture, answers) {
  for (const [id, target] of [["save", picture], ["answers", answers]]) {
    $(id).href = target.href;
    $(id).download = target.name;
  }
  $("downloads").hidden = false;
}

function url(content, type) {
  urls.push(URL.createObjectURL(new Blob([content], { type })));
  return urls.at(-1);
}

function clear() { // whatever ran ends; the stage is empty
  turn++;
  mine.stop();
  theirs.stop();
  forget();
  document.body.classList.remove("busy");
  urls.splice(0).forEach((old) => URL.revokeObjectURL(old));
  $("clip").removeAttribute("src");
  $("job").hidden = $("downloads").hidden = true;
  $("speed").textContent = "";
  arrivals = [];
  show();
  count({});
  say("");
}

function beat(delay) {
  const now = performance.now() / 1000;
  arrivals = [...arrivals.filter((t) => now - t < 2), now];
  const span = now - arrivals[0];
  $("speed").textContent = `${(span > 0 ? (arrivals.length - 1) / span : 0).toFixed(0)} frames/s · ${delay.toFixed(0)} ms`;
}

// ---- pictures

async function look(file) {
  clear();
  const asked = turn;
  last = file;
  if (/^video\//.test(file.type) || /\.(mp4|m4v|mov|webm|mkv)$/i.test(file.name)) return film(file, asked);
  if (file.size > about.pictureBytes) {
    throw new Trouble(`The picture has ${(file.size / 1e6).toFixed(0)} MB; at most ${about.pictureBytes / 1e6} are taken.`);
  }
  document.body.classList.add("busy");
  say("Looking …");
  const query = `picture=1&blur=${$("blur").checked ? 1 : 0}`;
  const answer = await (await ask(`/api/detect?${query}`, { method: "POST", body: file })).json();
  if (asked !== turn) return;
  document.body.classList.remove("busy");
  const bytes = Uint8Array.from(atob(answer.picture), (letter) => letter.charCodeAt(0));
  delete answer.picture;
  const stem = (file.name || "picture").replace(/\.[^.]*$/, "");
  $("picture").src = url(bytes, "image/jpeg");
  $("picture").alt = `Your picture with boxes: ${answer.faces.map((face) => face.words).join(", ") || "no face found"}`;
  shape(answer.width, answer.height);
  show("picture");
  count(answer.counts);
  say(faces(answer.faces.length));
  $("speed").textContent = `${answer.milliseconds.toFixed(0)} ms`;
  offer({ href: $("picture").src, name: `${stem}-annotated.jpg` },
    { href: url(JSON.stringify(answer, null, 1), "application/json"), name: `${stem}.json` });
}

// ---- videos

function upload(file, onProgress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.upload.onprogress = (event) => onProgress(event.loaded / event.total);
    request.onload = () => {
      let said = null;
      try { said = JSON.parse(request.responseText); } catch { /* no answer of this server */ }
      if (request.status === 202) resolve(said);
      else reject(new Trouble(said?.error ?? `The server answered ${request.status}.`));
    };
    request.onerror = () => reject(new Trouble("The server does not answer. Is it still running?"));
    request.onabort = () => reject(new Trouble("Cancelled."));
  });
  request.open("POST", `/api/videos?blur=${$("blur").checked ? 1 : 0}`);
  request.send(file);
  return { done, cancel: () => request.abort() };
}

async function film(file, asked) {
  if (file.size > about.videoBytes) {
    throw new Trouble(`The video has ${(file.size / 1e6).toFixed(0)} MB; at most ${about.videoBytes / 1e6} are taken.`);
  }
  $("job").hidden = false;
  $("progress").value = 0;
  say("Uploading …");
  const sending = upload(file, (share) => { if (asked === turn) $("progress").value = share; });
  job = { cancel: sending.cancel, path: "" };
  let state = await sending.done.catch((error) => { if (asked === turn) { $("job").hidden = true; throw error; } });
  if (!state) return;
  const path = `/api/videos/${state.id}`;
  if (asked !== turn) return void ask(path, { method: "DELETE" }).catch(() => {});
  job = { cancel: () => {}, path };
  while (state.state === "waiting" || state.state === "working") {
    if (state.of) $("progress").value = state.frames / state.of;
    else $("progress").removeAttribute("value");
    say(state.state === "waiting" ? "Waiting for other videos …" : `Looking: frame ${state.frames}${state.of ? ` of ${state.of}` : ""}`);
    await new Promise((resolve) => setTimeout(resolve, 400));
    if (asked !== turn) return;
    state = await (await ask(path)).json();
    if (asked !== turn) return;
  }
  $("job").hidden = true;
  if (state.state !== "done") throw new Trouble(state.words);
  $("clip").onloadedmetadata = () => shape($("clip").videoWidth, $("clip").videoHeight);
  $("clip").src = `${path}/annotated.mp4`;
  $("clip").play().catch(() => {});
  show("clip");
  count(state.most);
  say(`${state.words}.`);
  const stem = file.name.replace(/\.[^.]*$/, "");
  offer({ href: `${path}/annotated.mp4`, name: `${stem}-annotated.mp4` },
    { href: `${path}/answers.json`, name: `${stem}.json` });
}

function forget() { // cancels a job that runs; the server deletes what it has of it
  job?.cancel();
  if (job?.path) fetch(job.path, { method: "DELETE", keepalive: true }).catch(() => {});
  job = null;
}

// ---- this browser's camera

const mine = {
  stream: null,
  boxes: [],
  asked: 0,
  facing: "user",
  sketch: document.createElement("canvas"),
  who: [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join(""),

  async start() {
    clear();
    const asked = ++this.asked;
    if (!navigator.mediaDevices?.getUserMedia) throw new Trouble(INSECURE);
    say("Your browser asks whether it may use the camera: choose Allow.");
    const wish = { facingMode: this.facing, width: { ideal: 1280 } };
    const got = await navigator.mediaDevices.getUserMedia({ audio: false, video: wish })
      .catch((error) => { throw new Trouble(trouble(error).words); });
    if (asked !== this.asked) return got.getTracks().forEach((track) => track.stop());
    this.stream = got;
    got.getVideoTracks()[0].onended = () => { clear(); fail(new Trouble("The camera was unplugged or taken away; start again.")); };
    $("live").srcObject = got;
    running("go-mine", true);
    say("");
    show("live", "boxes");
    await $("live").play().catch(() => {});
    const cameras = await navigator.mediaDevices.enumerateDevices();
    $("turn").hidden = cameras.filter((device) => device.kind === "videoinput").length < 2;
    await this.watch(asked);
  },

  async watch(asked) {
    const video = $("live");
    while (asked === this.asked) {
      if (!video.videoWidth) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        continue;
      }
      shape(video.videoWidth, video.videoHeight);
      this.sketch.width = Math.min(WIDTH, video.videoWidth);
      this.sketch.height = Math.round(this.sketch.width * video.videoHeight / video.videoWidth);
      this.sketch.getContext("2d").drawImage(video, 0, 0, this.sketch.width, this.sketch.height);
      const body = await new Promise((resolve) => this.sketch.toBlob(resolve, "image/jpeg", 0.8));
      const born = performance.now();
      const answer = await ask(`/api/detect?watch=${this.who}`, { method: "POST", body })
        .then((got) => got.json(), (error) => { if (asked === this.asked) throw error; });
      if (asked !== this.asked) return;
      const { width: w, height: h } = answer;
      this.boxes = answer.faces.map((face) => ({
        xyxy: face.box.map((v, i) => v / (i % 2 ? h : w)), name: face.class, caption: face.words }));
      this.draw();
      count(answer.counts);
      beat(performance.now() - born);
    }
  },

  draw() {
    const mirror = $("mirror").checked && this.facing === "user";
    $("live").classList.toggle("mirrored", mirror);
    const size = [$("live").videoWidth || 4, $("live").videoHeight || 3];
    drawBoxes($("boxes"), this.boxes, { colours, mirror, shape: size });
  },

  stop() {
    this.asked++;
    this.boxes = [];
    this.stream?.getTracks().forEach((track) => { track.onended = null; track.stop(); });
    this.stream = $("live").srcObject = null;
    running("go-mine", false);
    $("turn").hidden = true;
  },
};

// ---- the server's camera

const theirs = {
  viewer: "",

  async start() {
    clear();
    const asked = turn;
    say("Opening the camera …");
    const { viewer } = await (await ask("/api/camera", { method: "POST" })).json();
    if (asked !== turn) return void ask(`/api/camera/${viewer}`, { method: "DELETE" }).catch(() => {});
    this.viewer = viewer;
    running("go-theirs", true);
    await this.watch(viewer).catch((error) => { if (this.viewer === viewer) throw error; });
  },

  async watch(viewer) {
    let number = 0;
    while (this.viewer === viewer) {
      const born = performance.now();
      const answer = await ask(`/api/camera/${viewer}?after=${number}&blur=${$("blur").checked ? 1 : 0}`);
      if (this.viewer !== viewer) return;
      if (answer.status === 204) continue;
      const told = JSON.parse(answer.headers.get("X-Frame"));
      const bitmap = await createImageBitmap(await answer.blob());
      if (this.viewer !== viewer) return;
      number = told.number;
      const canvas = $("frame");
      [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
      shape(bitmap.width, bitmap.height);
      bitmap.close();
      show("frame");
      count(told.counts);
      say(faces(total(told.counts)));
      beat(performance.now() - born);
    }
  },

  stop() {
    if (this.viewer) fetch(`/api/camera/${this.viewer}`, { method: "DELETE", keepalive: true }).catch(() => {});
    this.viewer = "";
    running("go-theirs", false);
  },
};

function running(id, on) {
  const button = $(id);
  if (!button) return;
  button.textContent = on ? "Stop" : "Start";
  button.classList.toggle("on", on);
}

// ---- what a person does

function choose(tab) {
  if (tab.getAttribute("aria-selected") === "true") return;
  clear();
  for (const other of tabs) {
    const on = other === tab;
    other.setAttribute("aria-selected", on);
    other.tabIndex = on ? 0 : -1;
    $(other.getAttribute("aria-controls")).hidden = !on;
  }
  $("blurring").hidden = tab.id === "tab-mine"; // your own live picture is shown to nobody else
}

function take(files) {
  if (!files?.length) return;
  choose(tabs[0]);
  look(files[0]).catch(fail);
}

for (const tab of tabs) {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    choose(next);
    next.focus();
  });
}
for (const [id, camera] of [["go-mine", mine], ["go-theirs", theirs]]) {
  $(id)?.addEventListener("click", () => {
    if ($(id).classList.contains("on")) return clear();
    camera.start().catch((error) => { clear(); fail(error); });
  });
}
$("file").addEventListener("change", () => {
  take($("file").files);
  $("file").value = ""; // the same file may be chosen again
});
$("cancel").addEventListener("click", () => { clear(); say("Cancelled; nothing of it was kept."); });
$("blur").addEventListener("change", () => {
  if (last && !$("picture").hidden) look(last).catch(fail);
});
$("mirror").addEventListener("change", () => mine.draw());
$("turn").addEventListener("click", () => {
  mine.facing = mine.facing === "user" ? "environment" : "user";
  mine.start().catch(fail);
});
addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("over"); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("over"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  take(event.dataTransfer?.files);
});
addEventListener("paste", (event) => take(event.clipboardData?.files));
addEventListener("pagehide", clear);
new ResizeObserver(() => { if (mine.stream) mine.draw(); }).observe($("stage"));
for (const item of document.querySelectorAll(".legend li")) {
  item.querySelector("i").style.background = colours[item.dataset.name];
}
