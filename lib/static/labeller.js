// The notebook labeller: one photo, its boxes, a keyboard, a mouse or a finger.
// Boxes are in pixels of the photo; the view is a scale and an offset. Python saves; this file only edits.

const HANDLES = [[0, 0], [0.5, 0], [1, 0], [1, 0.5], [1, 1], [0.5, 1], [0, 1], [0, 0.5]];
const CURSORS = ["nwse", "ns", "nesw", "ew", "nwse", "ns", "nesw", "ew"];
const SMALLEST = 3; // pixels of the photo: a smaller box was a slip of the hand
const KEYS = [
  ["1 2 3", "class of the chosen box, or of the next one"],
  ["Tab", "next box (Shift: the one before)"],
  ["arrows", "move the chosen box by a pixel (Shift: ten)"],
  ["R", "arrows change its size instead of its place"],
  ["N", "new box in the middle; or drag on the photo (Shift: over another box)"],
  ["Delete", "remove the chosen box"],
  ["Ctrl Z, Ctrl Y", "undo, redo"],
  ["Ctrl S", "save again what could not be saved"],
  ["+ − 0", "zoom in, out, whole photo (Ctrl wheel, two fingers; Space drags)"],
  ["Enter", "done: the boxes are right; next photo"],
  ["S, B", "skip, back"],
  ["Esc", "let go of the box"],
];

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

function inkOn(colour) {
  const part = (i) => parseInt(colour.slice(i, i + 2), 16) / 255;
  const line = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = 0.2126 * line(part(1)) + 0.7152 * line(part(3)) + 0.0722 * line(part(5));
  return light > 0.179 ? "#111111" : "#ffffff"; // the one with more contrast (WCAG 2)
}

const copy = (faces) => faces.map((face) => ({ ...face }));
const gist = (faces) => faces.map((f) => [f.x1, f.y1, f.x2, f.y2, f.label, f.origin].join()).join(";");
const clamp = (value, low, high) => Math.min(Math.max(value, low), Math.max(low, high));
const percent = (score) => (score == null ? "" : ` ${Math.round(100 * score)} %`);

