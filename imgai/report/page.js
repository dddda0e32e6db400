"use strict";
(() => {
  const COLORS = ["#56b4e9", "#e69f00", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"];
  const $ = (id) => document.getElementById(id);
  const run = JSON.parse($("run").textContent);
  const entries = [...document.querySelectorAll("script.m")].map((each, index) => ({ ...JSON.parse(each.textContent), index }));
  const add = (parent, tag, about = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(about)) {
      if (name === "text") made.textContent = value;
      else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== false && value != null) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children);
    if (parent) parent.append(made);
    return made;
  };

  // ---- pictures: their bytes lie as text in the page, and are decoded when they are seen ----
  const images = (entry) => {
    const kept = $("d" + entry.index);
    return kept ? JSON.parse(kept.textContent) : {};
  };
  const picture = (data, alt, alpha) =>
    add(null, "img", { src: "data:image/webp;base64," + data, alt, decoding: "async", draggable: "false", class: alpha ? "alpha" : null });

  const paint = (into, entry, side, bytes, { marks = true, detail = false } = {}) => {
    into.replaceChildren();
    const about = entry.sides[side];
    if (!about) return;
    if (detail) {
      const own = bytes[side + "d"];
      if (own) into.append(picture(own, `${about.title}, a part at its full size`));
      return;
    }
    const base = bytes[side] || bytes[0];
    if (base) into.append(picture(base, `${entry.name}, ${about.title}`, about.alpha || !bytes[side] && entry.sides[0].alpha));
    else add(into, "div", { class: "none", text: "no picture" });
    if (!marks) return;
    if (bytes[side + "o"]) into.append(picture(bytes[side + "o"], ""));
    if (about.marks && about.marks.length) into.append(...frames(about.marks, about.dashed));
  };
  const frames = (marks, dashed) => {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("viewBox", "0 0 1 1");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    const tags = add(null, "div", { class: "tags" });
    for (const [x0, y0, x1, y1, text, color] of marks) {
      const rect = document.createElementNS(space, "rect");
      for (const [name, value] of Object.entries({ x: x0, y: y0, width: Math.max(0, x1 - x0), height: Math.max(0, y1 - y0) }))
        rect.setAttribute(name, value);
      rect.setAttribute("class", dashed ? "f t" : "f");
      rect.style.stroke = COLORS[color % COLORS.length];
      svg.append(rect);
      if (text) {
        const tag = add(tags, "span", { text });
        tag.style.cssText = `left:${x0 * 100}%;top:${y0 * 100}%;background:${COLORS[color % COLORS.length]};` +
          (y0 > 0.06 ? "transform:translateY(-100%)" : "");
      }
    }
    return [svg, tags];
  };

  // ---- the head ----
  document.title = run.title;
  $("title").textContent = run.title;
  $("sub").textContent = run.about.join(" · ");
  for (const [value, name, main] of run.tiles) {
    const item = add($("tiles"), "li", { class: main ? "main" : null });
    add(item, "b", { text: value });
    add(item, "span", { text: name });
  }
  const list = (title, kind, rows, open) => {
    if (!rows.length) return;
    const box = add($("told"), "details", { class: "box " + kind, open });
    add(box, "summary", { text: title });
    const items = add(box, "ul");
    for (const [name, text, index] of rows) {
      const item = add(items, "li");
      if (index != null) {
        const link = add(item, "a", { href: "#", text: name, onclick: (event) => { event.preventDefault(); openAt(index); } });
        link.style.color = "inherit";
      } else if (name) add(item, "b", { text: name });
      item.append(name ? ": " : "", text);
    }
  };
  const failed = entries.filter((each) => each.error), noted = entries.filter((each) => each.notes.length);
  const many = (count, one, more) => `${count.toLocaleString("en")} ${count === 1 ? one : more}`;
  list(many(failed.length, "picture failed", "pictures failed"), "bad", failed.map((each) => [each.name, each.error, each.index]), failed.length < 12);
  list(many(noted.length, "picture has a warning", "pictures have warnings"), "warn",
    noted.flatMap((each) => each.notes.map((words) => [each.name, words, each.index])), false);
  for (const table of run.tables || []) {
    add($("told"), "h2", { text: table.title });
    const made = add(add($("told"), "div", { class: "scroll", tabindex: "0", role: "region", "aria-label": table.title }), "table", { class: table.heat ? "heat" : null });
    const top = add(add(made, "thead"), "tr");
    for (const name of table.head) add(top, "th", { scope: "col", text: name });
    const body = add(made, "tbody");
    for (const row of table.rows) {
      const line = add(body, "tr");
      const sum = table.heat ? row.slice(1).reduce((a, b) => a + b, 0) : 0;
      row.forEach((value, place) => {
        const best = !table.heat && table.best && place && value === table.best[place];
        const cell = add(line, place ? "td" : "th", { text: typeof value === "number" && table.heat ? value.toLocaleString("en") : value ?? "–", class: best ? "best" : null, scope: place ? null : "row" });
        if (table.heat && place && sum) {
          const share = value / sum;
          cell.style.background = `color-mix(in srgb, var(--accent) ${Math.round(70 * share)}%, transparent)`;
        }
      });
    }
    if (table.note) add($("told"), "p", { class: "sub", text: table.note });
  }

  // ---- the pictures ----
  const figures = [...new Set(entries.flatMap((each) => Object.keys(each.figures || {})))];
  const orders = {
    worst: ["worst first", (a, b) => b.worst - a.worst],
    name: ["by name", (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true })],
    slow: ["slowest first", (a, b) => (b.seconds || 0) - (a.seconds || 0)],
  };
  for (const name of figures)
    orders["f" + name] = [`${name.replaceAll("_", " ")}, lowest first`, (a, b) => (a.figures?.[name] ?? 1e9) - (b.figures?.[name] ?? 1e9)];
  for (const [key, [words]] of Object.entries(orders)) add($("order"), "option", { value: key, text: words });
  const widest = entries.reduce((most, each) => (each.sides.length > most.sides.length ? each : most), { sides: [] });
  widest.sides.forEach((side, place) => add($("shown"), "option", { value: place, text: "show " + side.title }));
  $("shown").hidden = widest.sides.length < 2;
  let shown = widest.sides.length > 1 ? run.shown ?? 1 : 0;
  $("shown").value = shown;
  const chips = [
    ["all", "All", () => true],
    ...(run.worst && entries.length > run.worst ? [["worst", `Worst ${run.worst}`, null]] : []),
    ["failed", "Failed", (each) => each.error],
    ["empty", "Nothing found", (each) => each.empty],
    ["noted", "Warnings", (each) => each.notes.length],
  ];
  let chosen = chips[1][0] === "worst" ? "worst" : "all", visible = [];
  for (const [key, words, test] of chips) {
    const count = test ? entries.filter(test).length : run.worst;
    if (!count && key !== "all") continue;
    add($("chips"), "button", {
      class: "chip", type: "button", "data-key": key, text: key === "worst" ? words : `${words} ${count.toLocaleString("en")}`,
      onclick: () => { chosen = key; show(); },
    });
  }
  const about = (entry) => {
    if (entry.error) return [entry.error, "bad"];
    const parts = [];
    for (const name of run.figures || []) if (entry.figures?.[name] != null) parts.push(`${name.replaceAll("_", " ")} ${entry.figures[name].toFixed(3)}`);
    const side = entry.sides[Math.min(shown, entry.sides.length - 1)] || {};
    if (!parts.length && side.labels?.length) parts.push(...side.labels.slice(0, 2).map(([label, score]) => `${label} ${score.toFixed(2)}`));
    if (!parts.length) parts.push(...(side.facts || []).map(([name, value]) => `${name} ${value}`));
    if (entry.empty) parts.unshift("nothing found");
    return [parts.join(" · ") || `${entry.size[0]} x ${entry.size[1]}`, entry.empty || entry.notes.length ? "warn" : ""];
  };
  const cards = entries.map((entry) => {
    const card = add(null, "button", { class: "card" + (entry.error ? " failed" : ""), type: "button", onclick: () => openAt(entry.index) });
    const tile = add(card, "div", { class: "tile" });
    const stage = add(tile, "div", { class: "stage" });
    stage.style.setProperty("--ar", ratio(entry));
    const words = add(card, "span", { class: "words" });
    add(add(words, "span", { class: "name", title: entry.name }), "bdi", { text: entry.name });
    add(words, "span", { class: "facts" });
    card.entry = entry;
    return card;
  });
  function ratio(entry) {
    const [width, height] = entry.size[0] ? entry.size : [4, 3];
    return Math.min(6, Math.max(1 / 6, width / height));
  }
  const fill = (card) => {
    const entry = card.entry, stage = card.querySelector(".stage");
    const side = Math.min(shown, entry.sides.length - 1);
    if (side < 0) stage.replaceChildren(add(null, "div", { class: "none", text: entry.error ? "no picture could be read" : "" }));
    else paint(stage, entry, side, images(entry));
  };
  const watcher = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) {
      target.near = isIntersecting;
      if (isIntersecting) fill(target);
      else target.querySelector(".stage").replaceChildren();
    }
  }, { rootMargin: "500px" });
  // On paper nothing is scrolled to: every picture is painted before, and those out of sight are dropped after.
  addEventListener("beforeprint", () => [...$("grid").children].filter((card) => !card.near).forEach(fill));
  addEventListener("afterprint", () => {
    for (const card of $("grid").children) if (!card.near) card.querySelector(".stage").replaceChildren();
  });
  function show() {
    const words = $("find").value.trim().toLowerCase();
    const [, order] = orders[$("order").value];
    let rows = [...entries];
    if (chosen === "worst") rows = rows.sort(orders.worst[1]).slice(0, run.worst);
    else rows = rows.filter(chips.find(([key]) => key === chosen)[2]);
    if (words) rows = rows.filter((each) => (each.name + " " + about(each)[0]).toLowerCase().includes(words));
    visible = rows.sort((a, b) => order(a, b) || a.index - b.index).map((each) => each.index);
    watcher.disconnect();
    $("grid").replaceChildren(...visible.map((index) => cards[index]));
    for (const index of visible) {
      const facts = cards[index].querySelector(".facts"), [text, kind] = about(entries[index]);
      facts.textContent = text;
      facts.className = "facts " + kind;
      watcher.observe(cards[index]);
    }
    for (const each of $("chips").children) each.setAttribute("aria-pressed", each.dataset.key === chosen);
    $("count").textContent = visible.length === entries.length ? many(entries.length, "picture", "pictures") : `${visible.length.toLocaleString("en")} of ${entries.length.toLocaleString("en")}`;
  }
  let wait = 0;
  $("find").addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(show, 120); });
  $("order").addEventListener("change", show);
  $("shown").addEventListener("change", () => {
    shown = +$("shown").value;
    for (const card of $("grid").children) {
      [card.querySelector(".facts").textContent] = about(card.entry);
      if (card.near) fill(card);
    }
  });

  // ---- one picture ----
  const viewer = $("viewer"), stage = $("stage"), slider = $("slider");
  const state = { at: 0, left: 0, right: 1, marks: true, detail: false, bytes: {} };
  const cut = (value) => {
    slider.value = value;
    stage.style.setProperty("--cut", value + "%");
  };
  function openAt(index) {
    state.at = index;
    state.bytes = images(entries[index]);
    const sides = entries[index].sides.length;
    state.left = 0;
    state.right = Math.min(Math.max(shown, 1), sides - 1);
    draw(true);
    if (!viewer.open) viewer.showModal();
  }
  function draw(anew) {
    const entry = entries[state.at];
    $("which").textContent = entry.name;
    const place = visible.indexOf(state.at);
    $("place").textContent = place < 0 ? "" : `${place + 1} of ${visible.length}`;
    const hasDetail = entry.sides.some((_, side) => state.bytes[side + "d"]);
    const detail = state.detail && hasDetail;
    $("detail").hidden = !hasDetail;
    $("detail").setAttribute("aria-pressed", detail);
    const hasMarks = entry.sides.some((side, place) => side.marks?.length || state.bytes[place + "o"]);
    $("marks").hidden = !hasMarks;
    $("marks").setAttribute("aria-pressed", state.marks);
    stage.style.setProperty("--ar", detail ? entry.detail || 1 : ratio(entry));
    const two = entry.sides.length > 1;
    paint($("left"), entry, state.left, state.bytes, { marks: state.marks, detail });
    paint($("right"), entry, state.right, state.bytes, { marks: state.marks, detail });
    if (!entry.sides.length) add($("left"), "div", { class: "none", text: entry.error || "no picture" });
    $("ltitle").textContent = entry.sides[state.left]?.title ?? "";
    $("rtitle").textContent = two ? entry.sides[state.right].title : "";
    for (const id of ["line", "slider", "ltitle", "rtitle", "right"]) $(id).hidden = !two;
    const choice = entry.sides.length > 2;
    $("lpick").replaceChildren(...entry.sides.map((side, place) => add(null, "option", { value: place, text: side.title })));
    $("lpick").value = state.left;
    $("rpick").replaceChildren(...entry.sides.map((side, place) => add(null, "button", {
      class: "chip", type: "button", text: side.title, "aria-pressed": String(place === state.right),
      onclick: () => { pick(place); },
    })));
    for (const id of ["lpick", "rpick"]) $(id).hidden = !choice;
    if (choice) $("rpick").children[state.right].scrollIntoView({ block: "nearest", inline: "center" });
    if (anew) cut(two && state.bytes[state.right] ? 50 : 0); // what only lies over the picture is seen whole at first
    tell(entry);
  }
  function tell(entry) {
    const into = $("info");
    into.replaceChildren();
    if (entry.error) add(into, "p", { class: "bad", text: entry.error });
    for (const words of entry.notes) add(into, "p", { class: "warn", text: words });
    const rows = [["size", entry.size[0] ? `${entry.size[0]} x ${entry.size[1]}` : "–"]];
    if (entry.seconds != null) rows.push(["seconds", entry.seconds.toFixed(2)]);
    const own = entry.sides.some((side) => side.figures);
    for (const [name, value] of own ? [] : Object.entries(entry.figures || {})) if (value != null) rows.push([name.replaceAll("_", " "), value.toFixed(4)]);
    const pairs = (rows) => {
      const made = add(into, "dl");
      for (const [name, value] of rows) { add(made, "dt", { text: name }); add(made, "dd", { text: value }); }
    };
    pairs(rows);
    entry.sides.forEach((side, place) => {
      const figures = Object.entries(side.figures || {}).filter(([, value]) => value != null).map(([name, value]) => [name.replaceAll("_", " "), value.toFixed(4)]);
      const facts = [...(side.facts || []), ...figures];
      if (!facts.length && !side.labels?.length && !side.text && !side.legend) return;
      add(into, "h3", { text: side.title });
      if (facts.length) pairs(facts);
      for (const [label, score] of side.labels || []) {
        const meter = add(into, "div", { class: "meter" });
        const words = add(meter, "span");
        add(words, "span", { text: label });
        add(words, "span", { text: score.toFixed(3) });
        add(meter, "i").style.width = 100 * score + "%";
      }
      if (side.legend) {
        const legend = add(into, "div", { class: "legend" });
        for (const [color, text] of side.legend) {
          const item = add(legend, "span");
          add(item, "i").style.background = COLORS[color];
          item.append(text);
        }
      }
      if (side.text) add(into, "pre", { text: side.text });
    });
    add(into, "p", { class: "keys" }).innerHTML =
      "<kbd>←</kbd> <kbd>→</kbd> pictures, <kbd>Space</kbd> before and after, <kbd>,</kbd> <kbd>.</kbd> slider, <kbd>M</kbd> marks, <kbd>D</kbd> detail, <kbd>0</kbd> to <kbd>9</kbd> what is on the right, <kbd>Esc</kbd> back";
  }
  const pick = (place) => {
    if (place >= entries[state.at].sides.length) return;
    const focused = document.activeElement?.parentElement === $("rpick");
    state.right = place;
    if (place) shown = place; // the next picture shows the same
    draw(false);
    if (!state.bytes[place]) cut(0);
    if (focused) $("rpick").children[place].focus();
  };
  const step = (by) => {
    const place = visible.indexOf(state.at), next = visible[place + by];
    if (next != null) openAt(next);
  };
  slider.addEventListener("input", () => cut(slider.value));
  const slide = (by) => cut(Math.min(100, Math.max(0, +slider.value + by))); // its own steps are too small for keys
  const drag = (event) => {
    const box = stage.getBoundingClientRect();
    cut(Math.round(1000 * Math.min(1, Math.max(0, (event.clientX - box.left) / box.width))) / 10);
  };
  stage.addEventListener("pointerdown", (event) => { stage.setPointerCapture(event.pointerId); drag(event); });
  stage.addEventListener("pointermove", (event) => { if (stage.hasPointerCapture(event.pointerId)) drag(event); });
  $("previous").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  $("close").addEventListener("click", () => viewer.close());
  $("detail").addEventListener("click", () => { state.detail = !state.detail; draw(false); });
  $("marks").addEventListener("click", () => { state.marks = !state.marks; draw(false); });
  $("lpick").addEventListener("change", () => { state.left = +$("lpick").value; draw(false); });
  viewer.addEventListener("close", () => {
    $("shown").value = shown;
    $("shown").dispatchEvent(new Event("change"));
    if (cards[state.at].isConnected) cards[state.at].focus(); });
  viewer.addEventListener("keydown", (event) => {
    if (event.target.tagName === "SELECT" || event.ctrlKey || event.metaKey || event.altKey) return;
    const onSlider = event.target === slider;
    const act = {
      ArrowLeft: () => (onSlider ? slide(-2) : step(-1)), ArrowRight: () => (onSlider ? slide(2) : step(1)),
      " ": event.target.tagName === "BUTTON" ? null : () => cut(+slider.value > 50 ? 0 : 100),
      ",": () => slide(-5), ".": () => slide(5),
      m: () => $("marks").click(), d: () => $("detail").click(),
    }[event.key];
    if (/^[0-9]$/.test(event.key) && entries[state.at].sides.length > 2) pick(+event.key);
    if (act) { event.preventDefault(); act(); }
  });
  $("grid").addEventListener("keydown", (event) => {
    const cards = [...$("grid").children], place = cards.indexOf(document.activeElement);
    if (place < 0) return;
    const across = cards.filter((each) => each.offsetTop === cards[0].offsetTop).length;
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[event.key];
    if (by && cards[place + by]) { event.preventDefault(); cards[place + by].focus(); }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !viewer.open && document.activeElement !== $("find")) { event.preventDefault(); $("find").focus(); }
  });
  const root = document.documentElement;
  $("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  $("grid").style.setProperty("--tile", entries.length > 200 ? "200px" : entries.length > 8 ? "260px" : "340px");
  show();
})();
