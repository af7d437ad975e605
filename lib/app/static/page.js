// The page: states, camera, photos. Pictures are looked at by the worker behind engine.js; none is sent anywhere.

import * as engine from "./engine.js";
import { drawBoxes, trouble } from "./webcam.js";

const $ = (id) => document.getElementById(id);
const INSECURE = "Browsers give the camera only to secure pages: open this page by https://, or choose a photo.";
const REFUSED = "The camera was refused. Allow it in the browser’s settings for this page and press Start, or choose a photo.";
const NONE = "There is no camera here; choose a photo, or drop one on the page.";
const GONE = "The camera was taken away or unplugged; press Start again, or choose a photo.";
const MOST = 4096; // pixels of the longer side of a photo: more would not be seen by the network anyway

let about, colours, stream = null, turn = 0, facing = "user";
let seen = null; // what was looked at last: { picture (a canvas), faces, mirrored }
let arrivals = [];

function say(words, { bad = false } = {}) {
  if ($("said").textContent !== words) $("said").textContent = words;
  $("said").classList.toggle("trouble", bad);
}

const fail = (error) => say(error.name === "Said" ? error.message : `Something went wrong: ${error.message}`, { bad: true });
const told = (words) => Object.assign(new Error(words), { name: "Said" });
const faces = (n) => (n === 0 ? "No face found." : `${n} ${n === 1 ? "face" : "faces"}.`);

// ---- what was seen

function answer({ probabilities }) { // [class, how sure]: the surest, or unsure
  const sure = Math.max(...probabilities);
  return [sure < $("unsure").value / 100 ? about.unsure : about.classes[probabilities.indexOf(sure)], sure];
}

function show() {
  $("snapshot").disabled = !seen;
  if (!seen) return;
  const { picture, mirrored } = seen, counts = {};
  const boxes = seen.faces.filter((face) => face.score >= $("least").value / 100).map((face) => {
    const [name, sure] = answer(face);
    counts[name] = (counts[name] ?? 0) + 1;
    const words = about.legend.find(([known]) => known === name)[1];
    return { name, caption: `${words} ${(100 * sure).toFixed(1)} %`,
      xyxy: face.xyxy.map((v, i) => v / (i % 2 ? picture.height : picture.width)) };
  });
  drawBoxes($("boxes"), boxes, { colours, mirror: mirrored, shape: [picture.width, picture.height] });
  for (const item of $("legend").children) {
    const number = String(counts[item.dataset.name] ?? 0), place = item.querySelector("b");
    if (place.textContent !== number) place.textContent = number;
  }
  const told = faces(boxes.length) + (stream ? "" : ` ${boxes.map((box) => box.caption).join(", ")}`);
  say(told.trim());
}

function stage(id, [w, h]) {
  $("stage").hidden = !id;
  for (const other of ["live", "picture"]) $(other).hidden = other !== id;
  if (id) $("stage").style.aspectRatio = `${w} / ${h}`;
}

function clear() { // whatever ran ends, the camera is released, the stage is empty
  turn++;
  stream?.getTracks().forEach((track) => { track.onended = null; track.stop(); });
  stream = $("live").srcObject = seen = null;
  arrivals = [];
  $("speed").textContent = "";
  $("go").textContent = "Start camera";
  $("go").classList.remove("on");
  $("turn").hidden = true;
  stage(null, []);
  show();
  for (const item of $("legend").children) item.querySelector("b").textContent = "0";
}

// The people on a canvas; every face from 5 % up, so that the slider may go down later.
export async function look(canvas) {
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  return engine.look(pen.getImageData(0, 0, canvas.width, canvas.height), $("least").min / 100);
}

// ---- photos

