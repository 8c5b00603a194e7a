// Data files call vosbenchData(name, data); a page waits for those it needs.
"use strict";
const VOS = { pages: {} };

(() => {
  const arrived = new Map();
  const waiting = new Map();

  globalThis.vosbenchData = (name, data) => {
    arrived.set(name, data);
    const wait = waiting.get(name);
    if (wait) wait.resolve(data);
  };

  /** The data of a file, loaded once; rejects where the file is missing. */
  VOS.load = (name) => {
    if (arrived.has(name)) return Promise.resolve(arrived.get(name));
    if (!waiting.has(name)) {
      const wait = {};
      wait.promise = new Promise((resolve, reject) => Object.assign(wait, { resolve, reject }));
      waiting.set(name, wait);
      const script = document.createElement("script");
      script.src = `${name}.js`;
      script.onerror = () => {
        waiting.delete(name);
        wait.reject(new Error(`${name}.js is missing: copy the whole folder`));
      };
      document.head.append(script);
    }
    return waiting.get(name).promise;
  };

  VOS.arrived = (name) => arrived.get(name);

  /** A packed frame as {rows, columns: {name: array}}; null where a value is unknown. */
  VOS.unpack = (packed) => {
    const columns = Object.create(null);
    for (const [name, column] of Object.entries(packed.columns)) {
      columns[name] = column.values
        ?? column.codes.map((code) => (code === null ? null : column.words[code]));
    }
    return { rows: packed.rows, columns };
  };

  /** Rows of a frame that pass, as indices. */
  VOS.where = (frame, test) => {
    const found = [];
    for (let row = 0; row < frame.rows; row += 1) if (test(row)) found.push(row);
    return found;
  };

  /** Distinct known values of a column over rows, in order of appearance. */
  VOS.distinct = (values, rows) => {
    const seen = new Set();
    for (const row of rows) if (values && values[row] !== null) seen.add(values[row]);
    return [...seen];
  };
})();