function render({ model, el }) {
  const classes = model.get("classes");
  const known = Object.fromEntries(classes.map((c) => [c.name, c]));
  const word = (name) => known[name]?.word ?? name;

  // ── what is shown ──────────────────────────────────────────────────────────────────────────────────────────────
  const me = Math.random().toString(36).slice(2); // of several pages on one kernel, this one
  let photo = null; // {at, name, width, height, judged, state, broken}; state: of its file, when we last heard of it
  let faces = [];
  let chosen = -1;
  let nextClass = classes[0].name;
  let sizing = false; // arrows change the size
  let drawing = false; // the next drag draws, whatever is below
  let view = { scale: 1, x: 0, y: 0, fit: 1 };
  let gesture = null;
  let spaceDown = false;
  let wanted = -1;
  let ticket = 0;
  let timer = 0;
  let lateTimer = 0;
  let frame = 0;
  let lastNudge = 0;
  const pictures = new Map(); // at → object URL
  const histories = new Map(); // at → {undo, redo, last}
  const unsaved = new Map(); // at → the message that Python has not confirmed; `failed`: why it could not
  const pointers = new Map();

  const button = (text, label, key, action, extra = {}) =>
    make("button", { type: "button", class: "fm-button", "aria-label": label, title: key ? `${label} (${key})` : label,
      onclick: () => { action(); stage.focus({ preventScroll: true }); }, ...extra }, text);

  const chips = classes.map((c) => make("button", {
    type: "button", class: "fm-chip", "aria-pressed": "false", title: `${c.word} (${c.key})`,
    style: `--fm-colour:${c.colour};--fm-ink:${inkOn(c.colour)}`,
    onclick: () => { setClass(c.name); stage.focus({ preventScroll: true }); },
  }, make("kbd", {}, c.key), ` ${c.word}`));
  const newButton = button("＋ New", "New box", "N", () => addBox());
  const deleteButton = button("Delete", "Delete the chosen box", "Delete", () => deleteBox());
  const undoButton = button("↶", "Undo", "Ctrl Z", () => step("undo", "redo"));
  const redoButton = button("↷", "Redo", "Ctrl Y", () => step("redo", "undo"));
  const helpButton = make("button", { type: "button", class: "fm-button", "aria-label": "Keys", title: "Keys (?)",
    "aria-expanded": "false", onclick: () => toggleHelp() }, "?");
  const bar = make("div", { class: "fm-bar", role: "toolbar", "aria-label": "Boxes" },
    make("span", { class: "fm-group", role: "group", "aria-label": "Class" }, ...chips),
    make("span", { class: "fm-group" }, newButton, deleteButton),
    make("span", { class: "fm-group" }, undoButton, redoButton),
    make("span", { class: "fm-group" },
      button("−", "Zoom out", "−", () => zoom(1 / 1.4)),
      button("Fit", "Show the whole photo", "0", () => fit()),
      button("+", "Zoom in", "+", () => zoom(1.4))),
    make("span", { class: "fm-space" }), helpButton);

  const img = make("img", { class: "fm-img", alt: "", draggable: "false" });
  const layer = make("div", { class: "fm-layer", "aria-hidden": "true" });
  const handles = HANDLES.map((_, i) => make("i", { class: "fm-handle", style: `cursor:${CURSORS[i]}-resize` }));
  const grips = make("div", { class: "fm-grips", hidden: true }, ...handles);
  const note = make("div", { class: "fm-note" }, "Waiting for the kernel …");
  const stage = make("div", { class: "fm-stage", tabindex: "0", role: "application",
    "aria-label": "Photo with boxes. Tab goes from box to box, 1 2 3 set the class, Enter is done. ? shows all keys.",
    style: `height:${model.get("height_px")}px` }, img, layer, grips, note);
  const help = make("div", { class: "fm-help", hidden: true },
    make("table", {}, ...KEYS.map(([key, what]) =>
      make("tr", {}, make("th", { scope: "row" }, ...key.split(" ").flatMap((k) => [make("kbd", {}, k), " "])),
        make("td", {}, what)))),
    make("p", {}, "A dashed box is the model's, a full one a person's. Every change is saved at once."));

  const meter = make("progress", { class: "fm-meter", "aria-label": "Photos done" });
  const where = make("span", { class: "fm-where" });
  const state = make("span", { class: "fm-state", role: "status" });
  const doneButton = button("Done, next ✓", "The boxes are right; next photo", "Enter", () => finish(),
    { class: "fm-button fm-primary" });
  const foot = make("div", { class: "fm-bar fm-foot" },
    button("‹ Back", "Photo before", "B", () => go(wanted - 1)),
    make("span", { class: "fm-progress" }, meter, where), make("span", { class: "fm-space" }), state,
    make("span", { class: "fm-group" }, button("Skip ›", "Leave it for later; next photo", "S", () => skip()), doneButton));
  const voice = make("div", { class: "fm-voice", "aria-live": "polite" });
  const root = make("div", { class: "fm-labeller", "data-lm-suppress-shortcuts": "true" }, bar, stage, help, foot, voice);
  el.append(root);

  const ready = () => photo && photo.at === wanted && !photo.broken; // not while the next photo is on its way

  // ── drawing ────────────────────────────────────────────────────────────────────────────────────────────────────
  function schedule() {
    if (!frame) frame = requestAnimationFrame(() => { frame = 0; paint(); });
  }

  function paint() {
    if (!photo) return;
    const { scale, x, y } = view;
    img.style.transform = `translate(${x}px,${y}px)`;
    img.style.width = `${photo.width * scale}px`;
    img.style.height = `${photo.height * scale}px`;
    while (layer.children.length > faces.length) layer.lastChild.remove();
    while (layer.children.length < faces.length) layer.append(make("div", { class: "fm-box" }, make("span")));
    faces.forEach((face, i) => {
      const node = layer.children[i];
      const c = known[face.label];
      const w = (face.x2 - face.x1) * scale;
      node.style.cssText = `--fm-colour:${c?.colour ?? "#888888"};--fm-ink:${inkOn(c?.colour ?? "#888888")};` +
        `transform:translate(${x + face.x1 * scale}px,${y + face.y1 * scale}px);` +
        `width:${w}px;height:${(face.y2 - face.y1) * scale}px;z-index:${i === chosen ? 2 : 1}`;
      node.className = "fm-box" + (i === chosen ? " fm-chosen" : "") + (face.origin === "auto" ? " fm-auto" : "") +
        (w < 44 && i !== chosen ? " fm-small" : "") + (y + face.y1 * scale < 20 ? " fm-top" : "") +
        (x + face.x1 * scale + 190 > stage.clientWidth && x + face.x2 * scale > 190 ? " fm-right" : "");
      const text = face.answer && face.answer !== face.label && known[face.answer]
        ? `${word(face.label)} · model: ${word(face.answer)}${percent(face.score)}`
        : word(face.label) + (face.origin === "auto" ? percent(face.score) : "");
      if (node.firstChild.textContent !== text) node.firstChild.textContent = text;
    });
    const face = faces[chosen];
    grips.hidden = !face;
    if (face) {
      handles.forEach((node, i) => {
        const [u, v] = HANDLES[i];
        const side = (u === 0.5 ? face.x2 - face.x1 : v === 0.5 ? face.y2 - face.y1 : Infinity) * scale;
        node.hidden = side < 44; // on a small box the corners are enough
        node.style.transform = `translate(${x + (face.x1 + u * (face.x2 - face.x1)) * scale}px,` +
          `${y + (face.y1 + v * (face.y2 - face.y1)) * scale}px)`;
      });
    }
    const history = histories.get(photo.at);
    chips.forEach((chip, i) =>
      chip.setAttribute("aria-pressed", String((face ? face.label : nextClass) === classes[i].name)));
    deleteButton.disabled = !face;
    undoButton.disabled = !history?.undo.length;
    redoButton.disabled = !history?.redo.length;
    newButton.setAttribute("aria-pressed", String(drawing));
    stage.classList.toggle("fm-sizing", sizing);
  }

  function progress() {
    const count = model.get("count");
    meter.max = Math.max(1, count);
    meter.value = model.get("done");
    const name = photo ? ` · ${photo.name}${photo.judged ? " ✓" : ""}` : "";
    where.textContent = count ? `${(photo ? photo.at : 0) + 1} of ${count} · ${model.get("done")} done${name}` : "";
  }

  function status(text, kind = "") {
    state.textContent = text;
    state.className = `fm-state ${kind}`;
  }

  function say(text) { voice.textContent = text; }

  function sayChosen() {
    const face = faces[chosen];
    if (!face) return say(`No box chosen. ${faces.length} boxes.`);
    const by = face.origin === "auto" ? `by the model,${percent(face.score)}` : "by a person";
    say(`Box ${chosen + 1} of ${faces.length}: ${word(face.label)}, ${by}. ` +
      `${Math.round(face.x2 - face.x1)} by ${Math.round(face.y2 - face.y1)} pixels.`);
  }

  // ── the view ───────────────────────────────────────────────────────────────────────────────────────────────────
  function fit() {
    if (!photo) return;
    const w = stage.clientWidth, h = stage.clientHeight;
    const scale = Math.min(w / photo.width, h / photo.height);
    view = { scale, fit: scale, x: (w - photo.width * scale) / 2, y: (h - photo.height * scale) / 2 };
    schedule();
  }

  function settle() { // keep the photo in sight
    const w = stage.clientWidth, h = stage.clientHeight, pw = photo.width * view.scale, ph = photo.height * view.scale;
    view.x = pw <= w ? (w - pw) / 2 : clamp(view.x, w - pw, 0);
    view.y = ph <= h ? (h - ph) / 2 : clamp(view.y, h - ph, 0);
    schedule();
  }

  function zoom(factor, cx = stage.clientWidth / 2, cy = stage.clientHeight / 2) {
    if (!photo) return;
    const scale = clamp(view.scale * factor, view.fit, Math.max(8, view.fit));
    const ratio = scale / view.scale;
    view.x = cx - (cx - view.x) * ratio;
    view.y = cy - (cy - view.y) * ratio;
    view.scale = scale;
    settle();
  }

  function reveal() { // bring the chosen box into sight
    const face = faces[chosen];
    if (!face || view.scale <= view.fit * 1.001) return;
    const cx = view.x + view.scale * (face.x1 + face.x2) / 2, cy = view.y + view.scale * (face.y1 + face.y2) / 2;
    if (cx < 0 || cy < 0 || cx > stage.clientWidth || cy > stage.clientHeight) {
      view.x += stage.clientWidth / 2 - cx;
      view.y += stage.clientHeight / 2 - cy;
      settle();
    }
  }

  function at(event) { // the pointer in pixels of the stage and of the photo
    const rim = stage.getBoundingClientRect();
    const sx = event.clientX - rim.left - stage.clientLeft, sy = event.clientY - rim.top - stage.clientTop;
    return { sx, sy, x: (sx - view.x) / view.scale, y: (sy - view.y) / view.scale };
  }

  // ── editing ────────────────────────────────────────────────────────────────────────────────────────────────────
  function commit(before, { together = false } = {}) {
    const history = histories.get(photo.at);
    if (!(together && performance.now() - lastNudge < 700)) history.undo.push(before);
    if (history.undo.length > 200) history.undo.shift();
    lastNudge = together ? performance.now() : 0;
    history.redo = [];
    history.last = gist(faces);
    later();
    schedule();
  }

  function step(from, to) {
    const history = ready() && histories.get(photo.at);
    if (!history?.[from].length) return;
    history[to].push(copy(faces));
    faces = history[from].pop();
    chosen = Math.min(chosen, faces.length - 1);
    history.last = gist(faces);
    lastNudge = 0;
    say(from === "undo" ? "Undone" : "Done again");
    later();
    schedule();
  }

  function mine(face) { return Object.assign(face, { origin: "manual" }); }

  function setClass(name) {
    if (!ready()) return;
    nextClass = name;
    const face = faces[chosen];
    if (face && (face.label !== name || face.origin === "auto")) {
      const before = copy(faces);
      mine(face).label = name;
      commit(before);
      sayChosen();
    }
    schedule();
  }

  function place(face, box) { // whole pixels inside the photo
    const x1 = clamp(Math.round(Math.min(box.x1, box.x2)), 0, photo.width - 1);
    const y1 = clamp(Math.round(Math.min(box.y1, box.y2)), 0, photo.height - 1);
    const x2 = clamp(Math.round(Math.max(box.x1, box.x2)), x1 + 1, photo.width);
    const y2 = clamp(Math.round(Math.max(box.y1, box.y2)), y1 + 1, photo.height);
    return Object.assign(face, { x1, y1, x2, y2 });
  }

  function moved(face) {
    mine(face);
    if (face.framing) face.framing = "labelled";
  }

  function addBox() {
    if (!ready()) return;
    const w = Math.min(photo.width, stage.clientWidth / view.scale) / 5;
    const cx = clamp((stage.clientWidth / 2 - view.x) / view.scale, 0, photo.width);
    const cy = clamp((stage.clientHeight / 2 - view.y) / view.scale, 0, photo.height);
    const before = copy(faces);
    faces.push(place({ label: nextClass, origin: "manual" },
      { x1: cx - w / 2, y1: cy - w / 2, x2: cx + w / 2, y2: cy + w / 2 }));
    chosen = faces.length - 1;
    commit(before);
    sayChosen();
  }

  function deleteBox() {
    if (!faces[chosen] || !ready()) return;
    const before = copy(faces);
    faces.splice(chosen, 1);
    chosen = Math.min(chosen, faces.length - 1);
    commit(before);
    say(`Box deleted, ${faces.length} left`);
  }

  function nudge(dx, dy) {
    const face = faces[chosen];
    if (!face) {
      view.x -= dx * 40;
      view.y -= dy * 40;
      return photo && settle();
    }
    if (!ready()) return;
    const before = copy(faces);
    if (sizing) place(face, { ...face, x2: Math.max(face.x1 + 1, face.x2 + dx), y2: Math.max(face.y1 + 1, face.y2 + dy) });
    else {
      const w = face.x2 - face.x1, h = face.y2 - face.y1;
      const x1 = clamp(face.x1 + dx, 0, photo.width - w), y1 = clamp(face.y1 + dy, 0, photo.height - h);
      Object.assign(face, { x1, y1, x2: x1 + w, y2: y1 + h });
    }
    moved(face);
    commit(before, { together: true });
    reveal();
  }

  function choose(i) {
    chosen = i;
    sizing = false;
    reveal();
    sayChosen();
    schedule();
  }

  // ── saving and going on ────────────────────────────────────────────────────────────────────────────────────────
  function later() {
    status("saving …");
    clearTimeout(timer);
    timer = setTimeout(() => save(false), 200);
  }

  function save(final) {
    clearTimeout(timer);
    timer = 0;
    send({ type: "save", at: photo.at, page: me, state: photo.state, faces: copy(faces), final });
  }

  function send(message) { // what Python does not confirm is kept, and sent again
    ticket += 1;
    unsaved.set(message.at, { ...message, ticket, failed: "" });
    model.send(unsaved.get(message.at));
    status("saving …");
    clearTimeout(lateTimer);
    lateTimer = setTimeout(() => unsaved.size && status("not saved yet: the kernel is busy or gone", "fm-bad"), 5000);
  }

  function retry() { [...unsaved.values()].filter((message) => message.failed).forEach(send); }

  function complain() { // whether something could not be saved
    const worst = [...unsaved.values()].find((message) => message.failed);
    if (worst) status(`not saved: ${worst.failed} (Ctrl S tries again)`, "fm-bad");
    return !!worst;
  }

  function flush() { if (timer) save(false); }

  function warn(event) { if (unsaved.size) event.preventDefault(); } // the browser asks before it leaves the page

  function letGo() { // a box that is being dragged goes back where it was
    if (gesture?.before) faces = gesture.before;
    gesture = null;
  }

  function go(number) {
    letGo();
    flush();
    retry();
    const count = model.get("count");
    if (!count) return;
    if (number >= count) return finale();
    wanted = clamp(number, 0, count - 1);
    model.set("at", wanted);
    model.save_changes();
    model.send({ type: "open", at: wanted, page: me, picture: !pictures.has(wanted) });
    if (pictures.has(wanted)) img.src = pictures.get(wanted);
    else stage.classList.add("fm-waiting");
  }

  function finale() {
    const text = `That was the last photo. ${model.get("done")} of ${model.get("count")} are done.`;
    status(text, "fm-good");
    say(text);
  }

  function finish() {
    if (photo?.broken) return skip();
    if (!ready()) return;
    letGo();
    faces.forEach((face) => face.origin === "auto" && mine(face));
    histories.get(photo.at).last = gist(faces);
    save(true);
    schedule();
    if (photo.at + 1 < model.get("count")) go(photo.at + 1);
    else setTimeout(finale, 300);
  }

  function skip() {
    if (photo?.at !== wanted) return;
    model.send({ type: "skip", at: wanted });
    go(wanted + 1);
  }

  function receive(message, buffers) {
    if (message.type === "photo" && buffers?.length) keep(message.at, buffers[0]);
    if (message.page !== me) return overhear(message);
    if (message.type === "photo") {
      if (message.ticket != null) meanwhile(message);
      else if (message.at === wanted) (photo?.at === wanted ? renew : show)(message);
    } else if (message.type === "saved") {
      if (unsaved.get(message.at)?.ticket === message.ticket) unsaved.delete(message.at);
      if (photo?.at === message.at) Object.assign(photo, { judged: message.judged, state: message.state });
      if (!complain() && !unsaved.size && !timer) status("saved ✓", "fm-good");
      progress();
    } else if (message.type === "error") {
      const mine = unsaved.get(message.at);
      if (message.ticket == null) refused(message);
      else if (mine?.ticket === message.ticket) mine.failed = message.reason;
      complain();
    }
  }

  function overhear(message) { // another page of this kernel saved the photo that we show
    const ours = timer || unsaved.has(message.at) || gesture;
    if (message.type === "saved" && message.at === photo?.at && !ours) {
      model.send({ type: "open", at: message.at, page: me, picture: false });
    }
  }

  function refused(message) { // a photo that cannot be shown
    if (message.at === wanted && photo?.at !== wanted) {
      photo = { at: message.at, name: "", width: 1, height: 1, judged: false, broken: true };
      faces = [];
      note.textContent = message.reason;
      note.hidden = false;
      img.hidden = true;
      layer.replaceChildren();
      histories.set(message.at, { undo: [], redo: [], last: "" });
      stage.classList.remove("fm-waiting");
      progress();
    }
    status(message.reason, "fm-bad");
  }

  function renew(message) { // the photo that we show, as its file is now
    if (timer || unsaved.has(message.at) || gesture || gist(faces) === gist(message.faces)) return;
    replace(message, faces);
  }

  function meanwhile(message) { // Python did not save: somebody else's boxes are in the file
    const mine = unsaved.get(message.at);
    if (mine?.ticket !== message.ticket) return;
    unsaved.delete(message.at);
    clearTimeout(timer);
    timer = 0;
    replace(message, photo?.at === message.at ? faces : mine.faces);
    status(`${message.name} was changed elsewhere and is shown as it is now; Ctrl Z brings back your boxes`, "fm-bad");
    say(state.textContent);
  }

  function replace(message, mine) { // the file's boxes instead of mine, which are one undo away
    const history = histories.get(message.at);
    history.undo.push(copy(mine));
    history.redo = [];
    history.last = gist(message.faces);
    if (photo?.at !== message.at) return;
    letGo();
    faces = message.faces;
    Object.assign(photo, { state: message.state, judged: message.judged });
    chosen = -1;
    progress();
    schedule();
  }

  function keep(number, bytes) {
    if (pictures.has(number)) URL.revokeObjectURL(pictures.get(number));
    pictures.delete(number);
    pictures.set(number, URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" })));
    for (const key of [...pictures.keys()].slice(0, -8)) {
      if (key === wanted || key === photo?.at) continue;
      URL.revokeObjectURL(pictures.get(key));
      pictures.delete(key);
    }
  }

  function show(message) {
    const { at: number, name, width, height, judged } = message;
    const { faces: drawn, state: file } = unsaved.get(number) ?? message; // what could not be saved is still here
    photo = { at: number, name, width, height, judged, state: file };
    faces = copy(drawn);
    const text = gist(faces);
    if (histories.get(photo.at)?.last !== text) histories.set(photo.at, { undo: [], redo: [], last: text });
    chosen = faces.length === 1 ? 0 : -1;
    sizing = drawing = false;
    img.src = pictures.get(photo.at) ?? "";
    img.alt = `Photo ${photo.name} with ${faces.length} boxes`;
    img.hidden = false;
    note.hidden = true;
    stage.classList.remove("fm-waiting");
    fit();
    progress();
    if (!unsaved.size) status(photo.judged ? "done ✓" : "", "fm-good");
    say(`Photo ${photo.at + 1} of ${model.get("count")}, ${faces.length} boxes`);
    const next = photo.at + 1;
    if (next < model.get("count") && !pictures.has(next)) model.send({ type: "open", at: next, page: me });
  }

  // ── pointers ───────────────────────────────────────────────────────────────────────────────────────────────────
  function hitHandle(p, reach) {
    const face = faces[chosen];
    if (!face) return -1;
    let best = -1, distance = reach;
    HANDLES.forEach(([u, v], i) => {
      if (handles[i].hidden) return;
      const hx = view.x + (face.x1 + u * (face.x2 - face.x1)) * view.scale;
      const hy = view.y + (face.y1 + v * (face.y2 - face.y1)) * view.scale;
      const d = Math.hypot(hx - p.sx, hy - p.sy);
      if (d < distance) [best, distance] = [i, d];
    });
    return best;
  }

  function hitBox(p) { // the smallest box under the pointer
    let best = -1, area = Infinity;
    const slack = 4 / view.scale;
    faces.forEach((f, i) => {
      const size = (f.x2 - f.x1) * (f.y2 - f.y1);
      if (p.x >= f.x1 - slack && p.x <= f.x2 + slack && p.y >= f.y1 - slack && p.y <= f.y2 + slack && size < area) {
        [best, area] = [i, size];
      }
    });
    return best;
  }

  function down(event) {
    if (!photo || event.button === 2) return;
    event.preventDefault();
    stage.focus({ preventScroll: true });
    if (!ready()) return;
    stage.setPointerCapture(event.pointerId);
    const p = at(event);
    pointers.set(event.pointerId, p);
    if (pointers.size === 2) {
      if (gesture?.before) faces = gesture.before;
      const [a, b] = [...pointers.values()];
      gesture = { kind: "pinch", d: Math.hypot(a.sx - b.sx, a.sy - b.sy), cx: (a.sx + b.sx) / 2, cy: (a.sy + b.sy) / 2 };
      return schedule();
    }
    const before = copy(faces);
    if (event.button === 1 || spaceDown) { gesture = { kind: "pan", p }; return; }
    const over = event.shiftKey || drawing;
    const handle = over ? -1 : hitHandle(p, event.pointerType === "mouse" ? 9 : 22);
    if (handle >= 0) { gesture = { kind: "resize", p, before, handle, start: { ...faces[chosen] } }; return; }
    const hit = over ? -1 : hitBox(p);
    if (hit >= 0) {
      choose(hit);
      gesture = { kind: "move", p, before, start: { ...faces[hit] } };
    } else {
      gesture = { kind: "draw", p, before };
    }
  }

  function drag(event) {
    if (!photo) return;
    const p = at(event);
    if (!gesture) {
      const handle = hitHandle(p, 9);
      stage.style.cursor = spaceDown ? "grab" : handle >= 0 ? `${CURSORS[handle]}-resize`
        : hitBox(p) >= 0 && !event.shiftKey && !drawing ? "move" : "crosshair";
      return;
    }
    if (!pointers.has(event.pointerId)) return;
    pointers.set(event.pointerId, p);
    if (gesture.kind === "pinch") {
      const [a, b] = [...pointers.values()];
      if (!b) return;
      const d = Math.hypot(a.sx - b.sx, a.sy - b.sy), cx = (a.sx + b.sx) / 2, cy = (a.sy + b.sy) / 2;
      view.x += cx - gesture.cx;
      view.y += cy - gesture.cy;
      zoom(d / Math.max(1, gesture.d), cx, cy);
      Object.assign(gesture, { d, cx, cy });
      return;
    }
    const far = Math.hypot(p.sx - gesture.p.sx, p.sy - gesture.p.sy) > 3;
    if (!gesture.live && !far) return;
    gesture.live = true;
    const dx = p.x - gesture.p.x, dy = p.y - gesture.p.y, start = gesture.start;
    if (gesture.kind === "pan") {
      view.x += p.sx - gesture.p.sx;
      view.y += p.sy - gesture.p.sy;
      gesture.p = at(event);
      return settle();
    }
    if (gesture.kind === "draw") {
      if (gesture.drawn == null) {
        faces.push({ label: nextClass, origin: "manual", x1: 0, y1: 0, x2: 1, y2: 1 });
        gesture.drawn = chosen = faces.length - 1;
      }
      place(faces[gesture.drawn], { x1: gesture.p.x, y1: gesture.p.y, x2: p.x, y2: p.y });
    } else if (gesture.kind === "move") {
      const w = start.x2 - start.x1, h = start.y2 - start.y1;
      const x1 = clamp(Math.round(start.x1 + dx), 0, photo.width - w);
      const y1 = clamp(Math.round(start.y1 + dy), 0, photo.height - h);
      Object.assign(faces[chosen], { x1, y1, x2: x1 + w, y2: y1 + h });
      moved(faces[chosen]);
    } else {
      const [u, v] = HANDLES[gesture.handle];
      place(faces[chosen], {
        x1: start.x1 + (u === 0 ? dx : 0), x2: start.x2 + (u === 1 ? dx : 0),
        y1: start.y1 + (v === 0 ? dy : 0), y2: start.y2 + (v === 1 ? dy : 0) });
      moved(faces[chosen]);
    }
    schedule();
  }

  function up(event) {
    pointers.delete(event.pointerId);
    if (!gesture || (gesture.kind === "pinch" && pointers.size)) return;
    const { kind, live, before, drawn } = gesture;
    gesture = null;
    if (event.type === "pointercancel" && before) { faces = before; return schedule(); }
    if (kind === "draw" && !live) choose(-1);
    if (kind === "draw" && drawn != null) {
      const face = faces[drawn];
      drawing = false;
      if (face.x2 - face.x1 < SMALLEST || face.y2 - face.y1 < SMALLEST) { faces = before; chosen = -1; return schedule(); }
      sayChosen();
    }
    if (live && before) commit(before);
    schedule();
  }

  stage.addEventListener("pointerdown", down);
  stage.addEventListener("pointermove", drag);
  stage.addEventListener("pointerup", up);
  stage.addEventListener("pointercancel", up);
  stage.addEventListener("mousedown", (event) => event.stopPropagation()); // the notebook would take the focus
  stage.addEventListener("wheel", (event) => {
    if (!photo) return;
    const zoomed = view.scale > view.fit * 1.001;
    if (event.ctrlKey || event.metaKey) {
      const p = at(event);
      zoom(Math.exp(-event.deltaY * 0.002), p.sx, p.sy);
    } else if (zoomed) {
      view.x -= event.deltaX;
      view.y -= event.deltaY;
      settle();
    } else return; // the page scrolls
    event.preventDefault();
  }, { passive: false });

  // ── keys ───────────────────────────────────────────────────────────────────────────────────────────────────────
  function toggleHelp() {
    help.hidden = !help.hidden;
    helpButton.setAttribute("aria-expanded", String(!help.hidden));
  }

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  function tab(event) { // from box to box; past the last one the focus leaves as everywhere
    if (event.target !== stage || !faces.length) return false;
    const next = event.shiftKey ? (chosen < 0 ? -1 : chosen - 1) : chosen + 1;
    if (next < 0 || next >= faces.length) { choose(-1); return false; }
    choose(next);
    return true;
  }

  function act(event) { // whether the key was ours
    const { key } = event;
    if (event.ctrlKey || event.metaKey) {
      const letter = key.toLowerCase();
      if (letter === "z") step(...(event.shiftKey ? ["redo", "undo"] : ["undo", "redo"]));
      else if (letter === "y") step("redo", "undo");
      else if (letter === "s") flush(), [...unsaved.values()].forEach(send); // the rest is saved already
      else return false;
      return true;
    }
    if (event.altKey) return false;
    if (key === "Tab") return tab(event);
    const c = classes.find((one) => one.key === key);
    if (c) return setClass(c.name), true;
    if (ARROWS[key]) {
      const by = event.shiftKey ? 10 : 1;
      return nudge(ARROWS[key][0] * by, ARROWS[key][1] * by), true;
    }
    const onButton = event.target.tagName === "BUTTON";
    if (onButton && (key === "Enter" || key === " ")) return false;
    const actions = {
      n: addBox, Delete: deleteBox, Backspace: deleteBox, "+": () => zoom(1.4), "=": () => zoom(1.4),
      "-": () => zoom(1 / 1.4), 0: fit, Enter: finish, s: skip, b: () => go(wanted - 1),
      PageDown: skip, PageUp: () => go(wanted - 1), Escape: () => choose(-1), "?": toggleHelp,
      r: () => { sizing = !sizing; say(sizing ? "Arrows change the size" : "Arrows move the box"); schedule(); },
      " ": () => { spaceDown = true; stage.style.cursor = "grab"; },
    };
    const action = actions[key.length === 1 ? key.toLowerCase() : key];
    if (!action) return false;
    if (event.repeat && (key === "Enter" || key.toLowerCase() === "s")) return true; // a key held down is one answer
    action();
    return true;
  }

  root.addEventListener("keydown", (event) => {
    if (act(event)) event.preventDefault();
    if (event.key !== "Tab") event.stopPropagation();
  });
  root.addEventListener("keyup", (event) => { if (event.key === " ") { spaceDown = false; stage.style.cursor = ""; } });

  // ── begin and end ──────────────────────────────────────────────────────────────────────────────────────────────
  const follow = () => { if (model.get("at") !== wanted) go(model.get("at")); };
  model.on("msg:custom", receive);
  model.on("change:done", progress);
  model.on("change:at", follow);
  const watch = new ResizeObserver(() => photo && fit());
  watch.observe(stage);
  window.addEventListener("pagehide", flush);
  window.addEventListener("beforeunload", warn);
  progress();
  if (model.get("count")) go(model.get("at"));
  else note.textContent = "No photos to label.";
  const patience = setTimeout(() => {
    if (!photo) note.textContent = "No picture yet: run this cell with a kernel to label here.";
  }, 4000);

  return () => {
    flush();
    [timer, lateTimer, patience].forEach(clearTimeout);
    cancelAnimationFrame(frame);
    watch.disconnect();
    window.removeEventListener("pagehide", flush);
    window.removeEventListener("beforeunload", warn);
    model.off("msg:custom", receive);
    model.off("change:done", progress);
    model.off("change:at", follow);
    pictures.forEach((url) => URL.revokeObjectURL(url));
  };
}

export default { render };