// A photo upright, as a canvas of its own size (or MOST).
export async function opened(file) {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" })
    .catch(() => { throw told("That is no picture that this browser can read; take a JPEG, PNG or WebP."); });
  const scale = Math.min(1, MOST / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas;
}

async function take(file) {
  if (!file || $("file").disabled) return;
  clear();
  const asked = turn;
  say("Looking …");
  const picture = await opened(file);
  const { faces: found, milliseconds } = await look(picture);
  if (asked !== turn) return;
  seen = { picture, faces: found, mirrored: false };
  const shown = $("picture");
  [shown.width, shown.height] = [picture.width, picture.height];
  shown.getContext("2d").drawImage(picture, 0, 0);
  stage("picture", [picture.width, picture.height]);
  $("speed").textContent = `${Object.values(milliseconds).reduce((a, b) => a + b, 0).toFixed(0)} ms`;
  show();
  shown.setAttribute("aria-label", `The photo: ${$("said").textContent}`);
}

// ---- the camera

async function start() {
  clear();
  const asked = turn;
  if (!navigator.mediaDevices?.getUserMedia) throw told(INSECURE);
  say("Your browser asks whether it may use the camera: choose Allow.");
  const wish = { facingMode: facing, width: { ideal: 1280 }, height: { ideal: 720 } };
  const got = await navigator.mediaDevices.getUserMedia({ audio: false, video: wish }).catch((error) => {
    const { state, words } = trouble(error);
    throw told({ refused: REFUSED, none: NONE }[state] ?? words);
  });
  if (asked !== turn) return got.getTracks().forEach((track) => track.stop());
  stream = got;
  got.getVideoTracks()[0].onended = () => { clear(); say(GONE, { bad: true }); };
  facing = got.getVideoTracks()[0].getSettings().facingMode ?? facing;
  $("live").srcObject = got;
  $("go").textContent = "Stop camera";
  $("go").classList.add("on");
  say("The camera starts …");
  await $("live").play().catch(() => {});
  const devices = await navigator.mediaDevices.enumerateDevices();
  $("turn").hidden = devices.filter((device) => device.kind === "videoinput").length < 2;
  await watch(asked);
}

const mirrored = () => $("mirror").checked && facing !== "environment";

async function watch(asked) {
  const video = $("live");
  let [picture, spare] = [document.createElement("canvas"), document.createElement("canvas")]; // one is shown meanwhile
  while (asked === turn) {
    await new Promise((resolve) => { // a hidden page sleeps, and so does its camera's work
      if (document.hidden) document.addEventListener("visibilitychange", resolve, { once: true });
      else requestAnimationFrame(resolve);
    });
    if (asked !== turn || document.hidden || !video.videoWidth) continue;
    [picture, spare] = [spare, picture];
    if (picture.width !== video.videoWidth || picture.height !== video.videoHeight) {
      [picture.width, picture.height] = [video.videoWidth, video.videoHeight];
      stage("live", [picture.width, picture.height]);
    }
    picture.getContext("2d", { willReadFrequently: true }).drawImage(video, 0, 0);
    const found = await look(picture);
    if (asked !== turn) return;
    video.classList.toggle("mirrored", mirrored());
    seen = { picture, faces: found.faces, mirrored: mirrored() };
    show();
    beat(found.milliseconds);
  }
}

function beat({ letterbox, network, boxes }) {
  const now = performance.now() / 1000;
  arrivals = [...arrivals.filter((t) => now - t < 3), now];
  const span = now - arrivals[0];
  const pace = span > 0 ? (arrivals.length - 1) / span : 0;
  $("speed").textContent = `${pace.toFixed(1)} frames/s · ${(letterbox + network + boxes).toFixed(0)} ms`;
}

function snapshot() { // the picture that was looked at, with its boxes as they stand on the screen
  const { picture, mirrored: turned } = seen, { width: w, height: h } = picture;
  const sheet = document.createElement("canvas");
  [sheet.width, sheet.height] = [w, h];
  const pen = sheet.getContext("2d"), over = $("boxes");
  pen.save();
  if (turned) pen.setTransform(-1, 0, 0, 1, w, 0);
  pen.drawImage(picture, 0, 0);
  pen.restore();
  const scale = Math.min(over.width / w, over.height / h);
  const [ow, oh] = [w * scale, h * scale];
  pen.drawImage(over, (over.width - ow) / 2, (over.height - oh) / 2, ow, oh, 0, 0, w, h);
  sheet.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `masks-${new Date().toISOString().slice(0, 19).replace(/:/g, "-")}.jpg`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    say("The snapshot is among your downloads.");
  }, "image/jpeg", 0.92);
}

