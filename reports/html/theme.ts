// The colours of both themes: text on its ground has a contrast of 4.5 : 1 at least, lines of charts one of 3 : 1
// (WCAG 2.2, AA). The style sheet and the charts have them as custom properties.

import type { Tone } from './plot.ts';

type Token =
  | 'page'
  | 'surface'
  | 'text'
  | 'muted'
  | 'line'
  | 'link'
  | `${'pass' | 'fail' | 'doubt' | 'note'}${'' | '-ground'}`
  | `tone-${Tone}`
  /** Of heat maps, from the lowest value to the highest: one hue, so that lightness alone tells them apart. */
  | `heat-${'low' | 'middle' | 'high'}`;

export type Theme = Readonly<Record<Token, string>>;

export const lightTheme: Theme = {
  page: '#f3f5f8',
  surface: '#ffffff',
  text: '#17202b',
  muted: '#525d6b',
  line: '#d5dbe3',
  link: '#0b57b5',
  pass: '#0f6a37',
  'pass-ground': '#e4f4ea',
  fail: '#ac211a',
  'fail-ground': '#fdebea',
  doubt: '#744900',
  'doubt-ground': '#fff2d8',
  note: '#0b57b5',
  'note-ground': '#e7f0fc',
  'tone-blue': '#1d63c4',
  'tone-orange': '#b75a00',
  'tone-green': '#1a7f4b',
  'tone-purple': '#7b3fc4',
  'tone-teal': '#0c7c84',
  'tone-pink': '#bf2567',
  'tone-brown': '#7a5230',
  'tone-grey': '#65707d',
  'heat-low': '#e3eefb',
  'heat-middle': '#6ba3e3',
  'heat-high': '#0b3a75',
};

export const darkTheme: Theme = {
  page: '#0d1218',
  surface: '#161d26',
  text: '#e7ecf3',
  muted: '#a5b0be',
  line: '#303b49',
  link: '#82b6ff',
  pass: '#74dd9a',
  'pass-ground': '#12301f',
  fail: '#ff9f97',
  'fail-ground': '#3b1816',
  doubt: '#f3c364',
  'doubt-ground': '#33280d',
  note: '#92beff',
  'note-ground': '#152740',
  'tone-blue': '#6eaeff',
  'tone-orange': '#f6a54a',
  'tone-green': '#5ecf8f',
  'tone-purple': '#c39bff',
  'tone-teal': '#4cc9d2',
  'tone-pink': '#ff8ab8',
  'tone-brown': '#cfa07a',
  'tone-grey': '#9aa6b4',
  'heat-low': '#1d3049',
  'heat-middle': '#3d78bd',
  'heat-high': '#bfdcff',
};

const properties = (theme: Theme): string =>
  Object.entries(theme)
    .map(([name, value]) => `--${name}:${value};`)
    .join('');

/** Custom properties: light, dark where the system is, either by the page's button. Paper is light. */
export function themeStyle(): string {
  const [light, dark] = [properties(lightTheme), properties(darkTheme)];
  return [
    `:root{color-scheme:light;${light}}`,
    `@media screen and (prefers-color-scheme:dark){:root:not([data-theme=light]){color-scheme:dark;${dark}}}`,
    `@media screen{:root[data-theme=dark]{color-scheme:dark;${dark}}}`,
  ].join('\n');
}
