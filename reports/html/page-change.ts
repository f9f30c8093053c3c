// What a live page is sent: all that it shows, anew. Whatever it has missed, the next change makes it right.

import type { Plot } from './plot.ts';

export type PageChange = {
  readonly title: string;
  /** HTML of the links to the parts of the page. */
  readonly links: string;
  /** HTML of everything between header and footer. */
  readonly main: string;
  readonly plots: Readonly<Record<string, Plot>>;
  readonly source: string;
};

/** Of which run a change is, and whether another one follows: `ended` says in a sentence how it came to an end. */
export type PageEvent = PageChange & { readonly run: string; readonly ended?: string };

/** Names of events of the stream: `page` has a {@link PageEvent}; `beat` is a sign of life. */
export const eventNames = { page: 'page', beat: 'beat' } as const;

/** How often there is at least a sign of life. */
export const beatMs = 5000;