// ---- flight mode and new versions

async function keep() {
  if (!("serviceWorker" in navigator)) {
    $("kept").textContent = "This browser cannot keep the app for use without a network.";
    return;
  }
  const known = await navigator.serviceWorker.register("sw.js", { updateViaCache: "none" });
  const offer = () => { $("update").hidden = !(known.waiting && navigator.serviceWorker.controller); };
  known.addEventListener("updatefound", () => known.installing?.addEventListener("statechange", offer));
  offer();
  $("renew").addEventListener("click", () => known.waiting?.postMessage("take over"));
  let ours = Boolean(navigator.serviceWorker.controller);
  navigator.serviceWorker.addEventListener("controllerchange", () => {
    if (ours) location.reload();
    ours = true; // the first time it is only the one that was just installed
  });
  await navigator.serviceWorker.ready;
  $("kept").textContent = "Kept on this device: it works without a network, and can be put on the home screen from the browser’s menu.";
}

// ---- beginning

function describe({ model, runtime }, { threads }) {
  const work = threads > 1 ? `${threads} threads` : "one thread";
  $("about").textContent = `Model ${model.name}${model.created ? ` of ${model.created}` : ""}, SHA-256 `
    + `${model.sha256.slice(0, 12)}…: ${model.measured} ${runtime.package} ${runtime.version}, ${work}.`;
}

function slider(id, value) {
  const tell = () => { $(`${id}-said`).textContent = `${$(id).value} %`; };
  $(id).value = Math.round(100 * value);
  $(id).addEventListener("input", () => { tell(); show(); });
  tell();
}

async function begin() {
  const answer = await fetch("about.json", { cache: "no-cache" }).catch(() => null);
  if (!answer?.ok) throw told("The app did not come whole. Connect to the network once and reload the page.");
  about = await answer.json();
  about.cache = `face-masks ${new URL("./", location.href).pathname}`;
  colours = Object.fromEntries(about.legend.map(([name, , colour]) => [name, colour]));
  for (const [name, words, colour] of about.legend) {
    const item = document.createElement("li");
    item.dataset.name = name;
    item.innerHTML = "<i></i><span></span> <b>0</b>";
    item.querySelector("span").textContent = words;
    item.querySelector("i").style.background = colour;
    $("legend").append(item);
  }
  slider("least", about.model.min_score);
  slider("unsure", about.model.unsure_below);
  const ready = await engine.start(about, (done, of) => {
    $("progress").value = done / of;
    say(`Loading the model: ${(done / 1e6).toFixed(1)} of ${(of / 1e6).toFixed(1)} MB. Only the first time.`);
  }).catch((error) => {
    throw told(`The model cannot be run (${error.message}). Reload the page with a network; a browser from before 2023 is too old.`);
  });
  $("progress").hidden = true;
  $("go").disabled = $("file").disabled = false;
  describe(about, ready);
  say("Ready. Start the camera, or choose a photo.");
  if (!isSecureContext) say(INSECURE, { bad: true });
  await keep().catch((error) => { $("kept").textContent = `It is not kept for use without a network (${error.message}).`; });
}

$("go").addEventListener("click", () => {
  if (stream) {
    clear();
    say("Stopped; the camera is free.");
  } else start().catch((error) => { clear(); fail(error); });
});
$("turn").addEventListener("click", () => {
  facing = facing === "environment" ? "user" : "environment";
  start().catch((error) => { clear(); fail(error); });
});
$("file").addEventListener("change", () => {
  take($("file").files[0]).catch(fail);
  $("file").value = ""; // the same photo may be chosen again
});
$("snapshot").addEventListener("click", snapshot);
$("mirror").addEventListener("change", show);
addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("over"); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("over"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  take(event.dataTransfer?.files[0]).catch(fail);
});
addEventListener("paste", (event) => take(event.clipboardData?.files[0]).catch(fail));
addEventListener("pagehide", clear);
new ResizeObserver(show).observe($("stage"));
begin().catch((error) => { $("progress").hidden = true; fail(error); });
