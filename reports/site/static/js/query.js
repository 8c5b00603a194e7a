// The filter: words, "several words", name:part, name=value, name>0.5, and - in front for "not".
"use strict";
(() => {
  const TOKEN = /(-?)(?:([\w./]+)(>=|<=|!=|[:=<>]))?(?:"([^"]*)"?|(\S+))/gu;

  const compare = {
    ">": (a, b) => a > b, "<": (a, b) => a < b, ">=": (a, b) => a >= b, "<=": (a, b) => a <= b,
  };

  const named = (columns, name) => columns.find((column) =>
    [column.name, column.label.replaceAll(" ", "_"), ...(column.also ?? [])]
      .some((known) => known.toLowerCase() === name.toLowerCase()));

  const onColumn = (column, values, operator, text) => {
    const wanted = text.toLowerCase();
    const number = Number(text);
    if (operator in compare) {
      // Percentages may be asked for as they are shown.
      const bound = column.kind === "percent" && number > 1 ? number / 100 : number;
      return (row) => typeof values[row] === "number" && compare[operator](values[row], bound);
    }
    const shown = (row) => String(values[row] ?? "").toLowerCase();
    if (operator === ":") return (row) => shown(row).includes(wanted);
    const same = (row) => (typeof values[row] === "number"
      ? values[row] === number : shown(row) === wanted);
    return operator === "=" ? same : (row) => !same(row);
  };

  /**
   * A test of rows for what was typed.
   * text(row): all that plain words are looked for in, in small letters.
   * Returns {test, problem}: problem says what wasn't understood.
   */
  VOS.query = (typed, columns, values, text) => {
    const tests = [];
    let problem = "";
    for (const [whole, not, name, operator, quoted, word] of typed.matchAll(TOKEN)) {
      const column = name && named(columns, name);
      let test;
      if (column && values[column.name]) {
        test = onColumn(column, values[column.name], operator, quoted ?? word);
        if (operator in compare && Number.isNaN(Number(quoted ?? word))) {
          problem = `${whole}: write a number behind ${operator}`;
        }
      } else {
        if (name) problem = `no column is called ${name}; looked for it as text`;
        const wanted = (name ? whole.slice(not.length) : quoted ?? word).toLowerCase();
        test = (row) => text(row).includes(wanted);
      }
      tests.push(not ? (row) => !test(row) : test);
    }
    return { test: (row) => tests.every((one) => one(row)), problem };
  };
})();
