// Colours between those of a theme, and what text can be read on them.

type Rgb = readonly [number, number, number];

/** The colour at a share of the way through evenly spaced ones (`#rrggbb`). */
export function mixed(colours: readonly string[], share: number): Rgb {
  const place = Math.min(1, Math.max(0, share)) * (colours.length - 1);
  const from = rgb(colours[Math.floor(place)] ?? '#000000');
  const to = rgb(colours[Math.ceil(place)] ?? '#000000');
  const part = place - Math.floor(place);
  const between = (index: 0 | 1 | 2): number => from[index] + (to[index] - from[index]) * part;
  return [between(0), between(1), between(2)];
}

function rgb(colour: string): Rgb {
  const channel = (index: number): number => Number.parseInt(colour.slice(1 + 2 * index, 3 + 2 * index), 16);
  return [channel(0), channel(1), channel(2)];
}

/** Black or white: one of them has a contrast of 4.5 : 1 on any colour (WCAG 2.2, relative luminance). */
export function textOn(colour: Rgb): '#000000' | '#ffffff' {
  const [red, green, blue] = colour.map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) ? '#000000' : '#ffffff';
}
