// The wall: crops by class, a click or a key flips a label. Python cuts the crops and writes the files.

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
  return 0.2126 * line(part(1)) + 0.7152 * line(part(3)) + 0.0722 * line(part(5)) > 0.179 ? "#111111" : "#ffffff";
}

function render({ model, el }) {
  const classes = model.get("classes");
  const known = Object.fromEntries(classes.map((c) => [c.name, c]));
  let label = "", page = 0, total = 0, focus = 0, waiting = true;
  let cells = [];
  let urls = [];
  const undo = [];
  const underway = new Map(); // id → labels that Python has not confirmed yet
  const ahead = new Map(); // "label/page" → message with crops, asked for before it is needed

  const tabs = ["", ...classes.map((c) => c.name)].map((name) => {
    const c = known[name];
    return make("button", { type: "button", class: "fw-tab", "data-label": name, "aria-pressed": "false",
      style: c ? `--fw-colour:${c.colour}` : "--fw-colour:#6b7280", onclick: () => open(name, 0) });
  });
  const grid = make("div", { class: "fw-grid", role: "group", "aria-label": "Faces. Arrow keys go from face to face, Enter flips, 1 2 3 set the class.",
    style: `--fw-side:${model.get("side_px")}px` });
  const empty = make("p", { class: "fw-empty" }, "Waiting for the kernel …");
  const where = make("span", { class: "fw-where" });
  const back = make("button", { type: "button", class: "fw-button", onclick: () => turn(-1) }, "‹ Page before");
  const next = make("button", { type: "button", class: "fw-button", onclick: () => turn(1) }, "Next page ›");
  const undoButton = make("button", { type: "button", class: "fw-button", title: "Undo (Ctrl Z)", onclick: () => takeBack() }, "↶ Undo");
  const state = make("span", { class: "fw-state", role: "status" });
  const hint = make("span", { class: "fw-hint" }, "click or Enter: next class · ",
    ...classes.flatMap((c) => [make("kbd", {}, c.key), ` ${c.word}  `]));
  const root = make("div", { class: "fw-wall", "data-lm-suppress-shortcuts": "true" },
    make("div", { class: "fw-bar", role: "group", "aria-label": "Class shown" }, ...tabs, make("span", { class: "fw-space" }), hint),
    empty, grid,
    make("div", { class: "fw-bar" }, back, where, next, make("span", { class: "fw-space" }), state, undoButton));
  el.append(root);

  const perPage = () => model.get("per_page");
  const pages = () => Math.max(1, Math.ceil(total / perPage()));
  const word = (name) => known[name]?.word ?? name;

  function bars() {
    const counts = model.get("counts");
    const all = Object.values(counts).reduce((a, b) => a + b, 0);
    tabs.forEach((tab) => {
      const name = tab.dataset.label;
      tab.textContent = `${name ? word(name) : "All"} ${name ? counts[name] ?? 0 : all}`;
      tab.setAttribute("aria-pressed", String(name === label));
    });
    const first = total ? page * perPage() + 1 : 0;
    where.textContent = `${first}–${Math.min(total, (page + 1) * perPage())} of ${total}`;
    back.disabled = page <= 0;
    next.disabled = page >= pages() - 1;
    undoButton.disabled = !undo.length;
    const changed = model.get("changed");
    if (!state.classList.contains("fw-bad")) state.textContent = changed ? `${changed} changed, saved ✓` : "";
  }

  function open(name, number) {
    [label, page, waiting] = [name, Math.max(0, number), true];
    const ready = ahead.get(`${label}/${page}`);
    ahead.clear();
    if (ready) show(...ready);
    else model.send({ type: "page", label, page });
    bars();
  }

  function turn(by) {
    if (page + by < 0 || page + by >= pages()) return;
    focus = 0;
    open(label, page + by);
  }

  function describe(cell) {
    const model_ = cell.answer && known[cell.answer] ? `, the model says ${word(cell.answer)}${cell.score == null ? "" : ` ${Math.round(100 * cell.score)} %`}` : "";
    return `${cell.name}: ${word(cell.label)}${model_}${cell.label !== cell.first ? ", changed" : ""}`;
  }

  function dress(node, cell) {
    const c = known[cell.label];
    node.style.setProperty("--fw-colour", c?.colour ?? "#888888");
    node.style.setProperty("--fw-ink", inkOn(c?.colour ?? "#888888"));
    node.classList.toggle("fw-changed", cell.label !== cell.first);
    node.setAttribute("aria-label", describe(cell));
    node.title = describe(cell);
    const odd = cell.answer && known[cell.answer] && cell.answer !== cell.label;
    node.lastChild.textContent = word(cell.label) + (odd ? " ≠" : cell.score == null ? "" : ` ${Math.round(100 * cell.score)} %`);
  }

  function show(message, buffers) {
    waiting = false;
    total = message.total;
    urls.forEach((url) => URL.revokeObjectURL(url));
    urls = buffers.map((bytes) => (bytes.byteLength ? URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" })) : ""));
    cells = message.cells;
    const hadFocus = grid.contains(document.activeElement);
    grid.replaceChildren(...cells.map((cell, i) => {
      const face = urls[i] ? make("img", { src: urls[i], alt: "", draggable: "false" }) : make("i", {}, "no picture");
      const node = make("button", { type: "button", class: "fw-cell", tabindex: i === 0 ? "0" : "-1",
        onclick: () => { reach(i); flip(i); } }, face, make("span"));
      dress(node, cell);
      return node;
    }));
    focus = Math.min(focus, Math.max(0, cells.length - 1));
    if (hadFocus) reach(focus);
    empty.hidden = cells.length > 0;
    empty.textContent = "No faces here.";
    bars();
    if (page + 1 < pages()) model.send({ type: "page", label, page: page + 1 });
  }

  function reach(i) {
    grid.children[focus]?.setAttribute("tabindex", "-1");
    focus = i;
    grid.children[i]?.setAttribute("tabindex", "0");
    grid.children[i]?.focus();
  }

  function flip(i, name) {
    const cell = cells[i];
    if (!cell) return;
    const order = classes.map((c) => c.name);
    set(cell.id, name ?? order[(order.indexOf(cell.label) + 1) % order.length], cell.label);
  }

  function set(id, name, before) {
    if (name === before) return;
    undo.push([id, before]);
    send(id, name);
  }

  function send(id, name) {
    state.classList.remove("fw-bad");
    state.textContent = "saving …";
    underway.set(id, (underway.get(id) ?? 0) + 1);
    model.send({ type: "flip", id, label: name });
    relabel(id, name); // at once: the next click counts from here
  }

  function relabel(id, name) {
    const i = cells.findIndex((cell) => cell.id === id);
    if (i >= 0) dress(grid.children[i], Object.assign(cells[i], { label: name }));
  }

  function answered(message) { // Python's word counts once it has answered all
    const left = (underway.get(message.id) ?? 1) - 1;
    if (left) return underway.set(message.id, left);
    underway.delete(message.id);
    if (message.label) relabel(message.id, message.label);
  }

  function takeBack() {
    const last = undo.pop();
    if (last) send(...last);
  }

  function receive(message, buffers) {
    if (message.type === "page") {
      if (waiting && message.label === label && message.page === page) show(message, buffers);
      else if (!waiting && message.label === label) ahead.set(`${message.label}/${message.page}`, [message, buffers]);
    } else if (message.type === "flipped") {
      answered(message);
      for (const [ready] of ahead.values()) {
        const cell = ready.cells.find((one) => one.id === message.id);
        if (cell) cell.label = message.label;
      }
      bars();
    } else if (message.type === "error") {
      state.classList.add("fw-bad");
      state.textContent = `not saved: ${message.reason}`;
      answered(message);
    }
  }

  function columns() {
    const tops = [...grid.children].map((node) => node.offsetTop);
    return Math.max(1, tops.filter((top) => top === tops[0]).length);
  }

  root.addEventListener("keydown", (event) => {
    const inGrid = grid.contains(event.target);
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(), ArrowDown: columns(), Home: -focus, End: cells.length };
    const c = classes.find((one) => one.key === event.key);
    let ours = true;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") takeBack();
    else if (event.ctrlKey || event.metaKey || event.altKey) ours = false;
    else if (inGrid && c) flip(focus, c.name);
    else if (inGrid && event.key in moves) reach(Math.min(Math.max(focus + moves[event.key], 0), cells.length - 1));
    else if (event.key === "PageDown") turn(1);
    else if (event.key === "PageUp") turn(-1);
    else ours = false;
    if (ours) event.preventDefault();
    if (event.key !== "Tab") event.stopPropagation();
  });
  root.addEventListener("mousedown", (event) => event.stopPropagation()); // the notebook would take the focus

  model.on("msg:custom", receive);
  model.on("change:counts", bars);
  model.on("change:changed", bars);
  open("", 0);
  const patience = setTimeout(() => {
    if (waiting && !cells.length) empty.textContent = "No picture yet: run this cell with a kernel to see the faces.";
  }, 4000);

  return () => {
    clearTimeout(patience);
    model.off("msg:custom", receive);
    model.off("change:counts", bars);
    model.off("change:changed", bars);
    urls.forEach((url) => URL.revokeObjectURL(url));
  };
}

export default { render };
