// Frames with masks over them: strips, a scrubber for one run, a slider between two.
"use strict";
(() => {
  const { el } = VOS;
  const TINT = 128;
  const TILES = 6;
  const PLAY_MS = 120;

  const picture = (file) => new Promise((resolve) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => resolve(null);
    image.src = file;
  });

  /** A run's masks of a set of frames, or the annotation's; null where they weren't kept. */
  const masksOf = async (name) => {
    const data = await VOS.load(name);
    return { ...data, labels: data.pixels ??= await VOS.inflate(data.labels) };
  };

  /** One frame's label map as a picture with tinted, outlined objects. */
  const tinted = (labels, at, height, width) => {
    const size = height * width;
    const map = labels.subarray(at * size, (at + 1) * size);
    const sheet = el("canvas", { width, height });
    const context = sheet.getContext("2d");
    const pixels = context.createImageData(width, height);
    for (let i = 0; i < size; i += 1) {
      const id = map[i];
      if (!id) continue;
      const x = i % width;
      const edge = (x > 0 && map[i - 1] !== id) || (x < width - 1 && map[i + 1] !== id)
        || (i >= width && map[i - width] !== id) || (i < size - width && map[i + width] !== id);
      const colour = VOS.site.object_colours[id];
      for (let part = 0; part < 3; part += 1) {
        const value = parseInt(colour.slice(1 + 2 * part, 3 + 2 * part), 16);
        pixels.data[4 * i + part] = edge ? 127 + value / 2 : value;
      }
      pixels.data[4 * i + 3] = edge ? 255 : TINT;
    }
    context.putImageData(pixels, 0, 0);
    return sheet;
  };

  /** Frame number `at` of a set on a canvas, with masks where there are any. */
  const paint = async (canvas, set, masks, at) => {
    const [height, width] = set.size;
    const wanted = canvas.dataset.at = String(at);
    const image = set.image && await picture(`${set.image}${set.frames[at]}.jpg`);
    if (canvas.dataset.at !== wanted) return;
    const context = canvas.getContext("2d");
    context.fillStyle = "#464646";
    context.fillRect(0, 0, width, height);
    if (image) context.drawImage(image, 0, 0, width, height);
    if (masks) context.drawImage(tinted(masks.labels, at, height, width), 0, 0);
  };

  const canvasOf = (set, label) => el("canvas", { width: set.size[1], height: set.size[0], role: "img", "aria-label": label });

  /** What was done in a frame, in words; "" for the annotation. */
  const said = (masks, at) => {
    const words = [...new Set(masks?.paths?.[at] ?? [])].filter((word) => word !== "absent").join("/");
    const p = (masks?.p_gate?.[at] ?? []).filter((one) => one !== null).map((one) => one.toFixed(2)).join(", ");
    return [words, p && `P ${p}`].filter(Boolean).join(" · ");
  };

  const border = (node, masks, at) => {
    const words = [...new Set(masks?.paths?.[at] ?? [])].filter((word) => word !== "absent");
    const word = words.length > 1 ? "mixed" : words[0];
    node.style.borderColor = word ? VOS.colour(VOS.site.path_colours[word]) : "transparent";
  };

  VOS.setName = (set) => `${set.frames.length} frames shown${set.cut === null ? "" : `, cut after ${set.cut} frames`}`;

  VOS.masksName = (number, row) => `data/masks/${number}-${row}`;

  /** Six frames of a run, or of the annotation (row null), in a row. */
  VOS.strip = async (number, set, row, title, current) => {
    const masks = await masksOf(row === null ? set.annotation : VOS.masksName(number, row));
    const count = Math.min(TILES, set.frames.length);
    const places = [...new Set(Array.from({ length: count }, (_, i) => Math.round((i + 1) * (set.frames.length - 1) / count)))];
    const tiles = places.filter((at) => !masks.known || masks.known.includes(at)).map((at) => {
      const words = [`frame ${set.frames[at]}`, said(masks, at)].filter(Boolean).join(" · ");
      const canvas = canvasOf(set, `${title}, ${words}`);
      border(canvas, masks, at);
      paint(canvas, set, masks, at);
      return el("figure", {}, canvas, el("figcaption", {}, words));
    });
    return el("section", { class: "strip", "aria-current": current ? "true" : null },
      el("h4", {}, row === null ? title : VOS.link(title, VOS.runPath(VOS.site.runs.columns.key[row]))),
      el("div", { class: "tiles", tabindex: "0", role: "region", "aria-label": `frames of ${title}` }, tiles));
  };

  /** A slider over frames with a button that plays them; change(place). */
  const scrubber = (set, start, change) => {
    let timer = null;
    const range = el("input", {
      type: "range", min: 0, max: set.frames.length - 1, step: 1, value: start, "aria-label": "frame",
      oninput: () => change(Number(range.value)),
    });
    const stop = () => { clearInterval(timer); timer = null; play.textContent = "play"; };
    const play = el("button", {
      type: "button", onclick: () => {
        if (timer) { stop(); return; }
        play.textContent = "stop";
        timer = setInterval(() => {
          if (!range.isConnected) { stop(); return; }
          range.value = (Number(range.value) + 1) % set.frames.length;
          change(Number(range.value));
        }, PLAY_MS);
      },
    }, "play");
    return el("div", { class: "scrubber" }, play, range);
  };

  const place = (set, frame) => {
    const at = set.frames.findIndex((one) => one >= Number(frame));
    return frame === null || at < 0 ? Math.floor(set.frames.length / 2) : at;
  };

  /** A run's frames one by one, with masks and decisions; params.frame is kept. */
  VOS.player = async (number, set, row, params, changed) => {
    const masks = await masksOf(VOS.masksName(number, row));
    const canvas = canvasOf(set, `frames of ${VOS.runName(row)}`);
    const words = el("p", { class: "reading", "aria-live": "polite" });
    const show = (at, keep = true) => {
      paint(canvas, set, masks, at);
      border(canvas, masks, at);
      range.setAttribute("aria-valuetext", `frame ${set.frames[at]}`);
      words.textContent = [`frame ${set.frames[at]}`, said(masks, at)].filter(Boolean).join(" · ");
      if (keep) { params.set("frame", set.frames[at]); changed(params); }
    };
    const start = place(set, params.get("frame"));
    const bar = scrubber(set, start, show);
    const range = bar.querySelector("input");
    show(start, false);
    return el("div", { class: "player" }, canvas, bar, words);
  };

  /** Two runs' masks on the same frames, one over the other up to a slider, or side by side. */
  VOS.slider = async (number, set, rows, params, changed) => {
    const masks = await Promise.all(rows.map((row) => masksOf(VOS.masksName(number, row))));
    const canvases = rows.map((row, at) => canvasOf(set, `${"AB"[at]}: ${VOS.runName(row)}`));
    const words = el("p", { class: "reading", "aria-live": "polite" });
    const stage = el("div", { class: "stage" }, canvases.map((canvas, at) =>
      el("figure", {}, canvas, el("figcaption", {}, "AB"[at]))));
    const split = el("input", {
      type: "range", min: 0, max: 100, value: params.get("split") ?? 50, "aria-label": "A to the left of here, B to the right",
      oninput: () => { divide(); params.set("split", split.value); changed(params); },
    });
    const divide = () => stage.style.setProperty("--split", `${split.value}%`);
    const arrange = (how) => { stage.dataset.how = how; split.hidden = how === "beside"; };
    const show = (at, keep = true) => {
      canvases.forEach((canvas, side) => { paint(canvas, set, masks[side], at); border(canvas, masks[side], at); });
      words.textContent = [`frame ${set.frames[at]}`, ...masks.map((one, side) => `${"AB"[side]}: ${said(one, at) || "no decision"}`)].join(" · ");
      range.setAttribute("aria-valuetext", `frame ${set.frames[at]}`);
      if (keep) { params.set("frame", set.frames[at]); changed(params); }
    };
    const start = place(set, params.get("frame"));
    const bar = scrubber(set, start, show);
    const range = bar.querySelector("input");
    const how = VOS.select("masks", [["", "one over the other"], ["beside", "side by side"]], params.get("masks") ?? "", (value) => {
      if (value) params.set("masks", value); else params.delete("masks");
      changed(params);
      arrange(value);
    });
    divide();
    arrange(params.get("masks") ?? "");
    show(start, false);
    return el("div", { class: "player" }, el("div", { class: "controls" }, how), stage, split, bar, words);
  };
})();
