"use strict";
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const get = (id) => document.getElementById(id);
  const canvas = get("plot"), tip = get("tip"), pen = canvas.getContext("2d");
  const n = data.row.length;
  const state = { basis: 0, x: 0, y: 1, colour: 0, only: null, near: -1, zoom: 1, left: 0, top: 0 };
  // anchors of the cividis colour map
  const RAMP = [[0, 34, 78], [59, 73, 108], [111, 112, 115], [165, 156, 116], [223, 205, 90], [254, 232, 56]];
  let places = new Float64Array(2 * n), side = 0;

  function ramp(share) {
    const at = Math.min(1, Math.max(0, share)) * (RAMP.length - 1), i = Math.min(RAMP.length - 2, Math.floor(at));
    const mix = RAMP[i].map((low, c) => Math.round(low + (RAMP[i + 1][c] - low) * (at - i)));
    return "rgb(" + mix.join(",") + ")";
  }
  function option(select, value, text) {
    const item = document.createElement("option");
    item.value = value;
    item.textContent = text;
    select.appendChild(item);
  }
  function component(i) {
    const scores = data.bases[state.basis].scores;
    return i < scores.length ? scores[i] : null;
  }
  function fillComponents() {
    const evr = data.bases[state.basis].evr;
    for (const id of ["x", "y"]) {
      const select = get(id);
      select.textContent = "";
      evr.forEach((share, i) => option(select, i, "PC" + (i + 1) + " (" + (100 * share).toFixed(1) + " %)"));
      if (evr.length < 2 && id === "y") option(select, 1, "(none)");
    }
    state.x = Math.min(state.x, evr.length - 1);
    state.y = Math.min(state.y, Math.max(1, evr.length - 1));
    get("x").value = state.x;
    get("y").value = state.y;
  }
  function kindOf(i) {
    const colouring = data.colourings[state.colour];
    return colouring.of ? colouring.of[i] : -1;
  }
  function colourOf(i) {
    const colouring = data.colourings[state.colour];
    if (colouring.values) return colouring.values[i] === null ? "#b8bcc2" : ramp((colouring.values[i] - colouring.low) / (colouring.high - colouring.low));
    const kind = colouring.of[i];
    return kind < 0 ? "#b8bcc2" : colouring.kinds[kind][1];
  }
  function place() {
    const xs = component(state.x), ys = component(state.y);
    let low = [Infinity, Infinity], high = [-Infinity, -Infinity];
    for (let i = 0; i < n; i++) {
      const x = xs[i], y = ys ? ys[i] : 0;
      low = [Math.min(low[0], x), Math.min(low[1], y)];
      high = [Math.max(high[0], x), Math.max(high[1], y)];
    }
    const reach = Math.max(high[0] - low[0], high[1] - low[1], 1) * 1.08 / state.zoom;
    const middle = [(low[0] + high[0]) / 2 + state.left, (low[1] + high[1]) / 2 + state.top];
    state.reach = reach;
    for (let i = 0; i < n; i++) {
      places[2 * i] = (0.5 + (xs[i] - middle[0]) / reach) * side;
      places[2 * i + 1] = (0.5 - ((ys ? ys[i] : 0) - middle[1]) / reach) * side;
    }
    state.middle = middle;
  }
  function gridStep(reach) {
    const rough = reach / 5, power = Math.pow(10, Math.floor(Math.log10(rough)));
    return power * [1, 2, 5, 10].find((m) => m * power >= rough);
  }
  function drawGrid() {
    const unit = data.bases[state.basis].unit, reach = state.reach * unit, step = gridStep(reach);
    pen.font = "11px system-ui, sans-serif";
    pen.lineWidth = 1;
    for (const across of [true, false]) {
      const middle = (across ? state.middle[0] : state.middle[1]) * unit;
      for (let v = Math.ceil((middle - reach / 2) / step) * step; v < middle + reach / 2; v += step) {
        const at = (0.5 + (across ? 1 : -1) * (v - middle) / reach) * side;
        const label = String(Number(v.toPrecision(4)) || 0);
        pen.strokeStyle = "#eceef1";
        pen.beginPath();
        if (across) { pen.moveTo(at, 0); pen.lineTo(at, side); } else { pen.moveTo(0, at); pen.lineTo(side, at); }
        pen.stroke();
        pen.fillStyle = "#8a9098";
        if (across) pen.fillText(label, at + 3, side - 5); else pen.fillText(label, 4, at - 3);
      }
    }
  }
  function isTriangle(i) {
    const colouring = data.colourings[state.colour];
    return Boolean(colouring.of) && colouring.of[i] >= 0 && colouring.kinds[colouring.of[i]][3] !== "o";
  }
  function dot(i, radius) {
    const x = places[2 * i], y = places[2 * i + 1];
    pen.beginPath();
    if (isTriangle(i)) {
      const r = radius * 1.7;
      pen.moveTo(x, y - r);
      pen.lineTo(x + 0.9 * r, y + 0.6 * r);
      pen.lineTo(x - 0.9 * r, y + 0.6 * r);
    } else pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.fill();
  }
  function draw() {
    side = canvas.clientWidth;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = canvas.height = Math.round(side * ratio);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, side, side);
    place();
    drawGrid();
    const radius = n > 1500 ? 2.2 : n > 400 ? 2.8 : 3.6;
    pen.globalAlpha = 0.8;
    for (const front of [false, true]) {
      for (let j = 0; j < n; j++) {
        const i = order[j], chosen = state.only === null || kindOf(i) === state.only;
        const isFront = state.only === null ? !data.colourings[state.colour].of || kindOf(i) >= 0 : chosen;
        if (isFront !== front) continue;
        pen.fillStyle = chosen ? colourOf(i) : "#e4e6e9";
        dot(i, radius);
      }
    }
    pen.globalAlpha = 1;
    if (state.near >= 0) {
      pen.strokeStyle = "#000";
      pen.lineWidth = 1.5;
      pen.beginPath();
      pen.arc(places[2 * state.near], places[2 * state.near + 1], radius + 3, 0, 2 * Math.PI);
      pen.stroke();
    }
  }
  function drawLegend() {
    const colouring = data.colourings[state.colour], list = get("legend");
    get("legend-title").textContent = "Coloured by " + colouring.title;
    list.textContent = "";
    if (colouring.values) {
      const bar = document.createElement("div"), ends = document.createElement("div");
      bar.className = "ramp";
      bar.style.background = "linear-gradient(to right," + [0, 0.2, 0.4, 0.6, 0.8, 1].map(ramp).join(",") + ")";
      ends.className = "ends";
      for (const value of [colouring.low, colouring.high]) {
        const end = document.createElement("span");
        end.textContent = value.toLocaleString("en") + (value === colouring.high && colouring.cut ? " and more" : "");
        ends.appendChild(end);
      }
      const item = document.createElement("li");
      item.append(bar, ends);
      list.appendChild(item);
      return;
    }
    const lines = colouring.kinds.map((kind, i) => [kind, i]).concat(colouring.rest.map((kind) => [kind, -1]));
    for (const [kind, i] of lines) {
      const item = document.createElement("li"), button = document.createElement("button");
      const swatch = document.createElement("span"), name = document.createElement("bdi"), count = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.color = kind[1];
      swatch.textContent = kind[3] === "o" ? "\u25cf" : "\u25b2";
      name.textContent = kind[0];
      count.className = "count";
      count.textContent = kind[2].toLocaleString("en");
      button.type = "button";
      button.setAttribute("aria-pressed", String(state.only === i));
      button.append(swatch, name, count);
      button.addEventListener("click", () => { state.only = state.only === i ? null : i; drawLegend(); draw(); });
      item.appendChild(button);
      list.appendChild(item);
    }
  }
  function line(text, className) {
    const element = document.createElement("div");
    element.className = className || "";
    element.textContent = text;
    return element;
  }
  function piece(parent, number, tag) {
    const element = document.createElement(tag || "bdi");
    element.textContent = data.pieces[number];
    parent.appendChild(element);
  }
  function showTip(i, x, y) {
    const context = document.createElement("div");
    context.className = "context";
    data.before[i].forEach((p) => piece(context, p));
    piece(context, data.here[i], "mark");
    data.after[i].forEach((p) => piece(context, p));
    const firing = [];
    for (let j = 0; j < data.firing[i].length; j += 2) firing.push(data.members[data.firing[i][j]] + ": " + data.firing[i][j + 1]);
    const more = data.n_active[i] - firing.length;
    const where = (data.position && data.position[i] !== null ? "position " + data.position[i].toLocaleString("en") + " · " : "") + "token row " + data.row[i].toLocaleString("en");
    tip.replaceChildren(context, line("firing: " + firing.join(", ") + (more > 0 ? " and " + more + " more" : "")), line(where, "muted"));
    tip.hidden = false;
    tip.style.left = Math.max(0, Math.min(x + 14, side - tip.offsetWidth)) + "px";
    tip.style.top = (y + 18 + tip.offsetHeight > side ? Math.max(0, y - tip.offsetHeight - 14) : y + 18) + "px";
  }
  function nearest(x, y) {
    let best = -1, least = 14 * 14;
    for (let i = 0; i < n; i++) {
      if (state.only !== null && kindOf(i) !== state.only) continue;
      const d = (places[2 * i] - x) ** 2 + (places[2 * i + 1] - y) ** 2;
      if (d < least) { least = d; best = i; }
    }
    return best;
  }
  function point(event) {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }
  let drag = null;
  function hover(x, y) {
    const i = nearest(x, y);
    if (i !== state.near) { state.near = i; draw(); }
    if (i < 0) tip.hidden = true; else showTip(i, x, y);
  }
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = point(event);
    if (drag) {
      state.left -= (x - drag[0]) / side * state.reach;
      state.top += (y - drag[1]) / side * state.reach;
      drag = [x, y];
      tip.hidden = true;
      draw();
    } else hover(x, y);
  });
  canvas.addEventListener("pointerdown", (event) => { drag = point(event); canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointerup", () => { drag = null; });
  canvas.addEventListener("pointerleave", () => { drag = null; tip.hidden = true; state.near = -1; draw(); });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const [x, y] = point(event), before = state.reach;
    const zoom = Math.min(200, Math.max(1, state.zoom * Math.exp(-event.deltaY / 400)));
    const after = before * state.zoom / zoom;
    state.left += (x / side - 0.5) * (before - after);
    state.top -= (y / side - 0.5) * (before - after);
    state.zoom = zoom;
    if (zoom === 1) state.left = state.top = 0;
    draw();
  }, { passive: false });
  function all() { state.zoom = 1; state.left = state.top = 0; draw(); }
  canvas.addEventListener("dblclick", all);
  // a fixed shuffle, so that no kind of point lies on top of all others
  const order = Array.from({ length: n }, (_, i) => i);
  let seed = 1;
  for (let i = n - 1; i > 0; i--) {
    seed = (seed * 48271) % 2147483647;
    const j = seed % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  data.bases.forEach((basis, i) => option(get("basis"), i, basis.name.split(":")[0]));
  data.colourings.forEach((colouring, i) => option(get("colour"), i, colouring.title));
  for (const id of ["x", "y"]) get(id).addEventListener("change", (event) => { state[id] = Number(event.target.value); state.near = -1; all(); });
  get("basis").addEventListener("change", (event) => { state.basis = Number(event.target.value); fillComponents(); all(); });
  get("colour").addEventListener("change", (event) => { state.colour = Number(event.target.value); state.only = null; drawLegend(); draw(); });
  fillComponents();
  drawLegend();
  draw();
  window.addEventListener("resize", draw);
})();
