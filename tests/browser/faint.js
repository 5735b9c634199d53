// Every text that is hard to read: its contrast with what lies behind it, by WCAG 2.
() => {
  const pen = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const known = new Map();
  const rgba = text => {
    if (!known.has(text)) {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = text;
      pen.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
      known.set(text, [r, g, b, a / 255]);
    }
    return known.get(text);
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((c, i) => c * a + below[i] * (1 - a));
  const behind = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const fill = rgba(getComputedStyle(e).backgroundColor);
      if (fill[3] > 0) layers.push(fill);
      if (fill[3] === 1) break;
    }
    return layers.reduceRight((below, fill) => over(fill, below), [255, 255, 255]);
  };
  const shine = colour => {
    const [r, g, b] = colour.map(c => c / 255).map(
      c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  // Pictures, and what JupyterLab colours by itself: listings in texts, as its own cells.
  const ALIEN = "svg, .headerlink, .jp-MarkdownOutput pre";
  const faint = [];
  const scope = window.FAINT_SCOPE || ".bd-article";
  for (const root of document.querySelectorAll(scope)) {
    const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const text = walk.currentNode.textContent.trim();
      const element = walk.currentNode.parentElement;
      if (!text || !element.checkVisibility() || element.closest(ALIEN)) continue;
      const style = getComputedStyle(element);
      let opacity = 1;
      for (let e = element; e; e = e.parentElement) opacity *= getComputedStyle(e).opacity;
      const ground = behind(element);
      const [r, g, b, a] = rgba(style.color);
      const ink = over([r, g, b, a * opacity], ground);
      const [low, high] = [shine(ink), shine(ground)].sort((x, y) => x - y);
      const ratio = (high + 0.05) / (low + 0.05);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
      if (ratio < (large ? 3 : 4.5)) {
        faint.push(`${ratio.toFixed(2)} ${element.tagName}.${element.className} ${text.slice(0, 40)}`);
      }
    }
  }
  return [...new Set(faint)].slice(0, 10);
}
