// How well texts on a page stand out, by the rule of WCAG 2: 4.5 to 1 is what most people can read.

/** Texts that can be seen and stand out less than that. @returns {Promise<string[]>} */
export function contrastsBelow(page, least) {
  return page.evaluate(measure, least);
}

/** Runs in the page. */
function measure(least) {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  /** Paints colours over each other, as the browser does; [r, g, b]. */
  const painted = (colours) => {
    canvas.globalAlpha = 1;
    for (const [colour, alpha] of [['white', 1], ...colours]) {
      canvas.globalAlpha = alpha;
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
    }
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const luminance = ([red, green, blue]) => {
    const [r, g, b] = [red, green, blue].map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (element) => {
    const line = [];
    for (let one = element; one; one = one.parentElement) {
      line.unshift(one);
      // What is in the top layer has nothing of its parents behind it that counts.
      if (one.matches(':modal')) break;
    }
    const layers = [];
    let opacity = 1;
    for (const one of line) {
      const style = getComputedStyle(one);
      opacity *= Number(style.opacity);
      layers.push([style.backgroundColor, opacity]);
    }
    const behind = painted(layers);
    const text = painted([...layers, [getComputedStyle(element).color, opacity]]);
    const [one, other] = [luminance(behind), luminance(text)].sort((a, b) => b - a);
    return (one + 0.05) / (other + 0.05);
  };
  const isSeen = (element) => {
    const { width, height } = element.getBoundingClientRect();
    return element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && width > 2 && height > 2 && !element.closest('.stage, :disabled');
  };
  const saysSomething = (element) => [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim() && !/^\p{Emoji_Presentation}/u.test(node.data));
  const modal = [...document.querySelectorAll(':modal')].at(-1) ?? document.body;
  return [...modal.querySelectorAll('*')]
    .filter((element) => saysSomething(element) && isSeen(element))
    .map((element) => [contrast(element), element])
    .filter(([ratio]) => ratio < least)
    .map(([ratio, element]) => `${ratio.toFixed(2)} ${element.className || element.dataset.part || element.tagName}: ${element.textContent.slice(0, 40)}`);
}
