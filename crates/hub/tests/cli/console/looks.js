// What is wrong with the page for whoever hears it, or sees little: each fault as a line. It runs in the page, as the page is.

const faults = [];
const root = document.documentElement;

const called = (element) => {
  const name = element.id ? `#${element.id}` : element.getAttribute("class") ? `.${element.getAttribute("class")}` : "";
  return `${element.localName}${name}`;
};
const fault = (element, what) => faults.push(`${called(element)}: ${what}`);

// Controls and links have names, pictures have words or say that they are none.
const texts = (ids) => (ids || "").split(/\s+/).map((id) => document.getElementById(id)?.textContent || "").join(" ");
const labels = (element) => [...(element.labels || [])].map((label) => label.textContent).join(" ");
for (const element of document.querySelectorAll("input, select, textarea, button, summary, a[href]")) {
  if (element.type === "hidden") continue;
  const content = element.matches("button, summary, a") ? element.textContent : "";
  const picture = element.querySelector("img[alt]")?.alt;
  const names = [element.getAttribute("aria-label"), texts(element.getAttribute("aria-labelledby")), labels(element), content, picture];
  if (!names.some((name) => name && name.trim())) fault(element, "has no name");
}
for (const image of document.querySelectorAll("img")) {
  if (!image.hasAttribute("alt")) fault(image, "has no words in its place");
}
for (const drawing of document.querySelectorAll("svg")) {
  const title = [...drawing.children].some((child) => child.localName === "title" && child.textContent.trim());
  if (drawing.getAttribute("aria-hidden") !== "true" && !drawing.hasAttribute("aria-label") && !title) {
    fault(drawing, "is neither described nor hidden");
  }
}

// Headings go down by one level at a time, from one first heading.
let before = 0;
for (const heading of document.querySelectorAll("main :is(h1, h2, h3, h4, h5, h6)")) {
  const level = Number(heading.localName[1]);
  if (level > before + 1) fault(heading, `“${heading.textContent.trim()}” comes after level ${before}`);
  before = level;
}
const firsts = document.querySelectorAll("h1").length;
if (firsts !== 1) faults.push(`page: it has ${firsts} first headings`);

// An id is one element's.
const ids = new Set();
for (const element of document.querySelectorAll("[id]")) {
  if (ids.has(element.id)) fault(element, "has the id of another");
  ids.add(element.id);
}

// What the keyboard reaches shows that it is there (2.4.7): a rule outlines it, in the colour of links, and none takes that away.
// Read off the rules: a script that focuses something is no keyboard, and a browser need not show it then.
const outlined = (rules) =>
  [...rules].flatMap((rule) => {
    if (!rule.selectorText) return rule.cssRules ? outlined(rule.cssRules) : [];
    const outline = rule.style.outline || rule.style.outlineStyle;
    return outline ? [[rule.selectorText.replace(/:focus(-visible)?(?!-)/g, ":is(*)"), outline]] : [];
  });
const outlines = [...document.styleSheets].flatMap((sheet) => outlined(sheet.cssRules));
for (const element of document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")) {
  if (element.tabIndex < 0 || element.type === "hidden" || element.disabled) continue;
  const own = outlines.filter(([selector]) => element.matches(selector)).map(([, outline]) => outline);
  if (own.length === 0 || own.some((outline) => /none|^0/.test(outline))) fault(element, `shows no focus: ${own}`);
}

// Every text stands out from what is behind it (WCAG 2.2, 1.4.3).
const channels = (color) => {
  const all = (color.match(/[\d.]+/g) || []).map(Number);
  if (all.length < 3) return null;
  const scale = color.startsWith("color(") ? 255 : 1;
  return [all[0] * scale, all[1] * scale, all[2] * scale, all[3] ?? 1];
};
const over = ([r, g, b, a], below) => [r, g, b].map((one, at) => one * a + below[at] * (1 - a));
const light = (color) => {
  const [r, g, b] = color.slice(0, 3).map((one) => {
    const part = one / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
const up = function* (element) {
  for (let one = element; one; one = one.parentElement) yield one;
};
const ground = (element) => {
  const layers = [];
  // In a drawing the ground is the shape that it is written on.
  const shape = element.closest("svg") && element.closest("g")?.querySelector("rect");
  const filled = shape && channels(getComputedStyle(shape).fill);
  if (filled) layers.push(filled);
  for (const one of up(element)) {
    const color = channels(getComputedStyle(one).backgroundColor);
    if (color && color[3] > 0) layers.push(color);
    if (color && color[3] === 1) break;
  }
  return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
};
const shown = (element) => {
  if (!element.checkVisibility({ visibilityProperty: true })) return false;
  for (const one of up(element)) {
    const { width, height } = one.getBoundingClientRect();
    if (width <= 1 || height <= 1) return getComputedStyle(one).display === "contents";
  }
  return true;
};
const legible = (element, color, text) => {
  const style = getComputedStyle(element);
  const own = channels(color);
  if (!own) return;
  const behind = ground(element);
  for (const one of up(element)) own[3] *= Number(getComputedStyle(one).opacity);
  const ratio = contrast(over(own, behind), behind);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5)) {
    const theme = root.dataset.theme;
    fault(element, `“${text.trim().slice(0, 40)}” has a contrast of ${ratio.toFixed(2)}, ${theme}: ${color} on ${behind.map(Math.round)}`);
  }
};
const chosen = root.dataset.theme;
for (const theme of ["light", "dark"]) {
  root.dataset.theme = theme;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    const words = walk.currentNode.textContent;
    if (!words.trim() || element.closest("script, style, noscript, datalist, meter, :disabled") || !shown(element)) continue;
    const style = getComputedStyle(element);
    legible(element, element.closest("svg") ? style.fill : style.color, words);
  }
  for (const field of document.querySelectorAll("input, textarea, select")) {
    if (["hidden", "checkbox", "radio"].includes(field.type) || field.disabled || !shown(field)) continue;
    if (field.value) legible(field, getComputedStyle(field).color, field.value);
    else if (field.placeholder) legible(field, getComputedStyle(field, "::placeholder").color, field.placeholder);
  }
}
if (chosen === undefined) delete root.dataset.theme;
else root.dataset.theme = chosen;

return [...new Set(faults)].slice(0, 20);
