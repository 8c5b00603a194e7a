// What all plots share: colours of the scheme, markers, zoom by pointer, buttons and keys.
"use strict";
(() => {
  const polygon = (corners, radius = 1.1, turn = -Math.PI / 2) => {
    const points = Array.from({ length: corners }, (_, i) => {
      const angle = turn + (2 * Math.PI * i) / corners;
      const r = Array.isArray(radius) ? radius[i % 2] : radius;
      return `${(r * Math.cos(angle)).toFixed(3)},${(r * Math.sin(angle)).toFixed(3)}`;
    });
    return `M${points.join("L")}Z`;
  };
  const PLUS = "M-.4-1.1H.4V-.4H1.1V.4H.4V1.1H-.4V.4H-1.1V-.4H-.4Z";
  const CROSS = "M0-.5L.6-1.1 1.1-.6 .5,0 1.1,.6 .6,1.1 0,.5-.6,1.1-1.1,.6-.5,0-1.1-.6-.6-1.1Z";

  /** Markers of matplotlib's names, as SVG paths of radius 1. */
  VOS.MARKERS = {
    o: "M-1,0A1,1 0 1 0 1,0A1,1 0 1 0-1,0Z", s: "M-.9-.9H.9V.9H-.9Z", "^": polygon(3, 1.25),
    v: polygon(3, 1.25, Math.PI / 2), "<": polygon(3, 1.25, Math.PI), ">": polygon(3, 1.25, 0),
    D: polygon(4, 1.25), d: "M0-1.3L.8,0 0,1.3-.8,0Z", p: polygon(5, 1.15), h: polygon(6, 1.15), H: polygon(6, 1.15, 0), ".": "M-.6,0A.6,.6 0 1 0 .6,0A.6,.6 0 1 0-.6,0Z",
    8: polygon(8, 1.1, Math.PI / 8), P: PLUS, X: CROSS, "*": polygon(10, [1.5, 0.62]),
  };
  VOS.marker = (name) => VOS.MARKERS[name] ?? VOS.MARKERS.o;

  const dark = matchMedia("(prefers-color-scheme: dark)");
  VOS.onScheme = (work) => dark.addEventListener("change", work);

  VOS.ink = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  /** A colour of print, light enough where the ground is dark. */
  VOS.colour = (hex) => {
    if (!dark.matches || !/^#[0-9a-f]{6}$/iu.test(hex)) return hex;
    const parts = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    const light = 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    const share = light < 60 ? 0.65 : light < 130 ? 0.35 : 0;
    return `rgb(${parts.map((part) => Math.round(part + share * (255 - part))).join(",")})`;
  };

  VOS.axis = (label, values, extra = {}) => ({
    label, stroke: VOS.ink("text"), font: "12px system-ui", labelFont: "13px system-ui",
    grid: { stroke: VOS.ink("line"), width: 1 }, ticks: { stroke: VOS.ink("line"), width: 1 },
    values, ...extra,
  });

  const MOST_FRAMES = 1200;

  const zoomed = ([low, high], factor, shift) => {
    const middle = (low + high) / 2 + shift * (high - low);
    return [middle - ((high - low) * factor) / 2, middle + ((high - low) * factor) / 2];
  };

  /**
   * A uPlot in a figure with zoom buttons and keys.
   * options: uPlot's; full: {x: [low, high], y: [low, high]}; fixed: y is never zoomed; name: of
   * its PNG; png(): the legend there, for `VOS.savePng`.
   */
  VOS.chart = ({ options, data, full, fixed, label, height, name = label, png = () => [], beside = [] }) => {
    const host = VOS.el("div", { class: "plot", tabindex: "0", role: "img", "aria-label": label });
    let plot;
    const show = (x, y) => plot.batch(() => {
      plot.setScale("x", { min: x[0], max: x[1] });
      plot.setScale("y", { min: y[0], max: y[1] });
    });
    const all = () => show(full.x, full.y);
    const move = (factor, right = 0, up = 0) => {
      const { x, y } = plot.scales;
      show(zoomed([x.min, x.max], factor, right),
        fixed ? full.y : zoomed([y.min, y.max], factor, up));
    };
    const keys = {
      "+": () => move(0.7), "=": () => move(0.7), "-": () => move(1 / 0.7), 0: all,
      ArrowLeft: () => move(1, -0.15), ArrowRight: () => move(1, 0.15),
      ArrowUp: () => move(1, 0, 0.15), ArrowDown: () => move(1, 0, -0.15),
    };
    host.addEventListener("keydown", (event) => {
      if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      keys[event.key]();
    });
    const button = (text, name, work) =>
      VOS.el("button", { type: "button", title: name, "aria-label": name, onclick: work }, text);
    const figure = VOS.el("figure", { class: "chart" }, VOS.el("div", { class: "zoom" },
      VOS.el("span", {}, "drag to zoom"), button("+", "zoom in", keys["+"]),
      button("−", "zoom out", keys["-"]), button("all", "show all", all),
      button("PNG", "save as PNG", () => VOS.savePng(plot.ctx.canvas, png(), name))), host, beside);
    const wide = () => Math.max(240, host.clientWidth);
    const cursor = { ...options.cursor, bind: { dblclick: () => () => { all(); return null; } } };
    let waited = 0;
    const begin = () => {
      if (!host.isConnected) { // its page may still be loading other data
        if ((waited += 1) < MOST_FRAMES) requestAnimationFrame(begin);
        return;
      }
      // uPlot asks for the range of x at every change; only the first one is not somebody's wish.
      let chosen = false;
      const scales = {
        x: { time: false, range: (u, low, high) => (chosen ? [low, high] : full.x) },
        y: { range: () => full.y },
      };
      const ready = [...(options.hooks.ready ?? []), () => { chosen = true; }];
      plot = new uPlot({
        ...options, hooks: { ...options.hooks, ready }, width: wide(), height, scales, cursor,
        legend: { show: false },
      }, data, host);
      figure.plot = plot;
      new ResizeObserver(() => {
        if (host.isConnected && Math.abs(plot.width - wide()) > 1) {
          plot.setSize({ width: wide(), height });
        }
      }).observe(host);
    };
    requestAnimationFrame(begin);
    figure.redraw = () => plot?.redraw();
    return figure;
  };
})();
