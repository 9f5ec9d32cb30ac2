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
    if (/\[object |undefined|NaN/.test(one.textContent)) wrong.push(`no text for people: ${one.textContent.slice(0, 40)}`);
    if ((a + 0.05) / (b + 0.05) < 4.5) wrong.push(`contrast ${one.tagName} ${one.textContent.slice(0, 30)}`);
  }
  for (const one of document.querySelectorAll("button, select, input, a[href]")) {
    const label = one.textContent.trim() || one.getAttribute("aria-label") || one.labels?.length;
    if (seen(one) && !label) wrong.push(`no label ${one.outerHTML.slice(0, 60)}`);
  }
  // What the accessibility rules of WCAG 2.2 AA ask for beside contrast and labels.
  let level = 0;
  for (const one of [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter(seen)) {
    const now = Number(one.tagName[1]);
    if (now > level + 1) wrong.push(`heading ${one.textContent.slice(0, 30)} is of level ${now} after ${level}`);
    level = now;
  }
  for (const one of document.querySelectorAll("[role=img], [role=group], [role=meter], [role=dialog], dialog, section, nav, canvas[role]"))
    if (seen(one) && !one.getAttribute("aria-label") && !one.getAttribute("aria-labelledby")) wrong.push(`no name ${one.outerHTML.slice(0, 60)}`);
  for (const one of document.querySelectorAll("[aria-labelledby], [aria-describedby], [aria-controls]"))
    for (const name of ["aria-labelledby", "aria-describedby", "aria-controls"])
      for (const id of (one.getAttribute(name) ?? "").split(" ").filter(Boolean))
        if (seen(one) && !document.getElementById(id)) wrong.push(`${name} of nothing: ${id}`);
  for (const one of document.querySelectorAll("[tabindex]")) if (one.tabIndex > 0) wrong.push(`focus out of order ${one.outerHTML.slice(0, 60)}`);
  for (const one of document.querySelectorAll("th")) if (!one.scope) wrong.push(`heading of a table without scope: ${one.textContent.slice(0, 30)}`);
  for (const one of document.querySelectorAll("img")) if (!one.hasAttribute("alt")) wrong.push("an image without words");
  for (const one of document.querySelectorAll("[role=meter]"))
    if (["aria-valuenow", "aria-valuemin", "aria-valuemax"].some((name) => !one.hasAttribute(name))) wrong.push("a meter without its values");
  for (const one of document.querySelectorAll("button, select, nav a, input:not([type=checkbox])")) {
    const { width, height } = one.getBoundingClientRect();
    if (seen(one) && (width < 24 || height < 24)) wrong.push(`too small to hit ${one.outerHTML.slice(0, 60)}`);
  }
  if (document.querySelectorAll("main").length !== 1) wrong.push("not one main");
  if (!document.title) wrong.push("no title");
  // Whatever takes the focus shows it, and the focus moves down the page as it is read.
  const before = document.activeElement;
  const room = document.querySelector("dialog[open]") ?? document;
  before?.blur?.();
  const stops = [...room.querySelectorAll("a[href], button, select, input, [tabindex='0']")].filter((one) => seen(one) && !one.disabled);
  for (const one of stops.slice(0, 80)) {
    one.focus({ preventScroll: true, focusVisible: true });
    const style = getComputedStyle(one);
    if (document.activeElement !== one) wrong.push(`takes no focus ${one.outerHTML.slice(0, 60)}`);
    else if (style.outlineStyle === "none" && style.boxShadow === "none") wrong.push(`focus is not seen ${one.outerHTML.slice(0, 60)}`);
  }
  (before ?? document.body).focus?.({ preventScroll: true });
  document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`two of #${id}`);
  if (!document.documentElement.lang) wrong.push("no language");
  if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
  const width = document.documentElement.scrollWidth;
  if (width > innerWidth) wrong.push(`wider than the window: ${width}`);
  return [...new Set(wrong)];
}
