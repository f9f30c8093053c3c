// The script of a live page: draws its charts, and follows the run. When nothing more comes, the page says so, and keeps what it
// shows; it never turns into the page of another run.

import { beatMs, eventNames, type PageEvent } from '../page-change.ts';
import { ChartPage } from './chart-page.ts';
import { morphChildren } from './morph.ts';

/** Without a sign of life for so long nobody is there. */
const silenceMsMax = 3 * beatMs;

const page = new ChartPage();
const { run } = document.body.dataset;
const connection = document.getElementById('connection');
const stream = new EventSource('events');
let heardAtMs = performance.now();
let ended: string | undefined;

stream.addEventListener(eventNames.page, ({ data }) => {
  const event = JSON.parse(String(data)) as PageEvent;
  heard();
  if (event.run === run) show(event);
  else
    giveUp(
      'Another run is at this address now. This page keeps what came of the one before; load it again to see the other.',
    );
});
stream.addEventListener(eventNames.beat, heard);
stream.addEventListener('error', () => {
  if (ended !== undefined) giveUp(`${ended} Nothing more will come: this page keeps what it shows.`);
  else
    tell(
      `The run cannot be reached since ${new Date().toLocaleTimeString()}. This page keeps what came last, and goes on trying.`,
    );
});

const watch = setInterval(() => {
  if (performance.now() - heardAtMs < silenceMsMax) return;
  tell(
    `Nothing was heard of the run for ${Math.round(silenceMsMax / 1000)} s. This page keeps what came last, and goes on listening.`,
  );
}, 1000);

function show({ title, links, main, plots, source, ended: sentence }: PageEvent): void {
  document.title = title;
  become('parts', links);
  become('main', main);
  become('source', source);
  page.show(plots);
  if (sentence !== undefined && ended === undefined) page.say(sentence);
  ended = sentence;
}

function become(id: string, markup: string): void {
  const template = document.createElement('template');
  template.innerHTML = markup;
  const element = document.getElementById(id);
  if (element !== null) morphChildren(element, template.content);
}

function heard(): void {
  heardAtMs = performance.now();
  if (connection !== null) connection.hidden = true;
}

function giveUp(words: string): void {
  stream.close();
  clearInterval(watch);
  tell(words);
}

function tell(words: string): void {
  if (connection === null || (!connection.hidden && connection.textContent === words)) return;
  connection.hidden = false;
  connection.textContent = words;
}
