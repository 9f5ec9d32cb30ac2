() => {
  const seen = (one) => one.offsetParent !== null && getComputedStyle(one).visibility !== "hidden";
  const wrong = [];
  const rgb = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const part = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  // The first ground behind an element that is not seen through; null where it is a mixed colour.
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const text = getComputedStyle(at).backgroundColor;
      const color = rgb(text);
      if (text.startsWith("color")) return null;
      if (text.startsWith("rgb") && (color.length < 4 || color[3] > 0.9)) return color;
    }
    return [255, 255, 255];
  };
  for (const one of document.querySelectorAll("body *")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !seen(one) || one.closest("script, style, noscript, i") || one.disabled) continue;
    const [color, back] = [getComputedStyle(one).color, ground(one)];
    if (!back || !color.startsWith("rgb")) continue;
    const [a, b] = [light(rgb(color)), light(back)].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) wrong.push(`contrast ${one.tagName} ${one.textContent.slice(0, 30)}`);
  }
  for (const one of document.querySelectorAll("button, select, input, a[href]")) {
    const label = one.textContent.trim() || one.getAttribute("aria-label") || one.labels?.length;
    if (seen(one) && !label) wrong.push(`no label ${one.outerHTML.slice(0, 60)}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`two of #${id}`);
  if (!document.documentElement.lang) wrong.push("no language");
  if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
  const width = document.documentElement.scrollWidth;
  if (width > innerWidth) wrong.push(`wider than the window: ${width}`);
  return [...new Set(wrong)];
}
