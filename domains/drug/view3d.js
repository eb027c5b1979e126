// A small molecule viewer on a canvas: every <figure class="view3d"> of the page holds its own coordinates as JSON.
(function () {
  "use strict";
  const COLOURS = { C: "#5eead4", N: "#3b82f6", O: "#ef4444", S: "#eab308", P: "#f97316", F: "#84cc16", Cl: "#22c55e", Br: "#b45309",
    I: "#9333ea", H: "#cbd5e1", Zn: "#7c8fa8", Mg: "#65a30d", Fe: "#c2410c", Ca: "#0ea5e9" };
  const THEMES = { light: { back: [255, 255, 255], pocket: "#94a3b8", ligand: "#0f766e", text: "#334155" },
    dark: { back: [15, 23, 42], pocket: "#64748b", ligand: "#2dd4bf", text: "#e2e8f0" } };

  function rgb(hex) { return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)); }
  // Far parts fade into the background: the eye reads that as depth.
  function faded(hex, back, fog) { return "rgb(" + rgb(hex).map((c, k) => Math.round(c + (back[k] - c) * fog)).join(",") + ")"; }
  function times(a, b) {
    return a.map((row) => b[0].map((_, k) => row[0] * b[0][k] + row[1] * b[1][k] + row[2] * b[2][k]));
  }
  function turn(x, y) {
    const a = Math.cos(x), b = Math.sin(x), c = Math.cos(y), d = Math.sin(y);
    return times([[1, 0, 0], [0, a, -b], [0, b, a]], [[c, 0, d], [0, 1, 0], [-d, 0, c]]);
  }

  function Viewer(figure) {
    const data = JSON.parse(figure.querySelector("script").textContent);
    const canvas = figure.querySelector("canvas"), context = canvas.getContext("2d");
    const start = () => ({ spin: turn(0, 0), zoom: 1 });
    let view = start(), pose = 0, labels = true, theme = figure.dataset.theme || "light", waiting = false;

    function place(x, at) { return [x[3 * at] / 100, x[3 * at + 1] / 100, x[3 * at + 2] / 100]; }
    function project(point) {
      const [x, y, z] = view.spin.map((row) => row[0] * point[0] + row[1] * point[1] + row[2] * point[2]);
      const near = 60 / (60 - z), scale = view.zoom * Math.min(canvas.width / data.extent[0], canvas.height / data.extent[1]) / 2 * near;
      return [canvas.width / 2 + x * scale, canvas.height / 2 - y * scale, z, scale];
    }
    function fog(z, strength) { return Math.max(0, Math.min(0.75, strength * (0.35 - z / (2.4 * data.radius)))); }

    function sticks(part, thick, carbon, strength, list) {
      const colour = (element) => element === "C" ? carbon : COLOURS[element] || "#f472b6";
      const seen = part.e.map((_, at) => project(place(part.x, at)));
      const bonded = new Set(part.b);
      for (let at = 0; at < part.b.length; at += 2) {
        const ends = [part.b[at], part.b[at + 1]], [p, q] = ends.map((end) => seen[end]);
        const middle = p.map((value, k) => (value + q[k]) / 2);
        [[p, ends[0]], [q, ends[1]]].forEach(([end, atom]) => list.push({
          z: (end[2] + middle[2]) / 2, draw: line, from: end, to: middle, width: thick * end[3],
          colour: colour(part.e[atom]), strength: strength }));
      }
      seen.forEach((p, at) => { if (!bonded.has(at)) list.push({
        z: p[2], draw: ball, from: p, width: 3 * thick * p[3], colour: colour(part.e[at]), strength: strength }); });
    }
    function line(one, back) {
      context.strokeStyle = faded(one.colour, back, fog(one.z, one.strength));
      context.lineWidth = Math.max(1, one.width);
      context.setLineDash(one.dash || []);
      context.beginPath(); context.moveTo(one.from[0], one.from[1]); context.lineTo(one.to[0], one.to[1]); context.stroke();
    }
    function ball(one, back) {
      context.fillStyle = faded(one.colour, back, fog(one.z, one.strength));
      context.beginPath(); context.arc(one.from[0], one.from[1], Math.max(2, one.width), 0, 7); context.fill();
    }
    function written(ratio, colours) {
      const touched = new Set(data.poses[pose].h.map((bond) => bond.r));
      context.textAlign = "center"; context.lineJoin = "round"; context.setLineDash([]);
      data.poses[pose].n.map((at) => data.labels[at]).map((label) => [label[0], project(label.slice(1).map((value) => value / 100))])
        .sort((one, other) => one[1][2] - other[1][2]).forEach(([name, p]) => {
          context.font = (touched.has(name) ? "700 12" : "10.5").replace(/[\d.]+$/, (size) => size * ratio + "px system-ui,sans-serif");
          context.globalAlpha = touched.has(name) ? 1 : 0.8 - fog(p[2], 0.8);
          context.lineWidth = 3 * ratio; context.strokeStyle = "rgb(" + colours.back + ")"; context.fillStyle = colours.text;
          context.strokeText(name, p[0], p[1]); context.fillText(name, p[0], p[1]);
        });
      context.globalAlpha = 1;
    }

    function draw() {
      waiting = false;
      const ratio = window.devicePixelRatio || 1, box = canvas.getBoundingClientRect();
      canvas.width = Math.max(1, Math.round(box.width * ratio)); canvas.height = Math.max(1, Math.round(box.height * ratio));
      const colours = THEMES[theme], list = [], chosen = data.poses[pose];
      context.fillStyle = "rgb(" + colours.back + ")"; context.fillRect(0, 0, canvas.width, canvas.height);
      context.lineCap = "round";
      sticks(data.pocket, 0.09, colours.pocket, 1, list);
      sticks(chosen, 0.26, colours.ligand, 0.5, list);
      chosen.h.forEach((bond) => {
        const p = project(place(bond.x, 0)), q = project(place(bond.x, 1));
        list.push({ z: (p[2] + q[2]) / 2, draw: line, from: p, to: q, width: 2 * ratio, colour: bond.c, strength: 0.4,
          dash: [5 * ratio, 6 * ratio] });
      });
      list.sort((one, other) => one.z - other.z).forEach((one) => one.draw(one, colours.back));
      if (labels) written(ratio, colours);
      figure.dataset.theme = theme; figure.dataset.pose = pose;
    }
    function redraw() { if (!waiting) { waiting = true; requestAnimationFrame(draw); } }

    const held = new Map();
    canvas.addEventListener("pointerdown", (event) => {
      held.set(event.pointerId, event); canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = held.get(event.pointerId);
      if (!before) return;
      const span = () => { const [p, q] = held.values(); return Math.hypot(p.clientX - q.clientX, p.clientY - q.clientY); };
      const apart = held.size === 2 ? span() : 0;
      held.set(event.pointerId, event);
      if (held.size === 1) {
        view.spin = times(turn((event.clientY - before.clientY) / 120, (event.clientX - before.clientX) / 120), view.spin);
      } else if (apart > 0) zoom(span() / apart);
      redraw();
    });
    ["pointerup", "pointercancel"].forEach((name) => canvas.addEventListener(name, (event) => held.delete(event.pointerId)));
    function zoom(factor) { view.zoom = Math.max(0.3, Math.min(8, view.zoom * factor)); redraw(); }
    canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(Math.exp(-event.deltaY / 600)); }, { passive: false });
    canvas.addEventListener("dblclick", () => { view = start(); redraw(); });
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [0, -0.15], ArrowRight: [0, 0.15], ArrowUp: [-0.15, 0], ArrowDown: [0.15, 0] }[event.key];
      if (step) { event.preventDefault(); view.spin = times(turn(step[0], step[1]), view.spin); redraw(); }
      if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1.15 : 1 / 1.15);
    });

    const buttons = figure.querySelectorAll("button[data-pose]");
    function choose(number) {
      pose = number;
      buttons.forEach((button) => button.setAttribute("aria-pressed", String(Number(button.dataset.pose) === pose)));
      redraw();
    }
    buttons.forEach((button) => button.addEventListener("click", () => choose(Number(button.dataset.pose))));
    figure.querySelector("button[data-labels]").addEventListener("click", (event) => {
      labels = !labels; event.currentTarget.setAttribute("aria-pressed", String(labels)); redraw();
    });
    const night = figure.querySelector("button[data-night]");
    function shine(chosen) { theme = chosen; night.setAttribute("aria-pressed", String(theme === "dark")); redraw(); }
    night.addEventListener("click", () => shine(theme === "light" ? "dark" : "light"));
    new ResizeObserver(redraw).observe(canvas);
    choose(0);
    shine(theme);
  }
  const begin = () => document.querySelectorAll("figure.view3d").forEach((figure) => new Viewer(figure));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin); else begin();
})();
