// What is seen, as a file: tables as CSV, plots as PNG.
"use strict";
(() => {
  const FORMULA = /^\s*[=+\-@]/u;

  VOS.save = (blob, name) => {
    const link = VOS.el("a", { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };

  /** A cell that a spreadsheet shows and doesn't compute. */
  const cell = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    const text = FORMULA.test(value) && Number.isNaN(Number(value)) ? `'${value}` : String(value);
    return /[",\n\r]/u.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };

  /** Columns [{name}] of rows of a frame, in the units in which they are stored. */
  VOS.csv = (frame, columns, rows) => [columns.map(({ name }) => cell(name)).join(","),
    ...rows.map((row) => columns.map(({ name }) => cell(frame.columns[name][row])).join(","))].join("\n") + "\n";

  VOS.saveCsv = (text, name) => VOS.save(new Blob([text], { type: "text/csv" }), `${VOS.fileName(name)}.csv`);

  VOS.fileName = (text) => text.replaceAll(/[^\w.+-]+/gu, "-").slice(0, 80) || "vosbench";

  /** A plot with its legend below it; legend: [{text, draw(context)}], draw in 30 × 14 pixels. */
  VOS.savePng = (canvas, legend, name) => {
    const ratio = devicePixelRatio;
    const [line, column] = [20 * ratio, 340 * ratio];
    const across = Math.max(1, Math.floor(canvas.width / column));
    const page = VOS.el("canvas", {
      width: canvas.width, height: canvas.height + Math.ceil(legend.length / across) * line + 10 * ratio,
    });
    const context = page.getContext("2d");
    context.fillStyle = VOS.ink("ground");
    context.fillRect(0, 0, page.width, page.height);
    context.drawImage(canvas, 0, 0);
    context.scale(ratio, ratio);
    context.font = "12px system-ui, sans-serif";
    legend.forEach(({ text, draw }, at) => {
      context.save();
      context.translate(10 + ((at % across) * column) / ratio,
        canvas.height / ratio + 4 + (Math.floor(at / across) * line) / ratio);
      context.fillStyle = VOS.ink("text");
      context.fillText(text, 36, 11, column / ratio - 50);
      draw?.(context);
      context.restore();
    });
    page.toBlob((blob) => VOS.save(blob, `${VOS.fileName(name)}.png`), "image/png");
  };
})();
