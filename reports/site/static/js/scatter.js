// Points of several curves: lines through them, a marker each, and what the nearest one is.
"use strict";
(() => {
  const SIZE = 5;
  const NEAR_PX = 24;

  const padded = (values) => {
    const low = values.reduce((a, b) => Math.min(a, b));
    const high = values.reduce((a, b) => Math.max(a, b));
    const pad = high > low ? 0.06 * (high - low) : Math.max(Math.abs(high) * 0.05, 0.01);
    return [low - pad, high + pad];
  };

  /** Values of points, and the ends of their spans. */
  const reach = (points, axis) => points.flatMap((point) =>
    [point[axis], ...(point.spans?.[axis] ?? [])]).filter((value) => value !== null);

  const sample = (curve) => {
    const { look } = curve;
    const colour = VOS.colour(look.colour);
    const line = look.line && VOS.svg("line", {
      x1: 0, y1: 7, x2: 30, y2: 7, stroke: colour, "stroke-width": 2,
      "stroke-dasharray": look.dash.join(" "),
    });
    return VOS.svg("svg", { width: 30, height: 14, "aria-hidden": "true" }, line, VOS.svg("path", {
      d: VOS.marker(look.marker), transform: `translate(15 7) scale(${SIZE})`,
      fill: curve.untrained ? VOS.ink("ground") : colour, stroke: colour, "stroke-width": 0.3,
    }));
  };

  const paint = (u, curve) => {
    const { ctx } = u;
    const ratio = devicePixelRatio;
    const colour = VOS.colour(curve.look.colour);
    const places = curve.points.map(({ x, y }) =>
      [u.valToPos(x, "x", true), u.valToPos(y, "y", true)]);
    ctx.strokeStyle = colour;
    ctx.lineWidth = 1.8 * ratio;
    if (curve.look.line && places.length > 1) {
      ctx.setLineDash(curve.look.dash.map((part) => part * ratio));
      ctx.beginPath();
      places.forEach(([x, y], at) => (at ? ctx.lineTo(x, y) : ctx.moveTo(x, y)));
      ctx.stroke();
      ctx.setLineDash([]);
    }
    for (const { x, y, spans } of curve.points) whiskers(u, x, y, spans);
    const shape = new Path2D(VOS.marker(curve.look.marker));
    for (const [x, y] of places) {
      ctx.save();
      ctx.translate(x, y);
      ctx.scale(SIZE * ratio, SIZE * ratio);
      ctx.lineWidth = 0.3;
      ctx.fillStyle = curve.untrained ? VOS.ink("ground") : colour;
      ctx.fill(shape);
      ctx.stroke(shape);
      ctx.restore();
    }
  };

  /** How sure a point is, either way: spans {x: [low, high], y: [low, high]}, where known. */
  const whiskers = (u, x, y, spans) => {
    const { ctx } = u;
    ctx.lineWidth = devicePixelRatio;
    ctx.globalAlpha = 0.6;
    ctx.beginPath();
    for (const [axis, ends] of Object.entries(spans ?? {})) {
      if (!ends || ends[0] === null || ends[1] === null) continue;
      for (const end of ends) {
        ctx.moveTo(u.valToPos(x, "x", true), u.valToPos(y, "y", true));
        ctx.lineTo(u.valToPos(axis === "x" ? end : x, "x", true), u.valToPos(axis === "y" ? end : y, "y", true));
      }
    }
    ctx.stroke();
    ctx.globalAlpha = 1;
  };

  /** τ beside the points, where there is room. */
  const labelled = (u, curves) => {
    const { ctx } = u;
    const ratio = devicePixelRatio;
    const taken = curves.flatMap((curve) => curve.points.map(({ x, y }) => {
      const [left, top] = [u.valToPos(x, "x", true), u.valToPos(y, "y", true)];
      return [left - 6 * ratio, top - 6 * ratio, left + 6 * ratio, top + 6 * ratio];
    }));
    const free = (box) => taken.every((one) => box[0] > one[2] || box[2] < one[0] || box[1] > one[3] || box[3] < one[1]);
    ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    ctx.fillStyle = VOS.ink("text");
    for (const curve of curves) {
      for (const { x, y, tau } of curve.points) {
        if (tau === null || tau === undefined) continue;
        const text = String(tau);
        const width = ctx.measureText(text).width;
        const [left, top] = [u.valToPos(x, "x", true), u.valToPos(y, "y", true)];
        const places = [[8, -8], [8, 16], [-8 - width / ratio, -8], [-8 - width / ratio, 16]];
        const box = places.map(([right, down]) => [left + right * ratio, top + (down - 10) * ratio,
          left + right * ratio + width, top + down * ratio]).find(free);
        if (!box) continue;
        taken.push(box);
        ctx.fillText(text, box[0], box[3] - ratio);
      }
    }
  };

  const nearest = (u, curves) => {
    let found = null;
    let least = NEAR_PX;
    for (const curve of curves) {
      for (const point of curve.points) {
        const distance = Math.hypot(u.valToPos(point.x, "x") - u.cursor.left,
          u.valToPos(point.y, "y") - u.cursor.top);
        if (distance < least) [least, found] = [distance, point];
      }
    }
    return found;
  };

  /**
   * curves: [{name, look, untrained, points: [{x, y, text, path, tau, spans}]}] in the order of
   * their lines; x, y: {label, format}; taus: written at the points. A point's text says what it
   * is; its path is opened by a click.
   */
  VOS.scatter = (curves, x, y, taus = false) => {
    const hidden = new Set();
    const shown = () => curves.filter((curve) => !hidden.has(curve.name));
    const points = curves.flatMap((curve) => curve.points);
    const order = points.slice().sort((a, b) => a.x - b.x);
    const tip = VOS.el("div", { class: "tip", hidden: true });
    let near = null;
    const point = (u) => {
      near = u.cursor.left < 0 ? null : nearest(u, shown());
      tip.hidden = !near;
      u.over.style.cursor = near ? "pointer" : "crosshair";
      if (!near) return;
      tip.textContent = near.text;
      const left = u.valToPos(near.x, "x");
      const onRight = left > u.over.clientWidth / 2;
      tip.style.left = onRight ? "auto" : `${left + 12}px`;
      tip.style.right = onRight ? `${u.over.clientWidth - left + 12}px` : "auto";
      tip.style.top = `${Math.max(0, u.valToPos(near.y, "y") - 20)}px`;
    };
    const clipped = (u) => {
      u.ctx.save();
      u.ctx.beginPath();
      u.ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
      u.ctx.clip();
      shown().forEach((curve) => paint(u, curve));
      if (taus) labelled(u, shown());
      u.ctx.restore();
    };
    const ready = (u) => {
      u.over.append(tip);
      u.over.addEventListener("click", () => {
        if (near?.path && u.select.width < 3) location.hash = VOS.href(near.path).slice(1);
      });
    };
    const figure = VOS.chart({
      data: [order.map((one) => one.x), order.map((one) => one.y)],
      full: { x: padded(reach(points, "x")), y: padded(reach(points, "y")) },
      name: `${y.label} against ${x.label}`,
      png: () => shown().map((curve) => ({ text: curve.name, draw: (context) => {
        const { look } = curve;
        context.strokeStyle = VOS.colour(look.colour);
        context.fillStyle = curve.untrained ? VOS.ink("ground") : VOS.colour(look.colour);
        context.lineWidth = 2;
        context.setLineDash(look.dash);
        context.beginPath();
        if (look.line) { context.moveTo(0, 7); context.lineTo(30, 7); }
        context.stroke();
        context.setLineDash([]);
        context.translate(15, 7);
        context.scale(SIZE, SIZE);
        context.lineWidth = 0.3;
        const shape = new Path2D(VOS.marker(look.marker));
        context.fill(shape);
        context.stroke(shape);
      } })),
      label: `${y.label} against ${x.label} of ${curves.length} curves; the table below holds the numbers`,
      height: 400,
      beside: VOS.el("ul", { class: "legend" }, curves.map((curve) => VOS.el("li", {},
        VOS.el("button", {
          type: "button", "aria-pressed": "true",
          onclick: (event) => {
            const off = hidden.delete(curve.name) ? false : Boolean(hidden.add(curve.name));
            event.currentTarget.setAttribute("aria-pressed", String(!off));
            figure.redraw();
          },
        }, sample(curve), curve.name)))),
      options: {
        series: [{}, { paths: () => null, points: { show: false } }],
        axes: [
          VOS.axis(x.label, (u, ticks) => ticks.map(x.format)),
          VOS.axis(y.label, (u, ticks) => ticks.map(y.format), { size: 64 }),
        ],
        cursor: { drag: { x: true, y: true }, points: { show: false } },
        hooks: { draw: [clipped], setCursor: [point], ready: [ready] },
      },
    });
    return figure;
  };
})();
